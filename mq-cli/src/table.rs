//! Tables for people. Our own sixty lines and not a crate: the well-kept ones bring terminal
//! control and styles, which this program is never to send.

use unicode_width::UnicodeWidthStr;

use crate::text;

/// Columns are as wide as what is in them, and two spaces apart.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With a `>` before its name, a column is flush right, as numbers are.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| text::escape(&cell)).collect());
    }

    /// The table, or this sentence if it has no rows.
    pub(crate) fn or(&self, empty: &str) -> String {
        if self.rows.is_empty() { empty.to_owned() } else { self.text() }
    }

    fn text(&self) -> String {
        let names: Vec<String> =
            self.head.iter().map(|name| name.trim_start_matches('>').to_uppercase()).collect();
        let mut widths: Vec<usize> = names.iter().map(|name| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&names).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), name) in row.iter().zip(&widths).zip(&self.head) {
                let space = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) =
                    if name.starts_with('>') { (space.as_str(), "") } else { ("", space.as_str()) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names and values below each other.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    lines: Vec<(&'static str, String)>,
}

impl Sheet {
    #[expect(clippy::needless_pass_by_value, reason = "every call would need a `&` for nothing")]
    pub(crate) fn line(&mut self, name: &'static str, value: impl ToString) {
        self.lines.push((name, text::escape(&value.to_string())));
    }

    /// A line, if there is something to say.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    pub(crate) fn text(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = self.lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n"));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_also_with_wide_characters() {
        let mut table = Table::new(&["queue", ">ready"]);
        table.row(["語".to_owned(), "7".to_owned()]);
        table.row(["mail\n".to_owned(), "12345678".to_owned()]);
        let expected = "QUEUE      READY\n語             7\nmail\\n  12345678\n";
        assert_eq!(table.or("nothing"), expected);
        assert_eq!(Table::new(&["queue"]).or("nothing"), "nothing");
    }

    #[test]
    fn a_sheet_lines_its_values_up() {
        let mut sheet = Sheet::default();
        sheet.line("a", 1);
        sheet.maybe("none", None::<u8>);
        sheet.line("long", "x");
        assert_eq!(sheet.text(), "a     1\nlong  x\n");
    }
}
