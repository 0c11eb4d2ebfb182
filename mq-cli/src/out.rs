//! The only way to the terminal. Whatever passes here has lost what could steer a terminal, so no
//! command has to think of it.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::fail::Fail;
use crate::text;

/// Prints a line or several to the standard output.
pub(crate) fn write(answer: &str) -> Result<(), Fail> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text::escape_lines(answer)).and_then(|()| stdout.flush());
    match written {
        // `mq jobs dead | head` is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Fail::from(error).after("the answer could not be written")),
        Ok(()) => Ok(()),
    }
}

/// A value as JSON. Characters that could steer a terminal stand only inside its strings, where
/// JSON has an escape for them, so that readers get back what was there.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Fail> {
    let json = serde_json::to_string_pretty(value);
    let json = json.map_err(|error| Fail::condition(format!("the answer is not JSON: {error}")))?;
    Ok(text::escape_json(&json))
}

/// Says something beside the answer, to the standard error.
pub(crate) fn note(text: &str) {
    // If nobody listens, the exit code still tells.
    let _ = writeln!(io::stderr().lock(), "{}", text::escape_lines(text));
}

/// One line that is rewritten while something goes on; nothing where nobody watches.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    watched: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { shown: false, watched: io::stderr().is_terminal() }
    }

    pub(crate) fn say(&mut self, text: &str) {
        if self.watched {
            self.shown = true;
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r{}", text::escape(text)).and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = writeln!(io::stderr());
        }
    }
}

/// Goes on if it was agreed to beforehand, or if somebody agrees now.
pub(crate) fn agree(question: &str, yes: bool) -> Result<(), Fail> {
    if yes {
        return Ok(());
    }
    match ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Fail::condition("nothing was changed")),
        None => Err(Fail::usage(
            "nothing was changed: there is no terminal to ask on, so add --yes if this is meant",
        )),
    }
}

/// Asks a question that only `y` or `yes` answers with yes. Not for a script: `None` where nobody
/// could answer.
fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{} [y/N] ", text::escape(question)).and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
