//! What users see when a job is wrong, and all that is accepted when it is right.
//!
//! One file per mistake; its `.stderr` is the message, word for word as the pinned compiler prints
//! it. After a change that is meant: `TRYBUILD=overwrite cargo test --test ui`, then read the diff.

#[test]
fn every_mistake_has_its_message() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
