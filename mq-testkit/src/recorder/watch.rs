//! An engine that writes down what is asked of another one, and what that says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_core::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Claimed, Durability,
    Engine, EngineError, EngineErrorKind, EnqueueReply, Finish, Finished, ListRequest, NewJob,
    Pace, Page, Progress, PruneLimits, QueueReply, QueueStats, ReapReply, ReapRequest, Schedule,
    Stored, WaitReply, WorkerStats,
};
use mq_core::lifecycle::Transition;
use mq_core::{History, JobId, QueueName, WorkerId};

use super::{Answer, Destination, Did, Event, Recorder};

/// Puts a recorder in front of an engine.
pub(super) fn watched(recorder: Recorder, inner: Arc<dyn Engine>) -> Arc<dyn Engine> {
    Arc::new(Watched { recorder, inner })
}

#[derive(Debug)]
struct Watched {
    recorder: Recorder,
    inner: Arc<dyn Engine>,
}

fn sent(job: &NewJob) -> Event {
    let (due_ms, delay_ms) = match job.schedule {
        Schedule::At(at_ms) => (Some(at_ms), None),
        Schedule::After(delay) => (None, Some(delay.as_millis().try_into().unwrap_or(u64::MAX))),
        _ => (None, None),
    };
    let (id, queue, key) = (job.id, job.queue.clone(), job.idempotency_key.clone());
    Event::Sent { id, queue, priority: job.priority, due_ms, delay_ms, key }
}

fn claimed(job: &Claimed, now_ms: u64, reaped: bool) -> Event {
    let past = job.history.as_deref().map(History::decode).unwrap_or_default();
    Event::Claimed {
        id: job.id,
        claim: job.claim.to_string(),
        queue: job.claim.queue.clone(),
        attempts: past.lifetime_attempts(),
        interruptions: past.interruptions.len().try_into().unwrap_or(u32::MAX),
        now_ms,
        reaped,
    }
}

fn finishing(finish: &Finish) -> Event {
    let (to, due_ms) = match finish.transition {
        Transition::Retry { at_ms } | Transition::Schedule { at_ms } => {
            (Destination::Again, Some(at_ms))
        }
        Transition::Release => (Destination::HandedBack, None),
        Transition::Bury => (Destination::Dead, None),
        Transition::Cancel { .. } => (Destination::Cancelled, None),
        // Done and retained. What the core may gain must be added above.
        _ => (Destination::Done, None),
    };
    let claim = finish.claim.to_string();
    Event::Finishing { id: finish.id, claim, to, failed: finish.failed, due_ms }
}

/// Which jobs a request finishes, kept until its answer is there.
struct Finishes(Vec<(JobId, String)>);

impl Finishes {
    fn of(finishes: &[Finish]) -> Self {
        Self(finishes.iter().map(|finish| (finish.id, finish.claim.to_string())).collect())
    }

    fn answered(self, answers: Option<&[Finished]>) -> impl Iterator<Item = Event> + '_ {
        self.0.into_iter().enumerate().map(move |(at, (id, claim))| {
            let answer = match answers.and_then(|answers| answers.get(at)) {
                Some(Finished::Applied) => Answer::Applied,
                Some(Finished::Fenced) => Answer::Fenced,
                None | Some(Finished::Damaged) => Answer::InDoubt,
                Some(_) => Answer::Already,
            };
            Event::Finished { id, claim, answer }
        })
    }
}

impl Watched {
    /// Carries out an operator's order, whose future does nothing before it is awaited.
    async fn order(
        &self,
        verb: &str,
        ids: &[JobId],
        answer: impl Future<Output = Result<Vec<Act>, EngineError>>,
    ) -> Result<Vec<Act>, EngineError> {
        let verb = || verb.to_owned();
        self.recorder.note(ids.iter().map(|id| Event::Operating { id: *id, verb: verb() }));
        let acts = answer.await;
        let did = |at: usize| match acts.as_ref().ok().and_then(|acts| acts.get(at)) {
            Some(Act::Applied) => Did::Applied,
            Some(Act::Requested) => Did::Requested,
            Some(_) => Did::Nothing,
            None => Did::InDoubt,
        };
        let ended = ids.iter().enumerate();
        let operated =
            |(at, id): (usize, &JobId)| Event::Operated { id: *id, verb: verb(), did: did(at) };
        self.recorder.note(ended.map(operated));
        acts
    }
}

#[async_trait]
impl Engine for Watched {
    async fn enqueue(
        &self,
        jobs: Vec<NewJob>,
        deadline: Duration,
    ) -> Result<Vec<EnqueueReply>, EngineError> {
        self.recorder.note(jobs.iter().map(sent));
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let replies = self.inner.enqueue(jobs, deadline).await;
        let level = self.inner.durability();
        match &replies {
            Ok(replies) => self.recorder.note(ids.iter().zip(replies).map(|(id, reply)| {
                let instead = (reply.id != *id).then_some(reply.id);
                Event::Acked { id: *id, level, instead }
            })),
            Err(error) if error.kind() == EngineErrorKind::Unknown => {
                self.recorder.note(ids.iter().map(|id| Event::InDoubt { id: *id }));
            }
            Err(error) => {
                let why = format!("{:?}", error.kind());
                let refused = |id: &JobId| Event::Refused { id: *id, why: why.clone() };
                self.recorder.note(ids.iter().map(refused));
            }
        }
        replies
    }

