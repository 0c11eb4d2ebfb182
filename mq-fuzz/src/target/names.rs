//! Names, ids and cursors, which come from people, programs and stores.
//!
//! * A name is accepted as it is or refused with a message; one that is accepted is not blank, not
//!   too long, and steers nothing.
//! * An id has one text, and texts sort as their ids do. What is refused is shown escaped.
//! * What serde reads is what `new` and `parse` accept, and it is written as it was read.

use mq_core::admin::PageCursor;
use mq_core::{JobId, NAME_LEN_MAX, QueueName, WorkerId, name};

use super::Target;
use crate::input::{ID, Source};
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "names",
    check,
    seeds,
    words: &[
        b"0M1u",
        b"~",
        b"{\"queue\":\"",
        b"\",\"within\":\"",
        b"s.1.",
        b"r.0.7.",
        b"null",
        b"\xe2\x80\xae",
        b"\x1b[31m",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
    slow: false,
    deep_min: 50,
};

fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    named(&text);
    named(&Source::new(bytes).text());
    identified(bytes);
    if let Ok(cursor) = serde_json::from_slice::<PageCursor>(bytes) {
        promise::deep();
        let written = serde_json::to_string(&cursor).expect("it has a form as JSON");
        assert_eq!(serde_json::from_str::<PageCursor>(&written).expect("its own form"), cursor);
    }
}

fn named(text: &str) {
    let json = serde_json::to_string(text).expect("a text");
    let read = serde_json::from_str::<QueueName>(&json);
    match QueueName::new(text) {
        Ok(name) => {
            promise::deep();
            promise::harmless(text);
            assert!(!text.trim().is_empty() && text.len() <= NAME_LEN_MAX);
            assert_eq!((name.as_str(), &name.to_string()), (text, &text.to_owned()));
            assert_eq!(read.expect("the same rule"), name);
            assert_eq!(serde_json::to_string(&name).expect("a text"), json);
        }
        Err(error) => {
            promise::message(&error.to_string());
            let refused = read.expect_err("the same rule").to_string();
            promise::message(&refused);
        }
    }
    assert_eq!(name::check("tag", text).is_ok(), QueueName::new(text).is_ok());
}

fn identified(bytes: &[u8]) {
    match JobId::parse(bytes) {
        Ok(id) => {
            promise::deep();
            assert_eq!(id.to_text(), bytes);
            assert_eq!(WorkerId::parse(bytes).expect("the same form").to_text(), bytes);
            let other: JobId = ID[1].parse().expect("an id of ours");
            assert_eq!(id.cmp(&other), bytes.cmp(ID[1].as_bytes()));
            assert_eq!(id.as_u128().cmp(&other.as_u128()), id.cmp(&other));
            promise::harmless(&id.created_at().to_rfc3339());
        }
        Err(error) => {
            promise::message(&error.to_string());
            assert!(WorkerId::parse(bytes).is_err());
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let long = "q".repeat(128);
    let texts = [
        "default",
        "{}",
        "q1}:x{",
        "größe",
        " ",
        "a\nb",
        "\u{202e}",
        &long,
        ID[0],
        ID[1],
        "~~~~~~~~~~~~~~~~~~~~~w",
        "~~~~~~~~~~~~~~~~~~~~~~",
        "0000000000000000000000",
        r#"{"queue":"q","within":"s.7.0M1u"}"#,
        r#"{"queue":"q","within":null}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
