//! Durations and times as people write them: `1h30m` in the attributes of the macros, `30s` and
//! `2030-01-31T08:00:00Z` on the command line.
//!
//! * Any text is read or refused with a message that can be printed.
//! * What the macros read is ten years at most, and is read again when it is written in full.
//! * The command line never reads a plain duration as another one than the macros do.
//! * A time that was read is shown, and read again as the same.

#[path = "../../../mq-macros/src/duration.rs"]
mod of_macros;

use std::time::Duration;

use mq_cli::fuzzing as cli;

use super::Target;
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "duration",
    check,
    seeds,
    words: &[
        b"ms",
        b"s",
        b"m",
        b"h",
        b"d",
        b"18446744073709551615",
        b"99999999999999999999",
        b"2030-01-31T",
        b"08:00:00",
        b"+01:00",
        b"Z",
        b"-",
        b".",
        b":60",
    ],
    slow: false,
    deep_min: 6,
};

fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let typed = cli::delay(&text);
    match of_macros::parse(&text) {
        Ok(duration) => {
            promise::deep();
            assert!(duration <= Duration::from_secs(10 * 366 * 86_400));
            assert_eq!(of_macros::parse(&written(duration)).ok(), Some(duration), "{text}");
            assert!(typed.as_ref().is_ok_and(|typed| *typed == duration) || typed.is_err());
        }
        // The compiler shows it, and it quotes all of the text, which is the user's own code.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(text) = typed {
        promise::message(&text);
    }
    match cli::at(&text) {
        Ok(ms) => {
            promise::deep();
            let shown = cli::stamp(0, ms);
            promise::message(&shown);
            let stamp = shown.split(' ').next().unwrap_or_default();
            assert_eq!(cli::at(stamp), Ok(ms), "{text} is shown as {shown}");
        }
        Err(text) => promise::message(&text),
    }
}

/// In the units of the macros, each at most once.
fn written(duration: Duration) -> String {
    let mut left = duration.as_millis() as u64;
    let mut text = String::new();
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if left >= ms {
            text.push_str(&format!("{}{unit}", left / ms));
            left %= ms;
        }
    }
    format!("{text}{left}ms")
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "0s",
        "250ms",
        "1h30m",
        "1d2h3m4s5ms",
        "3660d",
        "3661d",
        "",
        "30",
        "1ｈ",
        "-1s",
        "1970-01-01T00:00:00Z",
        "2030-01-31T08:00:00.123+01:00",
        "9999-12-31T23:59:59Z",
        "+262142-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2016-12-31T23:59:60Z",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
