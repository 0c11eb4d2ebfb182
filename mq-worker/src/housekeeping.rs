//! What any worker may do for all: take over the jobs of dead workers, promote, prune.
//!
//! A housekeeper is a member of each queue under a name of its own. Claim numbers ascend per
//! name, so the loop and the sweeps need not take turns.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use mq_core::clock::now;
use mq_core::engine::{
    BATCH_MAX, Claimed, Engine, EngineError, EngineErrorKind, Finish, Finished, Holding,
    ReapRequest,
};
use mq_core::failpoint::point;
use mq_core::lifecycle::{Ended, Transition, decide};
use mq_core::rng::Rng;
use mq_core::signal::Signal;
use mq_core::telemetry::{TARGET_JOB, TARGET_WORKER};
use mq_core::{Claim, History, QueueName, Record, WorkerId};
use tokio::time::sleep;

use crate::execute;
use crate::pull::reconcile::Suspects;
use crate::retrying::Retrying;
use crate::shared::Shared;

/// How often the jobs of dead workers are looked for. With the default lease of 15 s this keeps
/// the promise that they run again within 20 s.
const SWEEP_INTERVAL_MAX: Duration = Duration::from_secs(2);
/// Everything that is not urgent.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);
/// Most jobs of one reap. Each has its record on board, so not [`BATCH_MAX`].
const REAP_MAX: usize = 250;
/// Most requests of one duty on one queue before the next queue's turn.
const ROUNDS_MAX: usize = 20;

/// The keeper's thread uses it alone, so its cells need no locks.
pub(crate) struct Housekeeper {
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    posts: Vec<RefCell<Post>>,
    /// The store's name, as it was when it was last asked for.
    store: RefCell<Option<String>>,
    /// Whether the store may be another one since then.
    is_strange: Cell<bool>,
}

/// The housekeeper on one queue.
struct Post {
    queue: QueueName,
    worker: Option<WorkerId>,
    next_number: u64,
    /// Decided ends of jobs taken over, not yet confirmed.
    unsent: Vec<Finish>,
    suspects: Suspects,
    /// Whether the store says that it holds jobs of which nothing is known here.
    holds_unknown: bool,
}

impl Housekeeper {
    pub(crate) fn new(shared: &Arc<Shared>, engine: Arc<dyn Engine>) -> Self {
        let post = |queue: &QueueName| {
            let queue = queue.clone();
            let (unsent, suspects) = (Vec::new(), Suspects::default());
            RefCell::new(Post {
                queue,
                worker: None,
                next_number: 1,
                unsent,
                suspects,
                holds_unknown: false,
            })
        };
        let posts = shared.members.queues().map(post).collect();
        let (store, is_strange) = (RefCell::default(), Cell::new(true));
        Self { shared: Arc::clone(shared), engine, posts, store, is_strange }
    }

    pub(crate) fn worker(&self, place: usize) -> Option<WorkerId> {
        self.posts[place].borrow().worker
    }

    /// Notes that an incarnation is gone; the next sweep joins under a new name.
    pub(crate) fn lost(&self, place: usize, worker: WorkerId) {
        let mut post = self.posts[place].borrow_mut();
        if post.worker == Some(worker) {
            post.worker = None;
            post.next_number = 1;
            // Whoever took over the jobs that were taken over decides about them again.
            post.unsent.clear();
            post.holds_unknown = false;
        }
    }

    /// Takes in which claims of an incarnation hold jobs.
    pub(crate) fn name(&self, place: usize, worker: WorkerId, claims: &[Holding]) {
        let mut post = self.posts[place].borrow_mut();
        if claims.is_empty() || post.worker != Some(worker) {
            return;
        }
        let Post { next_number, unsent, suspects, .. } = &mut *post;
        let of = |number| unsent.iter().filter(|finish| finish.claim.number == number).count();
        let known = |number| if number < *next_number { of(number) } else { usize::MAX };
        post.holds_unknown = !suspects.confirm(worker, claims, known).is_empty();
    }

