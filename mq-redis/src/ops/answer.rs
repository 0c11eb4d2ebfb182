//! Reading what the server answers to operators' requests, in either version of its protocol.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::EngineError;
use redis::Value;

use crate::engine::RedisEngine;
use crate::link::{Request, USUAL, refusal};
use crate::reply::odd;

/// Sends a request of the operator plane; the first command that was refused fails it.
pub(super) async fn ask(
    engine: &RedisEngine,
    request: &Request,
) -> Result<std::vec::IntoIter<Value>, EngineError> {
    let values = engine.link.run(request, USUAL).await?;
    for value in &values {
        if let Value::ServerError(error) = value {
            return Err(refusal(error));
        }
    }
    Ok(values.into_iter())
}

/// The bytes of a scalar; none for nil and for what is no scalar.
pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Double(number) => Some(number.to_string().into_bytes()),
        Value::Okay => Some(b"OK".to_vec()),
        _ => None,
    }
}

/// The text of a scalar, empty for nil.
pub(super) fn text(value: Value) -> String {
    String::from_utf8_lossy(&bytes(value).unwrap_or_default()).into_owned()
}

/// A number that is never negative; none for nil and for what is no number.
pub(super) fn number(value: Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(number).ok(),
        other => parse_number(&bytes(other)?),
    }
}

/// Reads a number as Redis prints it; scores may come with a fraction or an exponent.
pub(super) fn parse_number(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let exact = text.parse().ok();
    exact.or_else(|| text.parse::<f64>().ok().filter(|n| *n >= 0.0).map(|n| n as u64))
}

/// The elements of an array or set; those of a map one after the other; empty for all else.
pub(super) fn list(value: Value) -> std::vec::IntoIter<Value> {
    let elements = match value {
        Value::Array(elements) | Value::Set(elements) => elements,
        Value::Map(entries) => entries.into_iter().flat_map(|(a, b)| [a, b]).collect(),
        _ => Vec::new(),
    };
    elements.into_iter()
}

/// The elements of an array or set, of which there are as many as were asked for: without one, what
/// it would have said must not be guessed.
pub(super) fn exactly(
    count: usize,
    value: Value,
) -> Result<std::vec::IntoIter<Value>, EngineError> {
    match &value {
        Value::Array(elements) | Value::Set(elements) if elements.len() == count => Ok(list(value)),
        _ => Err(odd(&value, "a reply per job")),
    }
}

/// The pairs of a hash or of a sorted set with scores, whether they come nested or not.
pub(super) fn pairs(value: Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    let mut rest = list(value);
    while let Some(first) = rest.next() {
        let mut pair = match first {
            nested @ Value::Array(_) => list(nested),
            flat => vec![flat, rest.next().unwrap_or_default()].into_iter(),
        };
        if let (Some(a), Some(b)) = (pair.next().and_then(bytes), pair.next().and_then(bytes)) {
            out.push((a, b));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn pairs_are_the_same_in_both_protocols() {
        let expected = vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2".to_vec())];
        let flat = vec![bulk("a"), bulk("1"), bulk("b"), bulk("2")];
        let nested = vec![
            Value::Array(vec![bulk("a"), Value::Double(1.0)]),
            Value::Array(vec![bulk("b"), Value::Double(2.0)]),
        ];
        let map = vec![(bulk("a"), bulk("1")), (bulk("b"), Value::Int(2))];
        assert_eq!(pairs(Value::Array(flat)), expected);
        assert_eq!(pairs(Value::Array(nested)), expected);
        assert_eq!(pairs(Value::Map(map)), expected);
        assert_eq!(pairs(Value::Nil), vec![]);
    }

    #[test]
    fn a_reply_that_lacks_a_job_is_an_error_and_not_a_guess() {
        let two = || Value::Array(vec![bulk("a"), bulk("b")]);
        assert_eq!(exactly(2, two()).unwrap().len(), 2);
        for (count, value) in [(1, two()), (3, two()), (1, Value::Nil), (1, bulk("a"))] {
            let error = exactly(count, value).unwrap_err();
            assert!(error.to_string().contains("a reply per job"), "{error}");
        }
    }

    #[test]
    fn numbers_come_as_integers_texts_and_scores() {
        assert_eq!(number(Value::Int(7)), Some(7));
        assert_eq!(number(bulk("1732135000123")), Some(1_732_135_000_123));
        assert_eq!(number(bulk("1.732135000123e+12")), Some(1_732_135_000_123));
        assert_eq!(number(Value::Double(1.5)), Some(1));
        assert_eq!(number(Value::Int(-1)), None);
        assert_eq!(number(bulk("-inf")), None);
        assert_eq!(number(Value::Nil), None);
    }
}
