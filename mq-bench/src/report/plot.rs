//! Plots from rows: one per scenario and measure, whatever scenarios there are.

mod chart;
mod scale;
mod svg;

use std::fs;
use std::path::{Path, PathBuf};

use self::chart::{Chart, Group, Line, Spread};
use self::svg::Look;
use crate::fail::Fail;
use crate::out;
use crate::row::{Better, Row};

/// Most lines of one picture.
const LINES_MAX: usize = 40;

/// A plot as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plot {
    /// `drain-rate`; the file's name ends with `.svg`, too.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) svg: String,
}

/// What goes into one plot: rows of one scenario whose measures differ by their point only.
struct Topic<'a> {
    scenario: &'a str,
    /// `pickup` of `pickup p99`, or the whole measure.
    measure: String,
    unit: &'a str,
    better: Better,
    /// The only case of the rows, if the others have pictures of their own.
    case: Option<&'a str>,
    /// With the point that each is of.
    rows: Vec<(String, &'a Row)>,
}

/// Writes all plots of these rows into a folder.
pub(crate) fn write(rows: &[Row], folder: &Path) -> Result<(), Fail> {
    for plot in plots(rows) {
        out::write(&format!("{}\n", plot.write(folder)?.display()))?;
    }
    Ok(())
}

impl Plot {
    /// Writes it into a folder, which is made if it is not there.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf, Fail> {
        let path = folder.join(format!("{}.svg", self.name));
        let wrote = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &self.svg));
        wrote.map_err(|error| Fail::from(error).at(&path.display().to_string()))?;
        Ok(path)
    }
}

/// All plots of these rows, in the order in which the rows first name them.
pub(crate) fn plots(rows: &[Row]) -> Vec<Plot> {
    topics(rows).into_iter().flat_map(Topic::pictures).map(|topic| topic.plot()).collect()
}

fn topics(rows: &[Row]) -> Vec<Topic<'_>> {
    let mut topics: Vec<Topic<'_>> = Vec::new();
    for row in rows {
        let (measure, point) = split(&row.measure);
        let same = |topic: &&mut Topic<'_>| {
            topic.scenario == row.scenario && topic.measure == measure && topic.unit == row.unit
        };
        match topics.iter_mut().find(same) {
            Some(topic) => topic.rows.push((point, row)),
            None => topics.push(Topic {
                scenario: &row.scenario,
                measure,
                unit: &row.unit,
                better: row.better,
                case: None,
                rows: vec![(point, row)],
            }),
        }
    }
    topics
}

/// `pickup p99` into `pickup` and `p99`; a measure without a point is its own.
fn split(measure: &str) -> (String, String) {
    if let Some((rest, point)) = measure.rsplit_once(", ")
        && TIMES.contains(&point)
    {
        return (rest.to_owned(), point.to_owned());
    }
    let is_point = |word: &&str| rank(word).is_some();
    match measure.split(' ').find(is_point) {
        Some(point) => {
            let rest: Vec<_> = measure.split(' ').filter(|word| *word != point).collect();
            (rest.join(" "), point.to_owned())
        }
        None => (measure.to_owned(), String::new()),
    }
}

/// Where a point of a distribution stands among its kind: p50 before p99 before the maximum.
fn rank(word: &str) -> Option<u32> {
    match word {
        "min" => Some(0),
        "max" => Some(u32::MAX),
        _ => {
            let percent: f64 = word.strip_prefix('p')?.parse().ok()?;
            Some((percent * 1000.0) as u32)
        }
    }
}

impl<'a> Topic<'a> {
    /// One picture, or one per case if it were too long to be seen at once.
    fn pictures(self) -> Vec<Self> {
        let mut lines: Vec<(&str, &str)> = Vec::new();
        for (_, row) in &self.rows {
            let line = (row.case.as_str(), row.subject.as_str());
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if lines.len() <= LINES_MAX {
            return vec![self];
        }
        let mut pictures: Vec<Self> = Vec::new();
        for (point, row) in self.rows {
            match pictures.iter_mut().find(|picture| picture.case == Some(&row.case)) {
                Some(picture) => picture.rows.push((point, row)),
                None => pictures.push(Self {
                    case: Some(&row.case),
                    measure: self.measure.clone(),
                    rows: vec![(point, row)],
                    ..self
                }),
            }
        }
        pictures
    }

    fn plot(&self) -> Plot {
        let case = self.case.unwrap_or_default();
        let name = slug(&format!("{} {} {case}", self.scenario, self.measure));
        let picture = self.chart().picture();
        Plot { name, svg: picture.svg(), title: picture.title }
    }

    fn chart(&self) -> Chart {
        let mut points: Vec<&String> = Vec::new();
        for (point, _) in &self.rows {
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points.sort_by_key(|point| (rank(point), TIMES.iter().position(|time| time == point)));
        let mut groups: Vec<Group> = Vec::new();
        for (point, row) in &self.rows {
            if !row.median().is_finite() {
                continue;
            }
            let index = points.iter().position(|known| *known == point).unwrap_or(0);
            let spreads = vec![None; points.len()];
            let line = line_of(&mut groups, row, spreads);
            line.spreads[index] =
                Some(Spread { median: row.median(), min: row.min(), max: row.max() });
        }
        Chart {
            title: self.title(),
            subtitle: self.subtitle(),
            points: points.into_iter().cloned().collect(),
            groups,
        }
    }

    fn title(&self) -> String {
        let measure = if self.measure.is_empty() { "time" } else { &self.measure };
        format!("{}: {measure}", self.scenario)
    }

    fn subtitle(&self) -> String {
        let rounds = self.rows.iter().map(|(_, row)| row.samples.len()).max().unwrap_or(0);
        let better = match self.better {
            Better::Higher => "more is better",
            Better::Lower => "less is better",
        };
        let rounds = match rounds {
            0 | 1 => "One round.".to_owned(),
            _ => format!("Medians of {rounds} rounds, lines from lowest to highest."),
        };
        format!("In {}; {better}. {rounds}", self.unit)
    }
}

/// The line of the row's case and subject, made if it is not there.
fn line_of<'a>(
    groups: &'a mut Vec<Group>,
    row: &Row,
    spreads: Vec<Option<Spread>>,
) -> &'a mut Line {
    let at = groups.iter().position(|group| group.name == row.case).unwrap_or_else(|| {
        groups.push(Group { name: row.case.clone(), lines: Vec::new() });
        groups.len() - 1
    });
    let lines = &mut groups[at].lines;
    let (name, look) = subject(&row.subject);
    let at = lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
        lines.push(Line { name, look, spreads });
        lines.len() - 1
    });
    &mut lines[at]
}

