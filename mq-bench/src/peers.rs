//! mq beside the other job systems that install from a registry: the programs of `benches/peers/`,
//! one after the other on new servers of the same kind, in rounds.

mod crash;
mod list;
mod measure;
mod program;
mod setup;
mod table;
mod tree;

use std::path::PathBuf;
use std::time::Duration;

use crate::fail::Fail;
use crate::machine;
use crate::out;
use crate::progress::Progress;
use crate::report::json;
use crate::report::text;
use crate::row::{Better, Figure, Row};
use crate::stop;
use crate::store;
use list::Peer;
use setup::Workshop;

/// The columns of the table, in order.
const MEASURES: [&str; 9] = [
    "drain",
    "enqueue, bulk",
    "enqueue, one",
    "pickup p50",
    "pickup p99",
    "worker CPU",
    "server CPU",
    "memory",
    AFTER_KILL,
];
const AFTER_KILL: &str = "again after kill -9";
const CASE: &str = "jobs that do nothing, with 100 bytes";

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Peers, separated by commas; all if none is named. mq is a peer, too.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    only: Vec<String>,
    /// How often each peer is measured.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Kill a worker of each peer, too, and wait at most so long for its job to run again.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "120")]
    crash: Option<u64>,
    /// Writes everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A peer that is ready, and what was found of it.
struct Entry {
    peer: Peer,
    /// Name and version.
    subject: String,
    settings: String,
    rows: Vec<Row>,
    /// Measures that failed, and are not tried again.
    failed: Vec<(&'static str, String)>,
}

pub(crate) fn run(args: &Args) -> Result<(), Fail> {
    let peers = named(&args.only)?;
    store::require_redis()?;
    stop::listen();
    let workshop = Workshop::here()?;
    let about = machine::About::now(args.rounds as usize, 1.0);
    out::write(&about.text())?;
    let (mut entries, mut missing) = (Vec::new(), Vec::new());
    for peer in peers {
        match stop::check().and_then(|()| ready(&workshop, peer)) {
            Ok(entry) => entries.push(entry),
            Err(fail) => missing.push(format!("{}: {fail}", peer.name)),
        }
    }
    rounds(&workshop, &mut entries, args.rounds as usize);
    if let Some(seconds) = args.crash {
        kill_workers(&workshop, &mut entries, Duration::from_secs(seconds));
    }
    out::write(&report(&entries, args.crash))?;
    if let Some(path) = &args.json {
        let rows: Vec<Row> = entries.iter().flat_map(|entry| entry.rows.clone()).collect();
        json::write(path, &about, &rows)?;
    }
    let failed = |entry: &Entry| {
        let line = |(what, why): &(&str, String)| format!("{}: {what}: {why}", entry.subject);
        entry.failed.iter().map(line).collect::<Vec<_>>()
    };
    missing.extend(entries.iter().flat_map(failed));
    if missing.is_empty() { Ok(()) } else { Err(Fail::new(format!("\n{}", missing.join("\n")))) }
}

/// The peers of these names, in their usual order; all if there are none.
fn named(names: &[String]) -> Result<Vec<&'static Peer>, Fail> {
    if let Some(odd) = names.iter().find(|name| list::ALL.iter().all(|peer| peer.name != **name)) {
        let mut known: Vec<&str> = list::ALL.iter().map(|peer| peer.name).collect();
        known.dedup();
        let known = known.join(", ");
        return Err(Fail::usage(format!("there is no peer `{odd}`: known are {known}")));
    }
    let is_meant = |peer: &&Peer| names.is_empty() || names.iter().any(|name| name == peer.name);
    Ok(list::ALL.iter().filter(is_meant).collect())
}

fn ready(workshop: &Workshop, peer: &Peer) -> Result<Entry, Fail> {
    workshop.prepare(peer)?;
    let about = measure::about(workshop, peer)?;
    if about.name != peer.name {
        return Err(Fail::new(format!("the program says that it is {}", about.name)));
    }
    let warning = if peer.loses_jobs() { " (loses jobs)" } else { "" };
    let subject = format!("{} {}{warning}", about.name, about.version);
    let (rows, failed) = (Vec::new(), Vec::new());
    Ok(Entry { peer: *peer, subject, settings: about.settings, rows, failed })
}

