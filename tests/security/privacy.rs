//! Lines 20 and 23: what is written about jobs cannot be made to say something else, nor without
//! end. That payloads and passwords are not written at all is tested in `tests/privacy.rs`.

use mq::prelude::*;
use mq::{DeathReason, Record, State};

use crate::kit::{logged, stores};

/// Ends a line, begins a false one, colours, rings, retitles, and turns the text round.
const FORGED: &str = "x\n2031-01-01T00:00:00.000000Z ERROR mq::job: forged\r\u{1b}[2J\u{1b}]0;title\
     \u{7}\u{8}\u{9b}31m\u{85}\u{2028}\u{202e}\u{2066}\u{200f}\u{feff}\0";

#[derive(Serialize, Deserialize, Job)]
#[job(name = "forger", max_attempts = 2, backoff(fixed, base = "10ms"))]
struct Forger {
    panics: bool,
}

#[mq::handler]
impl Forger {
    async fn run(self, cx: Context) -> Result<(), String> {
        match (self.panics, cx.attempt()) {
            (true, _) => panic!("{FORGED}"),
            (false, 1) => Err(FORGED.to_owned()),
            (false, _) => Err(cx.discard(FORGED.to_owned())),
        }
    }
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a line is one record of the log: a time, a level, and the rest.
fn is_record(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let time = words.next().is_some_and(|word| word.parse::<DateTime<Utc>>().is_ok());
    let level = words.next();
    time && level.is_some_and(|level| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_log_is_one_record_whatever_jobs_say() {
    for store in stores().await {
        let jobs = [false, true].map(|panics| store.mq.enqueue(Forger { panics }).into_future());
        let mut ids = Vec::new();
        for job in jobs {
            ids.push(job.await.unwrap().id);
        }
        // Kinds and tags that no producer of mq's can write.
        let mut record = Record::new(FORGED, &b"{}"[..]);
        let unknown = store.put(record.encode()).await;
        record.kind = "forger".into();
        record.tags = vec![FORGED.into()];
        record.traceparent = Some(FORGED.into());
        record.idempotency_key = Some(FORGED.into());
        ids.push(store.put(record.encode()).await);
        let all_settled = async {
            for id in ids {
                store.job_in(id, State::Dead).await;
            }
            store.job_in(unknown, State::Scheduled).await;
        };
        store.while_running(|worker| worker.job::<Forger, ()>(), all_settled).await;
    }
    let log = logged();
    assert!(log.matches("forged").count() >= 8, "what they said was logged");
    assert!(log.contains("no handler for this kind"), "also of the unknown one");
    for line in log.strip_suffix('\n').unwrap().split('\n') {
        assert!(is_record(line), "{line:?}");
        assert!(!line.contains(steers), "{line:?}");
    }
    for forged in log.lines().filter(|line| line.contains("forged")) {
        assert!(!forged.starts_with("2031"), "{forged}");
    }
}

/// What docs/promise.md says of the length of an error.
const ERROR_LEN_MAX: usize = 8 * 1024;

#[derive(Serialize, Deserialize, Job)]
#[job(name = "verbose", max_attempts = 1)]
struct Verbose {
    panics: bool,
}

#[mq::handler]
impl Verbose {
    async fn run(self, _: Context) -> Result<(), String> {
        let text = "blah".repeat(16 * 1024);
        if self.panics { panic!("{text}") } else { Err(text) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_any_length_is_cut_before_it_is_logged_and_kept() {
    for store in stores().await {
        for panics in [false, true] {
            let id = store.mq.enqueue(Verbose { panics }).await.unwrap().id;
            let worker = |worker: mq::WorkerBuilder| worker.job::<Verbose, ()>();
            let died = async {
                let dead = store.job_in(id, State::Dead).await;
                assert_eq!(dead.death_reason(), Some(DeathReason::Exhausted));
                let error = dead.last_error().unwrap();
                assert!(error.len() <= ERROR_LEN_MAX && error.contains("(cut)"), "{}", error.len());
            };
            store.while_running(worker, died).await;
        }
    }
    let log = logged();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("blahblah")).collect();
    assert!(lines.len() >= 4, "they were logged");
    assert!(lines.iter().all(|line| line.len() < ERROR_LEN_MAX + 1024), "no line is longer");
}
