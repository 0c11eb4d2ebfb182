//! Signs of life, all in one trip.

use std::time::Duration;

use mq_core::JobId;
use mq_core::engine::{About, Beat, BeatReply, EngineError, EngineErrorKind};
use redis::Value;

use super::finish::check_size;
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// See [`Engine::extend`](mq_core::engine::Engine::extend).
pub(crate) async fn extend(
    engine: &RedisEngine,
    beats: &[Beat],
) -> Result<Vec<BeatReply>, EngineError> {
    check_size(beats.len(), "beats")?;
    let mut request = Request::new();
    for beat in beats {
        let keys = engine.keys.queue(&beat.queue);
        let about = beat.about.as_ref().map(about_json).transpose()?;
        request.script(
            &script::EXTEND,
            &[keys.workers(), keys.about(), keys.cancels()],
            &[
                engine.now_arg(),
                beat.worker.to_text().to_vec(),
                lease_arg(beat.lease),
                about.unwrap_or_default(),
            ],
        );
    }
    let replies = engine.link.run(&request, USUAL).await?;
    replies.into_iter().map(|reply| read(engine, reply)).collect()
}

fn read(engine: &RedisEngine, answer: Value) -> Result<BeatReply, EngineError> {
    if let Value::BulkString(_) | Value::SimpleString(_) = answer {
        return Ok(BeatReply::Lost);
    }
    let [now, cancels] = reply::array(answer)?;
    let now_ms = reply::number(now)?;
    engine.time.learn(now_ms);
    let mut ids = Vec::new();
    for id in reply::list(cancels)? {
        ids.extend(JobId::parse(&reply::text(id)?));
    }
    Ok(BeatReply::Extended { cancels: ids, now_ms })
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
