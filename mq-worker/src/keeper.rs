//! The thread that keeps a worker alive in the eyes of the store.
//!
//! It has a runtime and connections of its own, because leases must be extended while handlers
//! block every thread of the caller's runtime: a worker that is busy must not look dead. Its duties
//! run side by side, so that none waits for another's request: beats, the supervision of running
//! jobs and of the threads that they keep, and housekeeping.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_core::chain_text;
use mq_core::clock::now;
use mq_core::engine::{BATCH_MAX, Beat, BeatReply, Engine, EngineError};
use mq_core::failpoint::point;
use mq_core::mutant;
use mq_core::signal::Signal;
use mq_core::telemetry::TARGET_WORKER;
use tokio::runtime::{Handle, Runtime};
use tokio::time::{sleep, sleep_until, timeout};

use crate::execute;
use crate::housekeeping::Housekeeper;
use crate::lost::Lost;
use crate::shared::Shared;
use crate::stalled;

/// How long the thread may take to leave its queues.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Every so many beats ask which claims hold jobs: once per lease.
const NAMING_INTERVAL: u32 = 3;
/// Between two tries to start again; a stop waits for no more than that.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// When a loop that was told to stop at once, and is not stalled, must have ended.
const RELIEF_AFTER: Duration = Duration::from_secs(10);

/// The thread's handle; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Signal,
    stopped: Signal,
}

