//! The macros cannot depend on mq-core, so they check names by lines of their own: these must say
//! the same as mq-core's, in the same words.

#[allow(dead_code, reason = "the test needs only the check")]
#[path = "../mq-macros/src/name.rs"]
mod name;

#[test]
fn macros_and_core_agree_on_names() {
    let long = "x".repeat(mq::NAME_LEN_MAX + 1);
    let longest = "x".repeat(mq::NAME_LEN_MAX);
    let wide = "é".repeat(mq::NAME_LEN_MAX / 2 + 1);
    let fixed =
        ["", " ", "\t", "a", "mail.welcome", "größe", "a b", "{*}:", &long, &longest, &wide];
    for text in fixed {
        agree(text);
    }
    for character in '\0'..='\u{2fff}' {
        agree(&format!("a{character}b"));
    }
    agree("a\u{feff}b");
    agree("a\u{1f600}b");
}

#[track_caller]
fn agree(text: &str) {
    let core = mq::name::check("job name", text).map_err(|error| error.to_string());
    assert_eq!(name::check("job name", text), core, "{text:?}");
}
