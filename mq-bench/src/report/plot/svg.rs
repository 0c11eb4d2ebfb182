//! Shapes and texts, and the SVG that they make.

use std::fmt::Write as _;

/// How something looks: its class in the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The card that everything lies on. It is light whatever the page around it is.
    Card,
    Title,
    Subtitle,
    Group,
    Label,
    Figure,
    Axis,
    Grid,
    Range,
    /// Of mq on Redis, mq on SQLite, the floor, and a peer.
    Redis,
    Sqlite,
    Floor,
    Peer,
    /// Paler than the subject's own colour: the lowest of several points of one subject.
    Pale,
}

/// The style sheet; sizes of fonts are [`Look::font`]'s.
const STYLE: &str = "\
text{font-family:-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif;fill:#1f2328}\
.card{fill:#ffffff;stroke:#d0d7de}\
.title{font-size:17px;font-weight:600}\
.subtitle{font-size:12px;fill:#57606a}\
.group{font-size:12px;font-weight:600}\
.label{font-size:12px}\
.figure{font-size:12px}\
.axis{font-size:11px;fill:#57606a}\
.grid{stroke:#e3e7eb;stroke-width:1}\
.range{stroke:#1f2328;stroke-width:1.2}\
.redis{fill:#2f6fd0}.sqlite{fill:#15806f}.floor{fill:#9aa2ab}.peer{fill:#c9822f}\
.pale{fill:#ffffff;stroke:#57606a;stroke-width:1.5}";

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Title => "title",
            Self::Subtitle => "subtitle",
            Self::Group => "group",
            Self::Label => "label",
            Self::Figure => "figure",
            Self::Axis => "axis",
            Self::Grid => "grid",
            Self::Range => "range",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Floor => "floor",
            Self::Peer => "peer",
            Self::Pale => "pale",
        }
    }

    /// Height of its letters in px.
    fn font(self) -> f64 {
        match self {
            Self::Title => 17.0,
            Self::Axis => 11.0,
            _ => 12.0,
        }
    }
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// One element of a picture. `y` of a text is its base line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Rect { x: f64, y: f64, width: f64, height: f64, look: Look },
    Line { from: (f64, f64), to: (f64, f64), look: Look },
    Dot { x: f64, y: f64, radius: f64, look: Look },
    Text { x: f64, y: f64, anchor: Anchor, look: Look, text: String },
}

/// A picture, and its words for those who do not see it.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) items: Vec<Item>,
}

impl Picture {
    /// The file. The same picture is the same text.
    pub(crate) fn svg(&self) -> String {
        let (width, height) = (number(self.width), number(self.height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n",
            escaped(&self.title),
            escaped(&self.description),
        );
        for item in &self.items {
            svg.push_str(&item.element());
            svg.push('\n');
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Item {
    fn element(&self) -> String {
        let mut element = String::new();
        // A `String` takes all that is written to it.
        let _ = match self {
            Self::Rect { x, y, width, height, look } => write!(
                element,
                "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"/>",
                look.class(),
                number(*x),
                number(*y),
                number(*width),
                number(*height),
            ),
            Self::Line { from, to, look } => write!(
                element,
                "<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                look.class(),
                number(from.0),
                number(from.1),
                number(to.0),
                number(to.1),
            ),
            Self::Dot { x, y, radius, look } => write!(
                element,
                "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
                look.class(),
                number(*x),
                number(*y),
                number(*radius),
            ),
            Self::Text { x, y, anchor, look, text } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                write!(
                    element,
                    "<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                    look.class(),
                    number(*x),
                    number(*y),
                    escaped(text),
                )
            }
        };
        element
    }
}

/// About how wide a text will be in px. Nobody knows the reader's font: the figures are those of a
/// wide one, so that what is laid out by them does not overlap in a narrow one.
pub(crate) fn text_width(text: &str, look: Look) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | '\'' | ' ' | ':' | '|' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.45,
        'm' | 'w' | 'M' | 'W' | '%' | '–' | '→' => 0.95,
        _ => 0.64,
    };
    let bold = if matches!(look, Look::Title | Look::Group) { 1.08 } else { 1.0 };
    text.chars().map(em).sum::<f64>() * look.font() * bold
}

/// In at most two decimals: more is nothing that can be seen.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write the others, not even escaped.
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
impl Item {
    /// Left, top, right, bottom.
    pub(crate) fn bounds(&self) -> [f64; 4] {
        match *self {
            Self::Rect { x, y, width, height, .. } => [x, y, x + width, y + height],
            Self::Line { from, to, .. } => {
                [from.0.min(to.0), from.1.min(to.1), from.0.max(to.0), from.1.max(to.1)]
            }
            Self::Dot { x, y, radius, .. } => [x - radius, y - radius, x + radius, y + radius],
            Self::Text { x, y, anchor, look, ref text } => {
                let width = text_width(text, look);
                let left = match anchor {
                    Anchor::Start => x,
                    Anchor::Middle => x - width / 2.0,
                    Anchor::End => x - width,
                };
                [left, y - look.font() * 0.8, left + width, y + look.font() * 0.25]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_would_misread_is_escaped() {
        let text = "a<b & \"c\">\u{1b}[31m".to_owned();
        let item = Item::Text { x: 1.0, y: 2.0, anchor: Anchor::Start, look: Look::Label, text };
        let picture = Picture {
            width: 10.0,
            height: 10.0,
            title: "<t>".to_owned(),
            description: "d & d".to_owned(),
            items: vec![item],
        };
        let svg = picture.svg();
        assert!(svg.contains(">a&lt;b &amp; &quot;c&quot;&gt;\u{fffd}[31m</text>"), "{svg}");
        assert!(svg.contains("<title id=\"title\">&lt;t&gt;</title>"), "{svg}");
        assert!(svg.contains("<desc id=\"desc\">d &amp; d</desc>"), "{svg}");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(1.0, "1"), (1.5, "1.5"), (0.126, "0.13"), (-0.001, "0"), (100.0, "100")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
