//! Many inputs for one target: those that are kept, then mutated ones.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mq_core::clock;
use mq_core::rng::Rng;

use crate::coverage::{self, Reached};
use crate::mutate::{LEN_MAX, mutate};
use crate::target::Target;
use crate::watch::Watch;
use crate::{pool, promise, run};

/// Inputs that are remembered for their news.
const POOL_MAX: usize = 5_000;
/// Between two lines that say how it goes.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After so many mutated inputs.
    Count(u64),
    /// After this time.
    Time(Duration),
}

/// What a run has done.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs that were run.
    pub inputs: u64,
    /// Those of them that got past the first door.
    pub deep: u64,
    /// Edges that were reached; none in a run that is not guided.
    pub edges: usize,
    /// What broke a promise, made small.
    pub broken: Option<(Vec<u8>, run::Broken)>,
}

impl Report {
    /// Inputs per second, and what else there is to say.
    pub fn line(&self, target: &Target, elapsed: Duration) -> String {
        let rate = self.inputs as f64 / elapsed.as_secs_f64().max(0.001);
        let deep = 100 * self.deep / self.inputs.max(1);
        let (name, inputs, seconds) = (target.name, self.inputs, elapsed.as_secs());
        let edges = match (self.edges, coverage::edges()) {
            (_, 0) => String::new(),
            (reached, all) => format!("  {reached} of {all} edges"),
        };
        format!("{name:9} {seconds:5} s  {inputs:10} inputs  {rate:8.0}/s  {deep:3} % deep{edges}")
    }
}

/// Runs a target until the time is over or a promise is broken. The inputs depend on the seed, on
/// what is kept, and in a guided run on what they reach.
///
/// # Errors
/// When kept inputs cannot be read or written.
pub fn drive(
    target: &Target,
    seed: u64,
    until: Until,
    watch: Option<&Watch>,
    tell: impl Fn(&str),
) -> io::Result<Report> {
    let is_guided = coverage::edges() > 0;
    let (mut report, mut reached, began) = (Report::default(), Reached::default(), clock::now());
    let mut kept = kept(target, is_guided)?;
    let mut step = |input: &[u8], report: &mut Report| {
        if let Some(watch) = watch {
            watch.next(input);
        }
        let deep_before = promise::deep_count();
        let outcome = run::one(target, input);
        report.inputs += 1;
        report.deep += u64::from(promise::deep_count() > deep_before);
        if let Err(broken) = outcome {
            report.broken = Some((run::shrink(target, input, &broken), broken));
        }
        let news = is_guided && reached.take();
        report.edges = reached.edges();
        news
    };
    for input in &kept {
        step(input, &mut report);
        if report.broken.is_some() {
            return Ok(report);
        }
    }
    // Long ones are for themselves.
    kept.retain(|input| input.len() <= LEN_MAX);
    kept.push(Vec::new());
    let (mut rng, mut told, mut count) = (Rng::seeded(seed), began, 0);
    while !is_over(until, began, count) && report.broken.is_none() {
        count += 1;
        let mut pick = || rng.between(0, kept.len() as u64 - 1) as usize;
        let (at, other) = (pick(), pick());
        let input = mutate(&kept[at], &kept[other], target.words, &mut rng);
        if step(&input, &mut report) && kept.len() < POOL_MAX {
            pool::write(&pool::found(target), "new", &input)?;
            kept.push(input);
        }
        if told.elapsed() >= TELL_EVERY {
            told = clock::now();
            tell(&report.line(target, began.elapsed()));
        }
    }
    Ok(report)
}

fn is_over(until: Until, began: Instant, count: u64) -> bool {
    match until {
        Until::Count(most) => count >= most,
        Until::Time(time) => began.elapsed() >= time,
    }
}

fn kept(target: &Target, is_guided: bool) -> io::Result<Vec<Vec<u8>>> {
    let mut kept = (target.seeds)();
    let mut add = |folder: PathBuf| -> io::Result<()> {
        kept.extend(pool::read(&folder)?.into_iter().map(|(_, input)| input));
        Ok(())
    };
    add(pool::corpus(target))?;
    if is_guided {
        add(pool::found(target))?;
    }
    Ok(kept)
}
