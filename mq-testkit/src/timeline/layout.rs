//! What is where in a picture.

use std::collections::{BTreeMap, HashMap};

use crate::recorder::{Answer, Entry, Event};

use super::{Story, claim, words};

/// Where lanes begin, behind their names.
pub(super) const LEFT: f64 = 110.0;
/// Where the first lane begins, below the axis.
pub(super) const TOP: f64 = 30.0;
/// Height of a lane.
pub(super) const LANE: f64 = 84.0;
/// Texts of a lane stand in so many rows, so that neighbours do not cover each other.
pub(super) const ROWS: usize = 3;
/// Width of a character, by a generous guess.
const CHARACTER: f64 = 6.4;

/// A picture before it is drawn.
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
    pub(super) lanes: Vec<String>,
    pub(super) marks: Vec<Mark>,
    pub(super) bars: Vec<Bar>,
    pub(super) bands: Vec<Band>,
}

/// An event.
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) lane: usize,
    pub(super) row: usize,
    pub(super) text: String,
    pub(super) hint: String,
    pub(super) ms: f64,
    pub(super) class: &'static str,
}

/// A claim or an execution.
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) lane: usize,
    pub(super) class: &'static str,
    pub(super) hint: String,
}

/// A fault; over all lanes if it has none.
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) lane: Option<usize>,
    pub(super) hint: String,
}

impl Layout {
    pub(super) fn new(story: &Story<'_>) -> Self {
        let lanes = Lanes::of(story);
        let marks = marks(story, &lanes);
        let last = marks.last().map_or(LEFT, |mark| mark.x);
        let texts = marks.iter().map(|mark| mark.x + width(&mark.text));
        let end = texts.fold(last, f64::max) + 20.0;
        Self {
            width: end,
            height: TOP + LANE * lanes.names.len() as f64 + 10.0,
            title: format!("job {}", story.job),
            bars: bars(story, &lanes, &marks, end),
            bands: bands(story, &lanes, &marks, end),
            marks,
            lanes: lanes.names,
        }
    }
}

struct Lanes {
    names: Vec<String>,
    of_process: HashMap<u32, usize>,
}

impl Lanes {
    fn of(story: &Story<'_>) -> Self {
        let mut lanes = Self { names: Vec::new(), of_process: HashMap::new() };
        if story.entries.iter().any(|entry| is_of_store(&entry.event)) {
            lanes.names.push("store".to_owned());
        }
        // In the order of their first events, which is about the order of the job's life.
        let own = story.entries.iter().filter(|entry| !is_of_fault(&entry.event));
        for process in own.map(|entry| entry.process) {
            lanes.of_process.entry(process).or_insert_with(|| {
                lanes.names.push(format!("process {process}"));
                lanes.names.len() - 1
            });
        }
        lanes
    }

    /// Which lane an event is in: a fault in the first of those it hits.
    fn lane(&self, entry: &Entry, began: &HashMap<u64, &[u32]>) -> usize {
        let hit = match &entry.event {
            Event::FaultBegan { fault, .. } | Event::FaultEnded { fault } => began.get(fault),
            Event::RolledBack { .. } => None,
            _ => return self.of_process.get(&entry.process).copied().unwrap_or(0),
        };
        let first = hit.and_then(|hit| hit.iter().find_map(|id| self.of_process.get(id)));
        first.copied().unwrap_or(0)
    }
}

fn is_of_fault(event: &Event) -> bool {
    matches!(event, Event::FaultBegan { .. } | Event::FaultEnded { .. } | Event::RolledBack { .. })
}

fn is_of_store(event: &Event) -> bool {
    match event {
        Event::FaultBegan { processes, .. } => processes.is_empty(),
        event => matches!(event, Event::RolledBack { .. }),
    }
}

fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER + 8.0
}

fn class(event: &Event) -> &'static str {
    match event {
        event if is_of_fault(event) => "fault",
        Event::Finished { answer: Answer::Applied, .. } | Event::Acked { .. } => "good",
        Event::Finished { answer: Answer::Fenced, .. } | Event::Refused { .. } => "bad",
        Event::Ended { ok: false, .. } | Event::Lost { .. } => "bad",
        Event::InDoubt { .. } | Event::Finished { answer: Answer::InDoubt, .. } => "open",
        _ => "plain",
    }
}

