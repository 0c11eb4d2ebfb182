//! Each execution of a job beyond its first has a cause.

use super::life::Life;
use super::links::Link;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

pub(super) fn check(life: &Life<'_>, links: &[Link<'_>], report: &mut Report) {
    for grant in &life.grants {
        if grant.starts > 1 {
            report.add(Check::Rerun, Some(life.id), grant.started.unwrap_or(0), || {
                format!("started {} times under {}", grant.starts, grant.claim)
            });
        }
    }
    for (pair, link) in life.grants.windows(2).zip(links) {
        if let Link::TakenOver(None) = link {
            report.add(Check::Rerun, Some(life.id), pair[1].at, || {
                format!(
                    "{} took it over from {}, and no fault explains why",
                    pair[1].claim, pair[0].claim
                )
            });
        }
    }
    // What ended the last execution is the cause of the next one; claims between the two that
    // were never started only passed the job on.
    let mut cause: Option<&Link<'_>> = None;
    let mut has_run = false;
    for (at, grant) in life.grants.iter().enumerate() {
        if at > 0 && has_run {
            cause = cause.or(Some(&links[at - 1]));
        }
        let Some(started) = grant.started else { continue };
        if let Some(link) = cause.take() {
            report.rerun(words(link));
            if *link == Link::Unreleased {
                report.add(Check::Rerun, Some(life.id), started, || {
                    format!("started again under {} without any cause", grant.claim)
                });
            }
        }
        has_run = true;
    }
}

/// Workers that were taken for gone, whether or not they held anything.
pub(super) fn check_sweeps(world: &World<'_>, report: &mut Report) {
    for (at, text) in world.wrongly_reaped() {
        report.add(Check::Rerun, None, at, || text);
    }
}

fn words(link: &Link<'_>) -> String {
    let plain = match link {
        Link::TakenOver(Some(why)) => return format!("interrupted by {}", why.what),
        Link::TakenOver(None) | Link::Unreleased => "unexplained",
        Link::Failed => "failed",
        Link::PutOff => "put off",
        Link::HandedBack => "handed back",
        Link::Operator => "operator",
        Link::RolledBack => "rolled back",
    };
    plain.to_owned()
}
