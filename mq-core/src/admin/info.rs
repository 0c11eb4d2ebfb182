//! Queues and jobs as an operator sees them.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::engine::{QueueStats, Stored};
use crate::history::{AttemptError, Death, DeathReason, History};
use crate::id::{JobId, WorkerId};
use crate::lifecycle::State;
use crate::name::QueueName;
use crate::priority::Priority;
use crate::record::Record;
use crate::seal::{self, Scheme, Seal, Sealer};

/// A queue with its sizes and counters.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name.
    pub name: QueueName,
    /// Its sizes and counters.
    #[serde(flatten)]
    pub stats: QueueStats,
}

impl QueueInfo {
    /// How long the job at the head has waited, by its producer's and the store's clocks.
    pub fn oldest_age(&self) -> Option<Duration> {
        let since_ms = self.stats.oldest_ready_ms?;
        Some(Duration::from_millis(self.stats.now_ms.saturating_sub(since_ms)))
    }
}

/// Everything known about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobInfo {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Where it is.
    pub state: State,
    /// Its kind; empty if the record cannot be read.
    pub kind: String,
    /// Its priority.
    pub priority: Priority,
    /// Its labels.
    pub tags: Vec<String>,
    /// Its idempotency key.
    pub idempotency_key: Option<String>,
    /// When it was enqueued, ms since 1970, by its producer's clock.
    pub enqueued_ms: u64,
    /// When it is due, died, or may be removed, as its state says; ms since 1970.
    pub at_ms: Option<u64>,
    /// Attempts that ended since it was enqueued or last revived.
    pub attempts: u32,
    /// Attempts over its whole life.
    pub lifetime_attempts: u32,
    /// Its own number of attempts, if it differs from its kind's.
    pub max_attempts: Option<u32>,
    /// How often its worker died while running it.
    pub interruptions: usize,
    /// Its errors, oldest first; long histories keep the first and the latest.
    pub errors: Vec<AttemptError>,
    /// Why and when it died.
    pub death: Option<Death>,
    /// Who runs it.
    pub worker: Option<WorkerId>,
    /// Whether somebody asked to cancel it while it runs.
    pub cancel_requested: bool,
    /// How it is sealed, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<SealInfo>,
    /// The payload's bytes, as enqueued. Empty if they are encrypted and could not be opened: see
    /// [`seal`](Self::seal) for why, and [`Engine::get`](crate::engine::Engine::get) for the
    /// ciphertext.
    #[serde(serialize_with = "payload_as_text")]
    pub payload: Vec<u8>,
    /// Why the record cannot be read, if it cannot.
    pub damage: Option<String>,
}

/// How a job is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SealInfo {
    /// What was done.
    pub scheme: Scheme,
    /// The name of the key.
    pub key: String,
    /// Why the seal was not found to fit: it does not, or the key is not here.
    pub problem: Option<String>,
}

fn payload_as_text<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    // As text and not as a value: a detour through a JSON number type would round big integers.
    to.serialize_str(&String::from_utf8_lossy(bytes))
}

fn look_inside(
    stored: &Stored,
    seal: Option<Seal<'_>>,
    payload: Cow<'_, [u8]>,
    sealer: Option<&dyn Sealer>,
) -> (Option<SealInfo>, Vec<u8>) {
    let Some(Seal { scheme, key, .. }) = seal else { return (None, payload.into_owned()) };
    let opened = seal::open(sealer, stored.id, stored.record.clone());
    let mut seal = SealInfo { scheme, key: key.into_owned(), problem: None };
    let payload = match (opened, scheme) {
        (Ok(_), Scheme::Signed) if sealer.is_none() => {
            seal.problem = Some("it was not checked, because there are no keys here".to_owned());
            payload.into_owned()
        }
        (Ok(opened), _) => opened,
        (Err(error), _) => {
            seal.problem = Some(error.to_string());
            if scheme == Scheme::Signed { payload.into_owned() } else { Vec::new() }
        }
    };
    (Some(seal), payload)
}

impl JobInfo {
    /// A job as an engine has it.
    pub fn new(stored: Stored) -> Self {
        Self::opened(stored, None)
    }

    /// A job as an engine has it, opened by what a [`Client`](crate::Client::sealer) seals with.
    pub fn opened(stored: Stored, sealer: Option<&dyn Sealer>) -> Self {
        let history = stored.history.as_deref().map(History::decode).unwrap_or_default();
        let (record, damage) = match Record::decode(&stored.record) {
            Ok(record) => (record, None),
            Err(error) => {
                let raw = Record { payload: (&stored.record[..]).into(), ..Record::default() };
                (raw, Some(error.to_string()))
            }
        };
        let (seal, payload) = look_inside(&stored, record.seal, record.payload, sealer);
        Self {
            id: stored.id,
            queue: stored.queue,
            state: stored.state,
            priority: record.priority,
            tags: record.tags.iter().map(ToString::to_string).collect(),
            idempotency_key: record.idempotency_key.map(Into::into),
            enqueued_ms: u64::try_from(stored.id.created_at().timestamp_millis()).unwrap_or(0),
            at_ms: stored.at_ms,
            attempts: history.attempts,
            lifetime_attempts: history.lifetime_attempts(),
            max_attempts: record.max_attempts,
            interruptions: history.interruptions.len(),
            errors: history.errors,
            death: history.death,
            worker: stored.worker,
            cancel_requested: stored.cancel_requested,
            kind: record.kind.into_owned(),
            seal,
            payload,
            damage,
        }
    }

    /// The latest error, if any attempt failed.
    pub fn last_error(&self) -> Option<&str> {
        self.errors.last().map(|error| error.error.as_str())
    }

    /// Why it is a dead letter, if it is one.
    pub fn death_reason(&self) -> Option<DeathReason> {
        self.death.as_ref().map(|death| death.reason)
    }

    /// The payload as text, with bytes that are not UTF-8 replaced.
    pub fn payload_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }
}
