//! Durations as people write them: `250ms`, `30s`, `1h30m`, `7d`.

use std::fmt;
use std::time::Duration;

/// Units with their length in milliseconds, longest first: the order in which they are written.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Ten years, as for delays: beyond it, a typing mistake is more likely than a wish.
const MAX_MS: u64 = 10 * 366 * 86_400_000;

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DurationError {
    /// No number and unit, or more than that.
    Syntax(String),
    /// Units not from the longest to the shortest.
    Order(String),
    /// More than ten years.
    TooLong(String),
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) => {
                write!(f, "`{text}` is not a duration: write a number and one of ms, s, m, h, d")
            }
            Self::Order(text) => {
                write!(f, "`{text}` names its units out of order: write `1h30m`, longest first")
            }
            Self::TooLong(text) => write!(f, "`{text}` is longer than ten years"),
        }
    }
}

/// Reads a duration of one or more parts, each a whole number and a unit.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let syntax = || DurationError::Syntax(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let mut rest = text;
    let mut total_ms = 0u64;
    let mut last_unit = None;
    while !rest.is_empty() {
        let (digits, after) = split_where(rest, |character| !character.is_ascii_digit());
        let (unit, after) = split_where(after, |character| character.is_ascii_digit());
        let place = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(syntax)?;
        if digits.is_empty() {
            return Err(syntax());
        }
        if last_unit.is_some_and(|last| last >= place) {
            return Err(DurationError::Order(text.to_owned()));
        }
        let number: u64 = digits.parse().map_err(|_| too_long())?;
        let part_ms = number.checked_mul(UNITS[place].1).ok_or_else(too_long)?;
        total_ms = total_ms.checked_add(part_ms).ok_or_else(too_long)?;
        last_unit = Some(place);
        rest = after;
    }
    match last_unit {
        None => Err(syntax()),
        Some(_) if total_ms > MAX_MS => Err(too_long()),
        Some(_) => Ok(Duration::from_millis(total_ms)),
    }
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_add_up() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("7d", 604_800_000),
            ("3660d", MAX_MS),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for text in ["", " ", "s", "30", "30 s", "30 parsecs", "-1s", "1.5s", "1h30", "1ｈ", "٣s"]
        {
            assert_eq!(parse(text), Err(DurationError::Syntax(text.to_owned())), "{text}");
        }
        for text in ["1s1h", "1s1s", "5ms1s"] {
            assert_eq!(parse(text), Err(DurationError::Order(text.to_owned())), "{text}");
        }
        for text in ["3661d", "99999999999999999999d", "18446744073709551615h"] {
            assert_eq!(parse(text), Err(DurationError::TooLong(text.to_owned())), "{text}");
        }
    }
}
