//! What an error of the server or of the connection means.

use std::time::Duration;

use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::name::quoted;
use redis::{RedisError, ServerError, Value};

use crate::url::Settings;

/// The classes of error replies that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server has forgotten the script; loading it helps.
    NoScript,
    /// Surely without effect, and passes by itself: loading, busy, failing over.
    Passing,
    /// No memory or no disk.
    Full,
    /// Forbidden by rule.
    Denied,
    /// A key is not of the type that mq gave it.
    Damaged,
    /// Anything else: the request is not what this server understands.
    Other,
}

impl Fault {
    /// The class of an error reply.
    pub(crate) fn of(error: &ServerError) -> Self {
        match error.code() {
            "NOSCRIPT" => Self::NoScript,
            "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "NOREPLICAS" => {
                Self::Passing
            }
            "OOM" | "MISCONF" => Self::Full,
            "READONLY" | "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Denied,
            "WRONGTYPE" => Self::Damaged,
            // What made the transaction fail is named inside, in versions that say so at all.
            "EXECABORT" if error.details().is_some_and(|text| text.contains("OOM")) => Self::Full,
            _ => Self::Other,
        }
    }

    /// The class of a reply, if it is an error.
    pub(crate) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::ServerError(error) => Some(Self::of(error)),
            _ => None,
        }
    }
}

/// The error for people that an error reply amounts to.
pub(crate) fn refusal(error: &ServerError) -> EngineError {
    let details = error.details().unwrap_or("");
    let kind = match Fault::of(error) {
        Fault::NoScript | Fault::Passing => EngineErrorKind::Unavailable,
        Fault::Full => EngineErrorKind::Full,
        Fault::Denied => EngineErrorKind::Denied,
        Fault::Damaged => EngineErrorKind::Damaged,
        Fault::Other => EngineErrorKind::Invalid,
    };
    let advice = match error.code() {
        "NOSCRIPT" => "the server keeps forgetting its scripts; see who calls SCRIPT FLUSH",
        "LOADING" => "the server is still reading its data from disk; try again later",
        "BUSY" => "a script is holding the server up; see `redis-cli slowlog get`",
        "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" => "the server is failing over; try again later",
        "NOREPLICAS" => "too few replicas are connected for `min-replicas-to-write`",
        "OOM" | "EXECABORT" => {
            "the server is at its memory limit and takes no more jobs; run more workers or raise \
             it with `CONFIG SET maxmemory`"
        }
        "MISCONF" => "the server cannot write to its disk; free some space and see its log",
        "READONLY" => "this is a replica and takes no writes; give the address of the primary",
        "NOAUTH" => "the server wants a password; put it into the URL: redis://:password@host",
        "WRONGPASS" => "the server refuses this user name or password; check them in the URL",
        "NOPERM" => {
            "the user may not do this; see `ACL WHOAMI` and `ACL LOG`, and allow what mq needs \
             with `ACL SETUSER`"
        }
        "WRONGTYPE" => {
            "a key of mq holds something that mq did not write; use another prefix or remove it"
        }
        "ERR" if details.contains("user_script") => {
            "a script of mq failed, which is a mistake of mq's; please report it"
        }
        _ => "the server does not understand the request; is it Redis 7.0, Valkey 7.2 or newer?",
    };
    // It can quote anybody.
    let said = quoted(&format!("{} {details}", error.code()));
    let message = format!("redis answered `{said}`: {advice}");
    EngineError::new(kind, message)
}

/// Why there is no connection, when there is no use in trying again.
pub(super) fn denied(settings: &Settings, cause: &RedisError) -> Option<EngineError> {
    let message = match cause.kind() {
        redis::ErrorKind::AuthenticationFailed => format!(
            "{settings} refuses the user name or password: check them in the URL, with the \
             characters `%@:/?#` written as %XX"
        ),
        redis::ErrorKind::InvalidClientConfig => {
            format!("{settings} cannot be connected to: check the URL")
        }
        redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => {
            return denied_by_server(settings, cause);
        }
        redis::ErrorKind::Io => {
            let advice = about_certificate(&cause.to_string())?;
            format!("{settings} shows a certificate that {advice}")
        }
        _ => return None,
    };
    Some(EngineError::new(EngineErrorKind::Denied, message).with_source(cause.clone()))
}

/// What is wrong with the certificate of a server and what to do, if that is what an error is
/// about. The library passes it on as text only.
fn about_certificate(text: &str) -> Option<&'static str> {
    let (_, fault) = text.split_once("invalid peer certificate: ")?;
    Some(if fault.starts_with("certificate expired") {
        "has expired: have the server show a new one, or set the clock of this machine right"
    } else if fault.starts_with("certificate not valid yet") {
        "is not valid yet: set the clock of this machine right"
    } else if fault.starts_with("certificate not valid for name") {
        "is for another host: write the host as the certificate names it, or have the server show \
         one for this host"
    } else {
        "is not trusted here: add its authority to the system's, or name a file with it in the \
         environment variable SSL_CERT_FILE"
    })
}

