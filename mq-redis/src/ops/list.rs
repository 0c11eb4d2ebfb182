//! Jobs of one state, page by page.
//!
//! A page is found in two steps: which ids come next, then what they are as of one instant. A job
//! that has left the state in between is left out, so a page may hold fewer jobs than asked for
//! and still not be the last.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::{BATCH_MAX, Cursor, EngineError, EngineErrorKind, ListRequest, Page};
use mq_core::{JobId, QueueName, State};

use super::answer::{ask, bytes, list as elements, number, pairs, parse_number};
use super::locate::{get, registered};
use super::transfer::Note;
use super::verb::command;
use super::workers::held;
use crate::engine::RedisEngine;
use crate::link::Request;

/// How many jobs may have been put back to the front of a ready list between two pages.
const FRONT_MAX: usize = 1_000;

/// Where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After a job in the ready list of a level, which was at this index.
    Ready { level: u8, index: usize, id: JobId },
    /// After a job in a sorted set, or in several that are merged.
    Scored { score_ms: u64, id: JobId },
    /// After a job in the order of ids.
    Id { id: JobId },
}

/// See [`Engine::list`](mq_core::engine::Engine::list).
pub(crate) async fn list(engine: &RedisEngine, request: ListRequest) -> Result<Page, EngineError> {
    let ListRequest { queue, state, cursor, limit } = request;
    let limit = limit.clamp(1, BATCH_MAX);
    let after = cursor.as_ref().map(|cursor| Place::read(cursor, state)).transpose()?;
    // One more than asked for tells whether this is the last page.
    let mut found = match state {
        State::Ready => ready(engine, &queue, after, limit + 1).await?,
        State::Running => running(engine, &queue, after, limit + 1).await?,
        _ => scored(engine, &queue, state, after, limit + 1).await?,
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|place| place.cursor());
    let ids: Vec<_> = found.iter().map(Place::id).collect();
    let stored = get(engine, &queue, &ids).await?;
    let jobs = stored.into_iter().flatten().filter(|job| job.state == state).collect();
    Ok(Page { jobs, next })
}

impl Place {
    fn id(&self) -> JobId {
        match self {
            Self::Ready { id, .. } | Self::Scored { id, .. } | Self::Id { id } => *id,
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor(match self {
            Self::Ready { level, index, id } => format!("r.{level}.{index}.{id}"),
            Self::Scored { score_ms, id } => format!("s.{score_ms}.{id}"),
            Self::Id { id } => format!("i.{id}"),
        })
    }

    /// Reads a cursor of a list of this state.
    fn read(cursor: &Cursor, state: State) -> Result<Self, EngineError> {
        let parts: Vec<_> = cursor.0.split('.').collect();
        let place = match (parts.as_slice(), state) {
            (["r", level, index, id], State::Ready) => Self::ready(level, index, id),
            (["i", id], State::Running) => id.parse().ok().map(|id| Self::Id { id }),
            (["s", ..], State::Ready | State::Running) => None,
            (["s", score, id], _) => Self::scored(score, id),
            _ => None,
        };
        place.ok_or_else(|| {
            let message = "the cursor is not one of this list: begin again without one";
            EngineError::new(EngineErrorKind::Invalid, message)
        })
    }

    fn ready(level: &str, index: &str, id: &str) -> Option<Self> {
        let level = level.parse().ok().filter(|level| *level <= 2)?;
        Some(Self::Ready { level, index: index.parse().ok()?, id: id.parse().ok()? })
    }

    fn scored(score: &str, id: &str) -> Option<Self> {
        Some(Self::Scored { score_ms: score.parse().ok()?, id: id.parse().ok()? })
    }
}

/// The next ready jobs in the order in which they will run.
async fn ready(
    engine: &RedisEngine,
    queue: &QueueName,
    after: Option<Place>,
    want: usize,
) -> Result<Vec<Place>, EngineError> {
    let keys = engine.keys.queue(queue);
    let (first, mut start) = match after {
        Some(Place::Ready { level, index, id }) => {
            (level, index_of(engine, &keys.ready(level), index, id).await?)
        }
        _ => (0, 0),
    };
    let mut found = Vec::with_capacity(want);
    for level in first..=2 {
        loop {
            let missing = want - found.len();
            let mut range = command("LRANGE", &keys.ready(level));
            range.arg(start).arg(start.saturating_add(missing - 1));
            let mut request = Request::new();
            request.cmd(range);
            let page = elements(ask(engine, &request).await?.next().unwrap_or_default());
            let page_len = page.len();
            for (at, id) in page.enumerate() {
                // What is no id is passed over here and reported by the audit.
                let id = bytes(id).and_then(|id| JobId::parse(&id).ok());
                found.extend(id.map(|id| Place::Ready {
                    level,
                    index: start.saturating_add(at),
                    id,
                }));
            }
            if found.len() >= want {
                return Ok(found);
            }
            if page_len < missing {
                break;
            }
            start = start.saturating_add(page_len);
        }
        start = 0;
    }
    Ok(found)
}

/// The index after that of a job which was seen at `index`. If it is gone, those before it are gone
/// as well, for jobs leave the list at its front: the list is read from there.
async fn index_of(
    engine: &RedisEngine,
    key: &str,
    index: usize,
    id: JobId,
) -> Result<usize, EngineError> {
    let mut find = command("LPOS", key);
    find.arg(&id.to_text()[..]).arg("MAXLEN").arg(index.saturating_add(FRONT_MAX));
    let mut request = Request::new();
    request.cmd(find);
    let at = ask(engine, &request).await?.next().and_then(number);
    Ok(at.map_or(0, |at| (at as usize).saturating_add(1)))
}

/// The next running jobs in the order of their ids.
async fn running(
    engine: &RedisEngine,
    queue: &QueueName,
    after: Option<Place>,
    want: usize,
) -> Result<Vec<Place>, EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    for worker in registered(engine, queue).await? {
        request.cmd(command("HGETALL", &keys.claims(&worker)));
    }
    let mut ids: Vec<_> = ask(engine, &request).await?.flat_map(held).collect();
    if let Some(after) = after {
        ids.retain(|id| *id > after.id());
    }
    ids.sort();
    ids.truncate(want);
    Ok(ids.into_iter().map(|id| Place::Id { id }).collect())
}

