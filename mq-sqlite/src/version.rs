//! Which SQLite the program is linked with: the one that it brings, or whatever the system has.

/// `RETURNING` came with 3.35.0; the suite has passed on 3.35.4 and on nothing older.
const OLDEST: i32 = 3_035_004;

/// Why mq cannot work with a version, if it cannot. The number is SQLite's: 3035004 for 3.35.4.
pub(crate) fn refusal(number: i32, name: &str) -> Option<String> {
    (number < OLDEST).then(|| {
        format!(
            "this program is linked with SQLite {name}, and mq needs 3.35.4 or newer: upgrade the \
             system's library, or build with the feature `sqlite`, which brings one"
        )
    })
}

/// What should be mended about a version, if anything: up to 3.51.2, SQLite can damage a file when
/// two connections write or empty the log in the same instant. See
/// <https://sqlite.org/wal.html#walresetbug>; the versions that rusqlite brings are all newer.
pub(crate) fn warning(number: i32, name: &str) -> Option<String> {
    let is_mended = match number {
        3_044_000..3_045_000 => number >= 3_044_006,
        3_050_000..3_051_000 => number >= 3_050_007,
        _ => number >= 3_051_003,
    };
    (!is_mended).then(|| {
        format!(
            "this program is linked with SQLite {name}, which very rarely damages a file that two \
             processes write to: upgrade the system's library to 3.51.3, or build with the feature \
             `sqlite`, which brings one"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sqlite_is_refused_with_the_cure() {
        let text = refusal(3_034_001, "3.34.1").unwrap();
        assert!(text.contains("3.34.1") && text.contains("feature `sqlite`"), "{text}");
        assert_eq!(refusal(3_035_004, "3.35.4"), None);
    }

    #[test]
    fn one_that_can_damage_a_file_is_warned_of() {
        for bad in [3_040_001, 3_044_005, 3_045_003, 3_050_006, 3_051_002] {
            let text = warning(bad, "3.x").unwrap();
            assert!(text.contains("upgrade"), "{bad}: {text}");
        }
        for good in [3_044_006, 3_050_007, 3_051_003, 3_054_001] {
            assert_eq!(warning(good, "3.x"), None, "{good}");
        }
    }

    #[test]
    fn the_one_that_is_linked_will_do() {
        let (number, name) = (rusqlite::version_number(), rusqlite::version());
        assert_eq!((refusal(number, name), warning(number, name)), (None, None));
    }
}
