//! Events in words.

use crate::recorder::{Answer, Destination, Did, Event};

/// Text that may stand in HTML and XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no way to write these.
            control if control.is_control() => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
    out
}

/// A token with as much of the worker as tells it from the others.
pub(super) fn token(claim: &str) -> String {
    let (worker, number) = claim.rsplit_once('.').unwrap_or((claim, ""));
    let short: String = worker.chars().take(6).collect();
    format!("{short}.{number}")
}

fn destination(to: Destination) -> &'static str {
    match to {
        Destination::Done => "done",
        Destination::Again => "again",
        Destination::HandedBack => "handed back",
        Destination::Dead => "dead",
        Destination::Cancelled => "cancelled",
    }
}

fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Applied => "applied",
        Answer::Already => "already",
        Answer::Fenced => "fenced",
        Answer::InDoubt => "no answer",
    }
}

fn did(did: Did) -> &'static str {
    match did {
        Did::Applied => "done",
        Did::Requested => "asked for",
        Did::Nothing => "in vain",
        Did::InDoubt => "no answer",
    }
}

/// A word or two for the picture.
pub(super) fn short(event: &Event) -> String {
    match event {
        Event::Sent { .. } => "sent".to_owned(),
        Event::Acked { instead: Some(_), .. } => "duplicate".to_owned(),
        Event::Acked { .. } => "acked".to_owned(),
        Event::Refused { .. } => "refused".to_owned(),
        Event::InDoubt { .. } => "in doubt".to_owned(),
        Event::Claimed { claim, reaped: true, .. } => format!("taken over {}", token(claim)),
        Event::Claimed { claim, .. } => format!("claimed {}", token(claim)),
        Event::Joining { .. } => "joins".to_owned(),
        Event::Joined { .. } => "has joined".to_owned(),
        Event::Extending { .. } => "beats".to_owned(),
        Event::Extended { .. } => "lease extended".to_owned(),
        Event::Leaving { .. } => "leaves".to_owned(),
        Event::Lost { .. } => "learns it is lost".to_owned(),
        Event::Reaped { .. } => "finds workers gone".to_owned(),
        Event::Started { .. } => "start".to_owned(),
        Event::Effect { .. } => "effect".to_owned(),
        Event::Ended { ok: true, .. } => "end".to_owned(),
        Event::Ended { .. } => "end, failed".to_owned(),
        Event::Finishing { to, .. } => format!("{}?", destination(*to)),
        Event::Finished { answer: said, .. } => answer(*said).to_owned(),
        Event::Operating { verb, .. } => format!("{verb}?"),
        Event::Operated { verb, did, .. } => format!("{verb}: {}", self::did(*did)),
        Event::Spawned { .. } => "starts a process".to_owned(),
        Event::FaultBegan { kind, .. } => kind.clone(),
        Event::FaultEnded { .. } => "over".to_owned(),
        Event::RolledBack { .. } => "rolled back".to_owned(),
        Event::Note { text } => text.clone(),
    }
}

/// All that the event says, for the table: its fields as in the history.
pub(super) fn long(event: &Event) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(event) else {
        return String::new();
    };
    let shown = fields.into_iter().filter(|(name, _)| name != "event" && name != "id");
    let shown: Vec<_> = shown
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        })
        .collect();
    shown.join(", ")
}
