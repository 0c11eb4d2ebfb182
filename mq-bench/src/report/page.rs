//! Tables in a page of text, between marks: `<!-- bench:drain -->` and `<!-- /bench:drain -->`
//! stand around those of the scenario `drain`, `about` around what they were measured with. And
//! pictures, between `<!-- plot:drain-rate -->` and its end; they are put into a folder beside it.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::number;
use super::plot::{self, Plot};
use super::read::Results;
use super::table::{distinct, floor_of};
use crate::fail::Fail;
use crate::out;
use crate::row::Row;

/// The folder of pictures, beside the page.
const FOLDER: &str = "plots";

/// Writes everything that a page has marks for.
pub(crate) fn write(results: &Results, path: &Path) -> Result<(), Fail> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Fail::from(error).at(&name))?;
    let page = filled(&text, results).map_err(|fail| fail.at(&name))?;
    let folder = path.parent().unwrap_or(Path::new("")).join(FOLDER);
    for plot in wanted(&text, &results.rows) {
        plot.write(&folder)?;
    }
    fs::write(path, page).map_err(|error| Fail::from(error).at(&name))?;
    let measured = distinct(results.rows.iter().map(|row| row.scenario.as_str()));
    for scenario in measured.iter().filter(|scenario| !text.contains(&open("bench", scenario))) {
        out::note(&format!("{name} has no mark {}", open("bench", scenario)));
    }
    Ok(())
}

fn open(kind: &str, name: &str) -> String {
    format!("<!-- {kind}:{name} -->")
}

fn close(kind: &str, name: &str) -> String {
    format!("<!-- /{kind}:{name} -->")
}

/// The pictures that a page has marks for.
fn wanted(text: &str, rows: &[Row]) -> Vec<Plot> {
    let mut plots = plot::plots(rows);
    plots.retain(|plot| text.contains(&open("plot", &plot.name)));
    plots
}

fn filled(text: &str, results: &Results) -> Result<String, Fail> {
    let mut page = replaced(text, "bench", "about", &about(&results.about))?;
    for scenario in distinct(results.rows.iter().map(|row| row.scenario.as_str())) {
        let rows: Vec<_> = results.rows.iter().filter(|row| row.scenario == scenario).collect();
        page = replaced(&page, "bench", scenario, &tables(&rows))?;
    }
    for Plot { name, title, .. } in wanted(text, &results.rows) {
        page = replaced(&page, "plot", &name, &format!("\n![{title}]({FOLDER}/{name}.svg)\n\n"))?;
    }
    Ok(page)
}

/// The text with something else between two marks; as it is if they are not there.
fn replaced(text: &str, kind: &str, name: &str, with: &str) -> Result<String, Fail> {
    let (open, close) = (open(kind, name), close(kind, name));
    let Some((before, rest)) = text.split_once(&open) else { return Ok(text.to_owned()) };
    let Some((_, after)) = rest.split_once(&close) else {
        return Err(Fail::new(format!("{open} is not followed by its end")));
    };
    Ok(format!("{before}{open}\n{with}{close}{after}"))
}

/// One line per fact, with a value for each run that differs.
fn about(files: &[Map<String, Value>]) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut names: Vec<&String> = Vec::new();
    for name in files.iter().flat_map(Map::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut table = "\n| | |\n|---|---|\n".to_owned();
    for name in names {
        let mut values: Vec<String> = Vec::new();
        for value in files.iter().filter_map(|about| about.get(name)).map(text) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let (name, values) = (name.replace('_', " "), values.join("; "));
        table.push_str(&format!("| {name} | {values} |\n"));
    }
    table + "\n"
}

/// One table per set of measures: cases that are measured alike share one.
fn tables(rows: &[&Row]) -> String {
    let cases = distinct(rows.iter().map(|row| row.case.as_str()));
    let measures = |case: &str| {
        let of_case = rows.iter().filter(|row| row.case == case);
        distinct(of_case.map(|row| row.measure.as_str()))
    };
    let mut text = String::from("\n<details><summary>All figures</summary>\n");
    let mut known: Vec<Vec<&str>> = Vec::new();
    for case in &cases {
        let wanted = measures(case);
        if known.contains(&wanted) {
            continue;
        }
        let alike = cases.iter().copied().filter(|case| measures(case) == wanted);
        text.push_str(&table(rows, &alike.collect::<Vec<_>>(), &wanted));
        known.push(wanted);
    }
    text + "\n</details>\n\n"
}

