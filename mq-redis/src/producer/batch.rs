//! One numbered request: jobs of several callers, grouped by queue.

use std::collections::HashMap;

use mq_core::engine::{EngineError, EngineErrorKind, EnqueueReply, NewJob, Schedule};
use mq_core::{JobId, Priority, QueueName};
use redis::{Cmd, Pipeline, Value};

use super::{Answer, Ticket};
use crate::keys::Keys;
use crate::link::{Fault, refusal};
use crate::script;
use crate::time::Now;

/// How long the store remembers the number of a producer's last request. A request is resolved or
/// given up long before.
const NUMBER_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// How a request goes to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One transaction of variadic commands per queue: a quarter of the script's cost, and only
    /// for jobs that are surely new.
    Plain,
    /// `enqueue.lua`, which looks before it writes.
    Script,
}

/// Jobs that go to the store as one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    callers: Vec<Caller>,
    groups: Vec<Group>,
    /// What a transaction has left of jobs that it did not store.
    leavings: Vec<Leavings>,
}

/// Jobs of one queue and level of which a damaged store has taken one half: the records, or the
/// places.
#[derive(Debug)]
struct Leavings {
    queue: QueueName,
    level: u8,
    ids: Vec<JobId>,
    half: Half,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Records,
    Places,
}

#[derive(Debug)]
struct Caller {
    ticket: Ticket,
    jobs: Vec<NewJob>,
    replies: Vec<Option<EnqueueReply>>,
    error: Option<EngineError>,
    /// Told that nobody knows; see [`Batch::live`].
    is_gone: bool,
}

/// The jobs of one queue.
#[derive(Debug)]
struct Group {
    queue: QueueName,
    /// Caller and job.
    members: Vec<(usize, usize)>,
    /// How many replies belong to it.
    commands: usize,
    is_settled: bool,
}

/// What the replies left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// The server has forgotten the script.
    Scripts,
    /// Some groups were refused for a passing reason, or for one that does not say what became of
    /// an earlier copy.
    Later,
}

impl Batch {
    pub(super) fn new(number: u64, calls: Vec<(Ticket, Vec<NewJob>)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<QueueName, usize> = HashMap::new();
        for (caller, (_, jobs)) in calls.iter().enumerate() {
            for (job, new) in jobs.iter().enumerate() {
                // Mostly all of them are for one queue.
                if let Some(last) = groups.last_mut().filter(|last| last.queue == new.queue) {
                    last.members.push((caller, job));
                    continue;
                }
                let place = *places.entry(new.queue.clone()).or_insert_with(|| {
                    let queue = new.queue.clone();
                    groups.push(Group {
                        queue,
                        members: Vec::new(),
                        commands: 0,
                        is_settled: false,
                    });
                    groups.len() - 1
                });
                groups[place].members.push((caller, job));
            }
        }
        let callers = calls
            .into_iter()
            .map(|(ticket, jobs)| {
                let replies = vec![None; jobs.len()];
                Caller { ticket, jobs, replies, error: None, is_gone: false }
            })
            .collect();
        Self { number, callers, groups, leavings: Vec::new() }
    }

    /// Forgets under which ids and number the jobs were sent: a planted mistake.
    pub(super) fn mint_anew(&mut self, number: u64) {
        self.number = number;
        let jobs = self.callers.iter_mut().flat_map(|caller| &mut caller.jobs);
        jobs.for_each(|job| job.id = JobId::new());
    }

    /// How many callers share it.
    pub(super) fn callers(&self) -> usize {
        self.callers.len()
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.groups.iter().map(|group| &group.queue)
    }

    /// The commands for all groups that are not settled.
    pub(super) fn write(
        &mut self,
        mode: Mode,
        pipeline: &mut Pipeline,
        keys: &Keys,
        producer: &str,
        now: &Now,
    ) {
        for at in 0..self.groups.len() {
            let group = &self.groups[at];
            if group.is_settled {
                continue;
            }
            let before = pipeline.len();
            match mode {
                Mode::Plain => self.write_plain(pipeline, group, keys, producer, now),
                Mode::Script => {
                    pipeline.add_command(self.script_call(group, keys, producer, now));
                }
            }
            self.groups[at].commands = pipeline.len() - before;
        }
    }

