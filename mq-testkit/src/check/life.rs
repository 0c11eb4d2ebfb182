//! One job's part of a history, put in order.

use mq_core::engine::Durability;
use mq_core::{JobId, Priority, QueueName};

use crate::recorder::{Answer, Destination, Did, Entry, Event};

use super::index::Index;
use super::world::World;

/// Everything about one job.
pub(super) struct Life<'a> {
    pub(super) id: JobId,
    /// How it was first sent, and how often it was.
    pub(super) sent: Option<Sent<'a>>,
    pub(super) sendings: u32,
    /// The first acknowledgement that says that this job is stored.
    pub(super) acked: Option<(u64, Durability)>,
    /// The first acknowledgement of another job that named this one in its place.
    pub(super) named: Option<(u64, Durability)>,
    /// The job that an acknowledgement named in its place.
    pub(super) instead: Option<JobId>,
    pub(super) refusals: u32,
    pub(super) doubts: u32,
    /// Claims in the order in which the store granted them.
    pub(super) grants: Vec<Grant<'a>>,
    /// Claims that were answered once more.
    pub(super) repeats: Vec<Repeat<'a>>,
    /// What operators did, or may have done.
    pub(super) acts: Vec<Act<'a>>,
    /// Events that nothing in the history leads to.
    pub(super) strays: Vec<(u64, Stray<'a>)>,
}

/// A producer's request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) at: u64,
    pub(super) queue: &'a QueueName,
    pub(super) priority: Priority,
    pub(super) due_ms: Option<u64>,
    pub(super) delay_ms: Option<u64>,
    pub(super) key: Option<&'a str>,
}

/// One claim on the job and all that came of it.
pub(super) struct Grant<'a> {
    pub(super) claim: &'a str,
    pub(super) queue: &'a QueueName,
    /// When its answer came. The store had granted it before.
    pub(super) at: u64,
    pub(super) entry: u32,
    pub(super) process: u32,
    pub(super) attempts: u32,
    pub(super) interruptions: u32,
    pub(super) now_ms: u64,
    pub(super) reaped: bool,
    pub(super) started: Option<u64>,
    pub(super) starts: u32,
    pub(super) ended: Option<u64>,
    /// Whether it ended well.
    pub(super) ok: bool,
    pub(super) tells: Vec<Tell>,
    /// What the store made of the claim, as far as anybody was told.
    pub(super) outcome: Option<Outcome>,
}

/// One request to end a claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tell {
    pub(super) sent: u64,
    pub(super) to: Destination,
    pub(super) failed: bool,
    pub(super) due_ms: Option<u64>,
    pub(super) answer: Option<(u64, u32, Answer)>,
}

/// How a claim ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) to: Destination,
    pub(super) failed: bool,
    pub(super) due_ms: Option<u64>,
    /// When it was asked for.
    pub(super) sent: u64,
    /// When it had surely had its effect, if it ever had.
    pub(super) by: u64,
    /// The number of the event that says so.
    pub(super) entry: u32,
    pub(super) sure: Sure,
    /// Whether other ends were asked for, and it may have been one of those.
    pub(super) mixed: bool,
}

/// How much is known of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    /// The store said that it made the transition.
    Applied,
    /// The store said that the claim was over, by its worker's own doing: an earlier copy of the
    /// same request had its effect.
    Already,
    /// Nobody knows.
    InDoubt,
}

/// An operator's order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act<'a> {
    pub(super) verb: &'a str,
    /// When it was given; 0 if only its answer is in the history.
    pub(super) from: u64,
    /// When it surely had its effect, if it ever had.
    pub(super) by: u64,
    process: u32,
    did: Did,
}

/// A claim that was answered again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat<'a> {
    pub(super) claim: &'a str,
    pub(super) at: u64,
    pub(super) other_process: bool,
    /// When its answer had come the first time.
    pub(super) since: u64,
}

