//! Very many jobs at once: F87 to F89. One process asks the engines what workers ask, because
//! handlers are not the question.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mq_chaos::{Store, Tier, lasts, plain};
use mq_core::admin::{Filter, Verb};
use mq_core::engine::{
    About, Act, BATCH_MAX, ClaimReply, ClaimRequest, Claimed, Engine, Finish, ListRequest, NewJob,
    QueueClaim, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::{Ended, Policy, Transition, decide};
use mq_core::rng::Rng;
use mq_core::{Claim, History, JobId, QueueName, Record, State, WorkerId, clock};

use super::data::Desk;
use super::store_rows;

store_rows! {
    Commit:
        f87_no_request_grows_with_the_backlog,
        f88_jobs_that_are_due_together_are_claimed_once,
        f89_dead_letters_come_back_by_the_thousand,
        f89_named_dead_letters_come_back_at_the_rate;
}

const PATIENCE: Duration = Duration::from_secs(600);
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_secs(1);

/// A worker without handlers.
struct Hand {
    engine: Arc<dyn Engine>,
    queue: QueueName,
    worker: WorkerId,
    number: u64,
}

impl Hand {
    async fn join(desk: &Desk, lease: Duration) -> Self {
        let (engine, queue) = (Arc::clone(desk.client.engine()), desk.queue.clone());
        let worker = WorkerId::random();
        engine.join(&queue, worker, lease, &About::default()).await.expect("a join");
        Self { engine, queue, worker, number: 0 }
    }

    fn next(&mut self) -> Claim {
        self.number += 1;
        Claim { queue: self.queue.clone(), worker: self.worker, number: self.number }
    }

    async fn claim(&mut self, finishes: Vec<Finish>, limit: usize) -> ClaimReply {
        let queues = vec![QueueClaim { claim: self.next(), limit }];
        let request = ClaimRequest { finishes, limit, queues };
        self.engine.claim(request).await.expect("a claim")
    }

    /// Claims and ends jobs until there are no more, or until it has had so many.
    async fn drain(&mut self, max: usize) -> Vec<JobId> {
        let (mut all, mut finishes) = (Vec::new(), Vec::new());
        loop {
            let limit = BATCH_MAX.min(max - all.len());
            let jobs = self.claim(std::mem::take(&mut finishes), limit).await.jobs;
            if jobs.is_empty() {
                return all;
            }
            all.extend(jobs.iter().map(|job| job.id));
            finishes =
                jobs.into_iter().map(|job| end(job, &Ended::Done, &Policy::DEFAULT)).collect();
        }
    }
}

/// The end of a claim as a worker would send it.
fn end(job: Claimed, ended: &Ended, policy: &Policy) -> Finish {
    let past = job.history.as_deref().map(History::decode).unwrap_or_default();
    let decision = decide(policy, &past, ended, clock::wall_ms(), &mut Rng::random());
    Finish::interrupted(job, decision)
}

async fn put(desk: &Desk, count: usize, schedule: Schedule) -> HashSet<JobId> {
    let mut ids = HashSet::with_capacity(count);
    while ids.len() < count {
        let batch = BATCH_MAX.min(count - ids.len());
        let job = |_| NewJob { schedule, ..plain(&desk.queue, &Record::new("none", &b"{}"[..])) };
        let jobs: Vec<_> = (0..batch).map(job).collect();
        ids.extend(jobs.iter().map(|job| job.id));
        desk.client.engine().enqueue(jobs, PATIENCE).await.expect("jobs are taken");
    }
    ids
}

/// Notes jobs that were claimed, none of them twice.
fn note(seen: &mut HashSet<JobId>, ids: Vec<JobId>) {
    for id in ids {
        assert!(seen.insert(id), "{id} was claimed twice");
    }
}

/// A file takes a tenth of what a server takes in the same time.
fn sized(store: &Store, commit: usize, later: usize) -> usize {
    let count = Tier::of_this_run().pick(commit, later, later);
    if matches!(store, Store::Sqlite(_)) { count / 10 } else { count }
}

/// F87: a million jobs wait, a million are due, twenty thousand are held by workers whose leases
/// have ended and ten thousand by one that lives. All requests stay small for the store, and
/// everything comes to its end.
async fn f87_no_request_grows_with_the_backlog(store: Store) {
    let desk = Desk::at(&store).await;
    store.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "10000"]).await;
    store.ask(&["CONFIG", "SET", "slowlog-max-len", "100000"]).await;
    let count = sized(&store, 20_000, 1_000_000);
    let (expired, held) = (count / 50, count / 100);
    let mut all = put(&desk, count, Schedule::Now).await;
    let due_ms = desk.client.engine().ping().await.expect("the time") + 1;
    all.extend(put(&desk, count, Schedule::At(due_ms)).await);

    let mut seen = HashSet::with_capacity(all.len());
    let mut living = Hand::join(&desk, LONG).await;
    let mut reaper = Hand::join(&desk, LONG).await;
    for portion in portions(held) {
        let jobs = living.claim(Vec::new(), portion).await.jobs;
        note(&mut seen, jobs.iter().map(|job| job.id).collect());
    }
    let mut gone = HashSet::new();
    for portion in portions(expired) {
        let mut dead = Hand::join(&desk, SHORT).await;
        gone.extend(dead.claim(Vec::new(), portion).await.jobs.iter().map(|job| job.id));
    }
    assert_eq!((seen.len(), gone.len()), (held, expired));
    let reaped = reap(&mut reaper, expired).await;
    assert_eq!(reaped, gone, "the living are left alone");

    let mut drains = Vec::new();
    for _ in 0..2 {
        let mut hand = Hand::join(&desk, LONG).await;
        drains.push(tokio::spawn(async move { hand.drain(usize::MAX).await }));
    }
    for drain in drains {
        note(&mut seen, drain.await.expect("a drain"));
    }
    assert!(seen == all, "{} of {} jobs were claimed", seen.len(), all.len());
    let stats = desk.client.engine().stats(&desk.queue).await.expect("stats");
    assert_eq!((stats.open(), stats.running), (held as u64, held as u64), "{stats:#?}");
    desk.inspect().await;
    few_are_slow(&store).await;
}

