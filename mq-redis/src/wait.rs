//! Waiting for work without asking for it again and again.
//!
//! An idle worker blocks on the wake markers of its queues with one `BZPOPMIN`, on a connection of
//! its own: a blocked connection answers nobody else.
//!
//! A caller may drop its `wait` at any time, and the command then is still blocked in the server.
//! So the blocking read belongs to a task and not to the caller: the next `wait` on the same
//! queues takes over what the task is waiting for. A marker that comes while nobody waits is put
//! back, since it may be another worker's only sign. Closing the connection instead would be
//! correct, too, but workers drop their waits often (a job ends, a timer rings), and each time
//! would cost a new connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mq_core::QueueName;
use mq_core::engine::{EngineError, EngineErrorKind, WaitReply};
use redis::{Pipeline, Value};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::keys::Keys;
use crate::link::{Connection, Deadline, Fault, Link, Patience, refusal};
use crate::reply;

/// How much longer than the server blocks we wait for it to say so.
const GRACE: Duration = Duration::from_secs(2);
/// Longest time in one command: a block that nobody waits for any more ends by itself.
const BLOCK_MAX: Duration = Duration::from_secs(10);
/// Shortest time in one command; 0 would mean for ever.
const BLOCK_MIN: Duration = Duration::from_millis(1);
/// After a passing refusal.
const PAUSE: Duration = Duration::from_millis(200);
/// Sets of queues that are waited for at the same time; beyond it, connections of sets that nobody
/// waits for are let go.
const LANES_MAX: usize = 8;

/// Waits on behalf of one engine handle.
#[derive(Debug)]
pub(crate) struct Waiter {
    link: Link,
    keys: Keys,
    /// One per set of queues, so normally one.
    lanes: Mutex<HashMap<Vec<QueueName>, Lane>>,
}

#[derive(Debug)]
struct Lane {
    link: Link,
    /// The block that is under way. Its receivers are those who wait.
    block: Option<Arc<watch::Sender<Option<End>>>>,
}

/// How a block ended.
#[derive(Debug, Clone)]
enum End {
    Woken(QueueName),
    Nothing,
    Failed(EngineErrorKind, String),
}

impl Waiter {
    /// A waiter with connections of its own, to where `link` leads.
    pub(crate) fn new(link: &Link, keys: Keys) -> Self {
        let link = link.with_role("wait");
        Self { link, keys, lanes: Mutex::new(HashMap::new()) }
    }

    /// Blocks until one of the queues may have work or the time is up; see
    /// [`Engine::wait`](mq_core::engine::Engine::wait). While the server is away, the time is
    /// simply used up.
    pub(crate) async fn wait(
        &self,
        queues: &[QueueName],
        limit: Duration,
    ) -> Result<WaitReply, EngineError> {
        let deadline = Deadline::of(Patience::Until(limit));
        if queues.is_empty() {
            sleep(limit).await;
            return Ok(WaitReply::TimedOut);
        }
        loop {
            let mut end = self.block(queues, deadline.left());
            let ended = match deadline.bound(end.wait_for(Option::is_some)).await {
                Some(Ok(ended)) => ended.clone(),
                // The runtime that the block was on has ended.
                Some(Err(_)) => None,
                None => return Ok(WaitReply::TimedOut),
            };
            match ended {
                Some(End::Woken(queue)) => return Ok(WaitReply::Woken(queue)),
                Some(End::Failed(kind, text)) => return Err(EngineError::new(kind, text)),
                Some(End::Nothing) | None if deadline.is_over() => return Ok(WaitReply::TimedOut),
                Some(End::Nothing) | None => {}
            }
        }
    }

    /// Joins the block on these queues that is under way, or starts one.
    fn block(&self, queues: &[QueueName], limit: Duration) -> watch::Receiver<Option<End>> {
        let mut set = queues.to_vec();
        set.sort_unstable();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES_MAX && !lanes.contains_key(&set) {
            lanes.retain(|_, lane| lane.is_wanted());
        }
        let lane =
            lanes.entry(set).or_insert_with(|| Lane { link: self.link.detached(), block: None });
        if let Some(block) = &lane.block {
            let end = block.subscribe();
            // Without a result and without its task, it never gets one.
            let is_alive = Arc::strong_count(block) > 1;
            if is_alive && end.borrow().is_none() {
                return end;
            }
        }
        let (sender, end) = watch::channel(None);
        let sender = Arc::new(sender);
        lane.block = Some(sender.clone());
        let block = Block {
            link: lane.link.clone(),
            wakes: queues
                .iter()
                .map(|queue| (self.keys.queue(queue).wake(), queue.clone()))
                .collect(),
            limit: limit.clamp(BLOCK_MIN, BLOCK_MAX),
        };
        tokio::spawn(block.run(sender));
        end
    }
}

