//! What a process takes, as `/proc` says. On Linux only.

use std::fs;

/// What a process has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Memory that it really has, in KiB.
    pub memory_kb: u64,
    /// Open files, sockets included.
    pub files: usize,
    /// Threads.
    pub threads: usize,
    /// Time on a processor since it began, in ms.
    pub cpu_ms: u64,
}

impl Usage {
    /// Of a process that lives.
    ///
    /// # Panics
    /// When it does not, or `/proc` is something else.
    pub fn of(pid: u32) -> Self {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let count = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}")).count()
        };
        let status = read("status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        // The 14th and 15th field; the second one, the program's name, may have spaces.
        let stat = read("stat");
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks = fields.split(' ').skip(11).take(2).map(|text| text.parse::<u64>());
        let ticks: u64 = ticks.map(|ticks| ticks.unwrap_or_else(|_| panic!("{stat}"))).sum();
        Self {
            memory_kb: memory.unwrap_or_else(|| panic!("no VmRSS: {status}")),
            files: count("fd"),
            threads: count("task"),
            // Linux counts hundredths of a second for all programs, whatever its own clock does.
            cpu_ms: ticks * 10,
        }
    }
}
