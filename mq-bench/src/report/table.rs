//! The rows for people: a table per case, a line per subject, and per measure the median, min–max,
//! and what part of the floor the median is.

use super::number;
use crate::row::{Better, Row};

/// The tables of the rows of one scenario.
pub(crate) fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for case in distinct(rows.iter().map(|row| row.case.as_str())) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.case == case).collect();
        text.push_str(&format!("\n{case}\n{}", table(&rows)));
    }
    text
}

fn table(rows: &[&Row]) -> String {
    let measures = distinct(rows.iter().map(|row| row.measure.as_str()));
    let subjects = distinct(rows.iter().map(|row| row.subject.as_str()));
    let find = |subject: &str, measure: &str| {
        rows.iter().find(|row| row.subject == subject && row.measure == measure).copied()
    };
    let (mut names, mut units) = (vec![String::new()], vec![String::new()]);
    for measure in &measures {
        let row = rows.iter().find(|row| row.measure == *measure);
        let (unit, arrow) = row.map_or(("", ""), |row| (row.unit.as_str(), arrow(row.better)));
        names.extend([(*measure).to_owned(), String::new(), String::new()]);
        units.extend([format!("{unit} {arrow}"), "min–max".to_owned(), "/floor".to_owned()]);
    }
    let mut lines = vec![units];
    for subject in subjects {
        let mut line = vec![subject.to_owned()];
        for measure in &measures {
            let row = find(subject, measure);
            let floor = row.and_then(|_| find(&floor_of(subject)?, measure));
            line.extend(row.map_or_else(Default::default, |row| cells(row, floor)));
        }
        lines.push(line);
    }
    align(&names, &lines)
}

fn arrow(better: Better) -> &'static str {
    match better {
        Better::Higher => "↑",
        Better::Lower => "↓",
    }
}

/// The floor that a subject is compared with: the plain one on the same store. Floors have none, so
/// that a second kind of floor can be told from the engine at a glance.
fn floor_of(subject: &str) -> Option<String> {
    if let Some(store) = subject.strip_prefix("redis") {
        return Some(format!("floor{store}"));
    }
    subject.starts_with("sqlite").then(|| format!("floor-{subject}"))
}

fn cells(row: &Row, floor: Option<&Row>) -> [String; 3] {
    let figures = number::together(&[row.median(), row.min(), row.max()]);
    let ratio = floor.map(|floor| row.median() / floor.median());
    let ratio = ratio
        .filter(|ratio| ratio.is_finite())
        .map_or(String::new(), |ratio| number::together(&[ratio]).concat());
    let range = match row.samples.len() {
        0 | 1 => String::new(),
        _ => format!("{}–{}", figures[1], figures[2]),
    };
    [figures[0].clone(), range, ratio]
}

/// Columns as wide as what is in them; numbers flush right. The names of measures stand over their
/// three columns.
fn align(names: &[String], lines: &[Vec<String>]) -> String {
    let wide = |text: &str| text.chars().count();
    let mut widths = vec![0; names.len()];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(wide(cell));
        }
    }
    // A name that is longer than its three columns and the spaces between them widens the first.
    for at in (1..names.len()).step_by(3) {
        let three: usize = widths[at..at + 3].iter().sum::<usize>() + 2;
        widths[at] += wide(&names[at]).saturating_sub(three);
    }
    let mut head = " ".repeat(widths[0]);
    for at in (1..names.len()).step_by(3) {
        let three: usize = widths[at..at + 3].iter().sum::<usize>() + 2;
        head.push_str(&format!("   {:three$}", names[at]));
    }
    let mut text = format!("{}\n", head.trim_end());
    for line in lines {
        let mut shown = format!("{:1$}", line[0], widths[0]);
        for (at, cell) in line.iter().enumerate().skip(1) {
            let gap = if at % 3 == 1 { "   " } else { " " };
            let space = " ".repeat(widths[at].saturating_sub(wide(cell)));
            shown.push_str(&format!("{gap}{space}{cell}"));
        }
        text.push_str(&format!("{}\n", shown.trim_end()));
    }
    text
}

/// Each once, in the order of their first place.
fn distinct<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str, measure: &str, samples: &[f64]) -> Row {
        let better = if measure == "rate" { Better::Higher } else { Better::Lower };
        Row {
            scenario: "drain".into(),
            case: "10 slots".into(),
            subject: subject.into(),
            measure: measure.into(),
            unit: if measure == "rate" { "jobs/s" } else { "µs/job" }.into(),
            better,
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn subjects_stand_below_each_other_with_their_part_of_the_floor() {
        let rows = [
            row("redis", "rate", &[300_000.0, 200_000.0, 400_000.0]),
            row("redis", "CPU of the worker", &[2.0, 3.0]),
            row("floor", "rate", &[600_000.0]),
            row("floor", "CPU of the worker", &[1.0]),
            row("sqlite", "rate", &[1.0]),
        ];
        let expected = "
10 slots
         rate                        CPU of the worker
         jobs/s ↑   min–max /floor   µs/job ↓   min–max /floor
redis        300k 200k–400k   0.50       2.50 2.00–3.00   2.50
floor        600k                        1.00
sqlite       1.00
";
        assert_eq!(tables(&rows), expected);
        assert_eq!(tables(&[]), "");
    }

    #[test]
    fn each_engine_has_the_floor_of_its_store() {
        assert_eq!(floor_of("redis").as_deref(), Some("floor"));
        assert_eq!(floor_of("redis-always").as_deref(), Some("floor-always"));
        assert_eq!(floor_of("sqlite-full").as_deref(), Some("floor-sqlite-full"));
        assert_eq!(floor_of("floor-safe"), None);
        assert_eq!(floor_of("bullmq 6"), None);
    }

    #[test]
    fn a_floor_of_nothing_has_no_part() {
        let rows = [row("redis", "rate", &[1.0]), row("floor", "rate", &[0.0])];
        assert!(!tables(&rows).contains("inf"), "{}", tables(&rows));
    }
}
