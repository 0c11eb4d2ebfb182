//! Jobs of one state, page by page. A cursor is what the order of the state knows about the last
//! job of a page, so that a page costs the same wherever it is.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::State;
use mq_core::engine::{BATCH_MAX, Cursor, EngineError, EngineErrorKind, ListRequest, Page, Stored};
use rusqlite::Row;

use super::get::stored;
use crate::column;
use crate::error::Result;
use crate::jobs::{CANCELLED, DEAD, DONE};
use crate::sql;
use crate::tx::Tx;

/// A job and where it is in the order of its state, each none if it cannot be read.
type Listed = (Option<Stored>, Option<String>);

/// See [`Engine::list`](mq_core::engine::Engine::list).
pub(crate) fn list(tx: &mut Tx<'_>, request: &ListRequest) -> Result<Page> {
    let after = request.cursor.as_ref().map(Place::parse).transpose()?;
    let Some(queue) = tx.queue(&request.queue)? else { return Ok(Page::default()) };
    let limit = request.limit.clamp(1, BATCH_MAX);
    let asked = limit as i64 + 1;
    let name = &request.queue;
    let read = |row: &Row<'_>| -> rusqlite::Result<Listed> {
        Ok((stored(row, name)?, column::text(row, 7)?))
    };
    let (pk, all) = (queue.pk, Place::START);
    let kept = |tx: &Tx<'_>, state: i64| {
        let Place { first, text, .. } = after.clone().unwrap_or(Place::END);
        tx.rows(sql!("list_kept"), (pk, state, first, text, asked), read)
    };
    let Place { first, second, text } = after.clone().unwrap_or(all);
    let mut found: Vec<Listed> = match request.state {
        State::Ready => tx.rows(sql!("list_ready"), (pk, first, second, asked), read)?,
        State::Scheduled => tx.rows(sql!("list_scheduled"), (pk, first, text, asked), read)?,
        State::Running => tx.rows(sql!("list_running"), (pk, text, first, second, asked), read)?,
        State::Done => kept(tx, DONE)?,
        State::Dead => kept(tx, DEAD)?,
        State::Cancelled => kept(tx, CANCELLED)?,
        _ => Vec::new(),
    };
    let is_more = found.len() > limit;
    found.truncate(limit);
    let last = found.iter().rev().find_map(|(_, place)| place.clone());
    let next = last.filter(|_| is_more).map(Cursor);
    Ok(Page { jobs: found.into_iter().filter_map(|(job, _)| job).collect(), next })
}

/// A cursor taken apart: two numbers and an id, of which each state uses what it needs.
#[derive(Debug, Clone)]
struct Place {
    first: i64,
    second: i64,
    text: String,
}

impl Place {
    const START: Self = Self { first: i64::MIN, second: i64::MIN, text: String::new() };
    /// For the states whose latest job comes first.
    const END: Self = Self { first: i64::MAX, second: i64::MAX, text: String::new() };

    fn parse(cursor: &Cursor) -> Result<Self> {
        let mut parts = cursor.0.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        let numbers = (number(), number());
        match (numbers, parts.next()) {
            ((Some(first), Some(second)), Some(text)) => {
                Ok(Self { first, second, text: text.to_owned() })
            }
            _ => {
                let shown: String = cursor.0.chars().take(64).collect();
                let shown = shown.escape_debug();
                let text = format!("`{shown}` is no cursor: begin without one");
                Err(EngineError::new(EngineErrorKind::Invalid, text))
            }
        }
    }
}
