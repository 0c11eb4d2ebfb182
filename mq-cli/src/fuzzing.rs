//! For `mq-fuzz`, behind the feature `fuzzing`: what is read from people and printed for them,
//! without an engine.

use std::ffi::OsString;
use std::time::Duration;

use clap::Parser;

use crate::table::{Sheet, Table};
use crate::{Args, out, text, when};

/// What is printed about arguments that are not meant so; nothing if they are.
pub fn refused(args: &[OsString]) -> Option<String> {
    let error = Args::try_parse_from(args).err()?;
    Some(text::escape_lines(error.render().to_string().trim_end()))
}

/// See `--delay`.
///
/// # Errors
/// When it is no duration.
pub fn delay(text: &str) -> Result<Duration, String> {
    when::parse_delay(text)
}

/// See `--at`.
///
/// # Errors
/// When it is no time.
pub fn at(text: &str) -> Result<u64, String> {
    when::parse_at(text)
}

/// A time as it is shown.
pub fn stamp(now_ms: u64, at_ms: u64) -> String {
    when::stamp_from(now_ms, at_ms)
}

/// A text as one line.
pub fn line(text: &str) -> String {
    text::escape(text)
}

/// A text as JSON has it, with everything escaped that could steer a terminal.
pub fn json(text: &str) -> Option<String> {
    out::json(&text).ok()
}

/// A text as an argument for a shell.
pub fn quoted(text: &str) -> String {
    text::quoted(text)
}

/// One row of two cells in a table, and the same in a sheet, as they are printed.
pub fn shown(a: &str, b: &str) -> [String; 2] {
    let mut table = Table::new(&["a", ">b"]);
    table.row([text::shorten(a, 60), b.to_owned()]);
    let mut sheet = Sheet::default();
    sheet.line("a", a);
    sheet.maybe("b", Some(b));
    [text::escape_lines(&table.or("")), text::escape_lines(&sheet.text())]
}
