//! The table of states and verbs, and what a verb leaves behind.

use std::time::Duration;

use mq_core::engine::{Act, Pace};
use mq_core::{History, Record, State};

use super::{Kit, THEN_MS};
use crate::ops::{cancel, delete, discard, pause, retry, run_now, stats, transfer, workers};

const PLACES: [&str; 8] =
    ["absent", "ready", "scheduled", "retry", "running", "dead", "done", "cancelled"];

async fn act(kit: &Kit, verb: &str, id: mq_core::JobId) -> Act {
    let (engine, queue, ids) = (&*kit.engine, &kit.queue, &[id][..]);
    let acts = match verb {
        "cancel" => cancel::cancel(engine, queue, ids).await,
        "delete" => delete::delete(engine, queue, ids).await,
        "discard" => discard::discard(engine, queue, ids).await,
        "retry" => retry::retry(engine, queue, ids, None).await,
        "run_now" => run_now::run_now(engine, queue, ids).await,
        _ => transfer::transfer(engine, queue, &kit.beside("other").queue, ids).await,
    };
    acts.unwrap()[0]
}

async fn check_row(verb: &str, expected: [(Act, &str, Act); 8]) {
    let kit = Kit::new().await;
    for (place, (first, state, again)) in PLACES.into_iter().zip(expected) {
        let id = kit.job(place).await;
        assert_eq!(act(&kit, verb, id).await, first, "{verb} {place}");
        assert_eq!(kit.state(id).await, state, "{verb} {place}");
        assert_eq!(act(&kit, verb, id).await, again, "{verb} {place} again");
        assert_eq!(kit.state(id).await, state, "{verb} {place} again");
    }
    kit.assert_sound().await;
}

fn refused(state: State) -> (Act, &'static str, Act) {
    (Act::Refused(state), state.as_str(), Act::Refused(state))
}

const GONE: (Act, &str, Act) = (Act::Applied, "absent", Act::NotFound);
const NEVER: (Act, &str, Act) = (Act::NotFound, "absent", Act::NotFound);
const MADE_READY: (Act, &str, Act) = (Act::Applied, "ready", Act::Already);
const IS_READY: (Act, &str, Act) = (Act::Already, "ready", Act::Already);

#[tokio::test]
async fn cancel_in_every_state() {
    let (dead, done) = (refused(State::Dead), refused(State::Done));
    let running = (Act::Requested, "running", Act::Already);
    let cancelled = (Act::Already, "cancelled", Act::Already);
    check_row("cancel", [NEVER, GONE, GONE, GONE, running, dead, done, cancelled]).await;
}

#[tokio::test]
async fn delete_in_every_state() {
    let running = refused(State::Running);
    check_row("delete", [NEVER, GONE, GONE, GONE, running, GONE, GONE, GONE]).await;
}

#[tokio::test]
async fn retry_in_every_state() {
    let (running, done) = (refused(State::Running), refused(State::Done));
    let row = [NEVER, IS_READY, MADE_READY, MADE_READY, running, MADE_READY, done, MADE_READY];
    check_row("retry", row).await;
}

#[tokio::test]
async fn run_now_in_every_state() {
    let [running, dead, done, cancelled] =
        [State::Running, State::Dead, State::Done, State::Cancelled].map(refused);
    let row = [NEVER, IS_READY, MADE_READY, MADE_READY, running, dead, done, cancelled];
    check_row("run_now", row).await;
}

#[tokio::test]
async fn discard_in_every_state() {
    let buried = (Act::Applied, "dead", Act::Already);
    let dead = (Act::Already, "dead", Act::Already);
    let [running, done, cancelled] = [State::Running, State::Done, State::Cancelled].map(refused);
    check_row("discard", [NEVER, buried, buried, buried, running, dead, done, cancelled]).await;
}

#[tokio::test]
async fn transfer_in_every_state() {
    let [running, done, cancelled] = [State::Running, State::Done, State::Cancelled].map(refused);
    check_row("transfer", [NEVER, GONE, GONE, GONE, running, GONE, done, cancelled]).await;
}

