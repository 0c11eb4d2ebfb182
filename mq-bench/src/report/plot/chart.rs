//! One chart: subjects below each other, in groups, each with a bar or with points on one axis.

use super::super::number;
use super::scale::{Scale, tick};
use super::svg::{Anchor, Item, Look, Picture, text_width};

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 20.0;
const GAP: f64 = 10.0;
const LINE: f64 = 21.0;
const BAR: f64 = 13.0;
const GROUP: f64 = 26.0;
/// Subtitles begin a line here; what does not fit into the picture goes into the next one.
const SUBTITLE_LINE: f64 = 16.0;
/// Longest name of a subject; a longer one is cut.
const LABEL_MAX: f64 = 250.0;

/// What was measured of one subject at one point, such as its median and its p99.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// One subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// One per point of the chart; none where it was not measured.
    pub(crate) spreads: Vec<Option<Spread>>,
}

/// Subjects that are compared with each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    /// What is measured of each subject. With one it is drawn as a bar, else as points.
    pub(crate) points: Vec<String>,
    pub(crate) groups: Vec<Group>,
}

/// Where things are from left to right.
struct Columns {
    /// Where names end.
    labels: f64,
    /// The axis.
    left: f64,
    right: f64,
    /// Where the figures of each point end, if they have columns of their own.
    figures: Vec<f64>,
}

impl Chart {
    pub(crate) fn picture(&self) -> Picture {
        let scale = Scale::of(self.spreads().flat_map(|spread| [spread.min, spread.max]));
        let columns = self.columns();
        let mut items = Vec::new();
        let text = |x, y, anchor, look, text: &str| Item::Text {
            x,
            y,
            anchor,
            look,
            text: text.to_owned(),
        };
        items.push(text(MARGIN, 32.0, Anchor::Start, Look::Title, &self.title));
        let mut y = 36.0;
        let subtitle = if scale.is_log() {
            format!("{} Logarithmic scale.", self.subtitle)
        } else {
            self.subtitle.clone()
        };
        for line in wrapped(&subtitle, WIDTH - 2.0 * MARGIN, Look::Subtitle) {
            y += SUBTITLE_LINE;
            items.push(text(MARGIN, y, Anchor::Start, Look::Subtitle, &line));
        }
        y += GAP;
        if self.has_points() {
            y += LINE;
            self.heads(&columns, y - 6.0, &mut items);
        }
        let top = y;
        let mut shapes = Vec::new();
        for group in &self.groups {
            if !group.name.is_empty() {
                let name = cut(&group.name, WIDTH - 2.0 * MARGIN, Look::Group);
                shapes.push(text(MARGIN, y + GROUP - 8.0, Anchor::Start, Look::Group, &name));
                y += GROUP;
            }
            for line in &group.lines {
                self.line(line, scale, &columns, y, &mut shapes);
                y += LINE;
            }
        }
        axis(scale, &columns, top, y + 2.0, &mut items);
        items.extend(shapes);
        let height = (y + 22.0 + MARGIN / 2.0).ceil();
        let (width, half) = (WIDTH, 0.5);
        let card = Item::Rect {
            x: half,
            y: half,
            width: width - 1.0,
            height: height - 1.0,
            look: Look::Card,
        };
        items.insert(0, card);
        let (title, description) = (self.title.clone(), self.description());
        Picture { width, height, title, description, items }
    }

    fn has_points(&self) -> bool {
        self.points.len() > 1
    }

    fn spreads(&self) -> impl Iterator<Item = Spread> + Clone {
        let lines = self.groups.iter().flat_map(|group| &group.lines);
        lines.flat_map(|line| line.spreads.iter().flatten().copied())
    }

    fn columns(&self) -> Columns {
        let lines = || self.groups.iter().flat_map(|group| &group.lines);
        let widths = lines().map(|line| text_width(&line.name, Look::Label));
        let labels = MARGIN + widths.fold(0.0, f64::max).min(LABEL_MAX);
        let mut figures = Vec::new();
        let mut right = WIDTH - MARGIN;
        if self.has_points() {
            for (index, name) in self.points.iter().enumerate().rev() {
                figures.insert(0, right);
                // Room for the sample of its look, too.
                let head = text_width(name, Look::Axis) + 12.0;
                let spreads = lines().filter_map(|line| *line.spreads.get(index)?);
                right -= spreads.map(figure_width).fold(head, f64::max) + GAP + 4.0;
            }
            right -= GAP;
        } else {
            right -= self.spreads().map(figure_width).fold(0.0, f64::max) + GAP;
        }
        Columns { labels, left: labels + GAP, right, figures }
    }

