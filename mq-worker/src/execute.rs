//! One job from the store's bytes to its end. Read from the top: prepare, hand in, judge, settle.
//! What lies between the first two is in `task`.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use mq_core::clock::now;
use mq_core::context::{Attempt, AttemptFacts};
use mq_core::engine::{Claimed, Finish};
use mq_core::lifecycle::{Ended, Policy, Transition, decide};
use mq_core::registry::Entry;
use mq_core::rng::Rng;
use mq_core::telemetry::TARGET_JOB;
use mq_core::{History, JobRequest, Outcome, Record, RecordError, Verdict, seal, shorten_error};

use crate::outcomes::Settled;
use crate::report::Class;
use crate::running::{Card, Cause, Held, Key};
use crate::shared::Shared;
use crate::task::Body;

/// A job that can start.
pub(crate) struct Run {
    pub(crate) held: Held,
    pub(crate) body: Body,
}

/// What a claimed job turned out to be.
pub(crate) enum Prepared {
    Run(Run),
    /// It ended without a handler.
    Settled(Settled),
}

/// Reads a claimed job and finds its handler.
pub(crate) fn prepare(shared: &Shared, claimed: Claimed, queue: usize) -> Prepared {
    let Claimed { id, claim, record: mut bytes, history } = claimed;
    let history = history.map(|bytes| Box::new(History::decode(&bytes)));
    let record = Record::decode(&bytes);
    let known = record.as_ref().ok().and_then(|record| shared.handlers.find(&record.kind));
    let policy = policy(shared, known.map(|bound| &*bound.entry), record.as_ref().ok());
    let mut card = Card {
        queue,
        policy,
        timeout: Duration::ZERO,
        history,
        priority: record.as_ref().map_or_else(|_| Default::default(), |record| record.priority),
        idempotency_key: None,
        started: now(),
    };
    let mut facts = AttemptFacts {
        id,
        kind: Cow::Borrowed(""),
        claim,
        number: card.history.as_ref().map_or(1, |history| history.next_attempt()),
        max_attempts: card.policy.max_attempts,
        tags: Vec::new(),
        traceparent: None,
    };
    let missing_key = record.as_ref().ok().and_then(|record| missing_key(shared, record));
    let (found, payload_len) = match record {
        Ok(record) => {
            card.idempotency_key = record.idempotency_key.map(|key| key.into_owned());
            facts.tags = record.tags.into_iter().map(|tag| tag.into_owned()).collect();
            facts.traceparent = record.traceparent.map(|trace| trace.into_owned());
            let own = known.map(|bound| bound.entry.options().timeout);
            card.timeout = record.timeout.or(own).unwrap_or(Duration::MAX);
            facts.kind = match known {
                Some(bound) => Cow::Borrowed(bound.name),
                None => Cow::Owned(record.kind.into_owned()),
            };
            let (found, len) = (known.ok_or(Ended::UnknownKind), record.payload.len());
            (found.and_then(|bound| fits(shared, len).map(|()| bound)), len)
        }
        // Written by a newer mq: to this worker that is a job of a kind it does not know yet.
        Err(RecordError::Version(_) | RecordError::Feature(_)) => (Err(Ended::UnknownKind), 0),
        Err(error) => (Err(Ended::Malformed { error: error.to_string() }), 0),
    };
    let stopping = shared.stop.ordered().clone();
    let attempt = Arc::new(Attempt::new(facts, shared.client.clone(), stopping));
    let alarm = card.started.checked_add(card.timeout);
    let held = Held { attempt, card, alarm, cause: None, abort: None };
    let ended = match (found, missing_key) {
        (Ok(bound), None) => {
            // The payload is the tail of the record: cut the head off in place. A seal covers both
            // and is opened in the job's task, for which the loop has no time.
            if shared.client.sealer().is_none() {
                bytes.drain(..bytes.len() - payload_len);
            }
            let request = JobRequest::new(Arc::clone(&held.attempt), bytes);
            return Prepared::Run(Run { held, body: Body::new(bound, request) });
        }
        (Ok(_), Some(key)) => {
            shared.lacking.warn_key(&held.attempt, &key);
            Ended::UnknownKind
        }
        (Err(ended), _) => {
            if ended == Ended::UnknownKind {
                shared.lacking.warn_kind(&held.attempt);
            }
            ended
        }
    };
    Prepared::Settled(without_start(shared, held, &ended))
}