    fn write_plain(
        &self,
        pipeline: &mut Pipeline,
        group: &Group,
        keys: &Keys,
        producer: &str,
        now: &Now,
    ) {
        let queue = keys.queue(&group.queue);
        let jobs = || group.members.iter().map(|at| &self.callers[at.0].jobs[at.1]);
        let count = group.members.len();
        let bytes: usize = jobs().map(|job| job.record.len() + JobId::TEXT_LEN).sum();
        let mut records = command("HSET", &queue.jobs(), 2 * count, bytes);
        let ids: Vec<_> = jobs().map(|job| job.id.to_text()).collect();
        for (id, job) in ids.iter().zip(jobs()) {
            records.arg(&id[..]).arg(&job.record);
        }
        pipeline.cmd("MULTI").add_command(records);
        for priority in Priority::ALL {
            let of_level = ids.iter().zip(jobs()).filter(|(_, job)| job.priority == priority);
            let (level, len) = (priority.level(), of_level.clone().count());
            if len == 0 {
                continue;
            }
            if priority != Priority::Normal {
                let mut levels =
                    command("HSET", &queue.levels(), 2 * len, len * (JobId::TEXT_LEN + 1));
                for (id, _) in of_level.clone() {
                    levels.arg(&id[..]).arg(level);
                }
                pipeline.add_command(levels);
            }
            let mut push = command("RPUSH", &queue.ready(level), len, len * JobId::TEXT_LEN);
            for (id, _) in of_level {
                push.arg(&id[..]);
            }
            pipeline.add_command(push);
        }
        let minute = format!("{}:e", now.guess_ms / 60_000);
        let mut wake = command("ZADD", &queue.wake(), 2, 2);
        wake.arg(0).arg("0");
        let mut stats = command("HINCRBY", &queue.stats(), 2, 12);
        stats.arg("enqueued").arg(count);
        let mut rates = command("HINCRBY", &queue.rates(), 2, minute.len() + 4);
        rates.arg(minute).arg(count);
        let mut number = command("SET", &queue.producer(producer), 3, 40);
        number.arg(self.number).arg("PX").arg(NUMBER_KEPT_MS);
        pipeline.add_command(wake).add_command(stats).add_command(rates).add_command(number);
        pipeline.cmd("EXEC");
    }

    fn script_call(&self, group: &Group, keys: &Keys, producer: &str, now: &Now) -> Cmd {
        let queue = keys.queue(&group.queue);
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(script::ENQUEUE.sha()).arg(12);
        cmd.arg(queue.jobs()).arg(queue.ready(0)).arg(queue.ready(1)).arg(queue.ready(2));
        cmd.arg(queue.scheduled()).arg(queue.levels());
        cmd.arg(queue.keys()).arg(queue.keys_expiry());
        cmd.arg(queue.wake()).arg(queue.stats()).arg(queue.rates());
        cmd.arg(queue.producer(producer));
        cmd.arg(&now.arg).arg(self.number).arg(self.live(group).count());
        for (caller, job) in self.live(group) {
            let job = &self.callers[caller].jobs[job];
            let (when, ms) = match job.schedule {
                Schedule::After(delay) => ("after", delay.as_millis() as u64),
                Schedule::At(ms) => ("at", ms),
                _ => ("now", 0),
            };
            cmd.arg(&job.id.to_text()[..]).arg(job.priority.level()).arg(when).arg(ms);
            cmd.arg(job.idempotency_key.as_deref().unwrap_or("")).arg(&job.record);
        }
        cmd
    }

    /// The members whose callers have not gone: a job that is found missing after its caller was
    /// told that nobody knows must not turn up later.
    fn live(&self, group: &Group) -> impl Iterator<Item = (usize, usize)> {
        let wanted = |at: &&(usize, usize)| !self.callers[at.0].is_gone;
        group.members.iter().filter(wanted).copied()
    }

    /// Notes which callers have gone; call it before a request is sent again.
    pub(super) fn forget_abandoned(&mut self) {
        for caller in &mut self.callers {
            caller.is_gone = caller.ticket.call.is_abandoned();
        }
    }

