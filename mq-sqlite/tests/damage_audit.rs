//! Damage by hand, one sort after the other: it is found, mended as promised, and nothing is lost.

mod kit;

use std::time::Duration;

use kit::{connect, directory, job, outside, path, queue, url};
use mq_core::engine::{Engine, FindingKind, ListRequest, NewJob, Schedule, Stored};
use mq_core::{DeathReason, History, JobId, State, WorkerId};
use mq_sqlite::SqliteEngine;

const PATIENCE: Duration = Duration::from_secs(20);

/// A queue with a job that waits, one with a key that is put off, and one that runs.
struct Scene {
    engine: SqliteEngine,
    directory: tempfile::TempDir,
    ready: JobId,
    keyed: JobId,
    running: JobId,
    hand: kit::Worker,
}

impl Scene {
    async fn new() -> Self {
        let directory = directory();
        let engine = connect(&url(&directory)).await;
        let hand = kit::Worker::join(&engine, PATIENCE).await;
        let running = job();
        engine.enqueue(vec![running.clone()], PATIENCE).await.expect("enqueue");
        assert_eq!(hand.claim(1).await.len(), 1);
        let mut keyed = NewJob { idempotency_key: Some("key".to_owned()), ..job() };
        keyed.schedule = Schedule::After(PATIENCE * 1000);
        let ready = job();
        let ids = (ready.id, keyed.id, running.id);
        engine.enqueue(vec![ready, keyed], PATIENCE).await.expect("enqueue");
        let (ready, keyed, running) = ids;
        let scene = Self { engine, directory, ready, keyed, running, hand };
        scene.assert_sound().await;
        scene
    }

    fn damage(&self, sql: &str) {
        outside(&path(&self.directory), sql);
    }

    async fn assert_sound(&self) {
        let report = self.engine.audit(&queue(), false).await.expect("audit");
        assert_eq!(report.findings, []);
    }

    async fn get(&self, id: JobId) -> Option<Stored> {
        self.engine.get(&queue(), &[id]).await.expect("get").remove(0)
    }

    async fn state(&self, id: JobId) -> State {
        self.get(id).await.expect("the job").state
    }

    /// Asserts that this and nothing else is found, and that a repair leaves none.
    async fn assert_mended(&self, kind: FindingKind, subject: &str) {
        for repair in [false, true] {
            let report = self.engine.audit(&queue(), repair).await.expect("audit");
            let found: Vec<_> =
                report.findings.iter().map(|f| (f.kind, f.subject.as_str())).collect();
            assert_eq!(found, [(kind, subject)], "{report:#?}");
            assert_eq!(report.repaired, u64::from(repair));
        }
        self.assert_sound().await;
        assert_eq!(self.engine.stats(&queue()).await.expect("stats").all(), 3);
    }
}

#[tokio::test]
async fn a_job_in_no_state_becomes_ready_or_goes_where_it_ended() {
    for wrong in ["state = 7", "state = 'x'", "state = 0, seq = NULL", "level = 9", "state = 3"] {
        let scene = Scene::new().await;
        scene.damage(&format!("UPDATE mq_jobs SET {wrong} WHERE id = '{}'", scene.ready));
        scene.assert_mended(FindingKind::Nowhere, &scene.ready.to_string()).await;
        assert_eq!(scene.state(scene.ready).await, State::Ready, "{wrong}");
    }
    let scene = Scene::new().await;
    let history = String::from_utf8(History::default().discarded(5).encode()).expect("JSON");
    let wrong = format!("state = -1, history = CAST('{history}' AS BLOB)");
    scene.damage(&format!("UPDATE mq_jobs SET {wrong} WHERE id = '{}'", scene.ready));
    scene.assert_mended(FindingKind::Nowhere, &scene.ready.to_string()).await;
    assert_eq!(scene.state(scene.ready).await, State::Dead);
}

#[tokio::test]
async fn a_job_that_runs_nowhere_becomes_ready() {
    for wrong in ["worker = NULL", "worker = 'nobody'", "number = NULL"] {
        let scene = Scene::new().await;
        scene.damage(&format!("UPDATE mq_jobs SET {wrong} WHERE id = '{}'", scene.running));
        scene.assert_mended(FindingKind::Nowhere, &scene.running.to_string()).await;
        assert_eq!(scene.state(scene.running).await, State::Ready, "{wrong}");
    }
}