fn table(rows: &[&Row], cases: &[&str], measures: &[&str]) -> String {
    let find = |case: &str, subject: &str, measure: &str| {
        let is_it =
            |row: &&&Row| row.case == case && row.subject == subject && row.measure == measure;
        rows.iter().find(is_it).copied()
    };
    let mut text = String::from("\n| case | subject |");
    for (at, measure) in measures.iter().enumerate() {
        let unit = rows.iter().find(|row| row.measure == *measure).map_or("", |row| &row.unit);
        let ratio = if at == 0 { " of the floor |" } else { "" };
        text.push_str(&format!(" {measure}, {unit} |{ratio}"));
    }
    text.push_str(&format!("\n|---|---|{}\n", "--:|".repeat(measures.len() + 1)));
    for case in cases {
        let subjects = rows.iter().filter(|row| row.case == *case);
        for subject in distinct(subjects.map(|row| row.subject.as_str())) {
            text.push_str(&format!("| {} | {} |", cell(case), cell(subject)));
            for (at, measure) in measures.iter().enumerate() {
                let row = find(case, subject, measure);
                text.push_str(&format!(" {} |", row.map_or(String::new(), figures)));
                if at == 0 {
                    let floor = floor_of(subject).and_then(|floor| find(case, &floor, measure));
                    text.push_str(&format!(" {} |", ratio(row, floor)));
                }
            }
            text.push('\n');
        }
    }
    text
}

fn figures(row: &Row) -> String {
    let texts = number::together(&[row.median(), row.min(), row.max()]);
    match row.samples.len() {
        1 => texts[0].clone(),
        _ => format!("{} ({}–{})", texts[0], texts[1], texts[2]),
    }
}

fn ratio(row: Option<&Row>, floor: Option<&Row>) -> String {
    let ratio = row.zip(floor).map(|(row, floor)| row.median() / floor.median());
    let ratio = ratio.filter(|ratio| ratio.is_finite());
    ratio.map_or(String::new(), |ratio| number::together(&[ratio]).concat())
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Better;
    use serde_json::json;

    fn row(case: &str, subject: &str, measure: &str, samples: &[f64]) -> Row {
        Row {
            scenario: "drain".into(),
            case: case.into(),
            subject: subject.into(),
            measure: measure.into(),
            unit: "jobs/s".into(),
            better: Better::Higher,
            samples: samples.to_vec(),
        }
    }

    fn results() -> Results {
        let about = json!({ "commit": "abc", "cores": 2, "redis_server": "7.0.15" });
        Results {
            // Two runs of one commit on one machine.
            about: vec![about.as_object().unwrap().clone(); 2],
            rows: vec![
                row("10 slots", "redis", "rate", &[300.0, 200.0, 400.0]),
                row("10 slots", "floor", "rate", &[600.0]),
                row("a|b", "redis", "rate", &[1.0]),
                row("other", "redis", "pickup p50", &[1.5]),
            ],
        }
    }

    #[test]
    fn what_is_between_the_marks_is_replaced_and_the_rest_stays() {
        let page = "# Title\n<!-- bench:about -->\nold\n<!-- /bench:about -->\nwords\n\
            <!-- bench:drain -->\nold\n<!-- /bench:drain -->\n\
            <!-- plot:drain-rate -->\n<!-- /plot:drain-rate -->\nend\n";
        let expected = "# Title\n<!-- bench:about -->\n\n| | |\n|---|---|\n| commit | abc |\n\
            | cores | 2 |\n| redis server | 7.0.15 |\n\n<!-- /bench:about -->\nwords\n\
            <!-- bench:drain -->\n\n<details><summary>All figures</summary>\n\n\
            | case | subject | rate, jobs/s | of the floor |\n|---|---|--:|--:|\n\
            | 10 slots | redis | 300 (200–400) | 0.50 |\n| 10 slots | floor | 600 |  |\n\
            | a\\|b | redis | 1.00 |  |\n\n\
            | case | subject | pickup p50, jobs/s | of the floor |\n|---|---|--:|--:|\n\
            | other | redis | 1.50 |  |\n\n</details>\n\n<!-- /bench:drain -->\n\
            <!-- plot:drain-rate -->\n\n![drain: rate](plots/drain-rate.svg)\n\n\
            <!-- /plot:drain-rate -->\nend\n";
        let once = filled(page, &results()).unwrap();
        assert_eq!(once, expected);
        assert_eq!(filled(&once, &results()).unwrap(), once);
    }

    #[test]
    fn marks_without_an_end_are_refused_and_missing_ones_are_left_out() {
        assert!(filled("<!-- bench:drain -->\n", &results()).is_err());
        assert_eq!(filled("no marks\n", &results()).unwrap(), "no marks\n");
    }
}
