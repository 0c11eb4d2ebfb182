//! Finds an input that does not come to an end: it would stop the run and say nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::pool;
use crate::target::Target;

/// Longest time of one input. Machines are busy, and one that reads a file takes some ms at most.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Watches the inputs of one run.
#[derive(Debug)]
pub struct Watch {
    current: Arc<Mutex<Current>>,
    /// Where each input is written before it is run, if the last run ended without a word.
    careful: Option<PathBuf>,
    _end: Sender<()>,
}

#[derive(Debug, Default)]
struct Current {
    number: u64,
    input: Vec<u8>,
}

impl Watch {
    /// Starts to watch. In a careful run each input is written down first, which is slow.
    pub fn start(target: &Target, careful: Option<&Path>) -> Self {
        let current = Arc::new(Mutex::new(Current::default()));
        let (end, ended) = channel::<()>();
        let (watched, folder) = (Arc::clone(&current), pool::corpus(target));
        thread::spawn(move || {
            let mut last = 0;
            while ended.recv_timeout(TIME_MAX) == Err(RecvTimeoutError::Timeout) {
                let current = watched.lock().unwrap_or_else(PoisonError::into_inner);
                if current.number == last && last != 0 {
                    let path = pool::write(&folder, "hang", &current.input);
                    eprintln!("an input takes longer than {TIME_MAX:?}: {path:?}");
                    process::exit(1);
                }
                last = current.number;
            }
        });
        Self { current, careful: careful.map(Path::to_owned), _end: end }
    }

    /// This input is run next.
    pub fn next(&self, input: &[u8]) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.number += 1;
        current.input.clear();
        current.input.extend_from_slice(input);
        if let Some(path) = &self.careful {
            // Without it there is only less to see afterwards.
            let _ = fs::write(path, input);
        }
    }
}
