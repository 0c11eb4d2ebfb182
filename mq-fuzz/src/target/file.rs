//! A file with changed bytes, cut off, or of something else (F76).
//!
//! * It is opened, or refused with a message: no panic, no end of the process, no waiting.
//! * One that is opened keeps the promises of `rows`.
//!
//! An input is how much of the file is left, and changes: a place in three bytes, and what is put
//! there.

use super::{Target, store};
use crate::input::{Source, put_bytes};

pub(super) const TARGET: Target = Target {
    name: "file",
    check,
    seeds,
    words: &[
        b"SQLite format 3\0",
        b"\0\0\0\x10",
        b"\x0d\0\0",
        b"\x05\0\0",
        b"CREATE TABLE mq_jobs(x)",
        b"\x1b[2J",
        b"\xff\xff\xff\xff",
        b"\x81\x80\x80\x80\x80\x80\x80\x80\x01",
    ],
    slow: true,
    deep_min: 30,
};

fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut file = store::template().to_vec();
    // Mostly whole, for what is cut off is soon found out.
    match source.byte() {
        cut @ 0xf0.. => file.truncate(usize::from(cut & 0x0f) * file.len() / 15),
        0xef => file.clear(),
        0xee => file.fill(0),
        0xed => file.extend_from_within(..4_096),
        _ => {}
    }
    while !source.is_empty() {
        let place = [0, source.byte(), source.byte(), source.byte()];
        let at = u32::from_be_bytes(place) as usize % file.len().max(1);
        let change = source.bytes();
        let end = (at + change.len()).min(file.len());
        file[at.min(end)..end].copy_from_slice(&change[..end - at.min(end)]);
    }
    let folder = store::folder();
    let path = folder.path().join("jobs.db");
    std::fs::write(&path, file).expect("a file");
    store::exercise(&path, false);
}

fn seeds() -> Vec<Vec<u8>> {
    let change = |at: usize, bytes: &[u8]| {
        let mut seed = vec![0];
        seed.extend(&(at as u32).to_be_bytes()[1..]);
        put_bytes(&mut seed, bytes);
        seed
    };
    let mut seeds =
        vec![vec![0], vec![0xee], vec![0xef], vec![0xed], vec![0xf1], vec![0xf7], vec![0xfe]];
    // The head of the file, and of each of its pages; then each record's text, as it is found.
    seeds.extend((0..100).step_by(4).map(|at| change(at, &[0xff])));
    let template = store::template();
    seeds.extend((0..template.len()).step_by(4_096).map(|at| change(at, &[0x05, 0xff])));
    for word in [&b"{\"attempts\":1}"[..], b"\x01\x03\x01\x01k{}", b"0M1u", b"CREATE TABLE mq_jobs"]
    {
        let at = template.windows(word.len()).position(|bytes| bytes == word).expect("it is there");
        seeds.extend([change(at, b"\x1b["), change(at.saturating_sub(1), &[0xff])]);
    }
    seeds
}