    /// Gives up an incarnation that holds jobs by the store's word only, so that the next sweep
    /// takes them over as those of a dead worker, which they were. To be called between sweeps.
    async fn leave_unknown(&self, place: usize) -> Result<(), EngineError> {
        let (queue, worker) = {
            let post = self.posts[place].borrow();
            (post.queue.clone(), post.worker.filter(|_| post.holds_unknown))
        };
        let Some(worker) = worker else { return Ok(()) };
        tracing::warn!(
            target: TARGET_WORKER, %queue, %worker,
            "the store says that a housekeeper holds jobs which it has put back, as if the store \
             had been rolled back; they are taken over again"
        );
        self.lost(place, worker);
        self.engine.leave(&queue, worker).await
    }

    /// Keeps house until told to stop; a round that has begun is ended.
    pub(crate) async fn run(&self, stop: &Signal) {
        let mut retrying = Retrying::new("housekeeping");
        let mut rng = Rng::random();
        // Workers that were started together must not all tidy up in the same second.
        let first = rng.between(0, TIDY_INTERVAL.as_millis() as u64);
        let mut next_tidy = now() + Duration::from_millis(first);
        while !stop.is_fired() {
            let tidy = now() >= next_tidy;
            let result = self.round(tidy, stop).await;
            if tidy {
                next_tidy = now() + TIDY_INTERVAL;
            }
            let pause = match result {
                Ok(()) => {
                    retrying.succeeded();
                    self.sweep_interval()
                }
                Err(error) => retrying.failed(&error),
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.fired() => {}
            }
        }
    }

    /// Several sweeps to a lease: a sweep that finds that none came for a whole lease takes the
    /// store to have been away, and spares everybody.
    fn sweep_interval(&self) -> Duration {
        (self.shared.config.lease / 5).min(SWEEP_INTERVAL_MAX)
    }

    async fn round(&self, tidy: bool, stop: &Signal) -> Result<(), EngineError> {
        for place in 0..self.posts.len() {
            match self.keep(place, tidy, stop).await {
                Err(error) if error.kind() == EngineErrorKind::Damaged => {
                    let queue = &self.posts[place].borrow().queue;
                    self.shared.damage.tell(queue, "sweep", &mq_core::chain_text(&error));
                }
                kept => kept?,
            }
        }
        if self.is_strange.get() && !stop.is_fired() {
            self.recognize().await;
        }
        Ok(())
    }

    async fn keep(&self, place: usize, tidy: bool, stop: &Signal) -> Result<(), EngineError> {
        self.sweep(place, stop).await?;
        if tidy && !stop.is_fired() {
            self.tidy(place).await?;
        }
        Ok(())
    }

    /// Says it when the store is not the one that it was. Asked for only after this worker was
    /// forgotten, which a store that was emptied has done: to ask each time would cost a request
    /// per sweep. A store that does not say its name is asked again by the next sweep.
    async fn recognize(&self) {
        let name = match self.engine.identity().await {
            Ok(name) => name,
            Err(error) => {
                let error = mq_core::chain_text(&error);
                tracing::debug!(target: TARGET_WORKER, error, "the store does not say its name");
                return;
            }
        };
        self.is_strange.set(false);
        let before = self.store.replace(Some(name.clone()));
        if before.is_some_and(|before| before != name) {
            tracing::error!(
                target: TARGET_WORKER,
                "the store has lost its data or is another one: the jobs that were in it are gone \
                 unless it is brought back; new ones are run; find out who emptied or replaced it"
            );
        }
    }