/// What a subject is called among peers, and its colour.
fn subject(name: &str) -> (String, Look) {
    let mine = format!("mq, {name}");
    match name.split(['-', ' ']).next() {
        Some("mq") => (name.to_owned(), Look::Redis),
        Some("redis") => (mine, Look::Redis),
        Some("sqlite") => (mine, Look::Sqlite),
        Some("floor") => (name.to_owned(), Look::Floor),
        _ => (name.to_owned(), Look::Peer),
    }
}

/// Points of other measures, which are compared with each other, in their order.
const TIMES: [&str; 7] =
    ["short", "deep", "first tenth", "first quarter", "last quarter", "end", "peak"];

/// What a file can be called everywhere.
fn slug(text: &str) -> String {
    let letter = |letter: char| match letter {
        'µ' => 'u',
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        _ => ' ',
    };
    let plain: String = text.chars().map(letter).collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scenario: &str, case: &str, subject: &str, measure: &str, samples: &[f64]) -> Row {
        Row {
            scenario: scenario.into(),
            case: case.into(),
            subject: subject.into(),
            measure: measure.into(),
            unit: "ms".into(),
            better: Better::Lower,
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn measures_that_differ_in_their_point_share_a_plot() {
        let rows = [
            row("latency", "idle", "redis", "pickup p99", &[2.0]),
            row("latency", "idle", "redis", "pickup p50", &[1.0]),
            row("latency", "idle", "redis", "worker CPU", &[1.0]),
            row("latency", "idle", "floor", "pickup p50", &[0.5]),
            row("drain", "", "redis", "worker CPU", &[0.5]),
        ];
        let topics = topics(&rows);
        assert_eq!(topics.len(), 3);
        let chart = topics[0].chart();
        assert_eq!(chart.title, "latency: pickup");
        assert_eq!(chart.points, ["p50", "p99"]);
        let [group] = &chart.groups[..] else { panic!("one case: {:?}", chart.groups) };
        assert_eq!(group.lines.len(), 2);
        let medians = |line: &Line| -> Vec<_> {
            line.spreads.iter().map(|spread| spread.map(|spread| spread.median)).collect()
        };
        assert_eq!(medians(&group.lines[0]), [Some(1.0), Some(2.0)]);
        assert_eq!(medians(&group.lines[1]), [Some(0.5), None]);
    }

    #[test]
    fn each_plot_is_a_file_with_a_plain_name() {
        let rows = [
            row("drain", "a", "redis", "server CPU, µs", &[1.0, 2.0]),
            row("drain", "b", "sqlite", "server CPU, µs", &[1.0]),
            row("drain", "b", "bullmq 6 & <co>", "server CPU, µs", &[f64::NAN]),
        ];
        let plots = plots(&rows);
        let [plot] = &plots[..] else { panic!("one plot: {plots:?}") };
        assert_eq!(plot.name, "drain-server-cpu-us");
        assert_eq!(plot.title, "drain: server CPU, µs");
        assert!(plot.svg.contains(">mq, redis</text>"), "{}", plot.svg);
        assert!(plot.svg.contains("Medians of 2 rounds"), "{}", plot.svg);
        assert!(!plot.svg.contains("bullmq"), "what was not measured is not drawn: {}", plot.svg);
        assert!(!plot.svg.contains("NaN"), "{}", plot.svg);
    }

    #[test]
    fn what_is_too_long_for_a_picture_gets_one_per_case() {
        let names: Vec<_> = (0..=LINES_MAX).map(|number| format!("peer {number}")).collect();
        let mut rows: Vec<_> =
            names.iter().map(|name| row("drain", "10 slots", name, "rate", &[1.0])).collect();
        assert_eq!(plots(&rows[1..])[0].name, "drain-rate");
        rows.push(row("drain", "1 slot", "redis", "rate", &[1.0]));
        let names: Vec<_> = plots(&rows).into_iter().map(|plot| plot.name).collect();
        assert_eq!(names, ["drain-rate-10-slots", "drain-rate-1-slot"]);
    }

    #[test]
    fn points_stand_in_their_order() {
        let mut words = ["max", "p99", "p99.9", "min", "p50"];
        words.sort_by_key(|word| rank(word));
        assert_eq!(words, ["min", "p50", "p99", "p99.9", "max"]);
        assert_eq!(rank("peak"), None);
        assert_eq!(split("worker RSS"), ("worker RSS".to_owned(), String::new()));
        assert_eq!(split("p99"), (String::new(), "p99".to_owned()));
        assert_eq!(split("RSS, peak"), ("RSS".to_owned(), "peak".to_owned()));
        assert_eq!(split("server CPU, drain"), ("server CPU, drain".to_owned(), String::new()));
    }
}
