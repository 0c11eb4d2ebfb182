//! Every target on every commit: what is kept, and mutated inputs of a seed that is always the
//! same. `./ci fuzz` goes on from there.

use std::path::Path;

use mq_fuzz::driver::{self, Until};
use mq_fuzz::target::{TARGETS, Target};
use mq_fuzz::{pool, promise, run, target};

const SEED: u64 = 1;

fn holds(name: &str) {
    let target = target::find(name).unwrap_or_else(|| panic!("no target {name}"));
    let seed = std::env::var("MQ_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let count = if target.slow { 60 } else { 4_000 };
    let report = driver::drive(target, seed, Until::Count(count), None, |_| ());
    let report = report.expect("a report");
    eprintln!("{name}: {} inputs, {} of them deep, seed {seed}", report.inputs, report.deep);
    if let Some((input, broken)) = report.broken {
        panic!("{} at {} for {:?}", broken.text, broken.place, input.escape_ascii().to_string());
    }
    let least = report.inputs * target.deep_min;
    assert!(report.deep * 100 >= least, "{} of {}", report.deep, report.inputs);
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })+

        #[test]
        fn all_targets_are_tested() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),+]);
        }
    };
}

targets! { record history keys replies rows file cli names duration url payload }

/// An old format must stay readable: inputs whose names begin with `valid` go deep for ever.
#[test]
fn what_was_valid_once_stays_valid() {
    let is_deep = |target: &Target, input: &[u8]| {
        let before = promise::deep_count();
        run::one(target, input).unwrap();
        promise::deep_count() > before
    };
    for target in &TARGETS {
        for (name, input) in pool::read(&pool::corpus(target)).unwrap() {
            assert!(
                !name.starts_with("valid") || is_deep(target, &input),
                "{}/{name}",
                target.name
            );
        }
    }
}

#[test]
fn the_corpus_is_small_and_every_folder_has_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    for name in names {
        assert!(target::find(&name.to_string_lossy()).is_some(), "no target {name:?}");
    }
    let inputs = TARGETS.iter().flat_map(|target| pool::read(&pool::corpus(target)).unwrap());
    let sizes: Vec<usize> = inputs.map(|(_, input)| input.len()).collect();
    assert!(sizes.len() < 200 && sizes.iter().sum::<usize>() < 300_000, "{sizes:?}");
}