fn hit_by(story: &Story<'_>) -> HashMap<u64, Vec<u32>> {
    let began = story.entries.iter().filter_map(|entry| match &entry.event {
        Event::FaultBegan { fault, processes, .. } => Some((*fault, processes.clone())),
        _ => None,
    });
    began.collect()
}

fn marks(story: &Story<'_>, lanes: &Lanes) -> Vec<Mark> {
    let hit = hit_by(story);
    let began: HashMap<u64, &[u32]> = hit.iter().map(|(id, hit)| (*id, hit.as_slice())).collect();
    let mut free = vec![[0.0_f64; ROWS]; lanes.names.len()];
    let mut marks: Vec<Mark> = Vec::new();
    let mut before = None;
    for entry in &story.entries {
        let (text, lane) = (shortened(&words::short(&entry.event)), lanes.lane(entry, &began));
        let step = before.map_or(10.0, |before: u64| {
            let passed_ms = entry.at_ns.saturating_sub(before) as f64 / 1e6;
            10.0 + 22.0 * (1.0 + passed_ms).log10()
        });
        let x = marks.last().map_or(LEFT, |mark| mark.x) + step;
        // The row that has room first; if none has, the event moves on until one has.
        let rows = free[lane].iter().enumerate();
        let (row, room) =
            rows.fold(
                (0, f64::MAX),
                |best, (row, room)| {
                    if *room < best.1 { (row, *room) } else { best }
                },
            );
        let x = x.max(room);
        free[lane][row] = x + width(&text);
        let ms = story.ms(entry.at_ns);
        let hint = format!("{ms:.3} ms, process {}: {}", entry.process, words::long(&entry.event));
        marks.push(Mark { x, lane, row, text, hint, ms, class: class(&entry.event) });
        before = Some(entry.at_ns);
    }
    marks
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Claims up to an answer that ends them or to the next claim, and executions inside them.
fn bars(story: &Story<'_>, lanes: &Lanes, marks: &[Mark], end: f64) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (at, entry) in story.entries.iter().enumerate() {
        let Some(token) = claim(&entry.event) else { continue };
        let rest = story.entries.iter().enumerate().skip(at + 1);
        let same = |event: &Event| claim(event) == Some(token);
        let class = match &entry.event {
            Event::Claimed { reaped: true, .. } => "claim reaped",
            Event::Claimed { .. } => "claim",
            Event::Started { .. } => "run",
            _ => continue,
        };
        let mut rest = rest.filter(|(_, later)| match &later.event {
            Event::Claimed { claim, .. } => claim != token && class != "run",
            Event::Finished { answer: Answer::InDoubt, .. } => false,
            Event::Finished { .. } => same(&later.event),
            Event::Ended { .. } => same(&later.event) && class == "run",
            _ => false,
        });
        let to = rest.next().map_or(end, |(later, _)| marks[later].x);
        let lane = lanes.of_process.get(&entry.process).copied().unwrap_or(0);
        bars.push(Bar { from: marks[at].x, to, lane, class, hint: token.to_owned() });
    }
    bars
}

fn bands(story: &Story<'_>, lanes: &Lanes, marks: &[Mark], end: f64) -> Vec<Band> {
    let mut bands: BTreeMap<u64, Vec<Band>> = BTreeMap::new();
    for (entry, mark) in story.entries.iter().zip(marks) {
        match &entry.event {
            Event::FaultBegan { fault, kind, processes } => {
                let over: Vec<Option<usize>> = match processes.as_slice() {
                    [] => vec![None],
                    hit => hit
                        .iter()
                        .filter_map(|id| lanes.of_process.get(id))
                        .map(|l| Some(*l))
                        .collect(),
                };
                let hint = kind.clone();
                let band = |lane| Band { from: mark.x, to: end, lane, hint: hint.clone() };
                bands.insert(*fault, over.into_iter().map(band).collect());
            }
            Event::FaultEnded { fault } => {
                for band in bands.get_mut(fault).into_iter().flatten() {
                    band.to = mark.x;
                }
            }
            _ => {}
        }
    }
    bands.into_values().flatten().collect()
}
