//! F37: somebody damages a queue while it is at work. Every damage is reported for what it is and
//! mended, all other jobs complete, and nobody turns in circles.
//!
//! `MQ_VANDAL_JOBS` and `MQ_VANDAL_DAMAGES` make it larger; `MQ_SEED` repeats it.

use std::collections::BTreeSet;
use std::time::Duration;

use mq_chaos::{Chaos, File, Fleet, Raw, Reply, Scene, Store, chance, fsck, lasts, times};
use mq_core::engine::{AuditReport, FindingKind, Schedule};
use mq_core::rng::Rng;
use mq_core::{JobId, State, WorkerId};
use mq_testkit::{LEASES_TAKEN, PASTS_TAKEN, TIMES_TAKEN};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const LEASE: Duration = Duration::from_secs(2);
/// Damages between two audits.
const AT_ONCE: usize = 12;
/// What two workers may send in half a second while their queue cannot be read, and for each job
/// that they run all the same.
const COMMANDS_MAX: u64 = 1_000;
const COMMANDS_PER_JOB: u64 = 50;
/// Repairs until nothing is found: a report has room for 1,000 findings.
const REPAIRS_MAX: usize = 50;

type Expected = BTreeSet<(String, String)>;

/// A queue at work: jobs that run now, and as many victims that wait for later.
struct Street {
    scene: Scene,
    _fleet: Fleet,
    victims: Vec<JobId>,
    rng: Rng,
    damages: usize,
}

impl Street {
    async fn new(store: &Store) -> Self {
        let scene = Scene::new(&store.url()).await;
        let (jobs, damages) = (times("MQ_VANDAL_JOBS", 600), times("MQ_VANDAL_DAMAGES", 36));
        let later = Schedule::After(Duration::from_secs(3600));
        let job = |number| Chaos::lasting(number as u64, 40);
        let waiting: Vec<_> = (0..damages).map(job).collect();
        for batch in waiting.chunks(100) {
            assert!(scene.enqueue_at(batch, later).await);
        }
        let victims = ids(&scene, State::Scheduled).await;
        assert_eq!(victims.len(), damages);
        let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 2);
        // A lease is one of the things that are damaged.
        let workers = (0..fleet.len()).map(|at| fleet.worker(at).pid()).collect();
        scene.recorder().fault_began(LEASES_TAKEN, workers);
        // Whatever holds the due times may be next.
        scene.recorder().fault_began(TIMES_TAKEN, vec![std::process::id()]);
        let running: Vec<_> = (damages..jobs.max(damages)).map(job).collect();
        scene.enqueue_all(&running, 100).await;
        scene.until_started(20).await;
        Self { scene, _fleet: fleet, victims, rng: chance(), damages }
    }

    async fn audit(&self, repair: bool) -> AuditReport {
        self.scene.client.engine().audit(&self.scene.queue, repair).await.expect("audit")
    }

    /// Asserts that an audit finds just this, and that a repair leaves none of it.
    async fn assert_mended(&self, expected: &Expected) {
        for repair in [false, true] {
            let report = self.audit(repair).await;
            let kind = |kind: FindingKind| format!("{kind:?}");
            let found = report.findings.iter().map(|f| (kind(f.kind), f.subject.clone()));
            assert_eq!(&found.collect::<Expected>(), expected, "repair: {repair}: {report:#?}");
        }
        let report = self.audit(false).await;
        assert_eq!(report.findings, [], "after the repair");
    }

    /// Lets all victims run, and judges.
    async fn close(self) {
        let waiting = ids(&self.scene, State::Scheduled).await;
        for batch in waiting.chunks(1000) {
            let engine = self.scene.client.engine();
            engine.run_now(&self.scene.queue, batch).await.expect("run now");
        }
        self.scene.rest().await;
        let report = self.audit(false).await;
        assert_eq!(report.findings, []);
        self.scene.judge().await;
    }
}

