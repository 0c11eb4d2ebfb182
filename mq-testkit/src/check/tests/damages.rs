//! The checker is tested by mutants: a legal history, damaged in one place, must be refused by the
//! check that is named for it.

use std::collections::HashMap;

use mq_core::JobId;
use mq_core::rng::Rng;

use super::legal::{self, Run};
use super::*;
use crate::recorder::{Answer, Entry, Event};

/// Damages one job, whose events are at these places; whether it could.
type Damage = fn(&mut Run, JobId, &[usize], &mut Rng) -> bool;

const DAMAGES: [(&str, Check, Damage); 20] = [
    ("a recorder drops a sending", Check::Phantom, |run, _, at, _| {
        is_run(run, at) && drop_first(run, at, |event| matches!(event, Event::Sent { .. }))
    }),
    ("a recorder drops a grant", Check::Phantom, |run, _, at, _| {
        is_run(run, at) && drop_first(run, at, |event| matches!(event, Event::Claimed { .. }))
    }),
    ("a recorder drops a start", Check::Phantom, |run, _, at, _| {
        is_once(run, at) && drop_first(run, at, |event| matches!(event, Event::Started { .. }))
    }),
    ("a recorder drops a request", Check::Phantom, |run, _, at, _| {
        drop_first(run, at, |event| matches!(event, Event::Finishing { .. }))
    }),
    ("a recorder drops a handler's end", Check::Phantom, |run, _, at, _| {
        is_once(run, at) && drop_first(run, at, |event| matches!(event, Event::Ended { .. }))
    }),
    ("an acknowledged job is never run", Check::Lost, |run, _, at, _| {
        let lost = is_acked(run, at) && is_done(run, at);
        if lost {
            remove(run, at, |event| !matches!(event, Event::Sent { .. } | Event::Acked { .. }));
        }
        lost
    }),
    ("a claim is never finished, and the job is gone", Check::Lost, |run, _, at, _| {
        let lost = is_acked(run, at) && is_once(run, at);
        if lost {
            remove(run, at, |event| {
                matches!(event, Event::Finishing { .. } | Event::Finished { .. })
            });
        }
        lost
    }),
    ("a job that waits is gone", Check::Lost, |run, id, at, _| {
        let kept =
            run.end.api.iter().position(|(one, place)| *one == id && place.state == State::Ready);
        let doubt =
            |event: &Event| matches!(event, Event::Finished { answer: Answer::InDoubt, .. });
        let is_sure = is_acked(run, at) && !any(run, at, doubt);
        let Some(kept) = kept.filter(|_| is_sure) else { return false };
        run.end.api.remove(kept);
        true
    }),
    ("a handler starts twice", Check::Rerun, |run, _, at, _| {
        again(run, at, |event| matches!(event, Event::Started { .. }), |_| {})
    }),
    ("an end is accepted twice", Check::Outcome, |run, _, at, _| {
        let twice = is_applied(run, at);
        twice
            && again(run, at, |event| matches!(event, Event::Finishing { .. }), |_| {})
            && again(run, at, |event| matches!(event, Event::Finished { .. }), |_| {})
    }),
    ("a token is granted to two", Check::Token, |run, _, at, _| {
        let granted = |event: &Event| matches!(event, Event::Claimed { .. });
        again(run, at, granted, |entry| entry.process += 1_000)
    }),
    ("a job that is done runs again", Check::Outcome, |run, id, at, _| {
        is_applied(run, at) && runs_again(run, id, at)
    }),
    ("a job that is done is granted again", Check::Fencing, |run, id, at, _| {
        is_applied(run, at) && runs_again(run, id, at)
    }),
    ("a job that is done runs again without a cause", Check::Rerun, |run, id, at, _| {
        is_applied(run, at) && runs_again(run, id, at)
    }),
    ("a worker that lives is taken for gone", Check::Rerun, |run, id, at, _| spare(run, id, at)),
    ("a zombie's success is accepted", Check::Fencing, |run, id, at, _| zombie(run, id, at)),
    ("a failure is not counted", Check::Fencing, |run, _, at, _| {
        let counted = at
            .iter()
            .rev()
            .find(|at| matches!(run.entries[**at].event, Event::Claimed { attempts: 1.., .. }));
        let Some(counted) = counted.copied() else { return false };
        if let Event::Claimed { attempts, .. } = &mut run.entries[counted].event {
            *attempts = 0;
        }
        // Unless the claim before it was granted the same.
        let claims = at.iter().filter(|at| **at < counted);
        let before = claims.rev().find_map(|at| match run.entries[*at].event {
            Event::Claimed { attempts, .. } => Some(attempts),
            _ => None,
        });
        before.is_some_and(|before| before > 0)
    }),
    ("a job is granted before its time", Check::Due, |run, _, at, _| {
        let due = at.iter().find_map(|at| match run.entries[*at].event {
            Event::Sent { due_ms, .. } => due_ms,
            _ => None,
        });
        let Some(due) = due.filter(|_| is_once(run, at)) else { return false };
        for at in at {
            if let Event::Claimed { now_ms, .. } = &mut run.entries[*at].event {
                *now_ms = due - 1;
            }
        }
        true
    }),
    ("a delay is not waited for", Check::Due, |run, _, at, _| {
        let delayed = |event: &Event| matches!(event, Event::Sent { delay_ms: Some(_), .. });
        let claimed = |event: &Event| matches!(event, Event::Claimed { .. });
        let Some(sent) = at.iter().find(|at| delayed(&run.entries[**at].event)) else {
            return false;
        };
        let sent = run.entries[*sent].at_ns;
        let first = at.iter().find(|at| claimed(&run.entries[**at].event));
        first.map(|first| run.entries[*first].at_ns = sent + 1).is_some()
    }),
    ("a job that is done is there", Check::Place, |run, id, at, _| {
        let place = Place { queue: past::queue(), state: State::Ready };
        let done = is_applied(run, at);
        if done {
            run.end.api.push((id, place));
        }
        done
    }),
];

