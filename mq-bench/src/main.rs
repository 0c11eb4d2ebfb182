//! The command `mq-bench`: how fast mq is, beside the floor, which is what the bare commands take
//! that do the same by hand.
//!
//! [`scenario`] says how to add one.

mod child;
mod engine;
mod fail;
mod fill;
mod floor;
mod job;
mod load;
mod machine;
mod out;
mod peers;
mod progress;
mod report;
mod row;
mod run;
mod runtime;
mod scenario;
mod server;
mod stop;
mod store;
mod usage;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::engine::Engine;
use crate::fail::{Exit, Fail};
use crate::machine::About;
use crate::progress::Progress;
use crate::report::{json, page, plot, read, table, text};
use crate::row::Row;
use crate::scenario::{Config, Scenario};

const AFTER_HELP: &str = "\
Exit codes: 0 all was measured; 1 something failed; 2 the command is not meant so; 3 something is
missing on this machine.";

/// What `--quick` stands for.
const QUICK: (usize, f64) = (3, 0.1);

/// Measure how fast mq is, beside what the bare commands take.
#[derive(Debug, Parser)]
#[command(name = "mq-bench", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(flatten)]
    measure: Measure,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Args)]
struct Measure {
    /// What to measure; everything if none is named. `mq-bench list` says what there is.
    scenarios: Vec<String>,
    /// Engines, separated by commas; all if none is named.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    engine: Vec<String>,
    /// How often each subject is measured, 5 times unless told otherwise.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Makes everything smaller, for a first look: figures mean something from 1 on.
    #[arg(long, value_name = "FACTOR", conflicts_with = "quick")]
    scale: Option<f64>,
    /// Three rounds of a tenth of the jobs.
    #[arg(long)]
    quick: bool,
    /// How long `soak` takes, 600 unless told otherwise.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Writes everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what can be measured.
    List,
    /// Draw what was measured.
    Plot {
        /// What `--json` has written; of rows that are in several, those of the last one count.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The folder for the pictures.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write what was measured as tables into a page, between its marks.
    Page {
        /// What `--json` has written; of rows that are in several, those of the last one count.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The page: `<!-- bench:drain -->` begins what `<!-- /bench:drain -->` ends.
        #[arg(long, value_name = "FILE")]
        into: PathBuf,
    },
    /// Measure mq beside other job systems, which are built and installed first.
    Peers(peers::Args),
    /// Be a producer or a worker of a measurement.
    #[command(hide = true)]
    Child { role: String },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => Exit::Fine.into(),
        Err(fail) => {
            out::note(&format!("mq-bench: {fail}"));
            fail.exit().into()
        }
    }
}

fn run(args: Args) -> Result<(), Fail> {
    match args.command {
        None => measure(&args.measure),
        Some(Command::List) => list(),
        Some(Command::Plot { files, out }) => plot::write(&read::all(&files)?.rows, &out),
        Some(Command::Page { files, into }) => page::write(&read::all(&files)?, &into),
        Some(Command::Peers(args)) => peers::run(&args),
        Some(Command::Child { role }) => child::play(scenario::role(&role)?),
    }
}

fn list() -> Result<(), Fail> {
    for scenario in scenario::ALL {
        out::write(&headed(scenario))?;
    }
    out::write(&format!("\nengines: {}\n", Engine::ALL.map(Engine::name).join(", ")))
}

fn headed(Scenario { name, about, .. }: &Scenario) -> String {
    format!("\n{name}\n{}", text::wrap(about))
}

impl Measure {
    fn config(&self) -> Result<Config, Fail> {
        let usual = if self.quick { QUICK } else { (5, 1.0) };
        let rounds = self.rounds.unwrap_or(usual.0);
        let scale = self.scale.unwrap_or(usual.1);
        if rounds == 0 {
            return Err(Fail::usage("--rounds must be at least 1"));
        }
        if self.seconds == Some(0) {
            return Err(Fail::usage("--seconds must be at least 1"));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Fail::usage("--scale must be a number above 0"));
        }
        let named: Result<Vec<Engine>, Fail> =
            self.engine.iter().map(|name| name.parse()).collect();
        let named = named?;
        let is_meant = |engine: &Engine| named.is_empty() || named.contains(engine);
        let engines = Engine::ALL.into_iter().filter(is_meant).collect();
        let seconds = self.seconds.map(Duration::from_secs);
        Ok(Config { engines, rounds, scale, seconds })
    }
}

fn measure(args: &Measure) -> Result<(), Fail> {
    let scenarios = scenario::named(&args.scenarios)?;
    let config = args.config()?;
    if config.engines.iter().any(|engine| engine.is_redis()) {
        store::require_redis()?;
    }
    let about = About::now(config.rounds, config.scale);
    if cfg!(debug_assertions) {
        out::note("this is a debug build: its figures mean nothing");
    }
    out::write(&about.text())?;
    stop::listen();
    let plans: Vec<_> = scenarios.iter().map(|scenario| (scenario.plan)(&config)).collect();
    let rounds = |scenario: &Scenario| scenario.rounds(config.rounds);
    let counts = scenarios.iter().zip(&plans).map(|(one, plan)| plan.len() * rounds(one));
    let count = counts.sum();
    let mut progress = Progress::new(count);
    let mut rows: Vec<Row> = Vec::new();
    for (scenario, plan) in scenarios.iter().zip(&plans) {
        let outcome = run::rounds(scenario.name, plan, rounds(scenario), &mut progress);
        out::write(&headed(scenario))?;
        out::write(&table::tables(&outcome.rows))?;
        rows.extend(outcome.rows);
        // After each, so that a failure later on takes nothing away.
        if let Some(path) = &args.json {
            json::write(path, &about, &rows)?;
        }
        if let Some(fail) = outcome.failed {
            return Err(fail);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, Fail> {
        let args = ["mq-bench"].iter().chain(args);
        Args::try_parse_from(args).unwrap().measure.config()
    }

    #[test]
    fn arguments_say_what_how_often_and_how_much() {
        let usual = config(&[]).unwrap();
        assert_eq!((usual.engines.len(), usual.rounds, usual.scale), (6, 5, 1.0));
        let quick = config(&["drain", "--quick", "--engine", "sqlite,redis"]).unwrap();
        assert_eq!(quick.engines, [Engine::Redis, Engine::Sqlite]);
        assert_eq!((quick.rounds, quick.scale), QUICK);
        assert_eq!(config(&["--quick", "--rounds", "1"]).unwrap().rounds, 1);
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        for bad in [
            ["--rounds", "0"],
            ["--seconds", "0"],
            ["--scale", "0"],
            ["--scale", "inf"],
            ["--engine", "x"],
        ] {
            assert_eq!(config(&bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        assert!(Args::try_parse_from(["mq-bench", "--quick", "--scale", "1"]).is_err());
    }

    #[test]
    fn commands_are_no_scenarios() {
        let args = Args::try_parse_from(["mq-bench", "list"]).unwrap();
        assert!(matches!(args.command, Some(Command::List)));
    }
}
