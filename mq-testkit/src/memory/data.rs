//! The data and time planes.

use std::time::Duration;

use mq_core::engine::{
    About, BATCH_MAX, Beat, BeatReply, ClaimReply, ClaimRequest, Claimed, EnqueueReply, Finish,
    Finished, Holding, NewJob, Progress, PruneLimits, QueueReply, ReapReply, ReapRequest, Schedule,
};
use mq_core::lifecycle::{LATEST_MS, Transition};
use mq_core::{Claim, JobId, QueueName, WorkerId};

use super::state::{Job, Key, Place, Queue, Store, Worker};

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Store {
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now_ms = self.now_ms.saturating_add(ms(by));
        let now_ms = self.now_ms;
        for queue in self.queues.values_mut() {
            queue.is_awake |= queue.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        }
    }

    fn queue(&mut self, name: &QueueName) -> &mut Queue {
        self.queues.entry(name.clone()).or_default()
    }

    pub(crate) fn enqueue(&mut self, job: NewJob) -> EnqueueReply {
        let now_ms = self.now_ms;
        let queue = self.queue(&job.queue);
        if queue.jobs.contains_key(&job.id) {
            return EnqueueReply { id: job.id, duplicate: false };
        }
        if let Some(text) = &job.idempotency_key {
            let held = queue.keys.get(text).filter(|key| !queue.is_free(key, now_ms));
            if let Some(key) = held {
                // A job that has ended under this very id is no duplicate of itself.
                return EnqueueReply { id: key.id, duplicate: key.id != job.id };
            }
            queue.keys.insert(text.clone(), Key { id: job.id, free_ms: None });
        }
        let at_ms = match job.schedule {
            Schedule::After(delay) => now_ms.saturating_add(ms(delay)),
            Schedule::At(at_ms) => at_ms,
            _ => now_ms,
        };
        let place = if at_ms <= now_ms {
            Place::Ready
        } else {
            Place::Scheduled { at_ms: at_ms.min(LATEST_MS), is_retry: false }
        };
        let (record, priority, key) = (job.record, job.priority, job.idempotency_key);
        let place_now = Place::Dead { at_ms: 0 };
        let new =
            Job { record, history: None, priority, key, place: place_now, cancel_requested: false };
        queue.jobs.insert(job.id, new);
        queue.put(job.id, place, false);
        queue.count(now_ms, |counts| counts.enqueued += 1);
        EnqueueReply { id: job.id, duplicate: false }
    }

    pub(crate) fn join(
        &mut self,
        name: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) {
        let until_ms = self.now_ms + ms(lease);
        let queue = self.queue(name);
        if queue.gone.contains(&worker) {
            return;
        }
        let worker = queue.workers.entry(worker).or_default();
        if !worker.is_revoked {
            (worker.until_ms, worker.about) = (until_ms, about.clone());
        }
    }

    pub(crate) fn claim(&mut self, request: ClaimRequest) -> ClaimReply {
        let finished = self.finish(&request.finishes);
        let mut reply = ClaimReply { finished, now_ms: self.now_ms, ..ClaimReply::default() };
        let is_repeat = request.queues.iter().any(|asked| self.is_used(&asked.claim));
        for asked in request.queues {
            let left = request.limit.min(BATCH_MAX).saturating_sub(reply.jobs.len());
            let (jobs, state) = self.claim_one(&asked.claim, asked.limit.min(left), is_repeat);
            reply.jobs.extend(jobs);
            reply.queues.push(state);
        }
        reply
    }

    /// Whether the request of a claim was made before; then it takes nothing new from any queue.
    fn is_used(&mut self, claim: &Claim) -> bool {
        let worker = self.queues.get_mut(&claim.queue).and_then(|queue| queue.member(claim.worker));
        worker.is_some_and(|worker| claim.number <= worker.last)
    }

    fn claim_one(
        &mut self,
        claim: &Claim,
        limit: usize,
        is_repeat: bool,
    ) -> (Vec<Claimed>, QueueReply) {
        let now_ms = self.now_ms;
        let Some(queue) = self.queues.get_mut(&claim.queue) else {
            return (Vec::new(), QueueReply::Lost);
        };
        let Some(worker) = queue.member(claim.worker) else {
            return (Vec::new(), QueueReply::Lost);
        };
        if !is_repeat {
            worker.last = claim.number;
            if queue.paused_ms.is_none() && limit > 0 {
                queue.promote(now_ms, usize::MAX / 2);
                queue.take(claim, limit);
            }
        }
        let jobs = queue.held(claim);
        if queue.paused_ms.is_some() {
            return (jobs, QueueReply::Paused);
        }
        let next_due_ms = queue.next_due_ms();
        if queue.ready.iter().any(|list| !list.is_empty()) {
            queue.is_awake = true;
        } else if next_due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return (jobs, QueueReply::Empty { next_due_ms });
        }
        (jobs, QueueReply::More)
    }

    pub(crate) fn finish(&mut self, ends: &[Finish]) -> Vec<Finished> {
        let answers: Vec<_> = ends.iter().map(|end| self.finish_one(end)).collect();
        // Jobs that are given back together keep their order, so the last one goes first.
        for (end, answer) in ends.iter().zip(&answers).rev() {
            if (end.transition, *answer) == (Transition::Release, Finished::Applied) {
                self.queue(&end.claim.queue).put(end.id, Place::Ready, true);
            }
        }
        answers
    }

    fn finish_one(&mut self, end: &Finish) -> Finished {
        let now_ms = self.now_ms;
        let Claim { queue, worker, number } = &end.claim;
        let Some(queue) = self.queues.get_mut(queue) else { return Finished::Fenced };
        if queue.member(*worker).is_none() {
            return Finished::Fenced;
        }
        let running = Place::Running { worker: *worker, number: *number };
        let Some(job) = queue.jobs.get_mut(&end.id).filter(|job| job.place == running) else {
            return Finished::Already;
        };
        if end.history.is_some() {
            job.history.clone_from(&end.history);
        }
        queue.apply(end.id, end.transition, now_ms);
        if end.failed {
            queue.count(now_ms, |counts| counts.failed += 1);
        }
        Finished::Applied
    }

    pub(crate) fn beat(&mut self, beat: Beat) -> BeatReply {
        let now_ms = self.now_ms;
        let Some(queue) = self.queues.get_mut(&beat.queue) else { return BeatReply::Lost };
        let Some(worker) = queue.member(beat.worker) else { return BeatReply::Lost };
        worker.until_ms = now_ms + ms(beat.lease);
        if let Some(about) = beat.about {
            worker.about = about;
        }
        let claims = worker.claims.iter().filter(|(_, ids)| beat.names_claims && !ids.is_empty());
        let claims = claims.map(|(number, ids)| Holding { number: *number, jobs: ids.len() });
        let claims = claims.collect();
        let asked = queue.jobs.iter().filter(|(_, job)| job.cancel_requested);
        BeatReply::Extended { cancels: asked.map(|(id, _)| *id).collect(), claims, now_ms }
    }

    pub(crate) fn leave(&mut self, name: &QueueName, worker: WorkerId) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        if let Some(worker) = queue.workers.get_mut(&worker) {
            (worker.is_revoked, worker.until_ms) = (true, 0);
        }
        queue.bury_workers();
    }

    pub(crate) fn take_wake(&mut self, names: &[QueueName]) -> Option<QueueName> {
        let queues = &mut self.queues;
        names
            .iter()
            .find(|name| {
                let queue = queues.get_mut(*name);
                queue.is_some_and(|queue| std::mem::take(&mut queue.is_awake))
            })
            .cloned()
    }

    pub(crate) fn promote(&mut self, name: &QueueName, limit: usize) -> (usize, bool) {
        let now_ms = self.now_ms;
        self.queues.get_mut(name).map_or((0, false), |queue| queue.promote(now_ms, limit))
    }

    pub(crate) fn reap(&mut self, request: &ReapRequest) -> ReapReply {
        let now_ms = self.now_ms;
        let lost = ReapReply { lost: true, now_ms, ..ReapReply::default() };
        let Some(queue) = self.queues.get_mut(&request.claim.queue) else { return lost };
        let Some(reaper) = queue.member(request.claim.worker) else { return lost };
        let is_new = request.claim.number > reaper.last;
        reaper.last = reaper.last.max(request.claim.number);
        queue.is_awake |=
            queue.paused_ms.is_none() && queue.ready.iter().any(|list| !list.is_empty());
        let mut reply = ReapReply { now_ms, ..ReapReply::default() };
        if is_new {
            reply.workers = queue.revoke(now_ms, request);
            queue.take_over(&request.claim, request.limit);
        }
        reply.more = queue.workers.values().any(|worker| worker.is_revoked);
        reply.jobs = queue.held(&request.claim);
        reply
    }

    pub(crate) fn prune(&mut self, name: &QueueName, limits: PruneLimits) -> Progress {
        let now_ms = self.now_ms;
        let Some(queue) = self.queues.get_mut(name) else { return Progress::default() };
        let (mut over, mut dead) = (Vec::new(), Vec::new());
        for (id, job) in &queue.jobs {
            match job.place {
                Place::Done { until_ms } | Place::Cancelled { until_ms } if until_ms <= now_ms => {
                    over.push((job.place.state(), until_ms, *id));
                }
                Place::Dead { at_ms } => dead.push((at_ms, *id)),
                _ => {}
            }
        }
        over.sort();
        let over: Vec<_> = over.into_iter().map(|(_, _, id)| id).collect();
        dead.sort();
        let too_many = dead.len().saturating_sub(limits.dead_count);
        let old = |at_ms: u64| now_ms - at_ms > limits.dead_age_ms;
        let dead = dead.iter().enumerate().filter(|(at, (at_ms, _))| *at < too_many || old(*at_ms));
        let dead: Vec<_> = dead.map(|(_, (_, id))| *id).collect();
        let keys = queue.keys.iter().filter(|(_, key)| queue.is_free(key, now_ms));
        let keys: Vec<_> = keys.map(|(text, _)| text.clone()).collect();
        let batch = limits.batch.clamp(1, BATCH_MAX);
        let mut progress = Progress::default();
        for ids in [over, dead] {
            progress.more |= ids.len() > batch;
            for id in ids.iter().take(batch) {
                queue.remove(*id, now_ms);
                progress.done += 1;
            }
        }
        progress.more |= keys.len() > batch;
        for key in keys.iter().take(batch) {
            queue.keys.remove(key);
            progress.done += 1;
        }
        progress
    }
}

