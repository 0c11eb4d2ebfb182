//! A picture as SVG.

use std::fmt::Write;

use super::layout::{LANE, LEFT, Layout, TOP};
use super::words::escaped;

// Without variables, which not every program that shows SVG knows.
const STYLE: &str = "\
svg{background:#fff}text{font-family:ui-monospace,monospace;font-size:10px;fill:#1b1f24}\
text.soft{fill:#6a737d}.lane{stroke:#d0d7de}.tick{stroke:#d0d7de;stroke-dasharray:2 3}\
.claim{fill:#9ec5f4}.reaped{fill:#f0c987}.run{fill:#1f6feb}.band{fill:#d1242f;opacity:.13}\
.mark{fill:#1b1f24}.good{fill:#1a7f37}text.good{fill:#1a7f37}\
.bad,.fault{fill:#d1242f}text.bad,text.open,text.fault{fill:#d1242f}\
.mark.open{fill:#fff;stroke:#d1242f}\
@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}\
text.soft{fill:#8b949e}.lane,.tick{stroke:#30363d}.claim{fill:#1f4b7f}.reaped{fill:#7a5514}\
.run{fill:#58a6ff}.band{fill:#ff7b72}.mark{fill:#e6edf3}.good,text.good{fill:#56d364}\
.bad,.fault,text.bad,text.open,text.fault{fill:#ff7b72}\
.mark.open{fill:#0d1117;stroke:#ff7b72}}";

/// How far apart two figures on the axis are at least.
const TICK: f64 = 70.0;

/// Where the bar of a lane is, below its texts.
fn bar(lane: usize) -> f64 {
    TOP + LANE * lane as f64 + 56.0
}

pub(super) fn draw(layout: &Layout) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, layout);
    out
}

fn write(out: &mut String, layout: &Layout) -> std::fmt::Result {
    let Layout { width, height, title, .. } = layout;
    let title = escaped(title);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\"><title>{title}</title>\
         <style>{STYLE}</style>"
    )?;
    for band in &layout.bands {
        let (y, tall) = match band.lane {
            None => (TOP, height - TOP),
            Some(lane) => (TOP + LANE * lane as f64, LANE),
        };
        let (wide, hint) = ((band.to - band.from).max(2.0), escaped(&band.hint));
        writeln!(
            out,
            "<rect class=\"band\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" \
             height=\"{tall:.1}\"><title>{hint}</title></rect>",
            band.from
        )?;
    }
    for (lane, name) in layout.lanes.iter().enumerate() {
        let (y, line) = (bar(lane) + 4.0, TOP + LANE * (lane + 1) as f64);
        writeln!(
            out,
            "<text x=\"8\" y=\"{y:.1}\">{}</text><line class=\"lane\" x1=\"0\" x2=\"{width:.0}\" \
             y1=\"{line:.1}\" y2=\"{line:.1}\"/>",
            escaped(name)
        )?;
    }
    for one in &layout.bars {
        let (y, tall) = if one.class == "run" { (-3.0, 6.0) } else { (-8.0, 16.0) };
        let (y, wide, hint) = (bar(one.lane) + y, one.to - one.from, escaped(&one.hint));
        writeln!(
            out,
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\" \
             rx=\"2\"><title>{hint}</title></rect>",
            one.class, one.from
        )?;
    }
    marks(out, layout)?;
    out.push_str("</svg>\n");
    Ok(())
}

fn marks(out: &mut String, layout: &Layout) -> std::fmt::Result {
    let mut next_tick = LEFT;
    writeln!(out, "<text class=\"soft\" x=\"8\" y=\"16\">ms</text>")?;
    for mark in &layout.marks {
        let (x, lane, class) = (mark.x, mark.lane as f64, mark.class);
        let (y, row) = (bar(mark.lane), TOP + LANE * lane + 13.0 + 12.0 * mark.row as f64);
        if x >= next_tick {
            let bottom = layout.height;
            writeln!(
                out,
                "<text class=\"soft\" x=\"{x:.1}\" y=\"16\">{:.3}</text><line class=\"tick\" \
                 x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"20\" y2=\"{bottom:.0}\"/>",
                mark.ms
            )?;
            next_tick = x + TICK;
        }
        let (text, hint) = (escaped(&mark.text), escaped(&mark.hint));
        writeln!(
            out,
            "<g><title>{hint}</title><line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" \
             y1=\"{row:.1}\" y2=\"{y:.1}\"/><circle class=\"mark {class}\" cx=\"{x:.1}\" \
             cy=\"{y:.1}\" r=\"3.5\"/><text class=\"{class}\" x=\"{:.1}\" y=\"{row:.1}\">{text}\
             </text></g>",
            x + 2.0
        )?;
    }
    Ok(())
}
