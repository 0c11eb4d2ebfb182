//! The power of the server is cut, or the end of its log is torn: F21, F22 and F34.

use std::time::Duration;

use mq_chaos::{Fleet, LEASE, Left, PACE, PoweredServer, Scene, Tier, WORK, chance, lasts};
use mq_core::engine::Durability;
use mq_core::rng::Rng;
use mq_testkit::{Rules, now_ns};

use crate::{PRODUCER, WORKER, rows, until_at_work};

rows! {
    Nightly:
        f21_a_power_cut_takes_the_last_second_at_most,
        f22_no_power_cut_takes_what_every_write_is_synced_for,
        f34_a_torn_end_of_the_log_takes_the_last_moment_at_most;
}

/// The server syncs every second, and a sync takes its time.
const AGE_MAX: Duration = Duration::from_millis(1_500);
/// Between the answer of the store and the line that says so.
const WRITING_MAX: Duration = Duration::from_millis(200);

/// Producers and workers live on while the server loses the end of its log, again and again. The
/// number of acknowledged jobs that were lost; none of them was older than [`AGE_MAX`].
async fn cuts(appendfsync: &str, mut fault: impl FnMut(&mut PoweredServer, &mut Rng)) -> usize {
    let mut rng = chance();
    let mut server = PoweredServer::start(appendfsync);
    let scene = Scene::new(&server.server().url()).await;
    let mut settings = scene.settings(LEASE / 3);
    let workers = Fleet::start(WORKER, settings.clone(), 2);
    settings.more.extend([(PACE, "2".to_owned()), (WORK, "2".to_owned())]);
    let mut producers = Fleet::start(PRODUCER, settings, 2);
    let mut cuts_ns = Vec::new();
    // What was synced before it was answered is not undone: then a second end is a mistake.
    let age_max = if appendfsync == "always" { Duration::ZERO } else { AGE_MAX };
    for _ in 0..12 {
        let enough = scene.acks() + rng.between(50, 250) as usize;
        scene.until_acked(enough, || false).await;
        // Anywhere between two syncs.
        lasts(Duration::from_millis(rng.between(0, 1_000))).await;
        let cut_ns = now_ns();
        cuts_ns.push(cut_ns);
        scene.loses(age_max, "power", async || fault(&mut server, &mut rng)).await;
        server.restart();
        until_at_work(&scene, Duration::from_secs(5)).await;
    }
    producers.kill9();
    // Also what the store was set back to: claims that a worker who lives has long finished.
    scene.rest().await;
    let unended = scene.unended();
    let lost: Vec<_> = scene.acked().into_iter().filter(|(_, id)| unended.contains(id)).collect();
    for (acked_ns, id) in &lost {
        let near = |cut: &u64| (cut - ns(age_max)..=cut + ns(WRITING_MAX)).contains(acked_ns);
        assert!(cuts_ns.iter().any(near), "{id}, of {acked_ns}, lost by none of {cuts_ns:?}");
    }
    let respects = Durability::Disk;
    let rules = Rules { loss_window: age_max, respects, ..Rules::default() };
    let account = scene.judge_by(&rules).await;
    assert_eq!(scene.dead().await.len(), 0, "a store that is away kills no job");
    scene.assert_claims_are_unique();
    assert!(workers.stop().iter().all(|code| *code == Some(0)), "no worker may exit or crash");
    let (acked, again, lost) = (scene.acks(), account.unexplained(), lost.len());
    eprintln!("{appendfsync}: 12 cuts, {acked} acked, {lost} lost, {again} run again");
    lost
}

fn ns(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn any(rng: &mut Rng) -> Left {
    [Left::Nothing, Left::Torn][rng.between(0, 1) as usize]
}

/// F21: everything that was done in the last second may be undone. What is lost is that young,
/// what is there runs, again if it must, and no claim is given away twice.
async fn f21_a_power_cut_takes_the_last_second_at_most() {
    let mut lost = 0;
    for _ in 0..Tier::of_this_run().pick(1, 1, 8) {
        lost += cuts("everysec", |server, rng| server.cut(any(rng), rng)).await;
    }
    // One that takes nothing at all would mean that the cuts do not cut.
    assert!(lost > 0);
}

async fn f22_no_power_cut_takes_what_every_write_is_synced_for() {
    for _ in 0..Tier::of_this_run().pick(1, 1, 8) {
        let lost = cuts("always", |server, rng| server.cut(any(rng), rng)).await;
        assert_eq!(lost, 0, "acknowledged at the level `Disk`, and gone");
    }
}

async fn f34_a_torn_end_of_the_log_takes_the_last_moment_at_most() {
    for _ in 0..Tier::of_this_run().pick(1, 1, 4) {
        cuts("everysec", |server, rng| server.tear(rng.between(1, 64) as usize)).await;
    }
}