impl Queue {
    fn take(&mut self, claim: &Claim, limit: usize) {
        let ready = self.ready.iter().flatten().take(limit).copied();
        let ids: Vec<JobId> = ready.collect();
        self.hold(claim, &ids);
    }

    fn hold(&mut self, claim: &Claim, ids: &[JobId]) {
        let running = Place::Running { worker: claim.worker, number: claim.number };
        for id in ids {
            self.put(*id, running, false);
        }
        if let Some(worker) = self.workers.get_mut(&claim.worker) {
            worker.last = claim.number;
            worker.claims.entry(claim.number).or_default().extend(ids);
        }
    }

    fn held(&self, claim: &Claim) -> Vec<Claimed> {
        let worker = self.workers.get(&claim.worker);
        let ids = worker.and_then(|worker| worker.claims.get(&claim.number));
        let job = |id: &JobId| {
            let job = self.jobs.get(id)?;
            let (record, history) = (job.record.clone(), job.history.clone());
            Some(Claimed { id: *id, claim: claim.clone(), record, history })
        };
        ids.into_iter().flatten().filter_map(job).collect()
    }

    fn apply(&mut self, id: JobId, transition: Transition, now_ms: u64) {
        let place = match transition {
            Transition::Done => {
                self.remove(id, now_ms);
                return self.count(now_ms, |counts| counts.done += 1);
            }
            Transition::Cancel { until_ms: None } => return drop(self.remove(id, now_ms)),
            Transition::Cancel { until_ms: Some(until_ms) } => {
                self.end_key(id, now_ms);
                Place::Cancelled { until_ms }
            }
            Transition::Retain { until_ms } => {
                self.end_key(id, now_ms);
                self.count(now_ms, |counts| counts.done += 1);
                Place::Done { until_ms }
            }
            Transition::Retry { at_ms } => Place::Scheduled { at_ms, is_retry: true },
            Transition::Schedule { at_ms } => Place::Scheduled { at_ms, is_retry: false },
            Transition::Bury => {
                self.count(now_ms, |counts| counts.dead += 1);
                Place::Dead { at_ms: now_ms }
            }
            _ => Place::Ready,
        };
        self.put(id, place, true);
    }

