//! Signs of life, all in one trip.

use std::time::Duration;

use mq_core::JobId;
use mq_core::engine::{About, Beat, BeatReply, EngineError, EngineErrorKind, Holding};
use redis::Value;

use super::finish::{ID_LEN, check_size};
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// See [`Engine::extend`](mq_core::engine::Engine::extend).
pub(crate) async fn extend(
    engine: &RedisEngine,
    beats: &[Beat],
) -> Result<Vec<BeatReply>, EngineError> {
    check_size(beats.len(), "beats")?;
    // A worker has two names on each of its queues, and they stand side by side.
    let groups = || beats.chunk_by(|one, next| one.queue == next.queue);
    let mut request = Request::new();
    for group in groups() {
        let keys = engine.keys.queue(&group[0].queue);
        let mut of_script = vec![keys.workers(), keys.about(), keys.cancels()];
        let mut args = vec![engine.now_arg()];
        for beat in group {
            let about = beat.about.as_ref().map(about_json).transpose()?;
            args.extend([beat.worker.to_text().to_vec(), lease_arg(beat.lease)]);
            args.push(about.unwrap_or_default());
            args.push(if beat.names_claims { b"1".to_vec() } else { Vec::new() });
            of_script.push(keys.claims(beat.worker.to_text()));
        }
        request.script(&script::EXTEND, &of_script, &args);
    }
    let answers = engine.link.run(&request, USUAL).await?;
    let mut replies = Vec::with_capacity(beats.len());
    for (group, answer) in groups().zip(answers) {
        match reply::damage(&answer) {
            Some(error) => {
                replies.extend(group.iter().map(|_| BeatReply::Damaged(error.to_string())));
            }
            None => read(engine, answer, group, &mut replies)?,
        }
    }
    Ok(replies)
}

fn read(
    engine: &RedisEngine,
    answer: Value,
    beats: &[Beat],
    replies: &mut Vec<BeatReply>,
) -> Result<(), EngineError> {
    let [now, cancels, letters, named] = reply::array(answer)?;
    let now_ms = reply::number(now)?;
    engine.time.learn(now_ms);
    let mut ids = Vec::new();
    for id in reply::list(cancels)? {
        ids.extend(JobId::parse(&reply::text(id)?));
    }
    let letters = reply::text(letters)?;
    if letters.len() != beats.len() {
        return Err(reply::odd(&Value::BulkString(letters), "a letter per worker"));
    }
    let mut named = reply::list(named)?.into_iter();
    for (beat, letter) in beats.iter().zip(letters) {
        if letter != b'E' {
            replies.push(BeatReply::Lost);
            continue;
        }
        let fields = if beat.names_claims { named.next() } else { None };
        let claims = fields.map_or_else(|| Ok(Vec::new()), holdings)?;
        replies.push(BeatReply::Extended { cancels: ids.clone(), claims, now_ms });
    }
    Ok(())
}

/// Numbers of claims and the bytes of the ids that each holds, in turn.
fn holdings(pairs: Value) -> Result<Vec<Holding>, EngineError> {
    let mut holdings = Vec::new();
    let mut pairs = reply::list(pairs)?.into_iter();
    while let (Some(number), Some(bytes)) = (pairs.next(), pairs.next()) {
        let (number, jobs) = (reply::number(number)?, reply::number(bytes)? as usize / ID_LEN);
        holdings.push(Holding { number, jobs });
    }
    Ok(holdings)
}

/// The stored form of what a worker says about itself.
pub(super) fn about_json(about: &About) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(about).map_err(|error| {
        let message = "what the worker says about itself cannot be written as JSON";
        EngineError::new(EngineErrorKind::Invalid, message).with_source(error)
    })
}

/// A lease in ms, small enough to be added to the time and still be exact as a score.
pub(super) fn lease_arg(lease: Duration) -> Vec<u8> {
    const MAX_MS: u128 = 1 << 51;
    lease.as_millis().min(MAX_MS).to_string().into_bytes()
}
