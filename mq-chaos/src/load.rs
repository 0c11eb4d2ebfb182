//! A fault while jobs come and go.

use std::cell::Cell;
use std::time::Duration;

use crate::fleet::{Fleet, Settings};
use crate::job::Chaos;
use crate::scene::{Scene, lasts};

/// Longer than most outages, so that no worker is declared dead for the store's fault.
pub const LEASE: Duration = Duration::from_secs(15);
/// Jobs of one enqueue, and the pause after it: some 250 jobs a second.
const BATCH: u64 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Two workers of this program run jobs of 5 ms that keep coming at least `count` times, and as
/// long as `fault` does its work. In the end all that were acknowledged are done, nobody has
/// crashed or given up, and nothing disagrees. How many runs no failure explains.
///
/// # Panics
/// When that is not so.
pub async fn under_load(
    program: &str,
    url: &str,
    count: u64,
    fault: impl AsyncFnOnce(&Scene),
) -> (Scene, usize) {
    let scene = Scene::new(url).await;
    let settings = scene.settings(LEASE);
    apart(program, scene, settings, count, fault).await
}

/// The same with workers that are set up differently, as when they reach the store another way.
///
/// # Panics
/// As [`under_load`].
pub async fn apart(
    program: &str,
    scene: Scene,
    settings: Settings,
    count: u64,
    fault: impl AsyncFnOnce(&Scene),
) -> (Scene, usize) {
    let fleet = Fleet::start(program, settings, 2);
    let is_over = Cell::new(false);
    let producing = async {
        let mut next = 0;
        while next < count || !is_over.get() {
            scene.enqueue(&Chaos::many(next..next + BATCH, 5)).await;
            next += BATCH;
            lasts(PAUSE).await;
        }
    };
    let nemesis = async {
        // A fault that meets nobody at work is none.
        scene.until_started(BATCH as usize).await;
        fault(&scene).await;
        is_over.set(true);
    };
    tokio::join!(producing, nemesis);
    scene.rest().await;
    let account = scene.judge().await;
    assert!(scene.dead().await.is_empty());
    let unexplained = account.unexplained();
    assert!(fleet.stop().iter().all(|code| *code == Some(0)), "no worker may exit or crash");
    (scene, unexplained)
}
