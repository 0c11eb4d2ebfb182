//! Planted mistakes in the scripts; see [`mq_core::mutant`].

use mq_core::QueueName;
use mq_core::engine::{EngineError, Progress};
use mq_core::failpoint::point;

use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::reply;

/// A mistake: its number, the script, what stands there, and what stands there instead.
type Patch = (u8, &'static str, &'static str, &'static str);

const PATCHES: &[Patch] = &[
    // 1: a job that is claimed is in no receipt, as in a queue that pops.
    (1, "claim", "queue.claims, queue.number, ids, 'last'", "queue.claims, 'last'"),
    // 2: whoever says that a job is done is believed.
    (2, "finish", "if not lease or lease == '0' then return 'F' end", ""),
    (2, "finish", "if not cut(held, number, id) then return 'R' end", "cut(held, number, id)"),
    (
        2,
        "finish",
        "local holds = cut(held, number, id)",
        "cut(held, number, id) local holds = true",
    ),
    // 4: whoever is registered is taken for dead.
    (4, "reap", "'(0', now, 'BYSCORE'", "'(0', '+inf', 'BYSCORE'"),
    // 6: claims leave due jobs to `promote`, which is replaced below.
    (6, "claim", "promote_due(queue.scheduled, queue.levels, queue.ready, lengths, now, 100)", ""),
    (6, "claim", "promote_due(queue.retry, queue.levels, queue.ready, lengths, now, 100)", ""),
    // 7: jobs that are handed back go behind those that wait.
    (7, "finish", "bulk('LPUSH', KEYS[7]", "bulk('RPUSH', KEYS[7]"),
    // 9: the key of a job that has ended is never forgotten.
    (9, "finish", "forget_later(KEYS[14], KEYS[15], keyed)", ""),
    // 12: jobs are due by the clock of a worker, which is an hour fast.
    (12, "claim", "'-inf', now, 'BYSCORE'", "'-inf', now + 3600000, 'BYSCORE'"),
    (12, "promote", "'-inf', now, 'BYSCORE'", "'-inf', now + 3600000, 'BYSCORE'"),
    // 13: all that is due is moved at once.
    (13, "claim", "'BYSCORE', 'LIMIT', 0, limit)", "'BYSCORE')"),
    (13, "promote", "'BYSCORE', 'LIMIT', 0, limit)", "'BYSCORE')"),
    // 16: a claim needs memory, as LMOVE does.
    (16, "claim", "#!lua flags=allow-oom", "#!lua"),
    // 19: leases end a second early for who sweeps.
    (19, "reap", "'(0', now, 'BYSCORE'", "'(0', now + 1000, 'BYSCORE'"),
];

/// A script with the mistake that this process has.
///
/// # Panics
/// When the script has changed, so that the mistake has no place in it.
pub(crate) fn planted(name: &str, source: &str) -> String {
    let mut text = source.to_owned();
    let mutant = mq_core::mutant::which();
    for (number, script, from, to) in PATCHES {
        if mutant == Some(*number) && *script == name {
            assert!(text.contains(from), "mutant {number} finds no `{from}` in {name}.lua");
            text = text.replacen(from, to, 1);
        }
    }
    text
}

/// 6: due jobs are taken out of their set by one request, and put into the ready list by another.
pub(crate) async fn promote_by_two(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<Progress, EngineError> {
    let keys = engine.keys.queue(queue);
    let ask = async |words: &[&str]| {
        let mut cmd = redis::Cmd::new();
        for word in words {
            cmd.arg(*word);
        }
        let mut request = Request::new();
        request.cmd(cmd);
        reply::only(engine.link.run(&request, USUAL).await?)
    };
    let (mut done, now) = (0, mq_core::clock::wall_ms().to_string());
    for set in [keys.scheduled(), keys.retry()] {
        let range = ["ZRANGE", &set, "-inf", &now, "BYSCORE", "LIMIT", "0", "1"];
        let Some(id) = reply::list(ask(&range).await?)?.pop() else { continue };
        let id = String::from_utf8_lossy(&reply::text(id)?).into_owned();
        ask(&["ZREM", &set, &id]).await?;
        point("promote.popped");
        ask(&["RPUSH", &keys.ready(1), &id]).await?;
        ask(&["ZADD", &keys.wake(), "0", "0"]).await?;
        done += 1;
    }
    Ok(Progress { done, more: done > 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn every_mistake_has_a_place() {
        for (number, name, from, _) in PATCHES {
            let script = script::ALL.iter().find(|script| script.name == *name).unwrap();
            assert!(script.original().contains(from), "{number}: `{from}` in {name}.lua");
        }
    }
}
