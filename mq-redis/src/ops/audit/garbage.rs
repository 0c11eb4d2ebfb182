//! Elements of structures that are no ids of jobs.

use mq_core::engine::{EngineError, FindingKind};
use mq_core::{History, JobId};

use super::Audit;
use super::scan::FirstLook;
use crate::link::Request;
use crate::ops::answer::{ask, number};
use crate::ops::verb::{command, variadic_command};
use crate::script;

/// The sorts of structures, by how an element is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Records,
    Hash,
    List,
    Set,
}

/// An element that is none of mq's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Garbage {
    /// Of the structure.
    pub(super) key: String,
    pub(super) sort: Sort,
    /// The name of the structure for people.
    pub(super) name: &'static str,
    pub(super) element: Vec<u8>,
}

/// Reports what the first look has found, and takes it out if asked to. mq itself never writes such
/// elements, so what was there once is still there.
pub(super) async fn check(audit: &mut Audit<'_>, look: &FirstLook) -> Result<(), EngineError> {
    for garbage in &look.garbage {
        if audit.room() == 0 {
            return Ok(());
        }
        if audit.repair && !remove(audit, garbage).await? {
            continue;
        }
        let detail = format!("`{}` has this entry, which is not the id of a job", garbage.name);
        audit.add(FindingKind::Garbage, &garbage.element, detail);
    }
    for (id, level) in &look.levels {
        if audit.room() == 0 {
            return Ok(());
        }
        if audit.repair {
            let key = audit.engine.keys.queue(audit.queue).levels();
            audit.one(variadic_command("HDEL", &key, &[id.to_text()])).await?;
        }
        let detail = format!("its priority level is `{}`", super::shown(level));
        audit.add(FindingKind::Garbage, &id.to_text(), detail);
    }
    Ok(())
}

/// Whether something was taken out.
async fn remove(audit: &Audit<'_>, garbage: &Garbage) -> Result<bool, EngineError> {
    let Garbage { key, sort, element, .. } = garbage;
    let elements = &[element];
    let removed = match sort {
        Sort::Records => return adopt(audit, element).await,
        Sort::Hash => audit.one(variadic_command("HDEL", key, elements)).await?,
        Sort::Set => audit.one(variadic_command("ZREM", key, elements)).await?,
        Sort::List => {
            let mut remove = command("LREM", key);
            remove.arg(0).arg(element);
            audit.one(remove).await?
        }
    };
    Ok(number(removed).unwrap_or(0) > 0)
}

/// Makes a dead letter of a record.
async fn adopt(audit: &Audit<'_>, field: &[u8]) -> Result<bool, EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names = [keys.jobs(), keys.history(), keys.dead()];
    let now = audit.engine.time.now();
    let error = format!("the record was stored under `{}`", super::shown(field));
    let history = History::default().malformed(now.guess_ms, &error);
    let id = JobId::new().to_text().to_vec();
    let mut request = Request::new();
    let args = [now.arg, field.to_vec(), id, history.encode()];
    request.script(&script::AUDIT_ADOPT, &names, &args);
    Ok(ask(audit.engine, &request).await?.next().and_then(number) == Some(1))
}
