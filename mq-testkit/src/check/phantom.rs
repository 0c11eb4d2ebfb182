//! Nothing happens that nothing leads to.

use super::life::{Life, Stray};
use super::places::Found;
use super::report::Report;
use super::verdict::Check;

pub(super) fn check(life: &Life<'_>, place: Found<'_>, report: &mut Report) {
    let id = Some(life.id);
    for (at, stray) in &life.strays {
        report.add(Check::Phantom, id, *at, || text(*stray));
    }
    let started = life.grants.iter().find_map(|grant| grant.started);
    let first = started.or(life.grants.first().map(|grant| grant.at));
    if let Some(at) = first {
        if life.sent.is_none() {
            report.add(Check::Phantom, id, at, || "runs, but was never sent".to_owned());
        } else if life.is_refused() {
            report.add(Check::Phantom, id, at, || "runs, but the store had refused it".to_owned());
        } else if let (Some(other), None) = (life.instead, life.acked) {
            report.add(Check::Phantom, id, at, || {
                format!("runs, but its producer was told of {other} in its place")
            });
        }
    }
    if place.count > 0 && life.sent.is_none() {
        let text = || "the store has it, but nobody ever sent it".to_owned();
        report.add(Check::Phantom, id, 0, text);
    } else if place.count > 0 && (life.is_refused() || life.is_duplicate()) {
        let said = if life.is_refused() { "refused it" } else { "named another in its place" };
        report.add(Check::Phantom, id, 0, || format!("the store has it, but had {said}"));
    }
}

fn text(stray: Stray<'_>) -> String {
    match stray {
        Stray::AckOfNothing => "acknowledged, but not sent".to_owned(),
        Stray::ClaimOfNothing(claim) => format!("granted as {claim}, but not sent"),
        Stray::StartWithoutClaim(claim) => format!("started under {claim}, which has no grant"),
        Stray::EffectWithoutStart(claim) => format!("an effect under {claim} without a start"),
        Stray::EndWithoutStart(claim) => format!("a handler's end under {claim} without a start"),
        Stray::FinishWithoutClaim(claim) => format!("finished under {claim}, which has no grant"),
        Stray::AnswerWithoutFinish(claim) => format!("an answer to {claim} without a request"),
        Stray::DoneWithoutStart(claim) => format!("done under {claim} without a start"),
        Stray::DoneWithoutEnd(claim) => format!("done under {claim} before its handler ended"),
        Stray::CancelledByNobody(claim) => {
            format!("cancelled under {claim}, though nobody had ordered it")
        }
    }
}