/// An event without the one that must come before it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stray<'a> {
    AckOfNothing,
    ClaimOfNothing(&'a str),
    StartWithoutClaim(&'a str),
    EffectWithoutStart(&'a str),
    EndWithoutStart(&'a str),
    FinishWithoutClaim(&'a str),
    AnswerWithoutFinish(&'a str),
    DoneWithoutStart(&'a str),
    DoneWithoutEnd(&'a str),
    CancelledByNobody(&'a str),
}

impl Sure {
    pub(super) fn is_known(self) -> bool {
        self != Self::InDoubt
    }
}

impl Outcome {
    /// Surely an end, after which the job does not run unless somebody says so.
    pub(super) fn is_sure_end(&self) -> bool {
        self.sure.is_known() && self.to.is_end()
    }
}

impl Act<'_> {
    /// Whether it surely had its effect, and by `by`.
    pub(super) fn is_sure(&self) -> bool {
        self.did == Did::Applied && self.from > 0 && self.by < u64::MAX
    }

    /// Whether it only asked the worker that runs the job.
    pub(super) fn is_requested(&self) -> bool {
        self.did == Did::Requested && self.by < u64::MAX
    }
}

/// The worker in a token.
pub(super) fn worker_of(claim: &str) -> &str {
    claim.rsplit_once('.').map_or(claim, |(worker, _)| worker)
}

impl<'a> Life<'a> {
    pub(super) fn of(index: &Index<'a>, job: usize, world: &World<'_>) -> Self {
        let mut life = Self {
            id: index.id(job),
            sent: None,
            sendings: 0,
            acked: None,
            named: None,
            instead: None,
            refusals: 0,
            doubts: 0,
            grants: Vec::new(),
            repeats: Vec::new(),
            acts: Vec::new(),
            strays: Vec::new(),
        };
        for (number, entry) in index.events(job) {
            life.add(number, entry);
        }
        life.conclude(world);
        life
    }

    /// Whether the store surely said that it does not have it, and never anything else.
    pub(super) fn is_refused(&self) -> bool {
        self.refusals > 0 && self.refusals == self.sendings && self.acked.is_none()
    }

    /// When the store first said that it has this job, and what it survived then.
    pub(super) fn stored(&self) -> Option<(u64, Durability)> {
        self.acked.or(self.named)
    }

    /// Whether it was only ever answered with another job.
    pub(super) fn is_duplicate(&self) -> bool {
        self.instead.is_some() && self.acked.is_none()
    }

    /// Whether an operator's order of one of these sorts may have had its effect between these.
    pub(super) fn acted(&self, from: u64, to: u64, verbs: &[&str]) -> bool {
        let acts = self.acts.iter().filter(|act| act.by >= from && act.from <= to);
        acts.map(|act| act.verb).any(|verb| verbs.contains(&verb))
    }

    /// Orders that may have taken the job back from an end.
    pub(super) fn revivals(&self) -> impl Iterator<Item = &Act<'a>> + '_ {
        self.acts.iter().filter(|act| matches!(act.verb, "retry" | "import"))
    }

    fn add(&mut self, number: u32, entry: &'a Entry) {
        let at = entry.at_ns;
        match &entry.event {
            Event::Sent { queue, priority, due_ms, delay_ms, key, .. } => {
                self.sendings += 1;
                let (priority, due_ms, delay_ms) = (*priority, *due_ms, *delay_ms);
                let key = key.as_deref();
                self.sent.get_or_insert(Sent { at, queue, priority, due_ms, delay_ms, key });
            }
            Event::Acked { level, instead, .. } => {
                if self.sent.is_none() {
                    self.strays.push((at, Stray::AckOfNothing));
                }
                match instead {
                    None => self.acked = self.acked.or(Some((at, *level))),
                    Some(_) => self.instead = *instead,
                }
            }
            Event::Refused { .. } => self.refusals += 1,
            Event::InDoubt { .. } => self.doubts += 1,
            Event::Claimed { .. } => self.claimed(number, entry),
            Event::Started { claim, .. } => match self.grant(claim) {
                Some(grant) => {
                    grant.started.get_or_insert(at);
                    grant.starts += 1;
                }
                None => self.strays.push((at, Stray::StartWithoutClaim(claim))),
            },
            Event::Effect { claim, .. } => match self.grant(claim) {
                Some(grant) if grant.started.is_some() => {}
                _ => self.strays.push((at, Stray::EffectWithoutStart(claim))),
            },
            Event::Ended { claim, ok, .. } => match self.grant(claim) {
                Some(grant) if grant.started.is_some() => {
                    if grant.ended.is_none() {
                        (grant.ended, grant.ok) = (Some(at), *ok);
                    }
                }
                _ => self.strays.push((at, Stray::EndWithoutStart(claim))),
            },
            Event::Finishing { claim, to, failed, due_ms, .. } => {
                let (to, failed, due_ms) = (*to, *failed, *due_ms);
                self.finishing(claim, Tell { sent: at, to, failed, due_ms, answer: None });
            }
            Event::Finished { claim, answer, .. } => self.finished(claim, (at, number, *answer)),
            Event::Operating { verb, .. } => {
                let (from, by, process, did) = (at, u64::MAX, entry.process, Did::InDoubt);
                self.acts.push(Act { verb, from, by, process, did });
            }
            Event::Operated { verb, did, .. } => self.operated(verb, *did, entry),
            _ => {}
        }
    }

    fn finished(&mut self, claim: &'a str, answer: (u64, u32, Answer)) {
        let open = self
            .grant(claim)
            .and_then(|grant| grant.tells.iter_mut().find(|tell| tell.answer.is_none()));
        match open {
            Some(tell) => tell.answer = Some(answer),
            None => self.strays.push((answer.0, Stray::AnswerWithoutFinish(claim))),
        }
    }

    fn operated(&mut self, verb: &'a str, did: Did, entry: &Entry) {
        let (by, process) = (entry.at_ns, entry.process);
        let mut acts = self.acts.iter_mut();
        let is_open =
            |act: &&mut Act<'_>| act.by == u64::MAX && act.process == process && act.verb == verb;
        match acts.find(is_open) {
            Some(asked) => (asked.by, asked.did) = (by, did),
            None => self.acts.push(Act { verb, from: 0, by, process, did }),
        }
    }

    fn grant(&mut self, claim: &str) -> Option<&mut Grant<'a>> {
        self.grants.iter_mut().rev().find(|grant| grant.claim == claim)
    }

    fn claimed(&mut self, number: u32, entry: &'a Entry) {
        let Event::Claimed { claim, queue, attempts, interruptions, now_ms, reaped, .. } =
            &entry.event
        else {
            return;
        };
        if self.sent.is_none() {
            self.strays.push((entry.at_ns, Stray::ClaimOfNothing(claim)));
        }
        let known = self
            .grants
            .iter()
            .position(|grant| grant.claim == claim.as_str() && grant.queue == queue);
        if let Some(known) = known {
            self.repeats.push(Repeat {
                claim,
                at: entry.at_ns,
                other_process: self.grants[known].process != entry.process,
                since: self.grants[known].at,
            });
            return;
        }
        self.grants.push(Grant {
            claim,
            queue,
            at: entry.at_ns,
            entry: number,
            process: entry.process,
            attempts: *attempts,
            interruptions: *interruptions,
            now_ms: *now_ms,
            reaped: *reaped,
            started: None,
            starts: 0,
            ended: None,
            ok: false,
            tells: Vec::new(),
            outcome: None,
        });
    }

    fn finishing(&mut self, claim: &'a str, tell: Tell) {
        let Some(grant) = self.grant(claim) else {
            self.strays.push((tell.sent, Stray::FinishWithoutClaim(claim)));
            return;
        };
        let (started, ended) = (grant.started.is_some(), grant.ended.is_some());
        grant.tells.push(tell);
        if tell.to == Destination::Done && !started {
            self.strays.push((tell.sent, Stray::DoneWithoutStart(claim)));
        } else if tell.to == Destination::Done && !ended {
            self.strays.push((tell.sent, Stray::DoneWithoutEnd(claim)));
        } else if tell.to == Destination::Cancelled && !self.acted(0, tell.sent, &["cancel"]) {
            self.strays.push((tell.sent, Stray::CancelledByNobody(claim)));
        }
    }

    fn conclude(&mut self, world: &World<'_>) {
        self.acts.retain_mut(|act| {
            let in_trouble = act.from > 0 && world.is_troubled(act.process, act.from, act.by);
            // A copy of the order may be carried out later. One that was carried out before leaves
            // nothing to do to the copy that is answered.
            if in_trouble || act.did == Did::InDoubt {
                act.by = u64::MAX;
            }
            in_trouble || act.did != Did::Nothing
        });
        for grant in &mut self.grants {
            grant.outcome = outcome(grant.process, &grant.tells, world);
        }
        let by_clock = !world.rules.clock_steps;
        // Who takes a job back forgives its interruptions, but no attempts.
        let forgiven = self.revivals().next().is_some();
        self.grants.sort_by_key(|grant| {
            let interruptions = if forgiven { 0 } else { grant.interruptions };
            let counted = u64::from(grant.attempts) + u64::from(interruptions);
            let ms = if by_clock { grant.now_ms } else { 0 };
            // Whoever took it over in the same millisecond was second, however late the first one
            // has heard of its claim. Whoever runs it then is told of one interruption more.
            (ms, counted, by_clock && !forgiven && grant.reaped, grant.at)
        });
    }
}

/// How long a fault is felt after its end: a connection that it has broken is ended a moment later.
const AFTERMATH_NS: u64 = 1_000_000_000;

fn outcome(process: u32, tells: &[Tell], world: &World<'_>) -> Option<Outcome> {
    let mixed = tells.windows(2).any(|pair| pair[0].to != pair[1].to);
    let made = |tell: &Tell, sent, sure, mixed| {
        let (by, entry) = tell.answer.map_or((u64::MAX, u32::MAX), |(at, number, _)| (at, number));
        let Tell { to, failed, due_ms, .. } = *tell;
        Outcome { to, failed, due_ms, sent, by, entry, sure, mixed }
    };
    let answered = |tell: &&Tell, wanted| tell.answer.is_some_and(|(.., answer)| answer == wanted);
    if let Some(tell) = tells.iter().find(|tell| answered(tell, Answer::Applied)) {
        return Some(made(tell, tell.sent, Sure::Applied, false));
    }
    let first = tells.first()?;
    if let Some(tell) = tells.iter().find(|tell| answered(tell, Answer::Already)) {
        let sure = if mixed { Sure::InDoubt } else { Sure::Already };
        return Some(made(tell, first.sent, sure, mixed));
    }
    // A request that the engine repeats after a broken connection may have had its effect before
    // the worker was fenced, and still be answered `Fenced`.
    let open = tells.iter().find(|tell| match tell.answer {
        None | Some((.., Answer::InDoubt)) => true,
        Some((at, ..)) => world.is_troubled(process, tell.sent.saturating_sub(AFTERMATH_NS), at),
    })?;
    let mut outcome = made(open, open.sent, Sure::InDoubt, mixed);
    // A request without an answer may have its effect at any later time.
    outcome.by = u64::MAX;
    Some(outcome)
}