    /// Takes over jobs of dead workers and puts each where its history says.
    async fn sweep(&self, place: usize, stop: &Signal) -> Result<(), EngineError> {
        for _ in 0..ROUNDS_MAX {
            self.send_unsent(place).await?;
            self.leave_unknown(place).await?;
            if stop.is_fired() {
                break;
            }
            let Some(request) = self.request(place).await? else { break };
            let worker = request.claim.worker;
            point("reap.asking");
            let reply = self.engine.reap(request).await?;
            if !reply.jobs.is_empty() {
                point("reap.answered");
            }
            if reply.now_ms > 0 {
                self.shared.clock.learn(reply.now_ms);
            }
            if reply.lost {
                self.lost(place, worker);
                continue;
            }
            for gone in &reply.workers {
                let queue = &self.posts[place].borrow().queue;
                tracing::warn!(
                    target: TARGET_WORKER, worker = %gone, %queue,
                    "a worker's lease has ended, its jobs are taken over"
                );
            }
            let more = reply.more;
            let mut post = self.posts[place].borrow_mut();
            // A beat may have found out meanwhile that this incarnation is gone.
            if post.worker == Some(worker) {
                post.next_number += 1;
                post.unsent = reply.jobs.into_iter().map(|job| self.decide(job)).collect();
            }
            if !more && post.unsent.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The next reap; joins first where necessary.
    async fn request(&self, place: usize) -> Result<Option<ReapRequest>, EngineError> {
        let lease = self.shared.config.lease;
        let queue = self.posts[place].borrow().queue.clone();
        if self.worker(place).is_none() {
            let mut about = self.shared.about();
            about.housekeeper = true;
            let worker = WorkerId::random();
            self.engine.join(&queue, worker, lease, &about).await?;
            self.is_strange.set(true);
            let mut post = self.posts[place].borrow_mut();
            post.worker = Some(worker);
            post.next_number = 1;
        }
        let post = self.posts[place].borrow();
        Ok(post.worker.map(|worker| {
            let claim = Claim { queue, worker, number: post.next_number };
            ReapRequest { claim, limit: REAP_MAX, lease }
        }))
    }

    fn decide(&self, job: Claimed) -> Finish {
        let history = job.history.as_deref().map_or_else(History::default, History::decode);
        let record = Record::decode(&job.record).ok();
        let entry = record.as_ref().and_then(|record| self.shared.registry.find(&record.kind));
        let policy = execute::policy(&self.shared, entry.map(|entry| &**entry), record.as_ref());
        let now_ms = self.shared.clock.now_ms();
        let mut rng = Rng::random();
        let decision = decide(&policy, &history, &Ended::Interrupted, now_ms, &mut rng);
        let kind = record.as_ref().map_or("", |record| record.kind.as_ref());
        let (id, queue) = (job.id, &job.claim.queue);
        if decision.transition == Transition::Bury {
            tracing::error!(
                target: TARGET_JOB, %id, kind, %queue,
                "job is dead: the workers that ran it died too often"
            );
        } else {
            tracing::warn!(
                target: TARGET_JOB, %id, kind, %queue, "job was interrupted, it runs again"
            );
        }
        Finish::interrupted(job, decision)
    }

    /// Confirms what is decided. Kept until it is answered, and never more than one reap brings.
    async fn send_unsent(&self, place: usize) -> Result<(), EngineError> {
        let finishes = self.posts[place].borrow().unsent.clone();
        if finishes.is_empty() {
            return Ok(());
        }
        let answers = self.engine.finish(finishes).await?;
        if answers.contains(&Finished::Damaged) {
            let text = "the ends of jobs that were taken over were not taken";
            return Err(EngineError::new(EngineErrorKind::Damaged, text));
        }
        self.shared.tally.recovered(answers.len());
        self.posts[place].borrow_mut().unsent.clear();
        Ok(())
    }

    /// Promotes what no claim has promoted, and removes what retention says.
    async fn tidy(&self, place: usize) -> Result<(), EngineError> {
        let queue = self.posts[place].borrow().queue.clone();
        for _ in 0..ROUNDS_MAX {
            if !self.engine.promote(&queue, BATCH_MAX).await?.more {
                break;
            }
        }
        for _ in 0..ROUNDS_MAX {
            if !self.engine.prune(&queue, self.shared.config.prune).await?.more {
                break;
            }
        }
        Ok(())
    }

    /// Leaves all queues.
    pub(crate) async fn leave(&self) {
        for post in &self.posts {
            let (queue, worker) = {
                let mut post = post.borrow_mut();
                (post.queue.clone(), post.worker.take())
            };
            let Some(worker) = worker else { continue };
            if let Err(error) = self.engine.leave(&queue, worker).await {
                let error = mq_core::chain_text(&error);
                tracing::debug!(target: TARGET_WORKER, %queue, error, "could not leave a queue");
            }
        }
    }
}