fn portions(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(BATCH_MAX).map(move |from| BATCH_MAX.min(count - from))
}

/// Sweeps as a keeper does until so many jobs were taken over, and gives them back.
async fn reap(reaper: &mut Hand, count: usize) -> HashSet<JobId> {
    const REAP_MAX: usize = 250;
    let (mut taken, deadline) = (HashSet::new(), clock::now() + PATIENCE);
    while taken.len() < count {
        assert!(clock::now() < deadline, "only {} of {count} were taken over", taken.len());
        let request = ReapRequest { claim: reaper.next(), limit: REAP_MAX, lease: SHORT };
        let reply = reaper.engine.reap(request).await.expect("a sweep");
        assert!(reply.jobs.len() <= REAP_MAX);
        if !reply.more {
            lasts(SHORT / 5).await;
        }
        taken.extend(reply.jobs.iter().map(|job| job.id));
        let back = |job| Finish {
            transition: Transition::Release,
            ..end(job, &Ended::HandedBack, &Policy::DEFAULT)
        };
        let finishes: Vec<_> = reply.jobs.into_iter().map(back).collect();
        reaper.engine.finish(finishes).await.expect("a finish");
    }
    taken
}

/// By the server's own count: of ten requests one may take more than 10 ms, which is what a machine
/// that does something else makes of it. If a request grew with the backlog, most would.
async fn few_are_slow(store: &Store) {
    let number = |reply: &str, name: &str| -> u64 {
        let line = reply.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no `{name}`: {reply}"))
    };
    if !matches!(store, Store::Redis(_)) {
        return;
    }
    let slow = number(&store.ask(&["SLOWLOG", "LEN"]).await, ":");
    let info = store.ask(&["INFO", "stats"]).await;
    let all = number(&info, "total_commands_processed:");
    eprintln!("{slow} of {all} commands took more than 10 ms");
    let list = store.ask(&["SLOWLOG", "GET", "3"]).await;
    assert!(slow <= 2 + all / 10, "{slow} of {all} commands took more than 10 ms: {list}");
}

