//! The answer goes to the standard output, everything beside it to the standard error.

use std::io::{self, ErrorKind, Write};

use crate::fail::Fail;

/// Prints a part of the answer.
pub(crate) fn write(text: &str) -> Result<(), Fail> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // `mq-bench | head` is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says something beside the answer.
pub(crate) fn note(text: &str) {
    // If nobody listens, the exit code still tells.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
