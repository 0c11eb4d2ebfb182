//! `./ci fuzz`: runs targets for a time, and writes down what breaks them.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use mq_core::clock;
use mq_fuzz::driver::{self, Until};
use mq_fuzz::target::{self, TARGETS, Target};
use mq_fuzz::watch::Watch;
use mq_fuzz::{pool, run};

const USAGE: &str = "\
mq-fuzz [TARGET…] [--seconds N] [--seed N]   each target for so long, 60 s unless said otherwise
mq-fuzz replay TARGET FILE…                  these inputs, one after the other
mq-fuzz list                                 the targets";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["list"] => {
            TARGETS.iter().for_each(|target| say(target.name));
            Ok(true)
        }
        ["replay", name, files @ ..] => replay(name, files),
        ["child", name, seed, seconds, careful @ ..] => child(name, seed, seconds, careful.first()),
        words => all(words),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error}\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program")]
fn say(text: &str) {
    println!("{text}");
}

fn named(name: &str) -> Result<&'static Target> {
    target::find(name).ok_or_else(|| format!("there is no target `{name}`, see `list`").into())
}

fn all(words: &[&str]) -> Result<bool> {
    let (mut targets, mut seconds, mut seed) = (Vec::new(), 60, clock::wall_ms());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse().ok()).ok_or("want a number");
        match *word {
            "--seconds" => seconds = number()?,
            "--seed" => seed = number()?,
            name => targets.push(named(name)?),
        }
    }
    if targets.is_empty() {
        targets.extend(&TARGETS);
    }
    let mut fine = true;
    for target in targets {
        fine &= parent(target, seed, seconds)?;
    }
    Ok(fine)
}

/// In a process of its own, because a stack that overflows takes the process along. Then the same
/// inputs come again, each written down before it is run.
fn parent(target: &Target, seed: u64, seconds: u64) -> Result<bool> {
    let child = |careful: Option<&Path>| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", target.name, &seed.to_string(), &seconds.to_string()]);
        command.args(careful).status()
    };
    let status = child(None)?;
    if status.code().is_some() {
        return Ok(status.success());
    }
    say(&format!(
        "{}: the process ended with {status}; again, to see with which input",
        target.name
    ));
    let last = tempfile::NamedTempFile::new()?;
    if child(Some(last.path()))?.code().is_none() {
        let input = fs::read(last.path())?;
        tell_broken(target, &pool::write(&pool::corpus(target), "crash", &input)?);
    }
    Ok(false)
}

fn child(name: &str, seed: &str, seconds: &str, careful: Option<&&str>) -> Result<bool> {
    let (target, seed, seconds) = (named(name)?, seed.parse()?, seconds.parse()?);
    let careful = careful.map(Path::new);
    let watch = Watch::start(target, careful);
    let began = clock::now();
    let until = Until::Time(Duration::from_secs(seconds));
    let report = driver::drive(target, seed, until, Some(&watch), say)?;
    say(&format!("{}  seed {seed}", report.line(target, began.elapsed())));
    let Some((input, broken)) = report.broken else { return Ok(true) };
    say(&format!("{}: {}\n  at {}", target.name, broken.text, broken.place));
    tell_broken(target, &pool::write(&pool::corpus(target), "crash", &input)?);
    Ok(false)
}

fn tell_broken(target: &Target, path: &std::path::Path) {
    let (name, path) = (target.name, path.display());
    say(&format!("written to {path}\nsee it again: ./ci fuzz replay {name} {path}"));
}

fn replay(name: &str, files: &[&str]) -> Result<bool> {
    let target = named(name)?;
    let mut fine = true;
    for file in files {
        match run::one(target, &fs::read(file)?) {
            Ok(()) => say(&format!("{file}: all promises hold")),
            Err(broken) => {
                fine = false;
                say(&format!("{file}: {}\n  at {}", broken.text, broken.place));
            }
        }
    }
    Ok(fine)
}