impl Keeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let (stop, stopped) = (Signal::new(), Signal::new());
        let first = runtime()?;
        let done = FireOnDrop(stopped.clone());
        let of_jobs = Handle::current();
        let (shared, ends) = (Arc::clone(shared), stop.clone());
        std::thread::Builder::new().name("mq-keeper".to_owned()).spawn(move || {
            let _done = done;
            let mut next = Some(first);
            while let Some(runtime) = next.take() {
                let duties = Duties {
                    of_jobs: of_jobs.clone(),
                    shared: Arc::clone(&shared),
                    engine: shared.client.engine().detached(),
                    stop: ends.clone(),
                };
                // Without this thread the worker would lose its leases one by one, for ever.
                let work = AssertUnwindSafe(|| runtime.block_on(duties.run()));
                if catch_unwind(work).is_err() && !ends.is_fired() {
                    tracing::error!(
                        target: TARGET_WORKER,
                        "the keeper of leases panicked and is started again; please report this"
                    );
                    next = persist(self::runtime, &ends);
                }
                // Not joined: a name lookup that hangs must not hold up the stop.
                runtime.shutdown_background();
            }
        })?;
        Ok(Self { stop, stopped })
    }

    /// Ends the thread, which leaves its queues first.
    pub(crate) async fn stop(self) {
        self.stop.fire();
        if timeout(STOP_MAX, self.stopped.fired()).await.is_err() {
            tracing::warn!(target: TARGET_WORKER, "the keeper's thread did not end in time");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.fire();
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Tries until there is a runtime, which needs descriptors, or the worker has ended: a worker
/// without its keeper would lose its leases one by one, for ever.
fn persist<R>(make: impl Fn() -> std::io::Result<R>, ends: &Signal) -> Option<R> {
    while !ends.is_fired() {
        match make() {
            Ok(made) => return Some(made),
            Err(error) => tracing::error!(
                target: TARGET_WORKER, %error,
                "the keeper of leases cannot be started again yet, leases may end; allow this \
                 process more open files"
            ),
        }
        // Awake early is no harm.
        std::thread::park_timeout(RESTART_PAUSE);
    }
    None
}

struct FireOnDrop(Signal);

impl Drop for FireOnDrop {
    fn drop(&mut self) {
        self.0.fire();
    }
}

/// What the thread does.
struct Duties {
    /// The runtime of the jobs.
    of_jobs: Handle,
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    stop: Signal,
}

impl Duties {
    async fn run(self) {
        let housekeeper = Housekeeper::new(&self.shared, Arc::clone(&self.engine));
        let housekeeping = async {
            let rounds = housekeeper.run(&self.stop);
            tokio::pin!(rounds);
            tokio::select! {
                () = &mut rounds => {}
                () = self.stop.fired() => {
                    // A sweep that is cut off would count its jobs as interrupted once more.
                    let _ = timeout(STOP_MAX / 2, rounds).await;
                }
            }
            let _ = timeout(STOP_MAX / 2, housekeeper.leave()).await;
        };
        // To the end: a beat that is left in the middle of connecting holds what leaving needs.
        tokio::select! {
            _ = async {
                let stalls = stalled::watch(&self.of_jobs);
                tokio::join!(self.beat(&housekeeper), self.supervise(), self.relieve(), stalls)
            } => {}
            () = housekeeping => {}
        }
    }

    /// Extends all leases every third of a lease, so that two beats may fail.
    async fn beat(&self, housekeeper: &Housekeeper) {
        let lease = self.shared.config.lease;
        let mut heard = now();
        let mut warned = false;
        let mut extended: u32 = 0;
        loop {
            if mutant::is(14) {
                let _ = self.of_jobs.spawn(std::future::ready(())).await;
            }
            let started = now();
            let beats = self.beats(housekeeper, extended.is_multiple_of(NAMING_INTERVAL));
            point("beat.asking");
            let sent = timeout(lease / 3, self.engine.extend(beats.clone())).await;
            let pause = match sent {
                Ok(Ok(replies)) => {
                    self.take_in(housekeeper, &beats, replies);
                    heard = started;
                    warned = false;
                    extended = extended.wrapping_add(1);
                    lease / 3
                }
                failed => {
                    self.warn_of_silence(heard, &mut warned, failed);
                    lease / 15
                }
            };
            let stopping = self.shared.stop.ordered().is_fired();
            tokio::select! {
                () = sleep(pause) => {}
                // People want to see at once that a worker stops.
                () = self.shared.stop.ordered().fired(), if !stopping => {}
            }
        }
    }

    fn beats(&self, housekeeper: &Housekeeper, names_claims: bool) -> Vec<Beat> {
        let members = &self.shared.members;
        let lease = self.shared.config.lease;
        let stopping = self.shared.stop.ordered().is_fired();
        let about = stopping.then(|| {
            let mut about = self.shared.about();
            about.stopping = true;
            about
        });
        let mut beats = Vec::new();
        for (place, queue) in members.queues().enumerate() {
            if let Some(worker) = members.worker(place) {
                let (queue, about) = (queue.clone(), about.clone());
                beats.push(Beat { queue, worker, lease, about, names_claims });
            }
            if let Some(worker) = housekeeper.worker(place) {
                let (queue, about) = (queue.clone(), None);
                beats.push(Beat { queue, worker, lease, about, names_claims });
            }
        }
        beats
    }

    fn take_in(&self, housekeeper: &Housekeeper, beats: &[Beat], replies: Vec<BeatReply>) {
        for (beat, reply) in beats.iter().zip(replies) {
            let Some(place) = self.shared.members.place(&beat.queue) else { continue };
            match reply {
                BeatReply::Extended { cancels, claims, now_ms } => {
                    self.shared.clock.learn(now_ms);
                    self.shared.cancel(place, cancels, now());
                    housekeeper.name(place, beat.worker, &claims);
                    self.shared.name(place, beat.worker, claims);
                }
                BeatReply::Lost => {
                    self.shared.lose(place, beat.worker);
                    housekeeper.lost(place, beat.worker);
                }
                BeatReply::Damaged(error) => self.shared.damage.tell(&beat.queue, "beat", &error),
                _ => {}
            }
        }
    }

    fn warn_of_silence(
        &self,
        heard: Instant,
        warned: &mut bool,
        failed: Result<Result<Vec<BeatReply>, EngineError>, tokio::time::error::Elapsed>,
    ) {
        let silence = now().saturating_duration_since(heard);
        if *warned || silence < self.shared.config.lease {
            return;
        }
        *warned = true;
        let error = match failed {
            Ok(Err(error)) => chain_text(&error),
            _ => "no answer in time".to_owned(),
        };
        tracing::error!(
            target: TARGET_WORKER, error, silence_ms = silence.as_millis() as u64,
            "the store was not reached for a lease: jobs that run here may be run elsewhere, too"
        );
    }

    /// Ends attempts whose time is up, and frees the slots of those that do not obey.
    async fn supervise(&self) {
        let running = &self.shared.running;
        let mut lost = Lost::new(self.of_jobs.metrics().num_workers());
        loop {
            let at = now();
            let (disobedient, next) = running.expire(at, self.shared.config.timeout_grace);
            for held in disobedient {
                lost.abort(&self.shared, &held, at);
                execute::abandon(&self.shared, held);
            }
            lost.look(&self.shared, at);
            let next = next.into_iter().chain(lost.next(at)).min();
            let alarm = async {
                match next {
                    Some(next) => sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = alarm => {}
                () = running.rearmed() => {}
            }
        }
    }

    /// Gives everything back in the place of a loop that has no thread to run on, once the worker
    /// has given up.
    async fn relieve(&self) {
        self.shared.blocked.fired().await;
        if !stalled::is_stalled(&self.of_jobs).await {
            // Ends by itself, and this thread with it.
            sleep(RELIEF_AFTER).await;
        }
        if timeout(STOP_MAX, self.give_back()).await.is_err() {
            tracing::warn!(
                target: TARGET_WORKER,
                "the store was not told of all jobs in time, they run again when the lease ends"
            );
        }
        self.shared.relieved.fire();
    }

    async fn give_back(&self) {
        let shared = &self.shared;
        shared.running.take_all().into_iter().for_each(|held| execute::abandon(shared, held));
        let mut ended = Vec::new();
        shared.outcomes.take(&mut ended);
        let finishes: Vec<_> = ended.into_iter().map(|settled| settled.finish).collect();
        for batch in finishes.chunks(BATCH_MAX) {
            if let Err(error) = self.engine.finish(batch.to_vec()).await {
                let error = chain_text(&error);
                tracing::warn!(target: TARGET_WORKER, error, "could not give jobs back");
            }
        }
        for (place, queue) in shared.members.queues().enumerate() {
            let Some(worker) = shared.members.worker(place) else { continue };
            shared.members.lost(place, worker);
            if let Err(error) = self.engine.leave(queue, worker).await {
                let error = chain_text(&error);
                tracing::warn!(target: TARGET_WORKER, %queue, error, "could not leave a queue");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn the_keeper_starts_again_as_soon_as_it_can_and_gives_up_only_at_the_end() {
        let (ends, tries) = (Signal::new(), Cell::new(0));
        let later = || {
            tries.set(tries.get() + 1);
            if tries.get() < 2 { Err(Error::from(ErrorKind::Other)) } else { Ok(tries.get()) }
        };
        assert_eq!(persist(later, &ends), Some(2));
        let never = || -> std::io::Result<()> {
            ends.fire();
            Err(Error::from(ErrorKind::Other))
        };
        assert_eq!(persist(never, &ends), None);
    }
}
