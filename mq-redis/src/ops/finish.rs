//! Ending claims. Finishes are grouped by queue and worker, one script call each, all in one trip.

use std::borrow::Cow;
use std::collections::HashSet;

use mq_core::engine::{BATCH_MAX, EngineError, EngineErrorKind, Finish, Finished};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, WorkerId};
use redis::Value;

use crate::engine::RedisEngine;
use crate::keys::QueueKeys;
use crate::link::{Request, USUAL};
use crate::{reply, script};

type Arg<'a> = Cow<'a, [u8]>;

/// See [`Engine::finish`](mq_core::engine::Engine::finish).
pub(crate) async fn finish(
    engine: &RedisEngine,
    finishes: &[Finish],
) -> Result<Vec<Finished>, EngineError> {
    let batch = Batch::new(finishes)?;
    let mut request = Request::new();
    batch.write(engine, &mut request);
    let mut replies = engine.link.run(&request, USUAL).await?.into_iter();
    batch.read(&mut replies)
}

/// Finishes, sorted into script calls.
pub(super) struct Batch<'a> {
    finishes: &'a [Finish],
    groups: Vec<Group<'a>>,
}

/// The finishes of one worker on one queue, by their places in the batch.
struct Group<'a> {
    queue: &'a QueueName,
    worker: WorkerId,
    /// By claim number; these need no words but their ids.
    plain: Vec<(u64, Vec<usize>)>,
    moves: Vec<usize>,
    /// The jobs of the moves: what is said about one of them later must come after.
    moved: HashSet<JobId>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(finishes: &'a [Finish]) -> Result<Self, EngineError> {
        check_size(finishes.len(), "finishes")?;
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (place, finish) in finishes.iter().enumerate() {
            let Claim { queue, worker, .. } = &finish.claim;
            // There are few, one per queue of a worker: a look at each is cheaper than a hash.
            let is_theirs = |group: &Group<'_>| group.worker == *worker && group.queue == queue;
            let at = groups.iter().rposition(is_theirs).unwrap_or_else(|| {
                groups.push(Group::new(queue, *worker));
                groups.len() - 1
            });
            groups[at].add(place, finish);
        }
        Ok(Self { finishes, groups })
    }

    /// Adds one script call per group.
    pub(super) fn write(&self, engine: &RedisEngine, request: &mut Request) {
        for group in &self.groups {
            let worker = group.worker.to_text();
            let keys = script_keys(&engine.keys.queue(group.queue), &worker);
            let mut args: Vec<Arg<'_>> = vec![
                engine.now_arg().into(),
                worker.to_vec().into(),
                self.sample(group).into(),
                number(group.plain.len() as u64),
            ];
            for (claim, places) in &group.plain {
                args.push(number(*claim));
                let mut ids = Vec::with_capacity(places.len() * ID_LEN);
                for place in places {
                    ids.extend_from_slice(&self.finishes[*place].id.to_text());
                }
                args.push(ids.into());
            }
            for place in &group.moves {
                args.extend(move_args(&self.finishes[*place]));
            }
            request.script(&script::FINISH, &keys, &args);
        }
    }

    /// Reads the replies to what [`write`](Self::write) has added.
    pub(super) fn read(
        &self,
        replies: &mut impl Iterator<Item = Value>,
    ) -> Result<Vec<Finished>, EngineError> {
        let mut finished = vec![Finished::Fenced; self.finishes.len()];
        for group in &self.groups {
            let answer = replies.next().unwrap_or_default();
            if reply::damage(&answer).is_some() {
                group.places().for_each(|place| finished[place] = Finished::Damaged);
                continue;
            }
            let letters = reply::text(answer)?;
            if letters == b"F" {
                continue;
            }
            if letters.len() != group.places().count() {
                return Err(reply::odd(&Value::BulkString(letters), "a letter per job"));
            }
            for (place, letter) in group.places().zip(letters) {
                finished[place] =
                    if letter == b'A' { Finished::Applied } else { Finished::Already };
            }
        }
        Ok(finished)
    }

    /// One completion of a group for the sample that people look at: id and run time in ms.
    fn sample(&self, group: &Group<'_>) -> Vec<u8> {
        let mut places = group.places().map(|place| &self.finishes[place]);
        let is_done = |finish: &&Finish| {
            matches!(finish.transition, Transition::Done | Transition::Retain { .. })
        };
        let text = |finish: &Finish| format!("{} {}", finish.id, finish.run_time.as_millis());
        places.find(is_done).map(text).unwrap_or_default().into_bytes()
    }
}

