//! Every method of the contract on a queue in a known state, with an answer that can be compared.

use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, ClaimRequest, Claimed, Engine, EngineError, FindingKind, Finish, ListRequest,
    NewJob, PruneLimits, QueueClaim, QueueStats, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::{Decision, Transition};
use mq_core::{Claim, JobId, Priority, QueueName, State, WorkerId};

/// What [`Site::run`] knows.
pub(crate) const OPERATIONS: [&str; 25] = [
    "enqueue", "claim", "finish", "extend", "join", "leave", "reap", "promote", "prune", "stats",
    "workers", "list", "get", "retry", "run_now", "delete", "cancel", "discard", "transfer",
    "import", "pause", "resume", "audit", "identity", "ping",
];
const LEASE: Duration = Duration::from_secs(600);
/// The idempotency key of the second job.
const KEY: &str = "held";
const DEADLINE: Duration = Duration::from_secs(30);
/// Times from here on are the clock's, and compared by no digit.
const CLOCK_DIGITS: usize = 13;

/// A queue with a dead job, two that run, one whose worker has left, two that are ready, and two
/// that are scheduled, of which one is due.
#[derive(Debug)]
pub(crate) struct Site {
    queue: QueueName,
    other: QueueName,
    worker: WorkerId,
    reaper: WorkerId,
    newcomer: WorkerId,
    gone: WorkerId,
    ids: Vec<JobId>,
    running: Vec<Claimed>,
    later: Vec<NewJob>,
}

impl Site {
    pub(crate) async fn prepare(engine: &Arc<dyn Engine>, number: u32) -> Self {
        let queue = QueueName::new(format!("site-{number}")).expect("a name");
        let other = QueueName::new(format!("other-{number}")).expect("a name");
        let [worker, reaper, newcomer, gone] = [(); 4].map(|()| WorkerId::random());
        let new = |key: Option<&str>, schedule| job(&queue, key, schedule);
        let mut jobs: Vec<_> = (0..6).map(|_| new(None, Schedule::Now)).collect();
        jobs[1] = new(Some(KEY), Schedule::Now);
        jobs.push(new(None, Schedule::After(Duration::from_secs(3600))));
        jobs.push(new(None, Schedule::After(Duration::from_millis(1))));
        let later = vec![new(None, Schedule::Now), new(Some("new"), Schedule::Now)];
        let ids = jobs.iter().map(|job| job.id).collect();
        let mut site =
            Self { queue, other, worker, reaper, newcomer, gone, ids, running: Vec::new(), later };
        let about = About::default();
        let fill = async {
            let due = jobs.split_off(6);
            engine.enqueue(jobs, DEADLINE).await?;
            for member in [worker, reaper, gone] {
                engine.join(&site.queue, member, LEASE, &about).await?;
            }
            let mut held = engine.claim(site.claim(worker, 1, 3)).await?.jobs;
            let dead = held.remove(0);
            engine.finish(vec![finish(&dead, Transition::Bury, None)]).await?;
            engine.claim(site.claim(gone, 1, 1)).await?;
            engine.leave(&site.queue, gone).await?;
            engine.enqueue(due, DEADLINE).await?;
            // The one that is due in 1 ms shall be.
            let began_ms = engine.ping().await?;
            while engine.ping().await? < began_ms + 2 {}
            Ok::<_, EngineError>(held)
        };
        let held = fill.await;
        site.running = held.unwrap_or_else(|error| panic!("no site: {error}"));
        site
    }

    fn claim(&self, worker: WorkerId, number: u64, limit: usize) -> ClaimRequest {
        let claim = Claim { queue: self.queue.clone(), worker, number };
        ClaimRequest { finishes: Vec::new(), limit, queues: vec![QueueClaim { claim, limit }] }
    }

    /// Carries an operation out. What it answers, with the names of this site taken out.
    pub(crate) async fn run(&self, engine: &Arc<dyn Engine>, operation: &str) -> String {
        let answer = match operation {
            "claim" | "finish" | "extend" | "join" | "leave" | "reap" | "promote" | "prune" => {
                self.work(engine, operation).await
            }
            "stats" | "workers" | "list" | "get" | "audit" | "identity" | "ping" => {
                self.read(engine, operation).await
            }
            _ => self.operate(engine, operation).await,
        };
        self.plain(&answer.unwrap_or_else(|error| format!("refused: {error}")))
    }