async fn ids(scene: &Scene, state: State) -> Vec<JobId> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let queue = scene.queue.clone();
        let request = mq_core::engine::ListRequest { queue, state, cursor, limit: 1000 };
        let page = scene.client.engine().list(request).await.expect("list");
        ids.extend(page.jobs.iter().map(|job| job.id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

fn finding(kind: FindingKind, subject: impl std::fmt::Display) -> (String, String) {
    (format!("{kind:?}"), subject.to_string())
}

/// Sends `COMMAND key …`, the key by its name in the queue.
fn harm(raw: &mut Raw, command: &str, name: &str, rest: &[&[u8]]) -> Reply {
    let key = format!("mq:{{{}}}:{name}", mq_chaos::QUEUE);
    let mut words = vec![command.as_bytes(), key.as_bytes()];
    words.extend(rest);
    let reply = raw.ask(&words);
    assert!(!matches!(reply, Reply::Error(_)), "{command} {name}: {reply:?}");
    reply
}

/// One damage to a victim on a server; what an audit must say about it.
fn damage(raw: &mut Raw, sort: usize, at: usize, id: JobId, expected: &mut Expected) {
    let (text, other) = (&id.to_text()[..], &JobId::new().to_text()[..]);
    let noise = format!("vandal-{at}");
    let far = b"99999999999999";
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (kind, subject) = match sort {
        0 => {
            harm(raw, "HDEL", "jobs", &[text]);
            (FindingKind::NoRecord, shown(text))
        }
        1 => {
            harm(raw, "ZREM", "scheduled", &[text]);
            (FindingKind::Nowhere, shown(text))
        }
        2 => {
            harm(raw, "ZADD", "retry", &[far, text]);
            (FindingKind::Twice, shown(text))
        }
        3 => {
            harm(raw, "HSET", "jobs", &[text, b"\x01garbage"]);
            (FindingKind::Unreadable, shown(text))
        }
        4 => {
            harm(raw, "ZADD", "dead", &[far, noise.as_bytes()]);
            (FindingKind::Garbage, noise)
        }
        5 => {
            harm(raw, "HSET", "history", &[other, b"{}"]);
            (FindingKind::Orphan, shown(other))
        }
        6 => {
            harm(raw, "HSET", "cancels", &[other, b"1"]);
            (FindingKind::Orphan, shown(other))
        }
        7 => {
            harm(raw, "HSET", "keys", &[noise.as_bytes(), other]);
            (FindingKind::Orphan, noise)
        }
        8 => {
            harm(raw, "HSET", "stats", &[noise.as_bytes(), b"-7"]);
            harm(raw, "HSET", "stats", &[b"dead", b"-7"]);
            expected.insert(finding(FindingKind::Garbage, "stats: dead"));
            (FindingKind::Garbage, format!("stats: {noise}"))
        }
        9 => {
            // A worker holds it that is not registered.
            let worker = WorkerId::random();
            harm(raw, "ZREM", "scheduled", &[text]);
            let claims = format!("claims:{worker}");
            harm(raw, "HSET", &claims, &[b"1", text, b"last", b"1"]);
            (FindingKind::Unleased, worker.to_string())
        }
        10 => {
            // A worker that is registered has lost what it held.
            let worker = WorkerId::random().to_string();
            harm(raw, "ZADD", "workers", &[b"1", worker.as_bytes()]);
            harm(raw, "ZREM", "scheduled", &[text]);
            (FindingKind::Nowhere, shown(text))
        }
        11 => {
            harm(raw, "HSET", "levels", &[text, b"high"]);
            (FindingKind::Garbage, shown(text))
        }
        _ => {
            harm(raw, "PEXPIRE", "jobs", &[b"3600000"]);
            (FindingKind::Expiry, format!("mq:{{{}}}:jobs", mq_chaos::QUEUE))
        }
    };
    expected.insert(finding(kind, subject));
}

/// F37 on a server: jobs and their neighbours, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn f37_every_damage_is_reported_for_what_it_is_and_mended() {
    let store = Store::redis();
    let mut street = Street::new(&store).await;
    let mut raw = Raw::connect(&store.url());
    let mut at = 0;
    while at < street.damages {
        let mut expected = Expected::new();
        for _ in 0..AT_ONCE.min(street.damages - at) {
            let (sort, id) = (street.rng.between(0, 12) as usize, street.victims[at]);
            street.scene.note(format!("damage {sort} to {id}"));
            match sort {
                0 => street.scene.meddles("delete", id),
                3 => street.scene.meddles("discard", id),
                _ => {}
            }
            damage(&mut raw, sort, at, id, &mut expected);
            at += 1;
        }
        let wrong = fsck(&street.scene.client, &store.url()).await;
        assert!(!wrong.is_empty(), "the fsck sees nothing of {expected:?}");
        street.assert_mended(&expected).await;
    }
    street.close().await;
}

/// F37: whole keys of another type, while workers run. Nothing is half done, nobody turns in
/// circles, and a repair brings everything back.
#[tokio::test(flavor = "multi_thread")]
async fn f37_keys_of_another_type_stop_a_queue_and_a_repair_starts_it_again() {
    let store = Store::redis();
    let street = Street::new(&store).await;
    let mut raw = Raw::connect(&store.url());
    let names = ["ready", "workers", "scheduled", "wake", "stats", "cancels", "retry", "history"];
    for name in names {
        street.scene.note(format!("{name} becomes a text"));
        let recorder = street.scene.recorder();
        let myself = vec![std::process::id()];
        let taking = (name == "history").then(|| recorder.fault_began(PASTS_TAKEN, myself));
        harm(&mut raw, "SET", name, &[b"vandal"]);
        let (before, started) = (raw.commands(), street.scene.starts());
        lasts(Duration::from_millis(500)).await;
        let sent = raw.commands() - before;
        let jobs = (street.scene.starts() - started) as u64;
        let allowed = COMMANDS_MAX + COMMANDS_PER_JOB * jobs;
        assert!(sent < allowed, "{sent} commands for {jobs} jobs without `{name}`");
        let report = street.audit(false).await;
        let wrong = |f: &&mq_core::engine::Finding| f.kind == FindingKind::WrongType;
        let subjects: Vec<_> = report.findings.iter().filter(wrong).map(|f| &f.subject).collect();
        assert_eq!(subjects, [&format!("mq:{{chaos}}:{name}")], "{report:#?}");
        let mut is_sound = false;
        for _ in 0..REPAIRS_MAX {
            let report = street.audit(true).await;
            assert_eq!(report.repaired as usize, report.findings.len(), "{report:#?}");
            is_sound = report.findings.is_empty();
            if is_sound {
                break;
            }
        }
        assert!(is_sound, "{REPAIRS_MAX} repairs were not enough after `{name}`");
        if let Some(taking) = taking {
            recorder.fault_ended(taking);
        }
    }
    street.close().await;
}

/// F37 on a file, as far as its constraints allow it.
#[tokio::test(flavor = "multi_thread")]
async fn f37_every_damage_to_a_file_is_reported_for_what_it_is_and_mended() {
    let store = Store::sqlite();
    let mut street = Street::new(&store).await;
    let Store::Sqlite(folder) = &store else { unreachable!("a file was asked for") };
    let file = File::in_folder(folder.path());
    let (mut at, mut renamed) = (0, 0);
    while at < street.damages {
        let mut expected = Expected::new();
        for _ in 0..AT_ONCE.min(street.damages - at) {
            let (sort, id) = (street.rng.between(0, 6), street.victims[at]);
            street.scene.note(format!("damage {sort} to {id}"));
            let of_job = |set: &str| format!("UPDATE mq_jobs SET {set} WHERE id = '{id}'");
            let (ghost, noise) = (WorkerId::random(), format!("vandal-{at}"));
            let (sql, kind, subject) = match sort {
                0 => (of_job("state = 9"), FindingKind::Nowhere, id.to_string()),
                1 => (of_job("at_ms = NULL"), FindingKind::Nowhere, id.to_string()),
                2 => {
                    street.scene.meddles("discard", id);
                    (of_job("record = x'0199'"), FindingKind::Unreadable, id.to_string())
                }
                3 => {
                    let held = format!("state = 2, worker = '{ghost}', number = 1");
                    (of_job(&held), FindingKind::Unleased, ghost.to_string())
                }
                4 => {
                    let key = format!("INSERT INTO mq_keys VALUES (1, '{noise}', 'x', NULL)");
                    (key, FindingKind::Orphan, noise)
                }
                5 => {
                    let sql = "UPDATE mq_queues SET dead = -7".to_owned();
                    (sql, FindingKind::Garbage, "dead".to_owned())
                }
                _ => {
                    renamed += 1;
                    street.scene.meddles("delete", id);
                    (of_job(&format!("id = '{noise}'")), FindingKind::Garbage, noise)
                }
            };
            let done = file.open().execute_batch(&sql);
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
            expected.insert(finding(kind, subject));
            at += 1;
        }
        let wrong = fsck(&street.scene.client, &store.url()).await;
        assert!(!wrong.is_empty(), "the fsck sees nothing of {expected:?}");
        street.assert_mended(&expected).await;
    }
    // Jobs that have lost their names are kept, by others that no producer knows.
    let mut strangers = ids(&street.scene, State::Dead).await;
    strangers.retain(|id| !street.victims.contains(id));
    assert_eq!(strangers.len(), renamed);
    let engine = street.scene.client.engine();
    engine.delete(&street.scene.queue, &strangers).await.expect("delete");
    street.close().await;
}