/// F88: jobs that are all due in the same millisecond are claimed by several workers, none early
/// and each once.
async fn f88_jobs_that_are_due_together_are_claimed_once(store: Store) {
    let desk = Desk::at(&store).await;
    let count = sized(&store, 5_000, 100_000);
    let ahead = Tier::of_this_run().pick(1_000, 10_000, 10_000);
    let due_ms = desk.client.engine().ping().await.expect("the time") + ahead;
    let all = put(&desk, count, Schedule::At(due_ms)).await;
    let mut hands = Vec::new();
    for _ in 0..4 {
        let mut hand = Hand::join(&desk, LONG).await;
        hands.push(tokio::spawn(async move {
            loop {
                let reply = hand.claim(Vec::new(), BATCH_MAX).await;
                let early = due_ms.saturating_sub(reply.now_ms);
                assert!(early == 0 || reply.jobs.is_empty(), "claimed {early} ms early");
                if early == 0 {
                    let first: Vec<_> = reply.jobs.iter().map(|job| job.id).collect();
                    return [first, hand.drain(usize::MAX).await].concat();
                }
                lasts(Duration::from_millis(20)).await;
            }
        }));
    }
    let mut seen = HashSet::new();
    for hand in hands {
        note(&mut seen, hand.await.expect("a worker"));
    }
    assert!(seen == all, "{} of {} jobs were claimed", seen.len(), all.len());
    desk.inspect().await;
}

/// Dead letters after one attempt each.
async fn dead(desk: &Desk, count: usize) -> HashSet<JobId> {
    let all = put(desk, count, Schedule::Now).await;
    let mut hand = Hand::join(desk, LONG).await;
    let mut once = Policy::DEFAULT;
    once.max_attempts = 1;
    let failed = Ended::Failed { error: "no".to_owned(), retry_in: None };
    for portion in portions(count) {
        let jobs = hand.claim(Vec::new(), portion).await.jobs;
        let finishes = jobs.into_iter().map(|job| end(job, &failed, &once)).collect();
        hand.engine.finish(finishes).await.expect("a finish");
    }
    all
}

/// What is scheduled, checked to be no more than so many jobs in any second.
async fn scheduled(desk: &Desk, per_second: u32) -> Vec<Stored> {
    let mut jobs = Vec::new();
    let (queue, mut cursor) = (desk.queue.clone(), None);
    loop {
        let (queue, state) = (queue.clone(), State::Scheduled);
        let request = ListRequest { queue, state, cursor, limit: BATCH_MAX };
        let page = desk.client.engine().list(request).await.expect("a page");
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut due: Vec<_> = jobs.iter().map(|job| job.at_ms.expect("a time")).collect();
    due.sort_unstable();
    for (at, after) in due.iter().zip(due.iter().skip(per_second as usize)) {
        assert!(after - at >= 999, "more than {per_second} are due within {} ms", after - at);
    }
    jobs
}

/// F89: very many dead letters are retried at a rate. None is lost, and each has all its attempts
/// again and its past.
async fn f89_dead_letters_come_back_by_the_thousand(store: Store) {
    const PER_SECOND: u32 = 1_000;
    let desk = Desk::at(&store).await;
    // More than a batch on a file as well.
    let count = sized(&store, 3_000, 100_000).max(2_000);
    let all = dead(&desk, count).await;
    let verb = Verb::Retry { per_second: Some(PER_SECOND) };
    let tally = desk.client.admin().act_on_all(&Filter::state(State::Dead), &verb).await;
    let tally = tally.expect("a retry of all");
    assert_eq!((tally.applied, tally.total()), (count, count));
    let stats = desk.client.engine().stats(&desk.queue).await.expect("stats");
    assert_eq!((stats.dead, stats.open()), (0, count as u64), "{stats:#?}");
    let jobs = scheduled(&desk, PER_SECOND).await;
    for job in &jobs {
        let past = History::decode(job.history.as_deref().expect("its past"));
        assert_eq!((past.attempts, past.lifetime_attempts(), past.errors.len()), (0, 1, 1));
    }
    // Those that are due already have been promoted by nobody.
    assert!(jobs.iter().map(|job| job.id).collect::<HashSet<_>>() == all, "others came back");
    desk.inspect().await;
}

/// F89, for dead letters that are named one by one: the rate holds for all of them together.
async fn f89_named_dead_letters_come_back_at_the_rate(store: Store) {
    const PER_SECOND: u32 = 500;
    let desk = Desk::at(&store).await;
    let all = dead(&desk, 2_500).await;
    let ids: Vec<_> = all.iter().copied().collect();
    let verb = Verb::Retry { per_second: Some(PER_SECOND) };
    let acts = desk.client.admin().act(&ids, &verb).await.expect("a retry");
    assert!(acts.iter().all(|act| *act == Act::Applied));
    assert_eq!(scheduled(&desk, PER_SECOND).await.len(), all.len());
}