    async fn join(
        &self,
        queue: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) -> Result<(), EngineError> {
        let lease_ms = lease.as_millis().try_into().unwrap_or(u64::MAX);
        self.recorder.note([Event::Joining { worker, queue: queue.clone(), lease_ms }]);
        let joined = self.inner.join(queue, worker, lease, about).await;
        if joined.is_ok() {
            self.recorder.note([Event::Joined { worker, queue: queue.clone() }]);
        }
        joined
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        self.recorder.note(request.finishes.iter().map(finishing));
        let finishes = Finishes::of(&request.finishes);
        let asked: Vec<_> = request.queues.iter().map(|asked| asked.claim.clone()).collect();
        let reply = self.inner.claim(request).await;
        let told = reply.as_ref().ok();
        let answers = finishes.answered(told.map(|reply| reply.finished.as_slice()));
        let given = told
            .into_iter()
            .flat_map(|reply| reply.jobs.iter().map(|job| claimed(job, reply.now_ms, false)));
        let lost = told.into_iter().flat_map(|reply| asked.iter().zip(&reply.queues));
        let lost = lost
            .filter(|(_, said)| **said == QueueReply::Lost)
            .map(|(asked, _)| Event::Lost { worker: asked.worker, queue: asked.queue.clone() });
        self.recorder.note(answers.chain(given).chain(lost));
        reply
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        self.recorder.note(finishes.iter().map(finishing));
        let asked = Finishes::of(&finishes);
        let answers = self.inner.finish(finishes).await;
        self.recorder.note(asked.answered(answers.as_deref().ok()));
        answers
    }

    async fn extend(&self, beats: Vec<Beat>) -> Result<Vec<BeatReply>, EngineError> {
        let asked: Vec<_> = beats.iter().map(|beat| (beat.worker, beat.queue.clone())).collect();
        let extending = |(worker, queue): &(WorkerId, QueueName)| Event::Extending {
            worker: *worker,
            queue: queue.clone(),
        };
        self.recorder.note(asked.iter().map(extending));
        let replies = self.inner.extend(beats).await;
        let told = asked.into_iter().zip(replies.iter().flatten());
        self.recorder.note(told.filter_map(|((worker, queue), reply)| match reply {
            BeatReply::Extended { .. } => Some(Event::Extended { worker, queue }),
            BeatReply::Lost => Some(Event::Lost { worker, queue }),
            _ => None,
        }));
        replies
    }

    async fn leave(&self, queue: &QueueName, worker: WorkerId) -> Result<(), EngineError> {
        self.recorder.note([Event::Leaving { worker, queue: queue.clone() }]);
        self.inner.leave(queue, worker).await
    }

    async fn reap(&self, request: ReapRequest) -> Result<ReapReply, EngineError> {
        let (claim, queue) = (request.claim.to_string(), request.claim.queue.clone());
        let reply = self.inner.reap(request).await;
        if let Ok(reply) = &reply {
            let workers = reply.workers.clone();
            let gone = (!workers.is_empty()).then_some(Event::Reaped { claim, queue, workers });
            let taken = reply.jobs.iter().map(|job| claimed(job, reply.now_ms, true));
            self.recorder.note(gone.into_iter().chain(taken));
        }
        reply
    }

    async fn retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        pace: Option<Pace>,
    ) -> Result<Vec<Act>, EngineError> {
        self.order("retry", ids, self.inner.retry(queue, ids, pace)).await
    }

    async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.order("run_now", ids, self.inner.run_now(queue, ids)).await
    }

    async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.order("delete", ids, self.inner.delete(queue, ids)).await
    }

    async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.order("cancel", ids, self.inner.cancel(queue, ids)).await
    }

    async fn discard(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.order("discard", ids, self.inner.discard(queue, ids)).await
    }

    async fn transfer(
        &self,
        from: &QueueName,
        to: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Act>, EngineError> {
        self.order("transfer", ids, self.inner.transfer(from, to, ids)).await
    }

    async fn import(&self, jobs: Vec<Stored>) -> Result<Vec<Act>, EngineError> {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        self.order("import", &ids, self.inner.import(jobs)).await
    }

    async fn wait(
        &self,
        queues: &[QueueName],
        timeout: Duration,
    ) -> Result<WaitReply, EngineError> {
        self.inner.wait(queues, timeout).await
    }

    async fn promote(&self, queue: &QueueName, limit: usize) -> Result<Progress, EngineError> {
        self.inner.promote(queue, limit).await
    }

    async fn prune(&self, queue: &QueueName, limits: PruneLimits) -> Result<Progress, EngineError> {
        self.inner.prune(queue, limits).await
    }

    async fn queues(&self) -> Result<Vec<QueueName>, EngineError> {
        self.inner.queues().await
    }

    async fn stats(&self, queue: &QueueName) -> Result<QueueStats, EngineError> {
        self.inner.stats(queue).await
    }

    async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStats>, EngineError> {
        self.inner.workers(queue).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page, EngineError> {
        self.inner.list(request).await
    }

    async fn get(
        &self,
        queue: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Option<Stored>>, EngineError> {
        self.inner.get(queue, ids).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), EngineError> {
        self.inner.pause(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), EngineError> {
        self.inner.resume(queue).await
    }

    async fn audit(&self, queue: &QueueName, repair: bool) -> Result<AuditReport, EngineError> {
        self.inner.audit(queue, repair).await
    }

    async fn identity(&self) -> Result<String, EngineError> {
        self.inner.identity().await
    }

    fn database(&self) -> Option<String> {
        self.inner.database()
    }

    fn durability(&self) -> Durability {
        self.inner.durability()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    fn detached(&self) -> Arc<dyn Engine> {
        watched(self.recorder.clone(), self.inner.detached())
    }

    async fn ping(&self) -> Result<u64, EngineError> {
        self.inner.ping().await
    }
}