    /// The names of the points, above their figures and with a sample of their looks.
    fn heads(&self, columns: &Columns, y: f64, items: &mut Vec<Item>) {
        for (index, (name, x)) in self.points.iter().zip(&columns.figures).enumerate() {
            let text = name.clone();
            items.push(Item::Text { x: *x, y, anchor: Anchor::End, look: Look::Axis, text });
            let x = x - text_width(name, Look::Axis) - 7.0;
            items.push(self.dot(index, x, y - 4.0, Look::Floor));
        }
    }

    fn line(&self, line: &Line, scale: Scale, at: &Columns, y: f64, items: &mut Vec<Item>) {
        let middle = y + LINE / 2.0;
        let x_of = |value| at.left + scale.place(value) * (at.right - at.left);
        let text = cut(&line.name, LABEL_MAX, Look::Label);
        let base = middle + 4.0;
        let label = |x, anchor, look, text| Item::Text { x, y: base, anchor, look, text };
        items.push(label(at.labels, Anchor::End, Look::Label, text));
        for (index, spread) in line.spreads.iter().enumerate() {
            let Some(spread) = *spread else { continue };
            let (low, x, high) = (x_of(spread.min), x_of(spread.median), x_of(spread.max));
            let range = Item::Line { from: (low, middle), to: (high, middle), look: Look::Range };
            let text = figure(spread.median);
            if self.has_points() {
                items.push(range);
                items.push(self.dot(index, x, middle, line.look));
                items.push(label(at.figures[index], Anchor::End, Look::Figure, text));
            } else {
                let (y, width) = (middle - BAR / 2.0, (x - at.left).max(1.0));
                let look = line.look;
                items.push(Item::Rect { x: at.left, y, width, height: BAR, look });
                if high - low > 1.0 {
                    items.push(range);
                }
                items.push(label(high + 6.0, Anchor::Start, Look::Figure, text));
            }
        }
    }

    /// Points are told apart by size and fill, too, not only by where they are.
    fn dot(&self, index: usize, x: f64, y: f64, look: Look) -> Item {
        let is_last = index + 1 == self.points.len();
        match index {
            0 => Item::Dot { x, y, radius: 4.0, look: Look::Pale },
            _ if is_last && index > 1 => {
                Item::Rect { x: x - 1.5, y: y - 5.0, width: 3.0, height: 10.0, look }
            }
            _ => Item::Dot { x, y, radius: 4.5, look },
        }
    }

    /// All figures, for who cannot see them.
    fn description(&self) -> String {
        let mut text = self.subtitle.clone();
        for group in &self.groups {
            let name = if group.name.is_empty() { "" } else { &format!(" {}:", group.name) };
            text.push_str(name);
            for line in &group.lines {
                text.push_str(&format!(" {}", line.name));
                for (point, spread) in self.points.iter().zip(&line.spreads) {
                    let name = if self.has_points() { &format!(" {point}") } else { "" };
                    let words = match spread {
                        Some(Spread { median, min, max }) if min < max => {
                            let (median, min, max) = (figure(*median), figure(*min), figure(*max));
                            format!("{name} {median} ({min} to {max})")
                        }
                        Some(Spread { median, .. }) => format!("{name} {}", figure(*median)),
                        None => continue,
                    };
                    text.push_str(&words);
                }
                text.push(';');
            }
        }
        text
    }
}

/// The lines from top to bottom, and their values below.
fn axis(scale: Scale, at: &Columns, top: f64, bottom: f64, items: &mut Vec<Item>) {
    for value in scale.ticks() {
        let x = at.left + scale.place(value) * (at.right - at.left);
        items.push(Item::Line { from: (x, top), to: (x, bottom), look: Look::Grid });
        let (y, anchor, text) = (bottom + 15.0, Anchor::Middle, tick(value));
        items.push(Item::Text { x, y, anchor, look: Look::Axis, text });
    }
}

fn figure(value: f64) -> String {
    number::together(&[value]).concat()
}

