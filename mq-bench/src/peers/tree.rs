//! A process and everything that it has started: workers of other languages are often several.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::fail::Fail;
use crate::usage::{self, Usage};

/// CPU seconds of a process and all below it, those that have ended included if somebody waited
/// for them.
pub(crate) fn cpu_s(root: u32) -> f64 {
    let all = all();
    let of = |pid: &u32| {
        // One that ends in this moment has been waited for, or will be.
        let own = Usage::of(*pid).map_or(0.0, |usage| usage.cpu_s);
        own + all.get(pid).map_or(0.0, |process| process.waited_for_s)
    };
    below(root, &all).iter().map(of).sum()
}

/// Kills a process and all below it with SIGKILL, as one would by losing the machine.
pub(crate) fn kill9(root: u32) -> Result<(), Fail> {
    let pids = below(root, &all());
    let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    // The shell's own `kill`: not every image has one as a program. Some may be gone by themselves.
    let script = format!("kill -9 {pids} 2>/dev/null; true");
    Command::new("sh").arg("-c").arg(script).status()?;
    Ok(())
}

struct Process {
    parent: u32,
    waited_for_s: f64,
}

fn all() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
    pids.filter_map(read).collect()
}

/// The 4th field of `/proc/PID/stat`, and the 16th and 17th: the CPU time of children.
fn parse(stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
    let ticks = number(16)? + number(17)?;
    Some(Process {
        parent: u32::try_from(number(4)?).ok()?,
        waited_for_s: ticks as f64 / usage::TICKS_PER_S,
    })
}

/// The root and everything below it, from the top down.
fn below(root: u32, all: &BTreeMap<u32, Process>) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(all.iter().filter(|(_, one)| one.parent == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_and_the_time_of_children_are_read_behind_any_name() {
        let process = parse("7 (a) b) S 3 1 1 0 -1 0 1 2 3 4 150 25 200 50 20 0 1 0 9").unwrap();
        assert_eq!((process.parent, process.waited_for_s), (3, 2.5));
        assert!(parse("7 (a) S").is_none());
    }

    #[test]
    fn a_tree_is_everything_below_a_process_and_nothing_else() {
        let process = |parent| Process { parent, waited_for_s: 0.0 };
        let all = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 2)];
        let all = all.into_iter().map(|(pid, parent)| (pid, process(parent))).collect();
        assert_eq!(below(2, &all), [2, 3, 6, 4]);
        assert_eq!(below(9, &all), [9]);
    }
}
