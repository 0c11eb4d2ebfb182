//! Bytes go in and the same bytes come out, however often a job goes round (RELIABILITY F85).

use mq_core::engine::{Act, NewJob};
use mq_core::lifecycle::Transition;
use mq_core::{History, State};

use crate::Fixture;
use crate::kit::{HOUR, Hand, draft, enqueue, finish, past, state, stored};

/// What stores and their script languages like to change.
fn corpus() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"n":-9223372036854775808}"#,
        r#"{"n":18446744073709551615}"#,
        r#"{"n":9007199254740993}"#,
        r#"{"n":1e308,"m":-0.0,"k":0.1,"l":1.0}"#,
        r#"{"array":[],"object":{},"null":null}"#,
        "[]",
        "{}",
        "null",
        "",
        " { \"a\" : 1 } \n",
        r#"{"b":1,"a":2,"b":3}"#,
        "\u{feff}{}",
        r#""\u0000\ud83d\ude00""#,
    ];
    let mut corpus: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    corpus.push(vec![0]);
    corpus.push(b"a\0b\0".to_vec());
    corpus.push(b"\xff\xfe\xc0\x80\xed\xa0\x80".to_vec());
    corpus.push((0..=255).collect());
    corpus.push(b"\r\n$5\r\n*3\r\n-ERR\r\n".to_vec());
    corpus.push((0..1024 * 1024).map(|at: u32| (at.wrapping_mul(31) >> 3) as u8).collect());
    corpus.push(vec![b' '; 1024 * 1024]);
    corpus
}

pub async fn every_byte_survives_a_whole_life(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let now_ms = fixture.now_ms();
    for (number, payload) in corpus().into_iter().enumerate() {
        let job = draft("q").payload(payload).build();
        let (id, record) = (job.id, job.record.clone());
        enqueue(&engine, vec![job]).await;
        let claimed = hand.one().await;
        assert!(claimed.record == record, "payload {number}: first claim");
        hand.end_with(&claimed, Transition::Retry { at_ms: now_ms }, &past(1, now_ms)).await;
        let claimed = hand.one().await;
        assert!(claimed.record == record, "payload {number}: after a retry");
        hand.end_with(&claimed, Transition::Bury, &past(2, now_ms)).await;
        let dead = stored(&engine, "q", id).await.expect("the dead letter");
        assert!(dead.record == record, "payload {number}: dead");
        engine.retry(&hand.queue, &[id], None).await.expect("retry");
        let claimed = hand.one().await;
        assert!(claimed.record == record, "payload {number}: back from the dead");
        let history = History::decode(&claimed.history.clone().expect("a history"));
        assert_eq!(history.lifetime_attempts(), 2);
        hand.end(&claimed, Transition::Done).await;
        assert_eq!(state(&engine, "q", id).await, None);
    }
}

pub async fn every_byte_survives_waiting_for_its_time(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for (number, payload) in corpus().into_iter().enumerate() {
        let key = format!("k{number}");
        let job = draft("q").payload(payload).key(&key).retention(HOUR).after(HOUR).build();
        sent.push((job.id, job.record.clone()));
        enqueue(&engine, vec![job]).await;
    }
    fixture.advance(HOUR).await;
    let mut jobs = hand.take(100).await;
    jobs.sort_by_key(|job| job.id);
    assert_eq!(jobs.len(), sent.len());
    for (job, (id, record)) in jobs.iter().zip(sent) {
        assert_eq!(job.id, id);
        assert!(job.record == record, "{}", job.id);
    }
}

/// Bytes that are no record of this version of mq, which engines must not mind: the worker that
/// claims them decides.
fn not_records() -> Vec<Vec<u8>> {
    let good = mq_core::Record::new("case", &b"payload"[..]).encode();
    let mut newer = good.clone();
    newer[0] = 2;
    let mut corpus = vec![newer, vec![0xff; 40], b"{\"kind\":\"json\"}".to_vec(), vec![1]];
    corpus.extend((1..good.len() - 7).map(|len| good[..len].to_vec()));
    corpus
}

pub async fn a_record_that_cannot_be_read_is_kept_as_it_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for record in not_records() {
        let job = NewJob { record: record.clone(), ..draft("q").build() };
        let id = job.id;
        enqueue(&engine, vec![job]).await;
        let claimed = hand.one().await;
        assert_eq!((claimed.id, &claimed.record), (id, &record));
        hand.finish(finish(&claimed, Transition::Bury, Some(past(1, 1).encode()))).await;
        let acts = engine.retry(&hand.queue, &[id], None).await.expect("retry");
        assert_eq!(acts, [Act::Applied], "{record:?}");
        let acts = engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        assert_eq!(acts, [Act::Applied], "{record:?}");
        if state(&engine, "q", id).await == Some(State::Cancelled) {
            engine.delete(&hand.queue, &[id]).await.expect("delete");
        }
        assert_eq!(state(&engine, "q", id).await, None, "{record:?}");
    }
}

pub async fn a_batch_of_large_payloads_goes_through(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let large = |byte: u8| draft("q").payload(vec![byte; 1024 * 1024]).build();
    let jobs: Vec<_> = (0..24).map(large).collect();
    enqueue(&engine, jobs.clone()).await;
    let claimed = hand.take(100).await;
    assert_eq!(claimed.len(), jobs.len());
    for (claimed, job) in claimed.iter().zip(jobs) {
        assert!(claimed.record == job.record, "{}", job.id);
    }
}
