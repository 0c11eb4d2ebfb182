//! Every key that mq uses, built here and nowhere else.
//!
//! All keys of a queue look like `mq:{queue}:…`: what is between the braces is the cluster's hash
//! tag, so they are on one shard and a script may use them together. The queue's name is encoded,
//! so that no name can move the tag or be mistaken for another one's key.

use std::fmt::Write as _;

use mq_core::QueueName;

/// Builds keys with one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    prefix: String,
}

/// Builds the keys of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueKeys {
    /// All of them begin so.
    base: String,
}

impl Keys {
    /// Keys that begin with `prefix`; colons in it structure it further.
    pub(crate) fn new(prefix: &str) -> Self {
        let mut encoded = String::with_capacity(prefix.len());
        for (index, part) in prefix.split(':').enumerate() {
            if index > 0 {
                encoded.push(':');
            }
            encode(part.as_bytes(), &mut encoded);
        }
        Self { prefix: encoded }
    }

    /// SET: the names of all queues, as they are.
    pub(crate) fn queues(&self) -> String {
        format!("{}:queues", self.prefix)
    }

    /// SET: `hour queue`, of queues from which jobs were transferred in the last day, or which have
    /// jobs on their way; hours since 1970.
    pub(crate) fn transfers(&self) -> String {
        format!("{}:transfers", self.prefix)
    }

    /// STRING: the name that tells this store from all others.
    pub(crate) fn store(&self) -> String {
        format!("{}:store", self.prefix)
    }

    /// The keys of one queue.
    pub(crate) fn queue(&self, queue: &QueueName) -> QueueKeys {
        let name = queue.as_str();
        let mut base = String::with_capacity(self.prefix.len() + name.len() + 4);
        base.push_str(&self.prefix);
        base.push_str(":{");
        encode(name.as_bytes(), &mut base);
        base.push_str("}:");
        QueueKeys { base }
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])+ $method:ident = $name:literal;)+) => {
        impl QueueKeys {
            $($(#[$doc])+
            pub(crate) fn $method(&self) -> String {
                self.named($name)
            })+

            /// All keys whose names are fixed, for the tests.
            #[cfg(any(test, feature = "fuzzing"))]
            pub(crate) fn all_fixed(&self) -> Vec<String> {
                vec![$(self.$method()),+]
            }
        }
    };
}

keys! {
    /// HASH: id to record.
    jobs = "jobs";
    /// HASH: id to history, only of jobs that have a past.
    history = "history";
    /// HASH: id to priority level, only of jobs whose level is not the normal one.
    levels = "levels";
    /// ZSET: id, due time in ms.
    scheduled = "scheduled";
    /// ZSET: id, due time in ms, of jobs that failed.
    retry = "retry";
    /// ZSET: id, time of death in ms.
    dead = "dead";
    /// ZSET: id, time in ms until which it is kept.
    done = "done";
    /// ZSET: id, time in ms until which it is kept.
    cancelled = "cancelled";
    /// ZSET: worker, end of its lease in ms; 0 if it has been revoked.
    workers = "workers";
    /// HASH: worker to what it says about itself, in JSON.
    about = "about";
    /// LIST: workers that were fenced out or have left, latest first; they may not join again.
    gone = "gone";
    /// HASH: idempotency key to id.
    keys = "keys";
    /// ZSET: idempotency key, time in ms when it may be forgotten.
    keys_expiry = "keys:expiry";
    /// HASH: id to the time in ms when its cancellation was asked for, while it runs.
    cancels = "cancels";
    /// STRING: since when nobody may claim, in ms.
    paused = "paused";
    /// HASH: counters since the queue exists.
    stats = "stats";
    /// HASH: counters per minute.
    rates = "rates";
    /// LIST: a sample of recent completions, newest first.
    recent = "recent";
    /// ZSET: the marker that wakes one idle worker.
    wake = "wake";
    /// STRING: time in ms of the last sweep for workers that are gone.
    swept = "swept";
    /// STRING: time in ms until which no worker counts as gone.
    grace = "grace";
    /// HASH: id to note, of jobs on their way to another queue.
    moving = "moving";
    /// ZSET: hand-overs that took a job from here or put it here, time in ms.
    moved = "moved";
    /// HASH: the name of the last pause, resume or import, and of the last of each sort.
    orders = "orders";
}