impl<'a> Group<'a> {
    fn new(queue: &'a QueueName, worker: WorkerId) -> Self {
        Self { queue, worker, plain: Vec::new(), moves: Vec::new(), moved: HashSet::new() }
    }

    fn add(&mut self, place: usize, finish: &Finish) {
        if !is_plain(finish) || self.moved.contains(&finish.id) {
            self.moves.push(place);
            self.moved.insert(finish.id);
            return;
        }
        let claim = finish.claim.number;
        // From the back: the finishes of one claim mostly come together.
        match self.plain.iter_mut().rev().find(|(number, _)| *number == claim) {
            Some((_, places)) => places.push(place),
            None => self.plain.push((claim, vec![place])),
        }
    }

    /// All places, in the order in which the script answers.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let plain = self.plain.iter().flat_map(|(_, places)| places);
        plain.chain(&self.moves).copied()
    }
}

/// Whether there is nothing to remove but the record.
fn is_plain(finish: &Finish) -> bool {
    finish.transition == Transition::Done
        && !finish.had_history
        && finish.priority == Priority::Normal
        && finish.idempotency_key.is_none()
}

fn move_args(finish: &Finish) -> [Arg<'_>; 8] {
    let (action, at_ms) = match finish.transition {
        Transition::Done => ("done", None),
        Transition::Retain { until_ms } => ("retain", Some(until_ms)),
        Transition::Retry { at_ms } => ("retry", Some(at_ms)),
        Transition::Schedule { at_ms } => ("schedule", Some(at_ms)),
        Transition::Bury => ("bury", None),
        Transition::Cancel { until_ms } => ("cancel", until_ms),
        // What a later version may add is unknown here; nothing is lost by giving the job back.
        _ => ("release", None),
    };
    [
        number(finish.claim.number),
        finish.id.to_text().to_vec().into(),
        action.as_bytes().into(),
        at_ms.map_or(Cow::Borrowed(b""), number),
        finish.history.as_deref().unwrap_or_default().into(),
        number(u64::from(finish.priority.level())),
        finish.idempotency_key.as_deref().unwrap_or_default().as_bytes().into(),
        if finish.failed { b"1" } else { &b""[..] }.into(),
    ]
}

/// The arguments that take ids which have no record out of the receipt of a claim.
pub(super) fn drop_args(
    engine: &RedisEngine,
    worker: &[u8],
    claim: u64,
    ids: &[Vec<u8>],
) -> Vec<Vec<u8>> {
    let none = Vec::new;
    let mut args = vec![engine.now_arg(), worker.to_vec(), none(), b"0".to_vec()];
    for id in ids {
        let claim = claim.to_string().into_bytes();
        args.extend([claim, id.clone(), b"drop".to_vec(), none(), none(), b"1".to_vec(), none()]);
        args.push(none());
    }
    args
}

/// The keys of `finish.lua`.
pub(super) fn script_keys(keys: &QueueKeys, worker: &[u8]) -> [String; 20] {
    [
        keys.workers(),
        keys.claims(worker),
        keys.jobs(),
        keys.history(),
        keys.levels(),
        keys.ready(0),
        keys.ready(1),
        keys.ready(2),
        keys.scheduled(),
        keys.retry(),
        keys.dead(),
        keys.done(),
        keys.cancelled(),
        keys.keys(),
        keys.keys_expiry(),
        keys.cancels(),
        keys.stats(),
        keys.rates(),
        keys.recent(),
        keys.wake(),
    ]
}

/// Refuses what is larger than the contract allows.
pub(super) fn check_size(len: usize, what: &str) -> Result<(), EngineError> {
    if len <= BATCH_MAX {
        return Ok(());
    }
    let message = format!("{len} {what} in one request: at most {BATCH_MAX} are allowed, split it");
    Err(EngineError::new(EngineErrorKind::Invalid, message))
}

fn number(number: u64) -> Arg<'static> {
    number.to_string().into_bytes().into()
}

/// Length of an id in receipts.
pub(super) const ID_LEN: usize = JobId::TEXT_LEN;
