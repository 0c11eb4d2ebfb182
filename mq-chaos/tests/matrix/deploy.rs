//! Rolling deploys: F15.

use std::time::Duration;

use mq_chaos::{Fleet, Order1, Order2, Refund, Scene, Settings, Store, Tier, VERSION, plain};
use mq_core::engine::NewJob;
use mq_core::{Job, Record};

use super::store_rows;
use super::worker::{LEASE, PROGRAM};

store_rows! {
    Nightly: f15_no_deploy_and_no_way_back_costs_a_job;
}

fn job(scene: &Scene, job: &impl Job) -> NewJob {
    fn kind<J: Job>(_: &J) -> &'static str {
        J::KIND
    }
    let payload = serde_json::to_vec(job).expect("a job serializes");
    plain(&scene.queue, &Record::new(kind(job), payload))
}

/// What producers of both versions enqueue, a third each.
async fn mixed(scene: &Scene, from: u64, count: u64) {
    let text = || "as usual".to_owned();
    let new = (from..from + count).map(|number| match number % 3 {
        0 => job(scene, &Order1 { number, note: text(), colour: "red".to_owned() }),
        1 => job(scene, &Order2 { number, remark: text(), amount: 7 }),
        _ => job(scene, &Refund { number }),
    });
    let new: Vec<_> = new.collect();
    for batch in new.chunks(100) {
        assert!(scene.send(batch.to_vec()).await, "nothing is wrong with the store");
    }
}

fn version(scene: &Scene, number: &str) -> Settings {
    let mut settings = scene.settings(LEASE);
    settings.more = vec![(VERSION, number.to_owned())];
    settings
}

/// F15: workers of two versions replace each other, there and back again, while both versions
/// enqueue. Version 1 leaves the new kind alone, each version runs the other's orders, nobody's
/// attempt is burnt and no job is lost.
async fn f15_no_deploy_and_no_way_back_costs_a_job(store: Store) {
    const WORKERS: usize = 3;
    let scene = Scene::new(&store.url()).await;
    let tier = Tier::of_this_run();
    let (total, restarts) = (tier.pick(300, 5_000, 20_000), tier.pick(6, 20, 100));
    let mut old = Fleet::start(PROGRAM, version(&scene, "1"), WORKERS);
    let mut new = Fleet::start(PROGRAM, version(&scene, "2"), 0);
    let (mut first_old, mut first_new) = (0, 0);
    let each = total / restarts as u64;
    for restart in 0..restarts {
        mixed(&scene, restart as u64 * each, each).await;
        // Three there, three back, and so on.
        let is_forward = (restart / WORKERS).is_multiple_of(2);
        let (from, first, to) = if is_forward {
            (&mut old, &mut first_old, &mut new)
        } else {
            (&mut new, &mut first_new, &mut old)
        };
        to.add(None);
        from.worker(*first).terminate();
        let status = from.worker(*first).wait(Duration::from_secs(20));
        assert_eq!(status.and_then(|status| status.code()), Some(0), "the end of a deploy");
        *first += 1;
    }
    // Whatever the last deploy was, in the end all is well again.
    new.add(None);
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.done_total, each * restarts as u64, "{stats:#?}");
    assert_eq!((stats.dead, stats.failed_total, stats.interrupted_total), (0, 0, 0), "{stats:#?}");
    assert_eq!(account.unexplained(), 0, "each started once");
    old.stop();
    new.stop();
}