impl QueueKeys {
    /// LIST: ids that are ready, of the priority with this level.
    pub(crate) fn ready(&self, level: u8) -> String {
        self.named(match level {
            0 => "ready:high",
            2 => "ready:low",
            _ => "ready",
        })
    }

    /// HASH: claim number to ids, and the highest number used. The worker may be any bytes, as
    /// they were found in the store.
    pub(crate) fn claims(&self, worker: impl AsRef<[u8]>) -> String {
        let mut key = self.named("claims:");
        encode(worker.as_ref(), &mut key);
        key
    }

    /// STRING: number of the last request of a producer that was applied.
    pub(crate) fn producer(&self, producer: &str) -> String {
        let mut key = self.named("producer:");
        encode(producer.as_bytes(), &mut key);
        key
    }

    /// ANY: what an audit found under another key and had a wrong type, and the time in ms. Look at
    /// it, then remove it.
    pub(crate) fn aside(&self, name: &str, at_ms: u64) -> String {
        let mut key = self.named("aside:");
        key.push_str(name);
        key.push(':');
        key.push_str(&at_ms.to_string());
        key
    }

    fn named(&self, name: &str) -> String {
        let mut key = String::with_capacity(self.base.len() + name.len() + 24);
        key.push_str(&self.base);
        key.push_str(name);
        key
    }
}

/// Writes everything but letters, digits and `_ . - ~` as `%XX`: one name, one text, and no text
/// has a brace or a colon.
fn encode(text: &[u8], out: &mut String) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mq_core::WorkerId;
    use proptest::prelude::*;

    use super::*;

    fn all(keys: &QueueKeys) -> Vec<String> {
        let mut all = keys.all_fixed();
        all.extend([0, 1, 2].map(|level| keys.ready(level)));
        all.push(keys.claims(WorkerId::random().to_text()));
        all.push(keys.producer("}p{:"));
        all.push(keys.aside("jobs", 1));
        all
    }

    /// What a cluster hashes: the text between the first `{` and the first `}` after it.
    fn hash_tag(key: &str) -> &str {
        let (_, rest) = key.split_once('{').unwrap();
        rest.split_once('}').unwrap().0
    }

    fn names() -> impl Strategy<Value = QueueName> {
        let hostile = "[a-c{}:%*?.\\\\ \u{e4}7BD]{1,12}";
        prop_oneof![hostile, "\\PC{1,30}"]
            .prop_filter_map("not a queue name", |name| QueueName::new(name).ok())
    }

    #[test]
    fn keys_are_readable_for_ordinary_names() {
        let keys = Keys::new("mq").queue(&QueueName::new("mail-eu.1").unwrap());
        assert_eq!(keys.jobs(), "mq:{mail-eu.1}:jobs");
        assert_eq!(
            [0, 1, 2].map(|level| keys.ready(level)),
            ["mq:{mail-eu.1}:ready:high", "mq:{mail-eu.1}:ready", "mq:{mail-eu.1}:ready:low",]
        );
        assert_eq!(keys.keys_expiry(), "mq:{mail-eu.1}:keys:expiry");
        assert_eq!(keys.claims("~0_W"), "mq:{mail-eu.1}:claims:~0_W");
    }

    proptest! {
        #[test]
        fn no_name_moves_the_hash_tag(name in names(), prefix in "[a-z{}:%]{1,8}") {
            let keys = Keys::new(&prefix).queue(&name);
            let tag = hash_tag(&keys.jobs()).to_owned();
            prop_assert!(!tag.is_empty());
            for key in all(&keys) {
                prop_assert_eq!(hash_tag(&key), &tag);
                prop_assert_eq!(key.matches('{').count(), 1, "{}", key);
                prop_assert_eq!(key.matches('}').count(), 1, "{}", key);
                prop_assert!(key.is_ascii() && !key.contains(['*', '?', '\\', ' ']), "{}", key);
            }
        }

        #[test]
        fn different_things_have_different_keys(one in names(), other in names()) {
            let keys = Keys::new("mq");
            let ones = all(&keys.queue(&one));
            let distinct: HashSet<_> = ones.iter().collect();
            prop_assert_eq!(distinct.len(), ones.len());
            if one != other {
                let others = all(&keys.queue(&other));
                prop_assert!(others.iter().all(|key| !distinct.contains(key)));
                for key in [keys.queues(), keys.transfers(), keys.store()] {
                    prop_assert!(!others.contains(&key));
                }
            }
        }
    }
}
