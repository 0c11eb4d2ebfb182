//! The total queue: what was acknowledged has ended or is there.

use super::life::Life;
use super::links::Link;
use super::places::{self, Found, Listed, Places};
use super::report::Report;
use super::verdict::Check;
use super::world::World;

pub(super) fn check(
    life: &Life<'_>,
    links: &[Link<'_>],
    place: Found<'_>,
    listed: &Listed<'_>,
    world: &World<'_>,
    report: &mut Report,
) {
    let is_visible = place.count > 0;
    if is_visible || !life.grants.is_empty() {
        report.counts.recovered += u64::from(life.acked.is_none() && life.doubts > 0);
    }
    let Some((at, level)) = life.stored() else { return };
    let sent = life.sent.map_or(at, |sent| sent.at);
    if is_visible || has_ended(life, links, listed, world) {
        return;
    }
    let window = world.rules.loss_window.as_nanos() as u64;
    let allowed = level < world.rules.respects
        && world.undoing(sent, at).any(|back| at.saturating_add(window) >= back.cut);
    if allowed {
        report.counts.lost_within_level += 1;
        return;
    }
    let last = life.grants.last().map_or("never granted to anybody".to_owned(), |grant| {
        format!("last granted as {} and not ended", grant.claim)
    });
    report.add(Check::Lost, Some(life.id), at, || {
        format!("acknowledged ({level}), {last}, and the store does not have it")
    });
}

/// Whether it may have come to an end, or been removed.
fn has_ended(life: &Life<'_>, links: &[Link<'_>], listed: &Listed<'_>, world: &World<'_>) -> bool {
    let undone = life.grants.iter().any(|grant| world.is_grant_undone(grant, u64::MAX));
    // What came after it may be undone.
    if undone && life.acts.iter().any(|act| matches!(act.verb, "delete" | "cancel")) {
        return true;
    }
    // A claim that came after an end says that it was none, or was undone; unless it should not
    // have come, which others find.
    let claimed = life.grants.iter().zip(links);
    let ignored = claimed.filter(|(_, link)| **link == Link::Unreleased);
    ignored.filter_map(|(grant, _)| grant.outcome).any(|end| end.is_sure_end())
        || places::settled(life, listed, world).meets(Places::NOWHERE)
}