/// The name of the key that a job is sealed with, if this worker lacks it. To others it may be
/// known, like a kind.
fn missing_key(shared: &Shared, record: &Record<'_>) -> Option<String> {
    seal::missing_key(shared.client.sealer(), record).map(|seal| seal.key.to_string())
}

/// Refuses a payload that no producer of this client's would have sent, before it is decoded into
/// values that can take many times its bytes.
fn fits(shared: &Shared, payload_len: usize) -> Result<(), Ended> {
    let max = shared.client.payload_limit();
    if payload_len <= max {
        return Ok(());
    }
    let error = format!(
        "the payload has {payload_len} bytes, at most {max} are allowed here: raise \
         `Client::payload_max` of the worker's client, then retry the job"
    );
    Err(Ended::Malformed { error })
}

/// The rules for one job: its record over its kind over the defaults.
pub(crate) fn policy(
    shared: &Shared,
    entry: Option<&Entry>,
    record: Option<&Record<'_>>,
) -> Policy {
    let mut policy = Policy::DEFAULT;
    policy.poison_limit = shared.config.poison_limit;
    let Some(record) = record else { return policy };
    if let Some(options) = entry.map(Entry::options) {
        policy.max_attempts = options.max_attempts;
        policy.backoff = options.backoff;
        policy.retention = options.retention;
    }
    policy.max_attempts = record.max_attempts.unwrap_or(policy.max_attempts);
    policy.retention = record.retention.or(policy.retention);
    policy
}

/// Ends an attempt with what its handler returned, or its panic, if nobody else has ended it.
pub(crate) fn hand_in(shared: &Shared, key: Key, result: Result<Outcome, String>) {
    match shared.running.take(key) {
        Some(held) => {
            let ended = judge(&held, bounded(result));
            settle(shared, held, &ended);
        }
        None => tracing::debug!(
            target: TARGET_JOB,
            "an abandoned attempt has ended, its result does not count"
        ),
    }
}

/// Ends an attempt whose task is dropped before it came to its end.
pub(crate) fn hand_in_dropped(shared: &Shared, key: Key) {
    let Some(held) = shared.running.take(key) else { return };
    let ended = if std::thread::panicking() {
        failed("panicked while the handler's future was dropped".to_owned(), Verdict::Retry)
    } else {
        Ended::HandedBack
    };
    settle(shared, held, &ended);
}

/// The same with a text that fits a log and a history; a handler's error can be of any length.
fn bounded(mut result: Result<Outcome, String>) -> Result<Outcome, String> {
    if let Ok(Outcome::Failed { error, .. } | Outcome::Malformed { error }) | Err(error) =
        &mut result
        && let Cow::Owned(cut) = shorten_error(error)
    {
        *error = cut;
    }
    result
}

/// What an attempt came to, given what its handler returned (or its panic) and whether it had been
/// told to stop. Success counts in any case: the work is done.
fn judge(held: &Held, result: Result<Outcome, String>) -> Ended {
    match (held.cause, result) {
        (_, Ok(Outcome::Done)) => Ended::Done,
        (_, Ok(Outcome::Snooze(delay))) => Ended::Snoozed { delay },
        (_, Ok(Outcome::Malformed { error })) => Ended::Malformed { error },
        (Some(Cause::Cancelled), _) => Ended::Cancelled,
        // It failed because it was told to stop, which is not the job's fault.
        (Some(Cause::Stopping | Cause::Lost), _) => Ended::HandedBack,
        (Some(Cause::TimedOut), Ok(Outcome::Failed { error, verdict })) => {
            failed(format!("timed out after {:?}: {error}", held.card.timeout), verdict)
        }
        (None, Ok(Outcome::Failed { error, verdict })) => failed(error, verdict),
        (Some(Cause::TimedOut), Err(panic)) => {
            let error = format!("timed out after {:?}: {panic}", held.card.timeout);
            failed(error, Verdict::Retry)
        }
        (None, Err(panic)) => {
            tell(held, "job panicked", &panic);
            failed(panic, Verdict::Retry)
        }
        (_, Ok(other)) => failed(format!("outcome not known here: {other:?}"), Verdict::Retry),
    }
}

fn failed(error: String, verdict: Verdict) -> Ended {
    match verdict {
        Verdict::Discard => Ended::Discarded { error },
        Verdict::RetryIn(delay) => Ended::Failed { error, retry_in: Some(delay) },
        _ => Ended::Failed { error, retry_in: None },
    }
}