#[tokio::test]
async fn a_record_under_what_is_no_id_becomes_a_dead_letter_with_its_bytes() {
    let scene = Scene::new().await;
    let record = scene.get(scene.ready).await.expect("the job").record;
    scene.damage(&format!("UPDATE mq_jobs SET id = 'no id' WHERE id = '{}'", scene.ready));
    scene.assert_mended(FindingKind::Garbage, "no id").await;
    let request = ListRequest { queue: queue(), state: State::Dead, cursor: None, limit: 9 };
    let dead = scene.engine.list(request).await.expect("list").jobs;
    assert_eq!((dead.len(), &dead[0].record), (1, &record));
}

#[tokio::test]
async fn a_job_that_waits_with_an_unreadable_record_is_buried_with_its_bytes() {
    for which in [0, 1] {
        let scene = Scene::new().await;
        let id = [scene.ready, scene.keyed][which];
        scene.damage(&format!("UPDATE mq_jobs SET record = x'0199' WHERE id = '{id}'"));
        scene.assert_mended(FindingKind::Unreadable, &id.to_string()).await;
        let stored = scene.get(id).await.expect("the job");
        assert_eq!((stored.state, &stored.record[..]), (State::Dead, &b"\x01\x99"[..]));
        let death = History::decode(&stored.history.expect("a history")).death;
        assert_eq!(death.expect("a death").reason, DeathReason::Malformed);
    }
    let scene = Scene::new().await;
    scene.damage(&format!("UPDATE mq_jobs SET record = x'0f' WHERE id = '{}'", scene.ready));
    scene.damage(&format!("UPDATE mq_jobs SET record = x'01' WHERE id = '{}'", scene.running));
    scene.assert_sound().await;
}

#[tokio::test]
async fn keys_and_requests_that_belong_to_no_such_job_are_removed() {
    let scene = Scene::new().await;
    let strange = format!("INSERT INTO mq_keys VALUES (1, 'strange', '{}', NULL)", scene.keyed);
    scene.damage(&strange);
    scene.assert_mended(FindingKind::Orphan, "strange").await;
    scene.damage("INSERT INTO mq_keys VALUES (1, 'lone', 'nobody', NULL)");
    scene.assert_mended(FindingKind::Orphan, "lone").await;
    scene.engine.discard(&queue(), &[scene.ready]).await.expect("discard");
    scene.damage(&format!("UPDATE mq_jobs SET cancel = 1 WHERE id = '{}'", scene.ready));
    scene.assert_mended(FindingKind::Orphan, &scene.ready.to_string()).await;
    assert_eq!(scene.state(scene.ready).await, State::Dead);
}

#[tokio::test]
async fn workers_that_no_sweep_would_find_gone_are_ended_and_what_is_none_goes() {
    let scene = Scene::new().await;
    for wrong in ["until_ms = 9000000000000000000", "until_ms = 'x'", "last = -1"] {
        scene.damage(&format!("UPDATE mq_workers SET {wrong}"));
        scene.assert_mended(FindingKind::Garbage, &scene.hand.id().to_string()).await;
    }
    assert_eq!(scene.state(scene.running).await, State::Running);
    scene.damage("INSERT INTO mq_workers (queue, worker, until_ms, about) VALUES (1, 'x', 9, '')");
    scene.assert_mended(FindingKind::Garbage, "x").await;
    let ghost = WorkerId::random();
    scene.damage(&format!("UPDATE mq_jobs SET worker = '{ghost}' WHERE state = 2"));
    scene.assert_mended(FindingKind::Unleased, &ghost.to_string()).await;
}

#[tokio::test]
async fn figures_that_are_none_are_forgotten() {
    let scene = Scene::new().await;
    let figures = ["enqueued", "done", "failed", "dead", "interrupted", "wakes", "grace_ms"];
    for figure in figures {
        for value in ["-1", "'many'", "9223372036854775807"] {
            scene.damage(&format!("UPDATE mq_queues SET {figure} = {value}"));
            scene.assert_mended(FindingKind::Garbage, figure).await;
        }
    }
    scene.damage("UPDATE mq_queues SET swept_ms = 'soon'");
    scene.assert_mended(FindingKind::Garbage, "swept_ms").await;
    scene.damage("UPDATE mq_queues SET paused_ms = 'yes'");
    scene.assert_mended(FindingKind::Garbage, "paused_ms").await;
    let stats = scene.engine.stats(&queue()).await.expect("stats");
    assert!(stats.paused_since_ms.is_some(), "a queue that is paused stays so");
    scene.damage("UPDATE mq_minutes SET done = -3");
    let minute = scene.engine.ping().await.expect("time") / 60_000;
    scene.assert_mended(FindingKind::Garbage, &format!("minute {minute}")).await;
}
