//! Reading the replies of scripts, whose shape is known: what differs is an error, never a panic.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::{EngineError, EngineErrorKind};
use redis::Value;

use crate::link::{Fault, refusal};

/// The reply of a request that consists of one command.
pub(crate) fn only(mut values: Vec<Value>) -> Result<Value, EngineError> {
    let value = values.pop().ok_or_else(|| odd(&Value::Nil, "one reply"))?;
    checked(value)
}

/// The value, or what the server refused it for.
pub(crate) fn checked(value: Value) -> Result<Value, EngineError> {
    match value {
        Value::ServerError(error) => Err(refusal(&error)),
        value => Ok(value),
    }
}

/// Why a queue could not be worked on, if what is stored of it is not what mq put there.
pub(crate) fn damage(value: &Value) -> Option<EngineError> {
    match value {
        Value::ServerError(error) if Fault::of(error) == Fault::Damaged => Some(refusal(error)),
        _ => None,
    }
}

/// An array of any length.
pub(crate) fn list(value: Value) -> Result<Vec<Value>, EngineError> {
    match checked(value)? {
        Value::Array(values) | Value::Set(values) => Ok(values),
        other => Err(odd(&other, "a list")),
    }
}

/// An array of at least `N` elements; those that Lua left off at the end are nil.
pub(crate) fn array<const N: usize>(value: Value) -> Result<[Value; N], EngineError> {
    let mut values = list(value)?;
    values.resize(N, Value::Nil);
    values.try_into().map_err(|values: Vec<_>| odd(&Value::Array(values), "a tuple"))
}

/// A number that is never negative.
pub(crate) fn number(value: Value) -> Result<u64, EngineError> {
    match checked(value)? {
        Value::Int(number) if number >= 0 => Ok(number as u64),
        Value::BulkString(bytes) => {
            let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
            number.ok_or_else(|| odd(&Value::BulkString(bytes), "a number"))
        }
        other => Err(odd(&other, "a number")),
    }
}

/// The two parts of an answer to `TIME` in ms since 1970.
pub(crate) fn time_ms(seconds: u64, micros: u64) -> u64 {
    seconds.saturating_mul(1000).saturating_add(micros / 1000)
}

/// Bytes; none for nil.
pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>, EngineError> {
    match checked(value)? {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        Value::Nil => Ok(None),
        other => Err(odd(&other, "a text")),
    }
}

/// Bytes; empty for nil.
pub(crate) fn text(value: Value) -> Result<Vec<u8>, EngineError> {
    Ok(bytes(value)?.unwrap_or_default())
}

/// A reply that a script of ours cannot have made.
pub(crate) fn odd(value: &Value, expected: &str) -> EngineError {
    let found = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    let message = format!(
        "redis answered with {found} where {expected} was expected: is a proxy in between that \
         changes replies?"
    );
    EngineError::new(EngineErrorKind::Damaged, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Value {
        let reply = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
        reply.unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_lua_leaves_off_at_the_end_is_nil() {
        let [a, b, c] = array(Value::Array(vec![Value::Int(1), Value::Nil])).unwrap();
        assert_eq!(number(a).unwrap(), 1);
        assert_eq!((bytes(b).unwrap(), text(c).unwrap()), (None, vec![]));
    }

    #[test]
    fn odd_replies_are_errors_that_say_what_was_expected() {
        for (value, expected) in [
            (number(Value::Nil).unwrap_err(), "a number"),
            (number(Value::Int(-1)).unwrap_err(), "a number"),
            (number(Value::BulkString(b"1x".to_vec())).unwrap_err(), "a number"),
            (list(Value::Okay).map(drop).unwrap_err(), "a list"),
            (bytes(Value::Int(1)).map(drop).unwrap_err(), "a text"),
            (only(vec![]).map(drop).unwrap_err(), "one reply"),
        ] {
            assert_eq!(value.kind(), EngineErrorKind::Damaged);
            assert!(value.to_string().contains(expected), "{value}");
        }
    }

    #[test]
    fn an_error_of_the_server_is_found_wherever_it_is() {
        for (text, kind) in [
            ("OOM command not allowed", EngineErrorKind::Full),
            ("WRONGTYPE Operation against a key", EngineErrorKind::Damaged),
            ("READONLY You can't write", EngineErrorKind::Denied),
        ] {
            assert_eq!(checked(error(text)).unwrap_err().kind(), kind, "{text}");
            assert_eq!(number(error(text)).unwrap_err().kind(), kind, "{text}");
            assert_eq!(only(vec![error(text)]).unwrap_err().kind(), kind, "{text}");
        }
    }
}