impl Lane {
    fn is_wanted(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.receiver_count() > 0)
    }
}

/// One blocking command.
struct Block {
    link: Link,
    wakes: Vec<(String, QueueName)>,
    limit: Duration,
}

impl Block {
    async fn run(self, sender: Arc<watch::Sender<Option<End>>>) {
        let deadline = Deadline::of(Patience::Until(self.limit));
        let end = match self.link.connection(&deadline).await {
            Ok(connection) => {
                let left = deadline.left().max(BLOCK_MIN);
                let end = self.pop(&connection, left).await;
                if let End::Woken(queue) = &end
                    && sender.receiver_count() == 0
                {
                    self.put_back(&connection, queue).await;
                }
                end
            }
            Err(error) if error.is_retryable() => End::Nothing,
            Err(error) => End::Failed(error.kind(), error.to_string()),
        };
        sender.send_replace(Some(end));
    }

    async fn pop(&self, connection: &Arc<Connection>, limit: Duration) -> End {
        let all: Vec<_> = self.wakes.iter().map(|(key, _)| &**key).collect();
        let mut popped = self.pop_any(connection, &all, limit).await;
        if popped.as_ref().is_some_and(|value| reply::damage(value).is_some()) {
            let sound = self.sound(connection).await;
            if !sound.is_empty() {
                popped = self.pop_any(connection, &sound, limit).await;
            }
        }
        match popped {
            Some(Value::Array(popped)) => self.woken(popped.first()),
            Some(Value::ServerError(error)) => match Fault::of(&error) {
                Fault::Denied | Fault::Damaged => {
                    let error = refusal(&error);
                    End::Failed(error.kind(), error.to_string())
                }
                _ => {
                    sleep(PAUSE).await;
                    End::Nothing
                }
            },
            _ => End::Nothing,
        }
    }

    async fn pop_any(
        &self,
        connection: &Arc<Connection>,
        keys: &[&str],
        limit: Duration,
    ) -> Option<Value> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("BZPOPMIN").arg(keys);
        pipeline.arg(format!("{:.3}", limit.as_secs_f64().max(BLOCK_MIN.as_secs_f64())));
        // The link's own patience with silence is for requests that are answered at once.
        let values = self.link.try_within(connection, &pipeline, limit + GRACE).await;
        values.ok()?.into_iter().next()
    }

    /// The keys that can be waited on. The jobs of a queue with a damaged one are only seen when it
    /// is asked without a sign.
    async fn sound(&self, connection: &Arc<Connection>) -> Vec<&str> {
        let mut pipeline = Pipeline::new();
        for (key, _) in &self.wakes {
            pipeline.cmd("ZCARD").arg(key);
        }
        let counts = self.link.try_within(connection, &pipeline, GRACE).await.unwrap_or_default();
        let keys = self.wakes.iter().map(|(key, _)| &**key).zip(counts);
        keys.filter(|(_, count)| reply::damage(count).is_none()).map(|(key, _)| key).collect()
    }

    fn woken(&self, key: Option<&Value>) -> End {
        let Some(Value::BulkString(key)) = key else { return End::Nothing };
        let found = self.wakes.iter().find(|(wake, _)| wake.as_bytes() == &key[..]);
        found.map_or(End::Nothing, |(_, queue)| End::Woken(queue.clone()))
    }

    /// A failure is made up for by the next sweep of any worker.
    async fn put_back(&self, connection: &Arc<Connection>, queue: &QueueName) {
        let Some((key, _)) = self.wakes.iter().find(|(_, name)| name == queue) else { return };
        let mut pipeline = Pipeline::new();
        pipeline.cmd("ZADD").arg(key).arg(0).arg("0");
        let _ = self.link.try_within(connection, &pipeline, GRACE).await;
    }
}
