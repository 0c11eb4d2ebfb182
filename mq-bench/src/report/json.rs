//! The rows for programs.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::fail::Fail;
use crate::machine::About;
use crate::row::{Better, Row};

#[derive(Serialize)]
struct Report<'a> {
    about: &'a About,
    rows: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    scenario: &'a str,
    case: &'a str,
    subject: &'a str,
    measure: &'a str,
    unit: &'a str,
    better: Better,
    median: f64,
    min: f64,
    max: f64,
    samples: &'a [f64],
}

/// Writes a file with all rows.
pub(crate) fn write(path: &Path, about: &About, rows: &[Row]) -> Result<(), Fail> {
    let text = text(about, rows)?;
    fs::write(path, text).map_err(|error| Fail::new(format!("{}: {error}", path.display())))
}

fn text(about: &About, rows: &[Row]) -> Result<String, Fail> {
    let rows = rows.iter().map(|row| JsonRow {
        scenario: &row.scenario,
        case: &row.case,
        subject: &row.subject,
        measure: &row.measure,
        unit: &row.unit,
        better: row.better,
        median: row.median(),
        min: row.min(),
        max: row.max(),
        samples: &row.samples,
    });
    Ok(serde_json::to_string_pretty(&Report { about, rows: rows.collect() })? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_row_has_all_its_samples_and_what_they_come_to() {
        let row = Row {
            scenario: "drain".into(),
            case: "10 slots".into(),
            subject: "redis".into(),
            measure: "rate".into(),
            unit: "jobs/s".into(),
            better: Better::Higher,
            samples: vec![3.0, 1.0],
        };
        let text = text(&About::now(2, 1.0), &[row]).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "scenario": "drain", "case": "10 slots", "subject": "redis", "measure": "rate",
            "unit": "jobs/s", "better": "higher", "median": 2.0, "min": 1.0, "max": 3.0,
            "samples": [3.0, 1.0],
        });
        assert_eq!(value["rows"], json!([expected]));
        assert_eq!(value["about"]["rounds"], 2);
    }
}
