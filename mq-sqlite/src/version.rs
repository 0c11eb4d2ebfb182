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
    fn the_one_that_is_linked_will_do() {
        assert_eq!(refusal(rusqlite::version_number(), rusqlite::version()), None);
    }
}