fn any(run: &Run, at: &[usize], is: impl Fn(&Event) -> bool) -> bool {
    at.iter().any(|at| is(&run.entries[*at].event))
}

fn is_acked(run: &Run, at: &[usize]) -> bool {
    any(run, at, |event| matches!(event, Event::Acked { .. }))
}

fn is_run(run: &Run, at: &[usize]) -> bool {
    any(run, at, |event| matches!(event, Event::Started { .. }))
}

fn is_done(run: &Run, at: &[usize]) -> bool {
    any(run, at, |event| matches!(event, Event::Finishing { to: Destination::Done, .. }))
}

/// Done by the only claim that it ever had.
fn is_once(run: &Run, at: &[usize]) -> bool {
    let claims = at.iter().filter(|at| matches!(run.entries[**at].event, Event::Claimed { .. }));
    claims.count() == 1 && is_done(run, at)
}

/// The same, and the store said so.
fn is_applied(run: &Run, at: &[usize]) -> bool {
    let applied = |event: &Event| matches!(event, Event::Finished { answer: Answer::Applied, .. });
    is_once(run, at) && any(run, at, applied)
}

fn remove(run: &mut Run, at: &[usize], is: impl Fn(&Event) -> bool) {
    let gone: Vec<_> = at.iter().filter(|at| is(&run.entries[**at].event)).collect();
    for at in gone.into_iter().rev() {
        run.entries.remove(*at);
    }
}

fn drop_first(run: &mut Run, at: &[usize], is: impl Fn(&Event) -> bool) -> bool {
    let found = at.iter().find(|at| is(&run.entries[**at].event));
    found.map(|at| run.entries.remove(*at)).is_some()
}

/// Lets an event happen once more, behind all others of its job, changed a little.
fn again(
    run: &mut Run,
    at: &[usize],
    is: impl Fn(&Event) -> bool,
    change: impl Fn(&mut Entry),
) -> bool {
    let Some(found) = at.iter().find(|at| is(&run.entries[**at].event)) else { return false };
    let mut entry = run.entries[*found].clone();
    entry.at_ns = run.entries.iter().map(|entry| entry.at_ns).max().unwrap_or(0) + 1;
    change(&mut entry);
    run.entries.push(entry);
    true
}

/// All of the job's life from its claim on once more, under another token.
fn runs_again(run: &mut Run, id: JobId, at: &[usize]) -> bool {
    let from = run.entries.iter().map(|entry| entry.at_ns).max().unwrap_or(0);
    let first = run.entries[at[0]].at_ns;
    let token = format!("{}.1", mq_core::WorkerId::random());
    for at in at {
        let mut entry = run.entries[*at].clone();
        entry.at_ns = from + 1 + entry.at_ns - first;
        match &mut entry.event {
            Event::Claimed { claim, now_ms, .. } => {
                *now_ms = past::EPOCH_MS + entry.at_ns / past::MS;
                *claim = token.clone();
            }
            Event::Started { claim, .. }
            | Event::Ended { claim, .. }
            | Event::Finishing { claim, .. }
            | Event::Finished { claim, .. } => *claim = token.clone(),
            _ => continue,
        }
        run.entries.push(entry);
    }
    let _ = id;
    true
}