    /// Takes the replies to what [`write`](Self::write) wrote. `is_last_copy` says that no earlier
    /// copy of the request can be applied any more, so that a refusal is the final word.
    pub(super) fn settle(&mut self, mode: Mode, values: &[Value], is_last_copy: bool) -> Rest {
        let mut rest = Rest::Nothing;
        let mut values = values;
        for at in 0..self.groups.len() {
            if self.groups[at].is_settled {
                continue;
            }
            let len = self.groups[at].commands.min(values.len());
            let (own, others) = values.split_at(len);
            values = others;
            let open = match mode {
                Mode::Plain => self.settle_plain(at, own),
                Mode::Script => self.settle_script(at, own, is_last_copy),
            };
            self.groups[at].is_settled = open == Rest::Nothing;
            if open != Rest::Nothing && rest != Rest::Scripts {
                rest = open;
            }
        }
        rest
    }

    fn settle_plain(&mut self, at: usize, values: &[Value]) -> Rest {
        match plain_outcome(values) {
            Outcome::Partly(error, results) => {
                self.settle_partly(at, &error, results);
                Rest::Nothing
            }
            Outcome::Applied => {
                self.fill(at, |job| EnqueueReply { id: job.id, duplicate: false });
                Rest::Nothing
            }
            Outcome::Later => Rest::Later,
            Outcome::Refused(error) => {
                self.refuse(at, &error);
                Rest::Nothing
            }
        }
    }

    /// A transaction goes on after an error. What counts is whether a job has got both, a record
    /// and a place; without a counter or a marker it is stored all the same.
    fn settle_partly(&mut self, at: usize, error: &EngineError, results: &[Value]) {
        let mut results = results.iter().map(|value| !matches!(value, Value::ServerError(_)));
        let mut next = || results.next().unwrap_or(false);
        let has_records = next();
        for priority in Priority::ALL {
            let job = |at: &(usize, usize)| &self.callers[at.0].jobs[at.1];
            let members = self.groups[at].members.iter().copied();
            let members: Vec<_> = members.filter(|at| job(at).priority == priority).collect();
            if members.is_empty() {
                continue;
            }
            if priority != Priority::Normal {
                next();
            }
            let has_places = next();
            if has_records != has_places {
                self.leavings.push(Leavings {
                    queue: self.groups[at].queue.clone(),
                    level: priority.level(),
                    ids: members.iter().map(|at| job(at).id).collect(),
                    half: if has_records { Half::Records } else { Half::Places },
                });
            }
            for (caller, job) in members {
                let caller = &mut self.callers[caller];
                if has_records && has_places {
                    let id = caller.jobs[job].id;
                    caller.replies[job] = Some(EnqueueReply { id, duplicate: false });
                } else {
                    caller.error.get_or_insert_with(|| copy_of(error));
                }
            }
        }
    }

    /// The commands that remove what is left of jobs whose callers hear that they are not stored;
    /// none if nothing is.
    pub(super) fn removal(&self, keys: &Keys) -> Option<Pipeline> {
        if self.leavings.is_empty() {
            return None;
        }
        let mut pipeline = Pipeline::new();
        for Leavings { queue, level, ids, half } in &self.leavings {
            let queue = keys.queue(queue);
            let texts: Vec<_> = ids.iter().map(|id| id.to_text()).collect();
            for key in [queue.jobs(), queue.levels()] {
                let mut remove = command("HDEL", &key, ids.len(), ids.len() * JobId::TEXT_LEN);
                for id in &texts {
                    remove.arg(&id[..]);
                }
                pipeline.add_command(remove);
            }
            // At the end of the list, where they have just been put.
            for id in texts.iter().filter(|_| *half == Half::Places) {
                let mut remove = command("LREM", &queue.ready(*level), 2, JobId::TEXT_LEN);
                remove.arg(-1).arg(&id[..]);
                pipeline.add_command(remove);
            }
        }
        Some(pipeline)
    }

    fn settle_script(&mut self, at: usize, values: &[Value], is_last_copy: bool) -> Rest {
        match values.first() {
            Some(Value::Array(replies)) => self.fill_from(at, replies),
            Some(Value::ServerError(error)) => match Fault::of(error) {
                Fault::NoScript => Rest::Scripts,
                Fault::Passing => Rest::Later,
                // Somebody else's rule may change; an earlier copy may have been applied.
                _ if !is_last_copy => Rest::Later,
                _ => {
                    self.refuse(at, &refusal(error));
                    Rest::Nothing
                }
            },
            _ => {
                self.refuse(at, &garbled());
                Rest::Nothing
            }
        }
    }

