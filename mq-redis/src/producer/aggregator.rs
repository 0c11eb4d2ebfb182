//! What sends one request at a time, each with everything that came up meanwhile.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use mq_core::engine::{BATCH_MAX, EngineError, NewJob, Schedule};
use mq_core::{QueueName, WorkerId, clock, mutant};
use redis::{Pipeline, Value};
use tokio::time::{sleep, timeout};

use super::Ticket;
use super::batch::{Batch, Mode, Rest};
use super::fresh;
use super::line::Line;
use crate::keys::Keys;
use crate::link::{Connection, Deadline, Identity, Link, Patience};
use crate::time::Time;

/// Most bytes of records in one request, unless one caller alone brings more: a larger request
/// would hold up everybody else on the server for longer than a round trip takes.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often callers who have gone are forgotten while the store is away.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a queue counts as listed. Short, so that a store that lost its data has them again.
const LISTED: Duration = Duration::from_secs(60);
/// Of a transaction for one queue.
const COMMANDS_USUAL: usize = 8;
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Aggregator {
    link: Link,
    keys: Keys,
    time: Time,
    line: Weak<Line>,
    waiting: VecDeque<Ticket>,
    /// This incarnation; a new one begins whenever the work is begun anew.
    producer: String,
    number: u64,
    listed: Listed,
}

/// The queues that are surely in the list of queues.
#[derive(Default)]
struct Listed {
    on: Weak<Connection>,
    since: Option<Instant>,
    queues: HashSet<QueueName>,
}

/// The earlier copies of a request that was not answered.
#[derive(Default)]
struct Copies(Vec<Identity>);

impl Aggregator {
    pub(super) fn new(link: Link, keys: Keys, time: Time, line: Weak<Line>) -> Self {
        let producer = WorkerId::random().to_string();
        let (waiting, listed) = (VecDeque::new(), Listed::default());
        Self { link, keys, time, line, waiting, producer, number: 0, listed }
    }

    /// Works until the engine is dropped and everything is answered.
    pub(super) async fn run(mut self) {
        let mut shared = false;
        loop {
            if !self.has_callers().await {
                return;
            }
            if shared {
                // Those whom the last answer woke up are about to call again: let them come
                // first, or batches alternate between one and all. A lone caller skips this.
                tokio::task::yield_now().await;
            }
            let connection = match self.connection().await {
                Some(connection) => connection,
                None => continue,
            };
            self.collect();
            let Some((mode, batch)) = self.next_batch(&connection) else { continue };
            shared = batch.callers() > 1;
            self.deliver(mode, batch, connection).await;
        }
    }

    /// Waits until somebody waits; false if the engine was dropped. Nobody is woken here, see
    /// [`Line`].
    async fn has_callers(&mut self) -> bool {
        poll_fn(|_| match self.line.upgrade() {
            _ if !self.waiting.is_empty() => Poll::Ready(true),
            None => Poll::Ready(false),
            Some(line) if line.take(&mut self.waiting) => Poll::Ready(true),
            Some(_) => Poll::Pending,
        })
        .await
    }

    /// A connection; none if nobody waits for it any more or the server does not let us in.
    async fn connection(&mut self) -> Option<Arc<Connection>> {
        let forever = Deadline::of(Patience::Forever);
        loop {
            match timeout(SWEEP, self.link.connection(&forever)).await {
                Ok(Ok(connection)) => return Some(connection),
                Ok(Err(denied)) => {
                    self.collect();
                    self.refuse_waiting(&denied);
                    return None;
                }
                Err(_) => {
                    self.collect();
                    if self.waiting.is_empty() {
                        return None;
                    }
                }
            }
        }
    }

    fn refuse_waiting(&mut self, error: &EngineError) {
        for ticket in self.waiting.drain(..) {
            if ticket.call.begin().is_some() {
                let _ = ticket.reply.send(Err(EngineError::new(error.kind(), error.to_string())));
            }
        }
    }

    /// Takes what has come in, and lets go of those who have gone.
    fn collect(&mut self) {
        if let Some(line) = self.line.upgrade() {
            line.collect(&mut self.waiting);
        }
        self.waiting.retain(|ticket| ticket.call.is_waiting());
    }

    /// The callers at the head of the line that want the same sort of request, up to its bounds.
    fn next_batch(&mut self, connection: &Connection) -> Option<(Mode, Batch)> {
        // A transaction does not look at its number: it is for where a lost one can be ended.
        let identity = connection.identity();
        let is_plain_safe = identity.may_kill && identity.id.is_some() && identity.run_id.is_some();
        let mut calls = Vec::new();
        let (mut mode, mut count, mut bytes) = (None, 0, 0);
        while let Some(ticket) = self.waiting.front() {
            let (own_mode, own_count, own_bytes) = ticket.call.with_jobs(|jobs| {
                let is_plain = is_plain_safe && jobs.iter().all(is_simple) && fresh::are(jobs);
                let bytes: usize = jobs.iter().map(|job| job.record.len()).sum();
                (if is_plain { Mode::Plain } else { Mode::Script }, jobs.len(), bytes)
            });
            let is_full = count + own_count > BATCH_MAX || bytes + own_bytes > BYTES_MAX;
            if mode.is_some_and(|mode| mode != own_mode) || (count > 0 && is_full) {
                break;
            }
            let Some(ticket) = self.waiting.pop_front() else { break };
            if let Some(jobs) = ticket.call.begin() {
                fresh::note(&jobs);
                (mode, count, bytes) = (Some(own_mode), count + own_count, bytes + own_bytes);
                calls.push((ticket, jobs));
            }
        }
        let mode = mode?;
        self.number += 1;
        Some((mode, Batch::new(self.number, calls)))
    }

