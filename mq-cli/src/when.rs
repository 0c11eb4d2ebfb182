//! Times as people write and read them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// The first ms of the year 10000, since 1970.
const YEAR_10000_MS: u64 = 253_402_300_800_000;

/// Reads `500ms`, `30s`, `5m`, `2h`, `7d`.
pub(crate) fn parse_delay(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number with its unit: 500ms, 30s, 5m, 2h or 7d".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let unit_ms = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let ms = number.checked_mul(unit_ms).ok_or("that is longer than this program can count")?;
    Ok(Duration::from_millis(ms))
}

/// Reads a time such as `2030-01-31T08:00:00Z`, as ms since 1970.
pub(crate) fn parse_at(text: &str) -> Result<u64, String> {
    let wrong = || "write it with its offset, such as 2030-01-31T08:00:00+01:00 or …Z".to_owned();
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
    match u64::try_from(at.timestamp_millis()) {
        Err(_) => Err("it is before 1970".to_owned()),
        // Years of five digits are shown in another form than they would be read in.
        Ok(YEAR_10000_MS..) => Err("it is after the year 9999".to_owned()),
        Ok(ms) => Ok(ms),
    }
}

/// A time for people.
pub(crate) fn stamp(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    at.map_or_else(|| at_ms.to_string(), |at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A time, and how far that is from now by the store's clock.
pub(crate) fn stamp_from(now_ms: u64, at_ms: u64) -> String {
    format!("{} ({})", stamp(at_ms), relative(now_ms, at_ms))
}

/// `3 m ago` or `in 2 h`.
pub(crate) fn relative(now_ms: u64, at_ms: u64) -> String {
    if at_ms > now_ms {
        format!("in {}", span(at_ms - now_ms))
    } else {
        format!("{} ago", span(now_ms - at_ms))
    }
}

/// A span in its largest fitting unit; two units would only be read as more exact than they are.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} m", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_need_a_unit_and_fit() {
        assert_eq!(parse_delay("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_delay("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "5", "s", "-5s", "5 s", "1.5h", "99999999999999999999s"] {
            assert!(parse_delay(wrong).is_err(), "{wrong}");
        }
        assert!(parse_delay("18446744073709551615d").is_err());
    }

    #[test]
    fn times_need_an_offset() {
        assert_eq!(parse_at("1970-01-01T01:00:01+01:00"), Ok(1_000));
        assert!(parse_at("2030-01-31T08:00:00").is_err());
        assert!(parse_at("1960-01-31T08:00:00Z").is_err());
        assert_eq!(parse_at("9999-12-31T23:59:59.999Z"), Ok(YEAR_10000_MS - 1));
        for late in ["9999-12-31T23:59:60Z", "9999-12-31T23:59:59-01:00"] {
            assert!(parse_at(late).unwrap_err().contains("9999"), "{late}");
        }
        assert_eq!(stamp(1_000), "1970-01-01T00:00:01.000Z");
        assert_eq!(stamp(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        assert_eq!(relative(5_000, 0), "5 s ago");
        assert_eq!(relative(0, 7_200_000), "in 2 h");
        assert_eq!(span(999), "999 ms");
        assert_eq!(span(u64::MAX), "213503982334 d");
    }
}