    /// Which workers are found gone now.
    fn revoke(&mut self, now_ms: u64, request: &ReapRequest) -> Vec<WorkerId> {
        let lease_ms = ms(request.lease);
        let gap_ms = self.swept_ms.map_or(0, |swept_ms| now_ms - swept_ms);
        self.swept_ms = Some(now_ms);
        if gap_ms > lease_ms / 2 {
            self.grace_ms = now_ms + lease_ms / 2;
        }
        if now_ms < self.grace_ms {
            return Vec::new();
        }
        let mut gone = Vec::new();
        for (id, worker) in &mut self.workers {
            let is_other = *id != request.claim.worker;
            if is_other && !worker.is_revoked && worker.until_ms <= now_ms {
                (worker.is_revoked, worker.until_ms) = (true, 0);
                gone.push(*id);
            }
        }
        gone
    }

    fn take_over(&mut self, claim: &Claim, limit: usize) {
        let revoked = self.workers.values().filter(|worker| worker.is_revoked);
        let all: Vec<_> = revoked.flat_map(|worker| worker.claims.values()).flatten().collect();
        let ids: Vec<JobId> = all.iter().take(limit).map(|id| **id).collect();
        self.hold(claim, &ids);
        self.totals.interrupted += ids.len() as u64;
        self.bury_workers();
    }

    fn bury_workers(&mut self) {
        let gone = &mut self.gone;
        self.workers.retain(|id, worker: &mut Worker| {
            let is_left = !worker.is_revoked || worker.claims.values().any(|ids| !ids.is_empty());
            gone.extend((!is_left).then_some(*id));
            is_left
        });
        let too_many = gone.len().saturating_sub(BATCH_MAX);
        gone.drain(..too_many);
    }
}
