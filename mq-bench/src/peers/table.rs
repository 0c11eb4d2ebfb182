//! The rows of all peers as one table: a line per peer, a column per measure, medians.

use crate::report::number;
use crate::row::{Better, Row};

/// What stands where something was tried and did not come to an end in time.
pub(crate) const NOT_IN_TIME: &str = "not in time";

pub(crate) fn table(subjects: &[String], measures: &[&str], rows: &[Row]) -> String {
    let find = |subject: &str, measure: &str| {
        rows.iter().find(|row| row.subject == subject && row.measure == measure)
    };
    let of = |measure: &str| rows.iter().find(|row| row.measure == measure);
    let measured = || measures.iter().filter(|measure| of(measure).is_some());
    let mut lines = vec![vec![String::new()], vec![String::new()]];
    for measure in measured() {
        let arrow = |row: &Row| if row.better == Better::Higher { "↑" } else { "↓" };
        lines[0].push((*measure).to_owned());
        lines[1]
            .push(of(measure).map_or(String::new(), |row| format!("{} {}", row.unit, arrow(row))));
    }
    for subject in subjects {
        let cells = measured().map(|measure| find(subject, measure).map_or("–".to_owned(), cell));
        lines.push(std::iter::once(subject.clone()).chain(cells).collect());
    }
    align(&lines)
}

fn cell(row: &Row) -> String {
    if row.samples.is_empty() {
        NOT_IN_TIME.to_owned()
    } else {
        number::together(&[row.median()]).concat()
    }
}

/// Columns as wide as what is in them; the first flush left, the others right.
fn align(lines: &[Vec<String>]) -> String {
    let wide = |text: &str| text.chars().count();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| wide(cell)).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut shown = String::new();
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - wide(cell));
            shown.push_str(&if at == 0 {
                format!("{cell}{space}")
            } else {
                format!("   {space}{cell}")
            });
        }
        text.push_str(&format!("{}\n", shown.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str, measure: &str, unit: &str, samples: &[f64]) -> Row {
        Row {
            scenario: "peers".into(),
            case: String::new(),
            subject: subject.into(),
            measure: measure.into(),
            unit: unit.into(),
            better: if unit == "s" { Better::Lower } else { Better::Higher },
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn a_line_per_peer_and_a_column_per_measure_that_there_is() {
        let rows = [
            row("mq 1", "drain", "jobs/s", &[300_000.0, 310_000.0, 320_000.0]),
            row("mq 1", "kill -9", "s", &[19.4]),
            row("other 2", "kill -9", "s", &[]),
        ];
        let subjects = ["mq 1".to_owned(), "other 2".to_owned()];
        let text = table(&subjects, &["drain", "pickup", "kill -9"], &rows);
        let expected = "\
            \x20            drain       kill -9\n\
            \x20         jobs/s ↑           s ↓\n\
            mq 1          310k          19.4\n\
            other 2          –   not in time\n";
        assert_eq!(text, expected);
    }
}
