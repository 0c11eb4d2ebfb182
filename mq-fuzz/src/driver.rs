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
    let mut parents = Parents::default();
    for input in kept(target, is_guided)? {
        let deep_before = report.deep;
        step(&input, &mut report);
        if report.broken.is_some() {
            return Ok(report);
        }
        parents.add(input, report.deep > deep_before);
    }
    parents.add(Vec::new(), false);
    let (mut rng, mut told, mut count) = (Rng::seeded(seed), began, 0);
    while !is_over(until, began, count) && report.broken.is_none() {
        count += 1;
        let (one, other) = (parents.pick(&mut rng), parents.any(&mut rng));
        let input = mutate(one, other, target.words, &mut rng);
        let deep_before = report.deep;
        if step(&input, &mut report) && parents.all.len() < POOL_MAX {
            pool::write(&pool::found(target), "new", &input)?;
            parents.add(input, report.deep > deep_before);
        }
        if told.elapsed() >= TELL_EVERY {
            told = clock::now();
            tell(&report.line(target, began.elapsed()));
        }
    }
    Ok(report)
}

/// What new inputs are made of.
#[derive(Default)]
struct Parents {
    all: Vec<Vec<u8>>,
    /// Which of them got past the first door.
    deep: Vec<usize>,
}

impl Parents {
    fn add(&mut self, input: Vec<u8>, is_deep: bool) {
        // Long ones are for themselves.
        if input.len() <= LEN_MAX {
            self.deep.extend(is_deep.then_some(self.all.len()));
            self.all.push(input);
        }
    }

    /// Every other time one that got past the first door: of what is broken already, little comes.
    fn pick(&self, rng: &mut Rng) -> &[u8] {
        if self.deep.is_empty() || rng.between(0, 1) == 0 {
            return self.any(rng);
        }
        &self.all[self.deep[below(self.deep.len(), rng)]]
    }

    fn any(&self, rng: &mut Rng) -> &[u8] {
        &self.all[below(self.all.len(), rng)]
    }
}

fn below(end: usize, rng: &mut Rng) -> usize {
    rng.between(0, end as u64 - 1) as usize
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
