//! Whether a job survives a worker that is killed with `kill -9`: not claimed, but tried.

use std::time::Duration;

use mq_core::clock;

use super::list::Peer;
use super::measure;
use super::setup::Workshop;
use crate::engine::Engine;
use crate::fail::Fail;
use crate::store::Store;

/// How long a worker may take to start its first job: an idle one of apalis looks every 30 s.
const START_MAX: Duration = Duration::from_secs(60);

/// Seconds from the kill until another worker runs the job again; none if that took longer than
/// allowed.
pub(crate) fn recovery(
    workshop: &Workshop,
    peer: &Peer,
    max: Duration,
) -> Result<Option<f64>, Fail> {
    let store = Store::start(Engine::Redis)?;
    measure::fill(workshop, peer, &store, 1)?;
    let mut doomed = measure::start(workshop, peer, "hold", &store, 1, START_MAX)?;
    measure::first(&mut doomed)?;
    // With all its processes, as when a container or a machine is lost.
    drop(doomed);
    let killed = clock::now();
    let mut other = measure::start(workshop, peer, "hold", &store, 1, max)?;
    match measure::first(&mut other) {
        Ok(()) => Ok(Some(killed.elapsed().as_secs_f64())),
        // Its time is over only if it is still alive: otherwise it failed.
        Err(_) if killed.elapsed() >= max => Ok(None),
        Err(fail) => Err(fail),
    }
}

/// All peers at once: they mostly wait, and some for minutes.
pub(crate) fn recoveries(
    workshop: &Workshop,
    peers: &[Peer],
    max: Duration,
) -> Vec<Result<Option<f64>, Fail>> {
    std::thread::scope(|scope| {
        let start = |peer| scope.spawn(move || recovery(workshop, peer, max));
        let threads: Vec<_> = peers.iter().map(start).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(Fail::new("the test itself broke")))
        };
        threads.into_iter().map(join).collect()
    })
}