    async fn work(&self, engine: &Arc<dyn Engine>, what: &str) -> Result<String, EngineError> {
        let (queue, about) = (&self.queue, About::default());
        let at_ms = 9_999_999_999_999;
        Ok(match what {
            "claim" => {
                let mut request = self.claim(self.worker, 2, 2);
                request.finishes.push(finish(&self.running[0], Transition::Done, Some(KEY)));
                text(engine.claim(request).await?)
            }
            "finish" => {
                let [first, second] = &self.running[..] else { panic!("two jobs run") };
                let first = finish(first, Transition::Done, Some(KEY));
                let second = finish(second, Transition::Retry { at_ms }, None);
                text(engine.finish(vec![first, second]).await?)
            }
            "extend" => {
                let (queue, worker) = (queue.clone(), self.worker);
                let beat =
                    Beat { queue, worker, lease: LEASE, about: Some(about), names_claims: true };
                text(engine.extend(vec![beat]).await?)
            }
            "join" => text(engine.join(queue, self.newcomer, LEASE, &about).await?),
            "leave" => text(engine.leave(queue, self.worker).await?),
            "reap" => {
                let claim = Claim { queue: queue.clone(), worker: self.reaper, number: 1 };
                text(engine.reap(ReapRequest { claim, limit: 5, lease: LEASE }).await?)
            }
            "promote" => text(engine.promote(queue, 10).await?),
            _ => {
                let mut limits = PruneLimits::default();
                limits.dead_count = 0;
                text(engine.prune(queue, limits).await?)
            }
        })
    }

    async fn read(&self, engine: &Arc<dyn Engine>, what: &str) -> Result<String, EngineError> {
        let queue = &self.queue;
        Ok(match what {
            "stats" => sizes(&engine.stats(queue).await?),
            "workers" => {
                let mut all = engine.workers(queue).await?;
                all.sort_by_key(|worker| worker.running_count);
                text(all)
            }
            "list" => {
                let (queue, state) = (queue.clone(), State::Ready);
                text(engine.list(ListRequest { queue, state, cursor: None, limit: 50 }).await?)
            }
            "get" => text(engine.get(queue, &self.ids).await?),
            "audit" => text(engine.audit(queue, false).await?),
            "identity" => text(engine.identity().await?.len()),
            _ => text(engine.ping().await?),
        })
    }

    async fn operate(&self, engine: &Arc<dyn Engine>, what: &str) -> Result<String, EngineError> {
        let (queue, ids) = (&self.queue, &self.ids);
        Ok(match what {
            "enqueue" => text(engine.enqueue(self.later.clone(), DEADLINE).await?),
            "retry" => text(engine.retry(queue, &ids[..1], None).await?),
            "run_now" => text(engine.run_now(queue, &ids[6..7]).await?),
            "delete" => text(engine.delete(queue, &ids[4..]).await?),
            "cancel" => text(engine.cancel(queue, &ids[1..5]).await?),
            "discard" => text(engine.discard(queue, &ids[4..6]).await?),
            "transfer" => text(engine.transfer(queue, &self.other, &ids[4..6]).await?),
            "import" => {
                let stored = |job: &NewJob| self.stored(job);
                text(engine.import(self.later.iter().map(stored).collect()).await?)
            }
            "pause" => text(engine.pause(queue).await?),
            "resume" => text(engine.resume(queue).await?),
            _ => panic!("no operation `{what}`"),
        })
    }

    fn stored(&self, job: &NewJob) -> Stored {
        let (queue, id, record) = (self.queue.clone(), job.id, job.record.clone());
        let (state, worker, cancel_requested) = (State::Dead, None, false);
        let (at_ms, history) = (Some(1_700_000_000_000), Some(b"a past".to_vec()));
        Stored { id, queue, state, record, history, at_ms, worker, cancel_requested }
    }

