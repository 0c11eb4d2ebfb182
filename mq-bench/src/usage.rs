//! What a process has used: CPU time and memory. From `/proc`, so on Linux only.

use std::fs;
use std::time::Instant;

use mq_core::clock;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::fail::Fail;
use crate::row::{Figure, higher, lower};

/// Of one process, since its start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// CPU seconds of all its threads, in the program and in the kernel.
    pub(crate) cpu_s: f64,
    /// What is in memory now, in bytes.
    pub(crate) rss: u64,
    /// The most that ever was.
    pub(crate) rss_peak: u64,
}

/// Kernels count CPU time for `/proc` in hundredths of a second, whatever their own clock does.
pub(crate) const TICKS_PER_S: f64 = 100.0;

impl Usage {
    /// Of this process; its CPU time is exact.
    pub(crate) fn own() -> Result<Self, Fail> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_s = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        Ok(Self { cpu_s, ..memory(&read("self/status")?)? })
    }

    /// Of another process. Its threads' own clocks are exact but end with their threads, so this
    /// may be 10 ms short of the truth for a process whose threads end.
    pub(crate) fn of(pid: u32) -> Result<Self, Fail> {
        let ticks = ticks(&read(&format!("{pid}/stat"))?)?;
        let cpu_s = (ticks as f64 / TICKS_PER_S).max(threads(pid));
        Ok(Self { cpu_s, ..memory(&read(&format!("{pid}/status"))?)? })
    }

    /// CPU seconds since an earlier look at the same process.
    pub(crate) fn cpu_since(&self, earlier: &Self) -> f64 {
        (self.cpu_s - earlier.cpu_s).max(0.0)
    }
}

/// Bytes in the unit of tables.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures what this process does from now on.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    started: Instant,
    before: Usage,
}

/// What a child says of its work.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// From start to stop.
    pub(crate) seconds: f64,
    /// CPU seconds meanwhile.
    pub(crate) cpu_s: f64,
    /// At the stop.
    pub(crate) usage: Usage,
}

impl Spent {
    /// How fast so many jobs went, and what each of them took of the process: `cpu` names it.
    pub(crate) fn figures(&self, jobs: u64, cpu: &'static str) -> Vec<Figure> {
        vec![
            higher("rate", "jobs/s", jobs as f64 / self.seconds),
            lower(cpu, "µs/job", us_each(self.cpu_s, jobs)),
        ]
    }
}

/// Seconds for so many jobs, as µs for each.
pub(crate) fn us_each(seconds: f64, jobs: u64) -> f64 {
    seconds / jobs as f64 * 1e6
}

impl Stopwatch {
    pub(crate) fn start() -> Result<Self, Fail> {
        let before = Usage::own()?;
        Ok(Self { started: clock::now(), before })
    }

    pub(crate) fn stop(&self) -> Result<Spent, Fail> {
        let seconds = self.started.elapsed().as_secs_f64();
        let usage = Usage::own()?;
        Ok(Spent { seconds, cpu_s: usage.cpu_since(&self.before), usage })
    }
}

/// CPU seconds of the threads that there are now; 0 if this kernel does not count them.
fn threads(pid: u32) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let stats = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    stats.sum::<f64>() / 1e9
}

fn read(file: &str) -> Result<String, Fail> {
    let path = format!("/proc/{file}");
    fs::read_to_string(&path).map_err(|error| Fail::new(format!("{path}: {error}")))
}

/// `utime` + `stime` of a line of `/proc/PID/stat`: the 14th and 15th field. The second one is the
/// program's name in brackets, which may itself have spaces and brackets.
fn ticks(stat: &str) -> Result<u64, Fail> {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(user + system),
        _ => Err(Fail::new(format!("this is no line of /proc/PID/stat: `{stat}`"))),
    }
}

/// The two figures about memory in `/proc/PID/status`.
fn memory(status: &str) -> Result<Usage, Fail> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.map(|kib| kib * 1024)
            .ok_or_else(|| Fail::new(format!("/proc/PID/status has no {name}")))
    };
    Ok(Usage { cpu_s: 0.0, rss: field("VmRSS:")?, rss_peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name_of_a_program() {
        let rest = "S 1 1 1 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 9";
        assert_eq!(ticks(&format!("7 (redis-server) {rest}")).unwrap(), 175);
        assert_eq!(ticks(&format!("7 (a) 1 (b) {rest}")).unwrap(), 175);
        assert!(ticks("7 (a) S 1 1").is_err());
        assert!(ticks("").is_err());
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let usage = memory("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n").unwrap();
        assert_eq!((usage.rss, usage.rss_peak), (1024 * 1024, 2048 * 1024));
        assert!(memory("Name:\tx\nVmRSS:\t1024 kB\n").is_err());
    }

    #[test]
    fn a_process_that_works_uses_more_and_more() {
        let pid = std::process::id();
        let (own, seen) = (Usage::own().unwrap(), Usage::of(pid).unwrap());
        let mut burnt = 0u64;
        while Usage::own().unwrap().cpu_since(&own) < 0.03 {
            burnt = std::hint::black_box(burnt + 1);
        }
        assert!(Usage::of(pid).unwrap().cpu_since(&seen) > 0.0);
        assert!(own.rss > 0 && own.rss_peak >= own.rss);
    }
}
