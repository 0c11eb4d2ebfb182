//! Workers, what they hold, and what they say about themselves.

use mq_core::engine::{EngineError, FindingKind};
use mq_core::{JobId, WorkerId};

use super::Audit;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, number, pairs};
use crate::ops::verb::command;
use crate::script;

/// The longest lease that is ever given, in ms; see `lease_arg`.
const LEASE_MAX_MS: f64 = (1_u64 << 51) as f64;

/// Checks that claims, and what workers say about themselves, belong to workers that are registered
/// in such a way that a sweep would find them gone.
pub(super) async fn check(audit: &mut Audit<'_>, claims: &[Vec<u8>]) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let abouts = list(audit.one(command("HKEYS", &keys.about())).await?).filter_map(bytes);
    let mut workers: Vec<_> = claims.iter().cloned().chain(abouts).collect();
    workers.sort();
    workers.dedup();
    let mut leases = command("ZRANGE", &keys.workers());
    leases.arg(0).arg(-1).arg("WITHSCORES");
    let leases = pairs(audit.one(leases).await?);
    let latest = audit.engine.time.now().guess_ms as f64 + LEASE_MAX_MS;
    let mut wrong: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (worker, lease) in leases {
        workers.retain(|other| *other != worker);
        let until = std::str::from_utf8(&lease).ok().and_then(|text| text.parse::<f64>().ok());
        let until = until.unwrap_or(f64::INFINITY);
        // One whose lease has ended is found gone, whatever its name is.
        let is_over = (0.0..=1.0).contains(&until);
        let is_right = WorkerId::parse(&worker).is_ok() && (0.0..=latest).contains(&until);
        if !is_over && !is_right {
            wrong.push((worker, lease));
        }
    }
    wrong.extend(workers.into_iter().map(|worker| (worker, Vec::new())));
    for (worker, lease) in wrong {
        if audit.room() == 0 {
            break;
        }
        check_one(audit, &worker, &lease).await?;
    }
    Ok(())
}

async fn check_one(audit: &mut Audit<'_>, worker: &[u8], lease: &[u8]) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names = [keys.workers(), keys.claims(worker), keys.about()];
    let mut request = Request::new();
    request.script(&script::AUDIT_CLAIMS, &names, &[audit.mend_arg(), worker, lease]);
    let reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
    let mut reply = reply.map(|part| number(part).unwrap_or(0));
    let mut next = || reply.next().unwrap_or(0);
    let (is_so, held, about) = (next(), next(), next());
    if is_so == 0 {
        return Ok(());
    }
    let (kind, detail) = if !lease.is_empty() {
        let lease = super::shown(lease);
        (FindingKind::Garbage, format!("a worker with the lease `{lease}`, holding {held} jobs"))
    } else if held > 0 {
        let detail = format!("the worker holds {held} jobs and is not registered");
        (FindingKind::Unleased, detail)
    } else if about > 0 {
        (FindingKind::Orphan, "data about a worker that is not registered".to_owned())
    } else {
        (FindingKind::Orphan, "the claims of a worker that is not registered".to_owned())
    };
    audit.add(kind, worker, detail);
    Ok(())
}

/// Checks that receipts hold ids, under the numbers of claims.
pub(super) async fn check_receipts(
    audit: &mut Audit<'_>,
    claims: &[Vec<u8>],
) -> Result<(), EngineError> {
    for worker in claims {
        let key = audit.engine.keys.queue(audit.queue).claims(worker);
        for (number, ids) in pairs(audit.one(command("HGETALL", &key)).await?) {
            let Some(rest) = in_order(&number, &ids) else { continue };
            if audit.room() == 0 {
                return Ok(());
            }
            if is_mended_meanwhile(audit, &key, &number, &ids, &rest).await? {
                continue;
            }
            let what = [worker, &b" "[..], &number].concat();
            let detail = format!("the receipt is `{}`", super::shown(&ids));
            audit.add(FindingKind::Garbage, &what, detail);
        }
    }
    Ok(())
}

/// The second look, and the repair. True if the receipt is another one by now.
async fn is_mended_meanwhile(
    audit: &Audit<'_>,
    key: &str,
    number_of: &[u8],
    read: &[u8],
    rest: &[u8],
) -> Result<bool, EngineError> {
    // Without a repair it is written as it was read.
    let ids = if audit.repair { rest } else { read };
    let mut request = Request::new();
    request.script(&script::AUDIT_RECEIPT, &[key], &[number_of, read, ids]);
    Ok(ask(audit.engine, &request).await?.next().and_then(number) != Some(1))
}

/// What a receipt must be made of, or the highest claim number; none if it is so.
fn in_order(number: &[u8], ids: &[u8]) -> Option<Vec<u8>> {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if number == b"last" {
        return if is_number(ids) { None } else { Some(Vec::new()) };
    }
    // Jobs under what is no number could never be finished; they show up as being nowhere.
    let is_id = |text: &&[u8]| is_number(number) && JobId::parse(text).is_ok();
    let rest = ids.chunks(JobId::TEXT_LEN).filter(is_id).collect::<Vec<_>>().concat();
    (rest != ids || rest.is_empty()).then_some(rest)
}