/// The next jobs of a state whose jobs are kept by time.
async fn scored(
    engine: &RedisEngine,
    queue: &QueueName,
    state: State,
    after: Option<Place>,
    want: usize,
) -> Result<Vec<Place>, EngineError> {
    let keys = engine.keys.queue(queue);
    let after = match after {
        Some(Place::Scored { score_ms, id }) => Some((score_ms, id)),
        _ => None,
    };
    let (sets, latest_first) = match state {
        State::Scheduled => (vec![keys.scheduled(), keys.retry()], false),
        State::Dead => (vec![keys.dead()], true),
        State::Done => (vec![keys.done()], true),
        _ => (vec![keys.cancelled()], true),
    };
    let mut found = Vec::new();
    for key in sets {
        found.extend(scored_in(engine, &key, after, latest_first, want).await?);
    }
    if state == State::Scheduled {
        let moving = moving(engine, &keys.moving()).await?;
        found.extend(moving.into_iter().filter(|entry| after.is_none_or(|after| *entry > after)));
    }
    found.sort();
    if latest_first {
        found.reverse();
    }
    found.truncate(want);
    Ok(found.into_iter().map(|(score_ms, id)| Place::Scored { score_ms, id }).collect())
}

/// Jobs between two queues, with their due times. There are only ever a few.
async fn moving(engine: &RedisEngine, key: &str) -> Result<Vec<(u64, JobId)>, EngineError> {
    let mut request = Request::new();
    request.cmd(command("HGETALL", key));
    let notes = pairs(ask(engine, &request).await?.next().unwrap_or_default());
    let entry = |(id, note): (Vec<u8>, Vec<u8>)| {
        let due_ms = Note::parse(&note).and_then(|note| note.due_ms()).unwrap_or(0);
        Some((due_ms, JobId::parse(&id).ok()?))
    };
    Ok(notes.into_iter().filter_map(entry).collect())
}

/// The next entries of one sorted set, in its order or against it.
async fn scored_in(
    engine: &RedisEngine,
    key: &str,
    after: Option<(u64, JobId)>,
    latest_first: bool,
    want: usize,
) -> Result<Vec<(u64, JobId)>, EngineError> {
    let mut start = match after {
        Some(after) => rank_after(engine, key, after, latest_first).await?,
        None => 0,
    };
    let mut found = Vec::with_capacity(want);
    loop {
        let mut range = command("ZRANGE", key);
        range.arg(start).arg(start.saturating_add(want - 1));
        if latest_first {
            range.arg("REV");
        }
        range.arg("WITHSCORES");
        let mut request = Request::new();
        request.cmd(range);
        let page = pairs(ask(engine, &request).await?.next().unwrap_or_default());
        let is_last = page.len() < want;
        start = start.saturating_add(page.len());
        for (id, score) in page {
            let Ok(id) = JobId::parse(&id) else { continue };
            let entry = (parse_number(&score).unwrap_or(0), id);
            let comes_after = |after| if latest_first { entry < after } else { entry > after };
            if after.is_none_or(comes_after) {
                found.push(entry);
            }
        }
        if is_last || found.len() >= want {
            return Ok(found);
        }
    }
}

/// The rank at which to look for what comes after an entry: just after it while it is there, else
/// at the first one with its score.
async fn rank_after(
    engine: &RedisEngine,
    key: &str,
    (score_ms, id): (u64, JobId),
    latest_first: bool,
) -> Result<usize, EngineError> {
    let text = id.to_text();
    let mut score = command("ZSCORE", key);
    score.arg(&text[..]);
    let mut rank = if latest_first { command("ZREVRANK", key) } else { command("ZRANK", key) };
    rank.arg(&text[..]);
    let mut before = command("ZCOUNT", key);
    if latest_first {
        before.arg(format!("({score_ms}")).arg("+inf");
    } else {
        before.arg("-inf").arg(format!("({score_ms}"));
    }
    let mut request = Request::new();
    request.cmd(score).cmd(rank).cmd(before);
    let mut values = ask(engine, &request).await?.map(number);
    let mut next = || values.next().flatten();
    let (score, rank, before) = (next(), next(), next().unwrap_or(0));
    match rank {
        Some(rank) if score == Some(score_ms) => Ok((rank as usize).saturating_add(1)),
        _ => Ok(before as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back_and_only_by_their_own_list() {
        let id = JobId::new();
        let places = [
            (Place::Ready { level: 2, index: 17, id }, State::Ready),
            (Place::Scored { score_ms: 1_700_000_000_000, id }, State::Dead),
            (Place::Id { id }, State::Running),
        ];
        for (place, state) in places {
            assert_eq!(Place::read(&place.cursor(), state).unwrap(), place);
            for other in [State::Ready, State::Dead, State::Running] {
                assert_eq!(Place::read(&place.cursor(), other).is_ok(), other == state);
            }
        }
        for text in ["", "r", "r.3.0.x", "s.-1.x", "i.", "s.1.2.3", "\u{0}"] {
            for state in State::ALL {
                assert!(Place::read(&Cursor(text.into()), state).is_err(), "{text:?}");
            }
        }
    }
}