#[tokio::test]
async fn retry_gives_attempts_back_and_run_now_does_not() {
    let kit = Kit::new().await;
    for (verb, place, attempts) in
        [("retry", "dead", 0), ("retry", "retry", 0), ("run_now", "retry", 3)]
    {
        let id = kit.job(place).await;
        let history = kit.fail(id).await;
        assert_eq!(act(&kit, verb, id).await, Act::Applied);
        let after = History::decode(&kit.stored(id).await.unwrap().history.unwrap());
        assert_eq!(after.attempts, attempts, "{verb} {place}");
        assert_eq!(after.lifetime_attempts(), 3, "{verb} {place}");
        assert_eq!(after.errors, history.errors, "{verb} {place}");
    }
}

#[tokio::test]
async fn a_pace_puts_one_job_after_the_other() {
    let kit = Kit::new().await;
    let ids = [kit.job("dead").await, kit.job("ready").await, kit.job("retry").await];
    let pace = Some(Pace::every(Duration::from_secs(100)));
    let acts = retry::retry(&kit.engine, &kit.queue, &ids, pace).await.unwrap();
    assert_eq!(acts, [Act::Applied, Act::Already, Act::Applied]);
    let first = kit.number("ZSCORE", "scheduled", &[&ids[0].to_text()]).await.unwrap();
    let third = kit.number("ZSCORE", "scheduled", &[&ids[2].to_text()]).await.unwrap();
    assert_eq!(third - first, 200_000);
    let now_ms = stats::stats(&kit.engine, &kit.queue).await.unwrap().now_ms;
    assert!((now_ms + 90_000..=now_ms + 100_000).contains(&first));
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_job_is_kept_if_it_wants_that_and_its_key_is_forgotten_later() {
    let kit = Kit::new().await;
    let mut record = Record::new("kind", &b""[..]);
    record.idempotency_key = Some("k".into());
    record.retention = Some(Duration::from_secs(60));
    let id = kit.record(&record).await;
    kit.raw("HSET", "keys", &[b"k", &id.to_text()]).await;
    kit.raw("HSET", "levels", &[&id.to_text(), b"2"]).await;
    kit.place(id, "ready:low").await;
    assert_eq!(act(&kit, "cancel", id).await, Act::Applied);
    let job = kit.stored(id).await.unwrap();
    assert_eq!(job.state, State::Cancelled);
    let ended_ms = History::decode(&job.history.unwrap()).ended_ms.unwrap();
    assert!(job.at_ms.unwrap().abs_diff(ended_ms + 60_000) < 10_000);
    assert!(kit.number("ZSCORE", "keys:expiry", &[b"k"]).await.unwrap() > ended_ms + 86_000_000);
    kit.assert_sound().await;

    assert_eq!(act(&kit, "retry", id).await, Act::Applied);
    assert_eq!(kit.number("ZSCORE", "keys:expiry", &[b"k"]).await, None);
    assert_eq!(kit.number("LLEN", "ready:low", &[]).await, Some(1));
    let stats = stats::stats(&kit.engine, &kit.queue).await.unwrap();
    assert_eq!(stats.ready_by_priority, [0, 0, 1]);
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_worker_that_joins_meanwhile_is_noticed() {
    let kit = Kit::new().await;
    let id = kit.job("running").await;
    let script = &crate::script::DELETE;
    let args = (1, [id.to_text().to_vec(), Vec::new()].into_iter());
    let call = crate::ops::verb::call(&kit.engine, &kit.queue, script, b"", &[], args).await;
    assert!(call.unwrap().is_none());
    assert_eq!(kit.state(id).await, "running");
}

#[tokio::test]
async fn too_many_jobs_are_refused_and_none_is_no_error() {
    let kit = Kit::new().await;
    let ids = vec![mq_core::JobId::new(); 1001];
    let error = delete::delete(&kit.engine, &kit.queue, &ids).await.unwrap_err();
    assert_eq!(error.kind(), mq_core::engine::EngineErrorKind::Invalid);
    assert_eq!(delete::delete(&kit.engine, &kit.queue, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_key_of_the_wrong_type_fails_the_request_before_anything_is_changed() {
    for key in ["stats", "wake", "dead", "ready:low", "keys:expiry"] {
        let kit = Kit::new().await;
        let ids = [kit.job("ready").await, kit.job("scheduled").await];
        kit.raw("SET", key, &[b"x"]).await;
        let error = cancel::cancel(&kit.engine, &kit.queue, &ids).await.unwrap_err();
        assert_eq!(error.kind(), mq_core::engine::EngineErrorKind::Damaged, "{key}: {error}");
        kit.raw("DEL", key, &[]).await;
        kit.raw("ZADD", "wake", &[b"0", b"0"]).await;
        assert_eq!(kit.state(ids[0]).await, "ready", "{key}");
        kit.assert_sound().await;
    }
}

#[tokio::test]
async fn a_long_ready_list_is_gone_through_in_small_steps() {
    let kit = Kit::new().await;
    let mut ids = Vec::new();
    for _ in 0..250 {
        ids.push(kit.job("ready").await);
    }
    let acts = delete::delete(&kit.engine, &kit.queue, &ids[50..]).await.unwrap();
    assert_eq!(acts, vec![Act::Applied; 200]);
    assert_eq!(stats::stats(&kit.engine, &kit.queue).await.unwrap().ready, 50);
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_pause_keeps_the_time_at_which_it_began() {
    let kit = Kit::new().await;
    pause::pause(&kit.engine, &kit.queue).await.unwrap();
    kit.raw("SET", "paused", &[THEN_MS.to_string().as_bytes()]).await;
    pause::pause(&kit.engine, &kit.queue).await.unwrap();
    let stats = stats::stats(&kit.engine, &kit.queue).await.unwrap();
    assert_eq!(stats.paused_since_ms, Some(THEN_MS));
    pause::resume(&kit.engine, &kit.queue).await.unwrap();
    assert_eq!(stats::stats(&kit.engine, &kit.queue).await.unwrap().paused_since_ms, None);
    assert_eq!(kit.number("ZCARD", "wake", &[]).await, Some(1));
}

#[tokio::test]
async fn stats_count_everything_once() {
    let kit = Kit::new().await;
    for place in PLACES {
        for _ in 0..3 {
            kit.job(place).await;
        }
    }
    let about = br#"{"housekeeper":true,"host":"h"}"#;
    let keeper = mq_core::WorkerId::random();
    kit.register(keeper, THEN_MS).await;
    kit.raw("HSET", "about", &[&keeper.to_text(), about]).await;
    kit.raw("HSET", "stats", &[b"enqueued", b"24", b"done", b"3", b"dead", b"2"]).await;
    let mut stats = stats::stats(&kit.engine, &kit.queue).await.unwrap();
    let last_minute = (stats.now_ms / 60_000 - 1).to_string();
    let fields = [format!("{last_minute}:e"), format!("{last_minute}:f")];
    kit.raw("HSET", "rates", &[fields[0].as_bytes(), b"5", fields[1].as_bytes(), b"6"]).await;
    if stats::stats(&kit.engine, &kit.queue).await.unwrap().enqueued_last_minute == 5 {
        stats = stats::stats(&kit.engine, &kit.queue).await.unwrap();
        assert_eq!((stats.enqueued_last_minute, stats.done_last_minute), (5, 0));
    }
    assert_eq!([stats.ready, stats.scheduled, stats.retrying, stats.running], [3; 4]);
    assert_eq!([stats.done, stats.dead, stats.cancelled], [3; 3]);
    assert_eq!((stats.workers, stats.enqueued_total, stats.done_total), (1, 24, 3));
    assert_eq!((stats.dead_total, stats.failed_total), (2, 0));
    assert_eq!(stats.next_due_ms, Some(THEN_MS));
    assert!(stats.oldest_ready_ms.unwrap().abs_diff(stats.now_ms) < 60_000);

    let workers = workers::workers(&kit.engine, &kit.queue).await.unwrap();
    assert_eq!(workers.len(), 2);
    let runs = workers.iter().find(|stats| stats.worker == kit.worker).unwrap();
    assert_eq!((runs.running_count, runs.running.len()), (3, 3));
    let keeps = workers.iter().find(|stats| stats.worker == keeper).unwrap();
    assert!(keeps.about.housekeeper && keeps.about.host == "h" && keeps.running.is_empty());
    assert_eq!(keeps.lease_until_ms, THEN_MS);
}
