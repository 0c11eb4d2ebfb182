//! Signs of life of workers, and the news for them.

use mq_core::JobId;
use mq_core::engine::{About, Beat, BeatReply, Holding};

use crate::column;
use crate::error::Result;
use crate::sql;
use crate::tx::{Tx, span, time};

/// See [`Engine::extend`](mq_core::engine::Engine::extend).
pub(crate) fn extend(tx: &mut Tx<'_>, beats: &[Beat]) -> Result<Vec<BeatReply>> {
    beats.iter().map(|beat| extend_one(tx, beat)).collect()
}

fn extend_one(tx: &mut Tx<'_>, beat: &Beat) -> Result<BeatReply> {
    let Some(queue) = tx.queue(&beat.queue)? else { return Ok(BeatReply::Lost) };
    let until_ms = tx.lease_ms.saturating_add(span(beat.lease));
    let about = beat.about.as_ref().map(about_text);
    let housekeeper = beat.about.as_ref().map(|about| about.housekeeper);
    let beaten = (queue.pk, beat.worker.to_string(), until_ms, about, housekeeper);
    if tx.execute(sql!("extend"), beaten)? == 0 {
        return Ok(BeatReply::Lost);
    }
    let asked = "SELECT id FROM mq_jobs WHERE queue = ?1 AND cancel = 1 LIMIT 1000";
    let cancels: Vec<Option<JobId>> = tx.rows(asked, [queue.pk], |row| column::id(row, 0))?;
    let cancels = cancels.into_iter().flatten().collect();
    let claims = if beat.names_claims {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Holding { number: time(row.get(0)?), jobs: time(row.get(1)?) as usize })
        };
        tx.rows(sql!("held_claims"), (queue.pk, beat.worker.to_string()), read)?
    } else {
        Vec::new()
    };
    Ok(BeatReply::Extended { cancels, claims, now_ms: tx.now() })
}

/// What a worker says about itself, as it is stored.
pub(super) fn about_text(about: &About) -> String {
    serde_json::to_string(about).unwrap_or_default()
}
