//! A terminal, as the program sees one.
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs a program at a terminal, does something and types `line` when it has shown `prompt`, and
/// returns its exit code with all that could be read on the terminal.
pub(crate) fn answer(
    mut command: Command,
    prompt: &str,
    line: &str,
    meanwhile: impl Fn(),
) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let slave = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
    let mut child = command.stdin(slave()).stderr(slave()).stdout(Stdio::null()).spawn().unwrap();
    // Its own ends of the terminal: while they are open, reading would not end.
    drop(command);
    let mut master = File::from(master);
    let mut seen = String::new();
    let mut answered = false;
    let mut part = [0; 1024];
    // Once the program has gone, reading is an error on Linux and the end elsewhere.
    while let Ok(len @ 1..) = master.read(&mut part) {
        seen.push_str(&String::from_utf8_lossy(&part[..len]));
        if !answered && seen.contains(prompt) {
            answered = true;
            meanwhile();
            master.write_all(line.as_bytes()).unwrap();
        }
    }
    (child.wait().unwrap().code().unwrap(), seen)
}