/// The claim whose worker died and the one that took the job over.
fn takeover(run: &Run, at: &[usize]) -> Option<(usize, usize)> {
    let claims: Vec<_> = at
        .iter()
        .copied()
        .filter(|at| matches!(run.entries[*at].event, Event::Claimed { .. }))
        .collect();
    let reaped = |at: usize| matches!(run.entries[at].event, Event::Claimed { reaped: true, .. });
    claims.windows(2).find(|pair| reaped(pair[1])).map(|pair| (pair[0], pair[1]))
}

/// Its worker was not killed: it goes on writing.
fn spare(run: &mut Run, id: JobId, at: &[usize]) -> bool {
    let Some((held, taken)) = takeover(run, at) else { return false };
    let process = run.entries[held].process;
    let (at_ns, text) = (run.entries[taken].at_ns + 1, "still here".to_owned());
    run.entries.push(Entry { at_ns, process, event: Event::Note { text } });
    run.entries.retain(|entry| match &entry.event {
        Event::FaultBegan { processes, .. } => *processes != [process],
        _ => true,
    });
    let _ = id;
    true
}

/// Its worker was frozen, not killed, and ends the job when somebody else has it.
fn zombie(run: &mut Run, id: JobId, at: &[usize]) -> bool {
    let Some((held, taken)) = takeover(run, at) else { return false };
    let Event::Claimed { claim, .. } = run.entries[held].event.clone() else { return false };
    let (at_ns, process) = (run.entries[taken].at_ns + 1, run.entries[held].process);
    let to = Destination::Done;
    for (later, event) in [
        Event::Ended { id, claim: claim.clone(), ok: true },
        Event::Finishing { id, claim: claim.clone(), to, failed: false, due_ms: None },
        Event::Finished { id, claim, answer: Answer::Applied },
    ]
    .into_iter()
    .enumerate()
    {
        run.entries.push(Entry { at_ns: at_ns + later as u64, process, event });
    }
    true
}

fn by_job(run: &Run) -> HashMap<JobId, Vec<usize>> {
    let mut jobs: HashMap<JobId, Vec<usize>> = HashMap::new();
    for (at, entry) in run.entries.iter().enumerate() {
        if let Some(id) = entry.event.job() {
            jobs.entry(id).or_default().push(at);
        }
    }
    jobs
}

#[test]
fn a_legal_history_is_clean_and_each_damage_is_found_by_its_check() {
    for seed in 0..20 {
        let sound = legal::run(seed, 500);
        let verdict = check(&sound.entries, &sound.end, &Rules::default());
        assert!(verdict.is_clean(), "seed {seed}: {verdict}");
        for (name, named, damage) in DAMAGES {
            let mut run = legal::run(seed, 500);
            let (jobs, mut rng) = (by_job(&run), Rng::seeded(seed));
            let first = rng.between(0, run.jobs.len() as u64 - 1) as usize;
            let mut ids = run.jobs.clone();
            ids.rotate_left(first);
            let done = ids.into_iter().any(|id| damage(&mut run, id, &jobs[&id], &mut rng));
            assert!(done, "seed {seed}: no job for this: {name}");
            let verdict = check(&run.entries, &run.end, &Rules::default());
            assert!(verdict.count(named) > 0, "seed {seed}: {name} is no {named}: {verdict}");
        }
    }
}

#[test]
fn a_recorder_with_holes_is_found_out() {
    for seed in 0..20 {
        let mut run = legal::run(seed, 500);
        let mut rng = Rng::seeded(seed);
        run.entries.retain(|_| rng.between(1, 50) > 1);
        let verdict = check(&run.entries, &run.end, &Rules::default());
        assert!(verdict.count(Check::Phantom) > 0, "seed {seed}: {verdict}");
    }
}

/// `MQ_JOBS=1000000` in a release build says what a long run costs.
#[test]
fn a_long_history_is_judged() {
    let jobs = std::env::var("MQ_JOBS").ok().and_then(|text| text.parse().ok());
    let run = legal::run(7, jobs.unwrap_or(10_000));
    let begun = mq_core::clock::now();
    let verdict = check(&run.entries, &run.end, &Rules::default());
    println!("{} events in {:?}\n{verdict}", run.entries.len(), begun.elapsed());
    verdict.assert_clean();
}