    fn fill_from(&mut self, at: usize, replies: &[Value]) -> Rest {
        let live: Vec<_> = self.live(&self.groups[at]).collect();
        if live.len() != replies.len() {
            self.refuse(at, &garbled());
            return Rest::Nothing;
        }
        for ((caller, job), reply) in live.into_iter().zip(replies) {
            let own = self.callers[caller].jobs[job].id;
            let reply = match reply {
                // Stored now or known before: either way it is the job that the caller means.
                Value::Int(0 | 1) => Some(EnqueueReply { id: own, duplicate: false }),
                Value::BulkString(id) => {
                    JobId::parse(id).ok().map(|id| EnqueueReply { id, duplicate: true })
                }
                _ => None,
            };
            let caller = &mut self.callers[caller];
            match reply {
                Some(reply) => caller.replies[job] = Some(reply),
                None => caller.error = Some(garbled()),
            }
        }
        Rest::Nothing
    }

    fn fill(&mut self, at: usize, reply: impl Fn(&NewJob) -> EnqueueReply) {
        for &(caller, job) in &self.groups[at].members {
            let caller = &mut self.callers[caller];
            caller.replies[job] = Some(reply(&caller.jobs[job]));
        }
    }

    fn refuse(&mut self, at: usize, error: &EngineError) {
        for &(caller, _) in &self.groups[at].members {
            self.callers[caller].error.get_or_insert_with(|| copy_of(error));
        }
    }

    /// Tells every caller what became of its jobs.
    pub(super) fn answer(self) {
        for caller in self.callers {
            let _ = caller.ticket.reply.send(outcome(caller.replies, caller.error));
        }
    }
}

/// A command on a key with room for so many further arguments and bytes. Buffers that grow piece by
/// piece were a tenth of all that a lone producer does.
fn command(name: &str, key: &str, args: usize, bytes: usize) -> Cmd {
    let mut cmd = Cmd::with_capacity(args + 2, name.len() + key.len() + bytes);
    cmd.arg(name).arg(key);
    cmd
}

/// What a caller hears: an error means that none of its jobs is stored, or that nobody knows.
fn outcome(replies: Vec<Option<EnqueueReply>>, error: Option<EngineError>) -> Answer {
    let Some(error) = error else {
        return replies.into_iter().map(|reply| reply.ok_or_else(garbled)).collect();
    };
    if replies.iter().any(Option::is_some) {
        let message = format!(
            "the jobs of some queues were stored and those of others were not ({error}); \
             sending the same job ids again is safe, and enqueueing anew if the jobs have \
             idempotency keys"
        );
        return Err(EngineError::new(EngineErrorKind::Unknown, message));
    }
    Err(error)
}

/// What became of a transaction.
enum Outcome<'v> {
    Applied,
    /// Some of its commands were refused, and the others carried out.
    Partly(EngineError, &'v [Value]),
    Later,
    Refused(EngineError),
}

fn plain_outcome(values: &[Value]) -> Outcome<'_> {
    // The reason comes before the EXECABORT that it leads to.
    let inside = match values.last() {
        Some(Value::Array(results)) => &results[..],
        _ => &[],
    };
    let first = values.iter().chain(inside).find_map(|value| match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    });
    match (first, values.last()) {
        (Some(error), _) if Fault::of(error) == Fault::Passing => Outcome::Later,
        (Some(error), _) if !inside.is_empty() => Outcome::Partly(refusal(error), inside),
        (Some(error), _) => Outcome::Refused(refusal(error)),
        (None, Some(Value::Array(_))) => Outcome::Applied,
        (None, _) => Outcome::Refused(garbled()),
    }
}

fn garbled() -> EngineError {
    let message = "redis gave an answer that makes no sense: is it really Redis 7.0, Valkey 7.2 or \
                   newer?";
    EngineError::new(EngineErrorKind::Damaged, message)
}

fn copy_of(error: &EngineError) -> EngineError {
    EngineError::new(error.kind(), error.to_string())
}
