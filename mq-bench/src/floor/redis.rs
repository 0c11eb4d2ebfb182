//! A connection to Redis as mq has it, and commands by hand.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, Value};

use crate::fail::Fail;

/// A list of ids that are ready.
pub(crate) const READY: &str = "floor:ready";
/// Ids that a worker has, if it cares for a crash.
pub(crate) const TAKEN: &str = "floor:taken";
/// A hash of payloads by id.
pub(crate) const JOBS: &str = "floor:jobs";

/// Bytes of a reply.
pub(crate) type Text = Vec<u8>;

/// Connects with the settings that mq's own connections have.
pub(crate) async fn connect(url: &str) -> Result<MultiplexedConnection, Fail> {
    let config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(1024);
    Ok(Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Sends commands in one request; all replies must be good ones.
pub(crate) async fn send(
    connection: &MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, Fail> {
    let values = connection.clone().send_packed_commands(pipeline, 0, pipeline.len()).await?;
    let odd = values.iter().find(|value| matches!(value, Value::ServerError(_)));
    odd.map_or(Ok(()), |odd| Err(Fail::new(format!("the server says {odd:?}"))))?;
    Ok(values)
}

/// The texts of a list; none for nil.
pub(crate) fn texts(value: Value) -> Result<Vec<Text>, Fail> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::BulkString(text) => Ok(vec![text]),
        Value::Array(values) => {
            values.into_iter().map(texts).try_fold(Vec::new(), |mut all, one| {
                all.append(&mut one?);
                Ok(all)
            })
        }
        odd => Err(Fail::new(format!("the server answers {odd:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_out_of_any_reply_that_has_some() {
        let text = |text: &str| Value::BulkString(text.into());
        let list = Value::Array(vec![text("a"), Value::Nil, text("b")]);
        assert_eq!(texts(list).unwrap(), [b"a".to_vec(), b"b".to_vec()]);
        assert!(texts(Value::Nil).unwrap().is_empty());
        assert!(texts(Value::Okay).is_err());
    }
}