fn denied_by_server(settings: &Settings, cause: &RedisError) -> Option<EngineError> {
    if cause.detail().is_some_and(|text| text.contains("DB index")) {
        let message = format!(
            "{settings} has no database {}: use 0, or raise `databases` in its configuration",
            settings.database()
        );
        return Some(EngineError::new(EngineErrorKind::Denied, message).with_source(cause.clone()));
    }
    let error = ServerError::try_from(cause.clone()).ok()?;
    matches!(Fault::of(&error), Fault::Denied).then(|| refusal(&error))
}

/// No connection came about in time.
pub(super) fn unreached(
    settings: &Settings,
    patience: Duration,
    cause: Option<&RedisError>,
) -> EngineError {
    let message = format!(
        "{settings} was not reached within {patience:.1?}: check that the server runs and that \
         the address is right"
    );
    with_cause(EngineError::new(EngineErrorKind::Unavailable, message), cause)
}

/// The request was sent, at least in part, and no answer came in time.
pub(super) fn unanswered(
    settings: &Settings,
    patience: Duration,
    cause: Option<&RedisError>,
) -> EngineError {
    let message = format!(
        "{settings} did not answer within {patience:.1?}; the request may or may not have been \
         carried out, and repeating it is safe"
    );
    with_cause(EngineError::new(EngineErrorKind::Unknown, message), cause)
}

/// The connection was lost under a request that is not sent again.
pub(super) fn cut_off(settings: &Settings, cause: Option<&RedisError>) -> EngineError {
    let message = format!(
        "the connection to {settings} was lost before an answer came; the request may or may not \
         have been carried out"
    );
    with_cause(EngineError::new(EngineErrorKind::Unknown, message), cause)
}

fn with_cause(error: EngineError, cause: Option<&RedisError>) -> EngineError {
    match cause {
        Some(cause) => error.with_source(cause.clone()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EngineErrorKind as Kind;

    fn reply(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_an_error_reply_quotes_is_made_printable_and_short() {
        let told = refusal(&reply(&format!("ERR unknown command '\u{1b}[2J{}'", "x".repeat(999))));
        let told = told.to_string();
        assert!(told.starts_with("redis answered `ERR unknown command '\\u{1b}[2Jxxx"), "{told}");
        assert!(told.len() < 400, "{told}");
    }

    #[test]
    fn every_refusal_has_its_class_and_says_what_to_do() {
        for (line, fault, kind, advice) in [
            ("NOSCRIPT No matching script", Fault::NoScript, Kind::Unavailable, "SCRIPT FLUSH"),
            ("LOADING Redis is loading", Fault::Passing, Kind::Unavailable, "try again later"),
            ("BUSY Redis is busy", Fault::Passing, Kind::Unavailable, "slowlog"),
            ("MASTERDOWN Link is down", Fault::Passing, Kind::Unavailable, "failing over"),
            ("NOREPLICAS Not enough", Fault::Passing, Kind::Unavailable, "replicas"),
            ("OOM command not allowed", Fault::Full, Kind::Full, "maxmemory"),
            ("EXECABORT discarded because of: OOM x", Fault::Full, Kind::Full, "maxmemory"),
            ("MISCONF Errors writing to the AOF", Fault::Full, Kind::Full, "disk"),
            ("READONLY You can't write", Fault::Denied, Kind::Denied, "primary"),
            ("NOAUTH Authentication required.", Fault::Denied, Kind::Denied, ":password@host"),
            ("WRONGPASS invalid pair", Fault::Denied, Kind::Denied, "check them in the URL"),
            ("NOPERM no permissions", Fault::Denied, Kind::Denied, "ACL SETUSER"),
            ("WRONGTYPE Operation against", Fault::Damaged, Kind::Damaged, "did not write"),
            ("ERR unknown command", Fault::Other, Kind::Invalid, "7.0"),
            ("EXECABORT previous errors", Fault::Other, Kind::Invalid, ""),
        ] {
            let error = reply(line);
            assert_eq!(Fault::of(&error), fault, "{line}");
            let told = refusal(&error);
            assert_eq!(told.kind(), kind, "{line}");
            assert!(told.to_string().contains(advice), "{told}");
            let code = line.split(' ').next().unwrap();
            assert!(told.to_string().contains(code), "{told}");
        }
    }
}