fn figure_width(spread: Spread) -> f64 {
    text_width(&figure(spread.median), Look::Figure)
}

fn cut(text: &str, width: f64, look: Look) -> String {
    if text_width(text, look) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if text_width(&format!("{kept}…"), look) > width {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

fn wrapped(text: &str, width: f64, look: Look) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), look) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64) -> Option<Spread> {
        Some(Spread { median, min: median * 0.8, max: median * 1.3 })
    }

    fn line(name: &str, medians: &[f64]) -> Line {
        let spreads = medians.iter().map(|median| spread(*median)).collect();
        let look = if name == "floor" { Look::Floor } else { Look::Redis };
        Line { name: name.to_owned(), look, spreads }
    }

    fn chart(points: &[&str], groups: Vec<(&str, Vec<Line>)>) -> Chart {
        let group = |(name, lines): (&str, Vec<Line>)| Group { name: name.to_owned(), lines };
        Chart {
            title: "Drain".to_owned(),
            subtitle: "One worker process with jobs that do nothing, in jobs/s. ".repeat(5),
            points: points.iter().map(|point| (*point).to_owned()).collect(),
            groups: groups.into_iter().map(group).collect(),
        }
    }

    fn samples() -> Vec<Chart> {
        let long = "a peer with a name that is much too long for any column of a picture 1.2.3";
        vec![
            chart(&["jobs/s"], vec![("", vec![line("redis", &[312_000.0])])]),
            chart(
                &["jobs/s"],
                vec![
                    ("one", vec![line("redis", &[9.0]), line("floor", &[14.5])]),
                    ("64", vec![line(long, &[0.0]), line("sqlite", &[123_456_789.0])]),
                ],
            ),
            chart(
                &["p50", "p99", "max"],
                vec![("a", vec![line("redis", &[0.35, 0.8, 5.0]), line(long, &[0.3, 12.0, 1e4])])],
            ),
            chart(&["p50", "p99"], vec![("a", vec![line("redis", &[10.0, 12.0])])]),
            chart(&["x"], vec![]),
        ]
    }

    #[test]
    fn everything_is_inside_of_the_picture() {
        for chart in samples() {
            let picture = chart.picture();
            for item in &picture.items {
                let [left, top, right, bottom] = item.bounds();
                let inside =
                    left >= 0.0 && top >= 0.0 && right <= picture.width && bottom <= picture.height;
                assert!(inside, "{item:?} of {}x{}", picture.width, picture.height);
            }
        }
    }

    #[test]
    fn texts_do_not_overlap() {
        for chart in samples() {
            let picture = chart.picture();
            let is_text = |item: &&Item| matches!(item, Item::Text { .. });
            let texts: Vec<_> = picture.items.iter().filter(is_text).collect();
            for (index, a) in texts.iter().enumerate() {
                for b in &texts[index + 1..] {
                    let ([l1, t1, r1, b1], [l2, t2, r2, b2]) = (a.bounds(), b.bounds());
                    let apart = r1 <= l2 || r2 <= l1 || b1 <= t2 || b2 <= t1;
                    assert!(apart, "{a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_value_and_the_figure_stands_behind_it() {
        let chart =
            chart(&["x"], vec![("", vec![line("redis", &[100.0]), line("floor", &[50.0])])]);
        let picture = chart.picture();
        let bar = |item: &Item| match item {
            Item::Rect { width, look, .. } => Some((*width, *look)),
            _ => None,
        };
        let bars: Vec<_> = picture.items[1..].iter().filter_map(bar).collect();
        let [(long, Look::Redis), (short, Look::Floor)] = bars[..] else {
            panic!("two bars, and not {bars:?}");
        };
        assert!((long / short - 2.0).abs() < 1e-9, "{long} and {short}");
        assert!(picture.svg().contains(">100</text>"), "{}", picture.svg());
    }

    #[test]
    fn the_description_says_all_that_is_drawn() {
        let words = samples()[2].picture().description;
        assert!(words.contains("redis p50 0.35 (0.28 to 0.45) p99 0.80 (0.64 to 1.04)"), "{words}");
    }

    #[test]
    fn the_same_figures_are_the_same_file() {
        for chart in samples() {
            assert_eq!(chart.picture().svg(), chart.clone().picture().svg());
        }
    }
}
