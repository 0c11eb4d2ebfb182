//! F10: a worker process dies, panics or freezes at each step of a job's way.

use std::time::Duration;

use mq_chaos::{Chaos, Fleet, Scene, Store, lasts};
use mq_core::engine::Schedule;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const LEASE: Duration = Duration::from_secs(1);

/// Each step of the way; named in the worker and in the job of these tests.
const STEPS: [&str; 12] = [
    "claim.asking",
    "claim.answered",
    "run.started",
    "run.worked",
    "run.enqueued",
    "run.ended",
    "finish.asking",
    "finish.answered",
    "beat.asking",
    "reap.asking",
    "reap.answered",
    "wait.asking",
];

async fn at(store: Store, step: &str, action: &str) {
    let scene = Scene::new(&store.url()).await;
    // The second passage, so that a job has been through the whole way once.
    let fail = format!("{step}={action}@2");
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 0);
    let victim = fleet.add(Some(&fail));
    if action == "panic" {
        // Whatever it gives up by that: the process goes on.
        scene.recorder().fault_began("panic", vec![fleet.worker(victim).pid()]);
    }
    let jobs: Vec<_> = (0..30)
        .map(|number| Chaos {
            child: number % 3 == 0,
            failures: u32::from(number % 5 == 0),
            ..Chaos::lasting(number, 10)
        })
        .collect();
    scene.enqueue(&jobs[..20]).await;
    scene.enqueue_at(&jobs[20..], Schedule::After(Duration::from_millis(300))).await;

    let hit = wait_for_hit(&mut fleet, victim, action).await;
    fleet.add(None);
    if action == "stop" {
        // It froze itself, and only who waits for it can tell.
        let frozen = scene.recorder().fault_began("freeze", vec![fleet.worker(victim).pid()]);
        lasts(LEASE * 2).await;
        fleet.worker(victim).thaw();
        scene.recorder().fault_ended(frozen);
    }
    // A worker that reaps is only there once somebody has died: those steps may lie in the new one.
    scene.rest_reviving(&mut fleet).await;
    scene.judge().await;
    assert!(scene.dead().await.is_empty(), "{step} {action}: one interruption buries nothing");
    let may_miss = step.starts_with("reap.answered");
    assert!(hit || may_miss, "{step}={action} was never reached");
    fleet.stop();
}

/// Whether the victim has died or frozen; a panic in a handler leaves it alive.
async fn wait_for_hit(fleet: &mut Fleet, victim: usize, action: &str) -> bool {
    for _ in 0..150 {
        let worker = fleet.worker(victim);
        if worker.exit_status().is_some() || worker.is_stopped() {
            return true;
        }
        lasts(Duration::from_millis(20)).await;
    }
    action == "panic"
}

