//! What was written by [`json`](super::json), read again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fail::Fail;
use crate::row::{Better, Row};

/// What is in one file or in several.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// What each file says of the machine and the versions.
    pub(crate) about: Vec<Map<String, Value>>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Report {
    about: Map<String, Value>,
    rows: Vec<JsonRow>,
}

#[derive(Deserialize)]
struct JsonRow {
    scenario: String,
    case: String,
    subject: String,
    measure: String,
    unit: String,
    better: Better,
    samples: Vec<f64>,
}

/// Reads files; of rows that are in several, those of the last one count.
pub(crate) fn all(files: &[PathBuf]) -> Result<Results, Fail> {
    let mut results = Results::default();
    for path in files {
        let read = fs::read_to_string(path).map_err(Fail::from);
        let added = read.and_then(|text| results.add(&text));
        added.map_err(|fail| fail.at(&name(path)))?;
    }
    Ok(results)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

impl Results {
    fn add(&mut self, text: &str) -> Result<(), Fail> {
        let Report { about, rows } = serde_json::from_str(text)?;
        self.about.push(about);
        for row in rows {
            let JsonRow { scenario, case, subject, measure, unit, better, samples } = row;
            let row = Row { scenario, case, subject, measure, unit, better, samples };
            match self.rows.iter_mut().find(|known| same(known, &row)) {
                Some(known) => *known = row,
                None => self.rows.push(row),
            }
        }
        Ok(())
    }
}

fn same(a: &Row, b: &Row) -> bool {
    let key =
        |row: &Row| [&row.scenario, &row.case, &row.subject, &row.measure].map(|text| text.clone());
    key(a) == key(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(commit: &str, subject: &str, sample: f64) -> String {
        let row = json!({
            "scenario": "drain", "case": "10 slots", "subject": subject, "measure": "rate",
            "unit": "jobs/s", "better": "higher", "median": sample, "min": sample, "max": sample,
            "samples": [sample],
        });
        json!({ "about": { "commit": commit }, "rows": [row] }).to_string()
    }

    #[test]
    fn the_last_file_says_what_counts() {
        let mut results = Results::default();
        for (commit, subject, sample) in
            [("a", "redis", 1.0), ("b", "sqlite", 2.0), ("c", "redis", 3.0)]
        {
            results.add(&report(commit, subject, sample)).unwrap();
        }
        let rows = results.rows.iter().map(|row| (row.subject.as_str(), row.median()));
        assert_eq!(rows.collect::<Vec<_>>(), [("redis", 3.0), ("sqlite", 2.0)]);
        assert_eq!(results.about.len(), 3);
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.json");
        std::fs::write(&path, "{}").unwrap();
        let fail = all(&[path]).unwrap_err().to_string();
        assert!(fail.contains("odd.json"), "{fail}");
        assert!(all(&[folder.path().join("none.json")]).is_err());
    }
}