    /// Sends a request until it is known what became of it.
    async fn deliver(&mut self, mode: Mode, mut batch: Batch, connection: Arc<Connection>) {
        let forever = Deadline::of(Patience::Forever);
        let mut copies = Copies::default();
        let (mut mode, mut connection, mut pause) = (mode, Some(connection), PAUSE_MIN);
        loop {
            if let Some(connection) = connection.take() {
                let rest = self.try_once(mode, &mut batch, &connection, &mut copies).await;
                match rest {
                    Rest::Nothing => {
                        self.take_back(&batch).await;
                        return batch.answer();
                    }
                    // An error is one of the connection, of which the next round hears as well.
                    Rest::Scripts => drop(self.link.load_scripts(&forever).await),
                    Rest::Later => {}
                }
            }
            // From here on only the way that looks before it writes.
            mode = Mode::Script;
            if mutant::is(17) {
                self.number += 1;
                batch.mint_anew(self.number);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            self.collect();
            connection = match timeout(SWEEP, self.link.connection(&forever)).await {
                Ok(Ok(connection)) => Some(connection),
                Ok(Err(denied)) => {
                    // Of those who wait nothing was sent: they need not wait for what was.
                    self.refuse_waiting(&denied);
                    None
                }
                Err(_) => None,
            };
            batch.forget_abandoned();
        }
    }

    /// Removes what a damaged store has kept of jobs that it refused. Their callers hear so after
    /// that: a job that was refused must not turn up later.
    async fn take_back(&self, batch: &Batch) {
        let Some(pipeline) = batch.removal(&self.keys) else { return };
        let forever = Deadline::of(Patience::Forever);
        let mut pause = PAUSE_MIN;
        loop {
            if let Ok(connection) = self.link.connection(&forever).await
                && self.link.try_on(&connection, &pipeline, &forever).await.is_ok()
            {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_once(
        &mut self,
        mode: Mode,
        batch: &mut Batch,
        connection: &Arc<Connection>,
        copies: &mut Copies,
    ) -> Rest {
        let mut pipeline = Pipeline::with_capacity(COMMANDS_USUAL);
        copies.write_kills(connection.identity(), &mut pipeline);
        let names = self.listed.missing(connection, batch.queues());
        if !names.is_empty() {
            pipeline.cmd("SADD").arg(self.keys.queues());
            for name in &names {
                pipeline.arg(name.as_str());
            }
        }
        let ahead = pipeline.len();
        let now = self.time.now();
        batch.write(mode, &mut pipeline, &self.keys, &self.producer, &now);
        let forever = Deadline::of(Patience::Forever);
        match self.link.try_on(connection, &pipeline, &forever).await {
            Ok(mut values) => {
                let own = values.split_off(ahead.min(values.len()));
                copies.read_kills(connection.identity(), &values);
                if !values.iter().any(|value| matches!(value, Value::ServerError(_))) {
                    self.listed.add(names);
                }
                batch.settle(mode, &own, copies.0.is_empty())
            }
            Err(_) => {
                copies.0.push(connection.identity().clone());
                Rest::Later
            }
        }
    }
}

impl Listed {
    /// Those of the queues that must be listed first.
    fn missing<'a>(
        &mut self,
        connection: &Arc<Connection>,
        queues: impl Iterator<Item = &'a QueueName>,
    ) -> Vec<QueueName> {
        let is_old = self.since.is_none_or(|since| since.elapsed() > LISTED);
        if is_old || self.on.as_ptr() != Arc::as_ptr(connection) {
            self.queues.clear();
            self.on = Arc::downgrade(connection);
            self.since = Some(clock::now());
        }
        queues.filter(|queue| !self.queues.contains(*queue)).cloned().collect()
    }

    fn add(&mut self, queues: Vec<QueueName>) {
        self.queues.extend(queues);
    }
}

impl Copies {
    /// Ends the connections on which earlier copies may still be under way, as the same server
    /// knows them.
    fn write_kills(&self, now: &Identity, pipeline: &mut Pipeline) {
        for id in self.0.iter().filter_map(|copy| killable(copy, now)) {
            pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id);
        }
    }

    /// Forgets the copies that cannot be applied any more: their connection was ended, or the
    /// server that had it is not the one that has the jobs now.
    fn read_kills(&mut self, now: &Identity, values: &[Value]) {
        let mut values = values.iter();
        self.0.retain(|copy| match killable(copy, now) {
            Some(_) => !matches!(values.next(), Some(Value::Int(_))),
            None => copy.run_id.is_none() || copy.run_id == now.run_id,
        });
    }
}

/// The number by which the server can end the connection of a copy. Not if it is another run of
/// the server, where somebody else has that number.
fn killable(copy: &Identity, now: &Identity) -> Option<u64> {
    let is_same_server = copy.run_id.is_some() && copy.run_id == now.run_id;
    copy.id.filter(|id| is_same_server && now.may_kill && Some(*id) != now.id)
}

fn is_simple(job: &NewJob) -> bool {
    job.schedule == Schedule::Now && job.idempotency_key.is_none()
}