/// One sweep is two requests: the first fences the dead, the second takes their jobs over. Who
/// sweeps fails in between.
async fn between_the_requests_of_a_sweep(action: &str) {
    let store = Store::redis();
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    // Longer than all leases: what ends before it is taken over proves nothing.
    scene.enqueue(&Chaos::many(0..6, 2_000)).await;
    scene.until_started(6).await;
    fleet.worker(0).kill9();
    let sweeper = fleet.add(Some(&format!("reap.fenced={action}")));
    assert!(wait_for_hit(&mut fleet, sweeper, action).await, "no sweep came between");
    // It froze itself, and only who waits for it can tell.
    let frozen = (action == "stop")
        .then(|| scene.recorder().fault_began("freeze", vec![fleet.worker(sweeper).pid()]));
    // Fenced, and nobody has their jobs yet.
    let workers = scene.client.engine().workers(&scene.queue).await.expect("workers");
    let fenced = workers.iter().filter(|worker| worker.lease_until_ms == 0);
    assert_eq!(fenced.map(|worker| worker.running_count).sum::<usize>(), 6, "{workers:#?}");
    assert_eq!(scene.stats().await.interrupted_total, 0);

    fleet.add(None);
    scene.until("taken over", |stats| stats.interrupted_total == 6).await;
    if let Some(frozen) = frozen {
        // Its second request comes after that of another, who has fenced it out meanwhile.
        lasts(LEASE * 2).await;
        fleet.worker(sweeper).thaw();
        scene.recorder().fault_ended(frozen);
    }
    scene.rest_reviving(&mut fleet).await;
    let account = scene.judge().await;
    assert_eq!(scene.stats().await.interrupted_total, 6, "each was taken over once");
    assert_eq!(account.unexplained(), 6, "each ran twice");
    assert!(scene.dead().await.is_empty());
    fleet.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_kill_between_the_two_requests_of_a_sweep() {
    between_the_requests_of_a_sweep("kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_freeze_between_the_two_requests_of_a_sweep() {
    between_the_requests_of_a_sweep("stop").await;
}

macro_rules! steps {
    ($($name:ident: $action:literal at $index:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            at(Store::redis(), STEPS[$index], $action).await;
        }
    )*};
}

/// What panics or freezes at a step does so outside the engine; what dies there leaves a file.
#[tokio::test(flavor = "multi_thread")]
async fn f10_kill_at_each_step_on_a_file() {
    let at_step = |step: &'static str| tokio::spawn(at(Store::sqlite(), step, "kill"));
    for killed in STEPS.map(at_step) {
        killed.await.expect("this step");
    }
}

steps! {
    f10_kill_while_asking_for_a_claim: "kill" at 0;
    f10_kill_with_a_claim_in_hand: "kill" at 1;
    f10_kill_at_the_start_of_a_handler: "kill" at 2;
    f10_kill_in_the_middle_of_a_handler: "kill" at 3;
    f10_kill_after_a_follow_up: "kill" at 4;
    f10_kill_at_the_end_of_a_handler: "kill" at 5;
    f10_kill_while_sending_a_finish: "kill" at 6;
    f10_kill_after_a_finish: "kill" at 7;
    f10_kill_while_beating: "kill" at 8;
    f10_kill_while_reaping: "kill" at 9;
    f10_kill_with_reaped_jobs_in_hand: "kill" at 10;
    f10_kill_while_going_idle: "kill" at 11;
    f10_panic_while_asking_for_a_claim: "panic" at 0;
    f10_panic_with_a_claim_in_hand: "panic" at 1;
    f10_panic_at_the_start_of_a_handler: "panic" at 2;
    f10_panic_in_the_middle_of_a_handler: "panic" at 3;
    f10_panic_after_a_follow_up: "panic" at 4;
    f10_panic_at_the_end_of_a_handler: "panic" at 5;
    f10_panic_while_sending_a_finish: "panic" at 6;
    f10_panic_after_a_finish: "panic" at 7;
    f10_panic_while_beating: "panic" at 8;
    f10_panic_while_reaping: "panic" at 9;
    f10_panic_with_reaped_jobs_in_hand: "panic" at 10;
    f10_panic_while_going_idle: "panic" at 11;
    f10_freeze_while_asking_for_a_claim: "stop" at 0;
    f10_freeze_with_a_claim_in_hand: "stop" at 1;
    f10_freeze_at_the_start_of_a_handler: "stop" at 2;
    f10_freeze_in_the_middle_of_a_handler: "stop" at 3;
    f10_freeze_after_a_follow_up: "stop" at 4;
    f10_freeze_at_the_end_of_a_handler: "stop" at 5;
    f10_freeze_while_sending_a_finish: "stop" at 6;
    f10_freeze_after_a_finish: "stop" at 7;
    f10_freeze_while_beating: "stop" at 8;
    f10_freeze_while_reaping: "stop" at 9;
    f10_freeze_with_reaped_jobs_in_hand: "stop" at 10;
    f10_freeze_while_going_idle: "stop" at 11;
}
