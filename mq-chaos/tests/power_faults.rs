//! The power is cut while processes write to an SQLite file: F71 of the fault matrix.
//!
//! The tier says how often, or MQ_CUTS; `./ci soak-sqlite` sets it.

#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::time::Duration;

use mq_chaos::{
    CUT, DELAY, Disk, Fleet, Left, PACE, Scene, Settings, Tier, WORK, chance, lasts, times,
};
use mq_core::engine::Durability;
use mq_core::rng::Rng;
use mq_core::{JobId, clock};
use mq_testkit::Rules;

const WORKER: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const PRODUCER: &str = env!("CARGO_BIN_EXE_mq-chaos-producer");
const LEASE: Duration = Duration::from_secs(1);
/// What `Disk1s` allows to be lost on a slow disk.
const AGE_MAX: Duration = Duration::from_secs(2);

fn settings(scene: &Scene, disk: &Disk, synchronous: &str) -> Settings {
    let mut settings = scene.settings(LEASE);
    settings.url = disk.file().url(synchronous);
    settings.concurrency = 4;
    settings.more = disk.variables();
    settings
}

fn producing(mut settings: Settings, pace_ms: u64, work_ms: u64) -> Settings {
    settings.more.extend([(PACE, pace_ms.to_string()), (WORK, work_ms.to_string())]);
    settings
}

/// Looks at what the disk has after a cut and returns the acknowledged jobs that it lacks. They
/// must be the last ones, and none older than the level allows. `from` is where the history's
/// acknowledgements of this round begin.
fn missing(scene: &Scene, disk: &Disk, from: usize, taken: &HashSet<JobId>) -> Vec<JobId> {
    let folder = tempfile::tempdir().expect("a folder for a copy");
    let file = disk.copy(folder.path());
    let there = file.jobs();
    if file.has_tables() {
        file.assert_whole();
    }
    let (acked, ended) = (scene.acked(), scene.ended());
    let is_missing = |id: &JobId| !there.contains_key(id) && !ended.contains(id);
    let (old, new) = acked.split_at(from);
    let old = old.iter().map(|(_, id)| id).find(|id| is_missing(id) && !taken.contains(id));
    assert_eq!(old, None, "was on the disk when the round began");
    let Some(first) = new.iter().position(|(_, id)| is_missing(id)) else { return Vec::new() };
    let gone = &new[first..];
    let later = gone.iter().find(|(_, id)| there.contains_key(id));
    assert_eq!(later, None, "an earlier one is gone, this one is there");
    let (last_ns, first_ns) = (gone[gone.len() - 1].0, gone[0].0);
    let time = Duration::from_nanos(last_ns - first_ns);
    assert!(time <= AGE_MAX, "{time:?} are gone");
    gone.iter().map(|(_, id)| *id).filter(is_missing).collect()
}

/// Producers and workers on one file, all without power at once, again and again. The number of
/// cuts that took something.
async fn cuts(synchronous: &str) -> usize {
    let usually = Tier::of_this_run().pick(20, 100, 400);
    let (mut rng, rounds) = (chance(), times("MQ_CUTS", usually));
    let mut scene = Scene::new("sqlite::memory:").await;
    let mut disk = Disk::new(scene.dir());
    let (mut taken, mut losses) = (HashSet::new(), 0);
    for round in 0..rounds {
        let (began, from) = (clock::now(), scene.acks());
        let settings = settings(&scene, &disk, synchronous);
        let mut workers = Fleet::start(WORKER, settings.clone(), 1);
        let mut settings = producing(settings, rng.between(0, 3), 3);
        if round % 2 == 0 {
            settings.more.push((CUT, rng.between(1, 60).to_string()));
        }
        let mut producer = Fleet::start(PRODUCER, settings, 1);
        let enough = from + rng.between(1, 150) as usize;
        scene.until_acked(enough, || producer.worker(0).exit_status().is_some()).await;
        workers.kill9();
        producer.kill9();
        let left = [Left::Nothing, Left::Scattered, Left::Torn][rng.between(0, 2) as usize];
        // What was there when the round began is on the disk.
        let last = AGE_MAX.min(began.elapsed());
        scene.loses(last, "power", async || disk.cut(left, &mut rng)).await;
        let missing = missing(&scene, &disk, from, &taken);
        losses += usize::from(!missing.is_empty());
        taken.extend(missing);
    }
    let most = scene.acks();
    eprintln!("{synchronous}: {rounds} cuts, {most} acknowledged, {} lost", taken.len());
    scene.move_to(&disk.file().url(synchronous)).await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 2);
    scene.rest().await;
    let respects = Durability::Disk;
    scene.judge_by(&Rules { loss_window: AGE_MAX, respects, ..Rules::default() }).await;
    disk.file().assert_whole();
    // Without power once, twice, three times: a long run has jobs that this befell.
    let dead = scene.dead().await;
    assert!(dead.values().all(|reason| reason == "poison"), "{dead:?}");
    fleet.stop();
    losses
}