    /// Asks for what nobody changes, and must get it.
    pub(crate) async fn look(&self, engine: &Arc<dyn Engine>) {
        let nobody = JobId::new();
        let found = engine.get(&self.other, &[nobody, nobody]).await;
        let found = found.unwrap_or_else(|error| panic!("no answer: {error}"));
        assert_eq!(found, [None, None], "somebody else's answer");
    }

    /// Everything that an operation may have changed.
    pub(crate) async fn state(&self, engine: &Arc<dyn Engine>) -> String {
        let read = async {
            let ids: Vec<_> =
                self.ids.iter().chain(self.later.iter().map(|job| &job.id)).copied().collect();
            let mut all = String::new();
            for queue in [&self.queue, &self.other] {
                all.push_str(&sizes(&engine.stats(queue).await?));
                let jobs = engine.get(queue, &ids).await?;
                let brief = |job: Option<Stored>| {
                    job.map(|job| (job.state, job.worker, job.cancel_requested))
                };
                all.push_str(&text(jobs.into_iter().map(brief).collect::<Vec<_>>()));
            }
            Ok::<_, EngineError>(all)
        };
        self.plain(&read.await.unwrap_or_else(|error| panic!("no state: {error}")))
    }

    /// No structure disagrees with another.
    pub(crate) async fn assert_whole(&self, engine: &Arc<dyn Engine>, what: &str) {
        for queue in [&self.queue, &self.other] {
            let report = engine.audit(queue, false).await;
            let mut report = report.unwrap_or_else(|error| panic!("no audit: {error}"));
            // The records here are only bytes.
            report.findings.retain(|finding| finding.kind != FindingKind::Unreadable);
            assert!(report.findings.is_empty(), "{what}: {:#?}", report.findings);
        }
    }

    /// A text in which this site looks like any other.
    fn plain(&self, text: &str) -> String {
        let later = self.later.iter().map(|job| job.id);
        let ids = self.ids.iter().copied().chain(later).enumerate();
        let mut names: Vec<_> = ids.map(|(at, id)| (id.to_string(), format!("#{at}"))).collect();
        for (worker, name) in
            [(self.worker, "W"), (self.reaper, "R"), (self.newcomer, "N"), (self.gone, "G")]
        {
            names.push((worker.to_string(), name.to_owned()));
        }
        names.push((self.queue.to_string(), "queue".to_owned()));
        names.push((self.other.to_string(), "other".to_owned()));
        let text =
            names.iter().fold(text.to_owned(), |text, (name, plain)| text.replace(name, plain));
        without_clock(&text)
    }
}

fn job(queue: &QueueName, key: Option<&str>, schedule: Schedule) -> NewJob {
    let (id, queue, priority) = (JobId::new(), queue.clone(), Priority::Normal);
    let (record, idempotency_key) = (b"a record".to_vec(), key.map(str::to_owned));
    NewJob { queue, id, record, schedule, priority, idempotency_key }
}

/// An end of a job of a site, of which the second has a key.
fn finish(job: &Claimed, transition: Transition, key: Option<&str>) -> Finish {
    let history = (transition != Transition::Done).then(|| b"a past".to_vec());
    let end = Finish::interrupted(job.clone(), Decision { transition, history: None });
    let idempotency_key = key.map(str::to_owned);
    Finish { history, idempotency_key, run_time: Duration::from_millis(5), ..end }
}

fn text(answer: impl std::fmt::Debug) -> String {
    format!("{answer:?}")
}

/// What does not depend on the time of day.
fn sizes(stats: &QueueStats) -> String {
    let places = [stats.ready, stats.scheduled, stats.retrying, stats.running];
    let ends = [stats.done, stats.dead, stats.cancelled];
    let totals = [
        stats.enqueued_total,
        stats.done_total,
        stats.failed_total,
        stats.dead_total,
        stats.interrupted_total,
    ];
    let (workers, paused) = (stats.workers, stats.paused_since_ms.is_some());
    format!("{places:?} {ends:?} {totals:?} {workers} {paused} ")
}

/// Numbers as long as a time are all the same.
fn without_clock(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut number = String::new();
    for letter in text.chars().chain(std::iter::once(' ')) {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        plain.push_str(if number.len() >= CLOCK_DIGITS { "TIME" } else { &number });
        number.clear();
        plain.push(letter);
    }
    plain
}