fn tell(held: &Held, what: &'static str, error: &str) {
    let Attempt { id, kind, claim, number, .. } = &*held.attempt;
    let (kind, queue) = (&**kind, &claim.queue);
    tracing::error!(target: TARGET_JOB, %id, kind, %queue, attempt = number, error, "{what}");
}

/// Ends an attempt that did not obey a cancellation, without its handler.
pub(crate) fn abandon(shared: &Shared, held: Held) {
    let grace = shared.config.timeout_grace;
    let ended = match held.cause {
        Some(Cause::TimedOut) => {
            let limit = held.card.timeout;
            let text = format!("timed out after {limit:?}, and ignored the cancellation for ");
            failed(format!("{text}{grace:?}"), Verdict::Retry)
        }
        Some(Cause::Cancelled) => Ended::Cancelled,
        Some(Cause::Lost | Cause::Stopping) | None => Ended::HandedBack,
    };
    settle(shared, held, &ended);
}

/// Ends a job that was claimed but will not be started, because the worker stops.
pub(crate) fn hand_back(shared: &Shared, held: Held) -> Settled {
    without_start(shared, held, &Ended::HandedBack)
}

fn without_start(shared: &Shared, held: Held, ended: &Ended) -> Settled {
    let mut settled = conclude(shared, held, ended);
    settled.slot = None;
    settled
}

/// Decides what becomes of a job and puts it on the pile for the store.
pub(crate) fn settle(shared: &Shared, held: Held, ended: &Ended) {
    shared.outcomes.push(conclude(shared, held, ended));
}

fn conclude(shared: &Shared, held: Held, ended: &Ended) -> Settled {
    let Held { attempt, card, .. } = held;
    let run_time = now().saturating_duration_since(card.started);
    let now_ms = shared.clock.now_ms();
    // Seeded by the job, so no lock is needed; ids differ in their random half.
    let mut rng = Rng::seeded(attempt.id.as_u128() as u64 ^ u64::from(attempt.number));
    let (had_history, none) = (card.history.is_some(), History::default());
    let history = card.history.as_deref().unwrap_or(&none);
    let decision = decide(&card.policy, history, ended, now_ms, &mut rng);
    let class = report(&attempt, ended, &decision.transition, run_time, now_ms);
    let finish = Finish {
        id: attempt.id,
        claim: attempt.claim.clone(),
        transition: decision.transition,
        history: decision.history.map(|history| history.encode()),
        had_history,
        priority: card.priority,
        idempotency_key: card.idempotency_key,
        failed: matches!(
            ended,
            Ended::Failed { .. } | Ended::Discarded { .. } | Ended::Malformed { .. }
        ),
        run_time,
    };
    Settled { finish, class, slot: Some(card.queue) }
}

/// Tells operators how an attempt ended.
fn report(
    attempt: &Attempt,
    ended: &Ended,
    transition: &Transition,
    run_time: Duration,
    now_ms: u64,
) -> Class {
    let Attempt { id, kind, claim, number, .. } = attempt;
    let (kind, queue) = (&**kind, &claim.queue);
    let run_ms = run_time.as_millis() as u64;
    match (ended, transition) {
        (Ended::Done, _) => {
            tracing::debug!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, run_ms, "job done"
            );
            Class::Done
        }
        (
            Ended::Failed { error, .. } | Ended::Discarded { error } | Ended::Malformed { error },
            Transition::Bury,
        ) => {
            tracing::error!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, run_ms, error,
                "job is dead"
            );
            Class::Dead
        }
        (Ended::Failed { error, .. }, Transition::Retry { at_ms }) => {
            let retry_in_ms = at_ms.saturating_sub(now_ms);
            tracing::warn!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, run_ms, retry_in_ms, error,
                "job failed"
            );
            Class::Failed
        }
        (Ended::Snoozed { delay }, _) => {
            let delay_ms = delay.as_millis() as u64;
            tracing::debug!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, delay_ms, "job snoozed"
            );
            Class::Snoozed
        }
        (Ended::Cancelled, _) => {
            tracing::info!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, run_ms, "job cancelled"
            );
            Class::Cancelled
        }
        _ => {
            tracing::debug!(
                target: TARGET_JOB, %id, kind, %queue, attempt = number, "job handed back"
            );
            Class::HandedBack
        }
    }
}