#[tokio::test(flavor = "multi_thread")]
async fn f71_no_power_cut_takes_a_job_from_a_disk_that_is_waited_for() {
    assert_eq!(cuts("full").await, 0, "acknowledged at the level `Disk`, and gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn f71_a_power_cut_takes_the_last_commits_at_most() {
    // One that takes nothing at all would mean that the cuts do not cut.
    assert!(cuts("normal").await > 0);
}

/// One producer for so long, then a cut that leaves nothing but what is sure. How many of its jobs
/// were acknowledged, and how many of those are gone.
async fn produce(more: &[(&'static str, u64)], time: Duration) -> (usize, usize) {
    let scene = Scene::new("sqlite::memory:").await;
    let mut disk = Disk::new(scene.dir());
    let mut settings = producing(settings(&scene, &disk, "normal"), 20, 0);
    settings.more.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
    let mut producer = Fleet::start(PRODUCER, settings, 1);
    scene.until_acked(1, || false).await;
    lasts(time).await;
    producer.kill9();
    disk.cut(Left::Nothing, &mut Rng::seeded(0));
    let missing = missing(&scene, &disk, 0, &HashSet::new());
    (scene.acks(), missing.len())
}

/// The level `Disk1s`, to the letter. The age of what is gone is checked by [`missing`].
#[tokio::test(flavor = "multi_thread")]
async fn f71_a_power_cut_takes_two_seconds_at_most_and_from_an_idle_file_nothing() {
    let time = Duration::from_millis(3_500);
    let ((busy, _), (idle, gone), (slow, slow_gone)) = tokio::join!(
        produce(&[], time),
        // One job, and then a pause that lasts.
        produce(&[(PACE, 100_000)], Duration::from_secs(5)),
        // The first sync is not over when the power is cut: all is gone, and it is not much.
        produce(&[(DELAY, 4_000)], time),
    );
    assert_eq!((idle, gone), (1, 0), "acknowledged five seconds ago");
    assert!(busy > 50, "{busy}");
    assert_eq!(slow, slow_gone);
}

/// The log has a hole on the disk that nobody can see, for the system's memory has all of it. What
/// is added behind the hole must not be gone with it.
async fn open_after_a_failure(synchronous: &str) {
    let scene = Scene::new("sqlite::memory:").await;
    let mut disk = Disk::new(scene.dir());
    let refuses = producing(settings(&scene, &disk, synchronous), 20, 0);
    let mut refuses = Fleet::start(PRODUCER, refuses, 1);
    scene.until_acked(20, || false).await;
    disk.fail();
    scene.holds_within(Duration::from_secs(30), |_| disk.has_failed()).await;
    assert!(disk.has_failed(), "no sync within 30 s");
    refuses.kill9();
    let before = scene.acks();
    let anew = producing(settings(&scene, &disk, "full"), 20, 0);
    let mut anew = Fleet::start(PRODUCER, anew, 1);
    scene.until_acked(before + 20, || false).await;
    anew.kill9();
    disk.cut(Left::Nothing, &mut Rng::seeded(0));
    assert_eq!(missing(&scene, &disk, 0, &HashSet::new()), [], "{synchronous}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f71_who_opens_a_file_after_a_sync_that_failed_loses_nothing() {
    tokio::join!(open_after_a_failure("normal"), open_after_a_failure("full"));
}

/// A disk that fails once and then claims to be well. How many of the acknowledged jobs it lacks.
async fn fail(synchronous: &str) -> usize {
    let scene = Scene::new("sqlite::memory:").await;
    let mut disk = Disk::new(scene.dir());
    let settings = producing(settings(&scene, &disk, synchronous), 20, 0);
    let mut producer = Fleet::start(PRODUCER, settings, 1);
    scene.until_acked(20, || false).await;
    disk.fail();
    // Twice what may be lost, so that whoever goes on acknowledging is found out.
    lasts(AGE_MAX * 2).await;
    assert!(producer.worker(0).exit_status().is_none(), "refused, and not dead");
    producer.kill9();
    disk.cut(Left::Nothing, &mut Rng::seeded(0));
    let missing = missing(&scene, &disk, 0, &HashSet::new());
    eprintln!("{synchronous}: {} acknowledged, {} lost", scene.acks(), missing.len());
    missing.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn f71_after_a_sync_that_failed_nothing_is_acknowledged() {
    let (normal, full) = tokio::join!(fail("normal"), fail("full"));
    assert!(normal > 0, "the disk did not fail");
    assert_eq!(full, 0, "acknowledged at the level `Disk`, and gone");
}
