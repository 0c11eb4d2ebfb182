//! The claim/finish loop, the heart of a worker.
//!
//! One request at a time carries the ends of all jobs that have finished meanwhile and asks for as
//! many jobs as there are free slots. A request that was not answered is sent again, the same
//! finishes under the same claim numbers, until it is: no outcome is ever dropped, and no job that
//! a lost reply spoke of is forgotten.

mod asking;
mod due;
mod idle;
pub(crate) mod reconcile;
mod stopping;
mod withheld;

use std::sync::Arc;

use mq_core::engine::{
    BATCH_MAX, ClaimReply, ClaimRequest, Claimed, Engine, EngineError, Finish, Finished, QueueReply,
};
use mq_core::failpoint::point;
use mq_core::mutant;
use mq_core::rng::Rng;
use mq_core::telemetry::TARGET_WORKER;

use self::asking::{Appetite, Line};
use self::idle::Waiting;
use self::reconcile::Suspects;
use self::withheld::Withheld;
use crate::backlog;
use crate::error::RunError;
use crate::execute::{self, Prepared};
use crate::outcomes::Settled;
use crate::report::Class;
use crate::retrying::Retrying;
use crate::running::{Held, Key};
use crate::shared::Shared;
use crate::shutdown::Phase;
use crate::slots::Slots;
use crate::task::Body;

/// The loop and what only it knows.
pub(crate) struct Puller {
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    slots: Slots,
    lines: Vec<Line>,
    /// Finished jobs that have not been sent yet.
    settled: Vec<Settled>,
    withheld: Withheld,
    /// A request without an answer so far.
    unanswered: Option<Sent>,
    /// Blocks on the store for a wake-up; lives on while outcomes come and go.
    waiting: Option<Waiting>,
    /// Per queue.
    suspects: Vec<Suspects>,
    retrying: Retrying,
    /// Whether this worker was ever accepted by the store.
    joined_before: bool,
    rng: Rng,
    // Kept for their capacity.
    spare: Vec<Settled>,
    order: Vec<usize>,
}

/// A request as it was sent, and what its reply will be counted by.
struct Sent {
    request: ClaimRequest,
    /// Per finish.
    classes: Vec<Class>,
    /// Per queue of the request: its place.
    queues: Vec<usize>,
}

