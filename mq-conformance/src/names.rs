//! Names that try to break out of the store's own names (RELIABILITY F86).

use mq_core::engine::EnqueueReply;
use mq_core::lifecycle::Transition;
use mq_core::rng::Rng;
use mq_core::{NAME_LEN_MAX, QueueName, State};

use crate::Fixture;
use crate::kit::{HOUR, Hand, draft, listed, queue};

/// Names that an engine could mistake for each other, for a pattern, or for a key of its own.
#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "{}", "}{", "{", "}", "{a}", "a}", "{a", "a", ":", "::", "a:", ":a", "a:b", "*", "?", "[a]",
    "%", "%25", "%41", "A", "%61", "%7B", "%7b", "%7Ba%7D", "%3A", "%00", "a b", "a%20b", "a+b",
    " a", "a ", "'", "\"", "\\", "\\x00", "`", "$(x)", "${x}", "--", "-", "_", ".", "..", "/",
    "../..", "a/b", "queues", "jobs", "ready", "mq", "mq:", "mq:queues", "mq:{a}:jobs",
    "{a}:jobs", "a}:jobs", "a}:ready:high", "q1}:x{", ":meta", "a:ready", "a:workers",
    "a:claims:b", "workers", "nil", "null", "true", "0", "-1", "+inf", "(1", "[a", "default",
    "größe", "grösse", "GRÖSSE", "Größe", "ｄefault", "dеfault", "ⅰ", "ﬁ", "fi", "é", "e\u{301}",
    "\u{1f468}\u{200d}\u{1f469}", "日本", "😀", "a\u{a0}b", "a\u{2003}b",
    "]] redis.call('FLUSHALL')--", "'; drop table jobs; --", "\u{fffd}", "\u{10ffff}",
];

fn hostile() -> Vec<String> {
    let mut names: Vec<String> = HOSTILE.iter().map(|&name| name.to_owned()).collect();
    names.push("x".repeat(NAME_LEN_MAX));
    names.push(":".repeat(NAME_LEN_MAX));
    names.push("{".repeat(NAME_LEN_MAX));
    names.push("ü".repeat(NAME_LEN_MAX / 2));
    names.push(format!("{}y", "x".repeat(NAME_LEN_MAX - 1)));
    names
}

/// Short names over an alphabet in which nearly every pair is a near miss.
fn near_misses(count: usize) -> Vec<String> {
    const ALPHABET: [&str; 10] = ["{", "}", ":", "%", "7", "B", "a", "\u{20ac}", " a", "3A"];
    let mut rng = Rng::seeded(86);
    let mut names = std::collections::BTreeSet::new();
    while names.len() < count {
        let len = rng.between(1, 4);
        let name: String = (0..len).map(|_| ALPHABET[rng.between(0, 9) as usize]).collect();
        if QueueName::new(&name).is_ok() {
            names.insert(name);
        }
    }
    names.into_iter().collect()
}

pub async fn two_queues_never_mix_whatever_they_are_called(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut names = hostile();
    names.extend(near_misses(60));
    names.sort();
    names.dedup();
    let mut sent = Vec::new();
    for name in &names {
        let ready = draft(name).payload(name.as_bytes()).put(&engine).await;
        let scheduled = draft(name).key(name).after(HOUR).put(&engine).await;
        sent.push((ready, scheduled));
    }
    let mut queues: Vec<_> = names.iter().map(|name| queue(name)).collect();
    queues.sort();
    assert_eq!(engine.queues().await.expect("queues"), queues);
    for (name, (ready, scheduled)) in names.iter().zip(sent) {
        let stats = engine.stats(&queue(name)).await.expect("stats");
        assert_eq!((stats.ready, stats.scheduled, stats.workers), (1, 1, 0), "{name:?}");
        assert_eq!(listed(&engine, name, State::Scheduled).await, [scheduled], "{name:?}");
        let hand = Hand::join(&engine, name).await;
        engine.pause(&hand.queue).await.expect("pause");
        assert_eq!(hand.take(9).await, [], "{name:?}");
        engine.resume(&hand.queue).await.expect("resume");
        let jobs = hand.take(9).await;
        assert_eq!(jobs.len(), 1, "{name:?}");
        assert_eq!((jobs[0].id, &jobs[0].claim.queue), (ready, &hand.queue), "{name:?}");
        hand.end(&jobs[0], Transition::Bury).await;
        assert_eq!(listed(&engine, name, State::Dead).await, [ready], "{name:?}");
    }
}

pub async fn two_keys_never_mix_whatever_they_are_called(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut keys = hostile();
    keys.extend(near_misses(60));
    keys.extend(["\0", "\n", "a\r\nb", "\u{1b}[31m", "\u{202e}"].map(str::to_owned));
    keys.sort();
    keys.dedup();
    let mut sent = Vec::new();
    for key in &keys {
        sent.push(draft("q").key(key).put(&engine).await);
    }
    for (key, id) in keys.iter().zip(sent) {
        let reply = draft("q").key(key).send(&engine).await;
        assert_eq!(reply, EnqueueReply { id, duplicate: true }, "{key:?}");
    }
}

pub async fn a_claim_over_hostile_queues_takes_from_each(fixture: &dyn Fixture) {
    use mq_core::engine::{ClaimRequest, QueueClaim};
    let engine = fixture.engine();
    let names = hostile();
    let mut queues = Vec::new();
    let mut sent = Vec::new();
    for name in names.iter().take(40) {
        let hand = Hand::join(&engine, name).await;
        sent.push(draft(name).put(&engine).await);
        queues.push(QueueClaim { claim: hand.fresh(), limit: 5 });
    }
    let request = ClaimRequest { finishes: Vec::new(), limit: 1_000, queues };
    let reply = engine.claim(request).await.expect("claim");
    assert_eq!(crate::kit::ids(&reply.jobs), sent);
}