/// In each round all peers take a measure one after the other, so that all of them meet the same
/// weather on the machine; each round begins with another one. What fails does not stop the rest.
fn rounds(workshop: &Workshop, entries: &mut [Entry], rounds: usize) {
    let mut progress = Progress::new(rounds * measure::ALL.len() * entries.len());
    for round in 0..rounds {
        for measure in measure::ALL {
            entries.rotate_left(round % entries.len().max(1));
            for entry in &mut *entries {
                let (name, subject) = (measure.name, &entry.subject);
                progress.begin(&format!("round {} of {rounds}: {name}, {subject}", round + 1));
                if entry.has_failed(name) {
                    continue;
                }
                match stop::check().and_then(|()| (measure.take)(workshop, &entry.peer)) {
                    Ok(figures) => figures.iter().for_each(|figure| entry.note(figure)),
                    Err(fail) => entry.failed.push((name, fail.to_string())),
                }
            }
            entries.rotate_right(round % entries.len().max(1));
        }
    }
    progress.clear();
}

fn kill_workers(workshop: &Workshop, entries: &mut [Entry], max: Duration) {
    if stop::check().is_err() {
        return;
    }
    out::note(&format!("killing a worker of each, and waiting for {} s at most", max.as_secs()));
    let peers: Vec<Peer> = entries.iter().map(|entry| entry.peer).collect();
    for (entry, found) in entries.iter_mut().zip(crash::recoveries(workshop, &peers, max)) {
        match found {
            Ok(seconds) => entry.rows.push(Row {
                samples: seconds.into_iter().collect(),
                ..row(&entry.subject, AFTER_KILL, "s", Better::Lower)
            }),
            Err(fail) => entry.failed.push((AFTER_KILL, fail.to_string())),
        }
    }
}

impl Entry {
    fn has_failed(&self, measure: &str) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == measure)
    }

    fn note(&mut self, figure: &Figure) {
        let Figure { measure, unit, better, value } = *figure;
        match self.rows.iter_mut().find(|row| row.measure == measure) {
            Some(row) => row.samples.push(value),
            None => self
                .rows
                .push(Row { samples: vec![value], ..row(&self.subject, measure, unit, better) }),
        }
    }
}

fn row(subject: &str, measure: &str, unit: &str, better: Better) -> Row {
    Row {
        scenario: "peers".to_owned(),
        case: CASE.to_owned(),
        subject: subject.to_owned(),
        measure: measure.to_owned(),
        unit: unit.to_owned(),
        better,
        samples: Vec::new(),
    }
}

/// The table, and below it what was set for whom and what their documents say about a kill.
fn report(entries: &[Entry], crash: Option<u64>) -> String {
    let subjects: Vec<String> = entries.iter().map(|entry| entry.subject.clone()).collect();
    let rows: Vec<Row> = entries.iter().flat_map(|entry| entry.rows.clone()).collect();
    let mut text = format!("\npeers: {CASE}\n\n{}", table::table(&subjects, &MEASURES, &rows));
    if let Some(seconds) = crash {
        text.push_str(&format!("\n{}: within {seconds} s\n", table::NOT_IN_TIME));
    }
    text.push_str("\nset, and what is said about the jobs of a worker that was killed:\n");
    for Entry { peer, subject, settings, .. } in entries {
        let said = format!("{subject}: {settings}. After kill -9: {}.", peer.after_a_kill);
        text.push_str(&text::wrap(&said));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::higher;

    fn entry() -> Entry {
        let peer = list::ALL[0];
        let (rows, failed) = (Vec::new(), Vec::new());
        Entry { peer, subject: "mq 1".into(), settings: "none".into(), rows, failed }
    }

    #[test]
    fn a_peer_has_a_row_per_measure_with_a_sample_per_round() {
        let mut entry = entry();
        entry.note(&higher("drain", "jobs/s", 1.0));
        entry.note(&higher("drain", "jobs/s", 2.0));
        entry.note(&higher("enqueue, one", "jobs/s", 3.0));
        assert_eq!(entry.rows.len(), 2);
        assert_eq!(
            (entry.rows[0].subject.as_str(), &entry.rows[0].samples[..]),
            ("mq 1", &[1.0, 2.0][..])
        );
        let text = report(&[entry], Some(90));
        assert!(text.contains("mq 1") && text.contains("none") && text.contains("90 s"), "{text}");
    }

    #[test]
    fn both_forms_of_a_peer_have_one_name_and_strangers_are_told_the_list() {
        assert_eq!(named(&["oxana".to_owned()]).unwrap().len(), 2);
        assert_eq!(named(&[]).unwrap().len(), list::ALL.len());
        let refused = named(&["oxanna".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("`oxanna`") && refused.contains("arq"), "{refused}");
    }
}