impl Puller {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            engine: Arc::clone(shared.client.engine()),
            slots: Slots::new(&shared.config),
            lines: shared.members.queues().cloned().map(Line::new).collect(),
            settled: Vec::new(),
            withheld: Withheld::default(),
            unanswered: None,
            waiting: None,
            suspects: shared.members.queues().map(|_| Suspects::default()).collect(),
            retrying: Retrying::new("claim"),
            joined_before: false,
            rng: Rng::random(),
            spare: Vec::new(),
            order: Vec::new(),
            shared,
        }
    }

    /// Runs from the start of the worker to its stop; returns how many ends of jobs the store could
    /// not be told.
    pub(crate) async fn run(mut self) -> Result<usize, RunError> {
        self.serve().await?;
        self.drain().await;
        Ok(self.hand_back().await)
    }

    /// Serving and quiet.
    async fn serve(&mut self) -> Result<(), RunError> {
        while matches!(self.shared.stop.phase(), Phase::Serving | Phase::Quiet) {
            // Jobs that are about to end shall be told together with those that have ended.
            tokio::task::yield_now().await;
            self.collect();
            if let Some(sent) = self.unanswered.take() {
                self.send(sent).await;
            } else if !self.join_lost().await? {
                // The store was not reached; the outcomes of meanwhile come first.
            } else {
                self.reconcile().await;
                match self.compose() {
                    Some(sent) => self.send(sent).await,
                    None => self.idle().await,
                }
            }
        }
        Ok(())
    }

    /// Takes finished jobs off the pile and frees their slots.
    fn collect(&mut self) {
        self.shared.outcomes.take(&mut self.spare);
        for settled in &mut self.spare {
            if let Some(queue) = settled.slot.take() {
                self.slots.give(queue);
            }
        }
        self.settled.append(&mut self.spare);
    }

    /// The next request, if there is anything to send or to ask for.
    fn compose(&mut self) -> Option<Sent> {
        let asked =
            if self.shared.stop.phase() == Phase::Serving { self.ask() } else { Vec::new() };
        self.settled.append(&mut self.withheld.take_due());
        if asked.is_empty() && self.settled.is_empty() {
            return None;
        }
        let count = self.settled.len().min(BATCH_MAX);
        let (finishes, classes) =
            self.settled.drain(..count).map(|settled| (settled.finish, settled.class)).unzip();
        let (queues, claims) = asked.into_iter().unzip();
        let limit = self.slots.free().min(BATCH_MAX);
        let request = ClaimRequest { finishes, limit, queues: claims };
        Some(Sent { request, classes, queues })
    }

    /// Sends a request and takes its reply in; keeps the request if there is none.
    async fn send(&mut self, sent: Sent) {
        let (asks, tells) = (!sent.queues.is_empty(), !sent.request.finishes.is_empty());
        fail_at(asks, "claim.asking");
        fail_at(tells, "finish.asking");
        match transmit(&*self.engine, &sent.request).await {
            Ok(reply) => {
                fail_at(!reply.jobs.is_empty(), "claim.answered");
                fail_at(tells, "finish.answered");
                self.retrying.succeeded();
                self.take_in(&sent, reply);
            }
            Err(error) => {
                self.unanswered = Some(sent);
                self.pause(&error).await;
            }
        }
    }

    fn take_in(&mut self, sent: &Sent, reply: ClaimReply) {
        if reply.now_ms > 0 {
            self.shared.clock.learn(reply.now_ms);
        }
        self.tally(sent, &reply.finished);
        self.withhold(sent, &reply.finished);
        let asked = sent.queues.iter().zip(&sent.request.queues);
        for ((&queue, asked), answer) in asked.zip(&reply.queues) {
            if let QueueReply::Damaged(error) = answer {
                // Under the same number the next time: jobs may have been taken.
                self.leave_alone(queue, "claim", error);
                continue;
            }
            let line = &mut self.lines[queue];
            line.next_number += 1;
            match answer {
                QueueReply::More => line.appetite = Appetite::Hungry,
                QueueReply::Empty { next_due_ms } => {
                    line.appetite = Appetite::dry(*next_due_ms, reply.now_ms);
                }
                QueueReply::Lost => self.shared.lose(queue, asked.claim.worker),
                // An answer that this version does not know cannot mean that there is work.
                _ => line.appetite = Appetite::paused(),
            }
        }
        self.dispatch(reply.jobs);
    }

    fn tally(&mut self, sent: &Sent, finished: &[Finished]) {
        let tally = &self.shared.tally;
        for (at, answer) in finished.iter().enumerate() {
            match answer {
                // The engine repeats requests by itself, so "already" mostly means: by us.
                Finished::Applied | Finished::Already => tally.count(sent.classes[at]),
                Finished::Damaged => {
                    let queue = &sent.request.finishes[at].claim.queue;
                    self.shared.damage.tell(queue, "finish", "the end of a job was not taken");
                }
                _ => {
                    tally.fenced();
                    let finish = &sent.request.finishes[at];
                    if mutant::is(8) {
                        let place = self.shared.members.place(&finish.claim.queue);
                        place.into_iter().for_each(|place| self.slots.forge(place));
                    }
                    tracing::warn!(
                        target: TARGET_WORKER, id = %finish.id, queue = %finish.claim.queue,
                        "a job ended after its lease was lost, its outcome does not count here"
                    );
                }
            }
        }
        if finished.len() != sent.classes.len() {
            tracing::error!(
                target: TARGET_WORKER, sent = sent.classes.len(), answered = finished.len(),
                "the engine did not answer every finish; please report this"
            );
        }
    }

    /// Keeps the ends that a damaged queue did not take.
    fn withhold(&mut self, sent: &Sent, finished: &[Finished]) {
        let ends = sent.request.finishes.iter().zip(&sent.classes).zip(finished);
        for ((finish, &class), _) in ends.filter(|(_, answer)| **answer == Finished::Damaged) {
            self.withheld.add(Settled { finish: finish.clone(), class, slot: None });
        }
    }

    /// Starts claimed jobs; after the order to stop, gives them back instead. Those of a worker
    /// that is known to be lost by now are not its any more: who takes them over starts them.
    fn dispatch(&mut self, jobs: Vec<Claimed>) {
        if jobs.is_empty() {
            return;
        }
        let serving = self.shared.stop.phase() == Phase::Serving;
        let mut held: Vec<Held> = Vec::with_capacity(jobs.len());
        let mut bodies: Vec<Body> = Vec::with_capacity(jobs.len());
        for claimed in jobs {
            let Some(queue) = self.shared.members.place(&claimed.claim.queue) else { continue };
            if self.shared.members.worker(queue) != Some(claimed.claim.worker) {
                continue;
            }
            match execute::prepare(&self.shared, claimed, queue) {
                Prepared::Run(run) if serving => {
                    self.slots.take(queue);
                    held.push(run.held);
                    bodies.push(run.body);
                }
                Prepared::Run(run) => {
                    self.settled.push(execute::hand_back(&self.shared, run.held));
                }
                Prepared::Settled(settled) => self.settled.push(settled),
            }
        }
        let mut keys: Vec<Key> = Vec::with_capacity(held.len());
        self.shared.running.enter(held.into_iter(), &mut keys);
        backlog::start(&self.shared, keys.into_iter().zip(bodies));
    }

    /// Waits after a request that failed; a change of phase ends the wait.
    async fn pause(&mut self, error: &EngineError) {
        let delay = self.retrying.failed(error);
        let phase = self.shared.stop.phase();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.shared.stop.left(phase) => {}
        }
    }
}

fn fail_at(concerned: bool, name: &'static str) {
    if concerned {
        point(name);
    }
}

/// Sends a request by the method that fits it.
async fn transmit(engine: &dyn Engine, request: &ClaimRequest) -> Result<ClaimReply, EngineError> {
    if request.queues.is_empty() {
        let finishes: Vec<Finish> = request.finishes.clone();
        let finished = engine.finish(finishes).await?;
        return Ok(ClaimReply { finished, ..ClaimReply::default() });
    }
    engine.claim(request.clone()).await
}
