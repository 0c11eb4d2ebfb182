//! What is in a job: F80 to F82, F84 and F85. Workers in this process, because nobody dies.

use std::time::Duration;

use mq_chaos::{QUEUE, Store, Tier, plain};
use mq_core::admin::{Filter, JobInfo, Verb};
use mq_core::engine::{Act, FindingKind, NewJob};
use mq_core::{
    AttemptError, Backoff, Client, Context, DeathReason, ERROR_LEN_MAX, EnqueueError, Jitter, Job,
    JobId, JobOptions, QueueName, Record, State, clock,
};
use mq_worker::{Report, Worker, WorkerBuilder, WorkerHandle};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::store_rows;

store_rows! {
    Commit:
        f80_a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it,
        f81_a_changed_type_reads_former_jobs_or_they_are_kept,
        f82_what_is_too_large_is_refused_or_cut,
        f84_deep_payloads_are_refused_without_filling_the_stack,
        f85_numbers_come_back_as_they_went;
}

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const LARGEST: usize = 4 * 1024 * 1024;
const OPTIONS: JobOptions = JobOptions::DEFAULT
    .queue(QUEUE)
    .retention(HOUR)
    .backoff(Backoff::fixed(Duration::from_millis(10)).jitter(Jitter::None));

/// Makes a type a job of this kind.
macro_rules! job {
    ($type:ident is $kind:literal) => {
        impl Job for $type {
            type Output = ();
            const KIND: &'static str = $kind;
            const OPTIONS: JobOptions = OPTIONS;
        }
    };
}

/// A store with a client.
pub(crate) struct Desk {
    pub(crate) client: Client,
    pub(crate) queue: QueueName,
}

impl Desk {
    pub(crate) async fn at(store: &Store) -> Self {
        let client = Client::connect(store.url()).await.expect("a client");
        Self { client, queue: QueueName::new(QUEUE).expect("a queue name") }
    }

    /// A job that is kept for an hour when it is done, whatever its payload is.
    fn raw(&self, kind: &'static str, payload: impl Into<Vec<u8>>) -> NewJob {
        let mut record = Record::new(kind, payload.into());
        record.retention = Some(HOUR);
        plain(&self.queue, &record)
    }

    /// Enqueues it past the client's checks, as a damaged store or another program would.
    pub(crate) async fn put(&self, job: NewJob) -> JobId {
        let id = job.id;
        let put = self.client.engine().enqueue(vec![job], PATIENCE).await;
        put.expect("the engine takes any bytes");
        id
    }

    pub(crate) async fn job(&self, id: JobId) -> Option<JobInfo> {
        self.client.admin().job(id).await.expect("a look at a job")
    }

    /// Waits until a job is in a state.
    pub(crate) async fn until(&self, id: JobId, state: State) -> JobInfo {
        let deadline = clock::now() + PATIENCE;
        loop {
            match self.job(id).await {
                Some(job) if job.state == state => return job,
                other => assert!(clock::now() < deadline, "not {state}: {other:?}"),
            }
            // sleep: polls with a deadline.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A worker in this process.
    pub(crate) fn work(&self, add: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> WorkerHandle {
        let builder = Worker::builder(&self.client).queue(QUEUE, 1).concurrency(4);
        add(builder).build().expect("a worker").spawn()
    }

    /// Waits until nothing is left to be claimed now.
    pub(crate) async fn until_empty(&self) {
        let deadline = clock::now() + PATIENCE;
        loop {
            let stats = self.client.engine().stats(&self.queue).await.expect("stats");
            if stats.ready + stats.running == 0 {
                return;
            }
            assert!(clock::now() < deadline, "not empty: {stats:#?}");
            // sleep: polls with a deadline.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Why the dead letters are dead.
    pub(crate) async fn reasons(&self) -> Vec<DeathReason> {
        let (admin, filter) = (self.client.admin(), Filter::state(State::Dead));
        let (mut reasons, mut cursor) = (Vec::new(), None);
        loop {
            let page = admin.jobs(&filter, cursor, 1_000).await.expect("a page");
            reasons.extend(page.jobs.iter().filter_map(JobInfo::death_reason));
            cursor = page.next;
            if cursor.is_none() {
                return reasons;
            }
        }
    }

    /// Nothing disagrees.
    pub(crate) async fn inspect(&self) {
        let report = self.client.engine().audit(&self.queue, false).await.expect("an audit");
        let mut findings = report.findings;
        // Damage of records is what some rows are about.
        findings.retain(|finding| finding.kind != FindingKind::Unreadable);
        assert_eq!(findings, []);
    }
}

pub(crate) async fn stop(worker: WorkerHandle) -> Report {
    worker.stop(Duration::from_secs(5)).await.expect("a stop")
}

/// A handler for whatever decodes.
pub(crate) async fn done<J: Job<Output = ()>>(_: J, _: Context<()>) -> Result<(), String> {
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Old;
job!(Old is "old");

#[derive(Debug, Serialize, Deserialize)]
struct New;
job!(New is "new");

/// F80: a worker puts off what it has no handler for, without burning an attempt; the next one
/// knows the kind and runs it.
async fn f80_a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(store: Store) {
    let desk = Desk::at(&store).await;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        new.push(desk.client.enqueue(New).await.expect("a new one").id);
        old.push(desk.client.enqueue(Old).await.expect("an old one").id);
    }
    let worker = desk.work(|builder| builder.job_fn(done::<Old>));
    for id in old {
        desk.until(id, State::Done).await;
    }
    for id in &new {
        let job = desk.until(*id, State::Scheduled).await;
        assert_eq!((job.attempts, job.kind.as_str(), job.errors.len()), (0, "new", 0));
    }
    assert_eq!(stop(worker).await.handed_back, 30);
    let worker = desk.work(|builder| builder.job_fn(done::<Old>).job_fn(done::<New>));
    let filter = Filter::state(State::Scheduled).kind("new");
    let tally = desk.client.admin().act_on_all(&filter, &Verb::RunNow).await.expect("run now");
    assert_eq!(tally.applied, 30);
    for id in new {
        let job = desk.until(id, State::Done).await;
        assert_eq!(job.attempts, 1);
    }
    stop(worker).await;
    desk.inspect().await;
}

/// What a program's type may have become while its jobs waited.
mod versions {
    use super::{Deserialize, Job, JobOptions, OPTIONS, Serialize, Value};

    /// Types of one kind.
    macro_rules! things {
        ($($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* })+) => {$(
            #[derive(Debug, Serialize, Deserialize)]
            pub(super) struct $name { $($(#[$meta])* $field: $type),* }
            job!($name is "thing");
        )+};
    }

    things! {
        Same { id: u32, name: String, shape: Shape }
        Added { id: u32, extra: u8 }
        AddedWithDefault { id: u32, #[serde(default)] extra: u8 }
        AddedOptional { id: u32, extra: Option<u8> }
        Removed { id: u32 }
        Renamed { id: u32, title: String }
        RenamedWithAlias { id: u32, #[serde(alias = "name")] title: String }
        Wider { id: u64 }
        Narrower { id: u8 }
        Retyped { id: String }
        MoreVariants { shape: MoreShapes }
        OtherVariants { shape: OtherShapes }
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Strict {
        id: u32,
    }
    job!(Strict is "thing");

    /// Reads everything.
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(transparent)]
    pub(super) struct Anything(Value);
    job!(Anything is "thing");

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Shape {
        Round,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum MoreShapes {
        Round,
        Square,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum OtherShapes {
        Square,
    }
}

const FORMER: &str = r#"{"id":300,"name":"a\u0000b","shape":"Round"}"#;

/// A job of the former program meets one type of the next: it runs, or it is a dead letter with its
/// bytes, which runs after the type was mended.
async fn meets<J: Job<Output = ()>>(desk: &Desk, fits: bool) {
    let type_name = std::any::type_name::<J>();
    let id = desk.put(desk.raw("thing", FORMER)).await;
    let worker = desk.work(|builder| builder.job_fn(done::<J>));
    if fits {
        desk.until(id, State::Done).await;
        stop(worker).await;
        return;
    }
    let job = desk.until(id, State::Dead).await;
    assert_eq!(job.death_reason(), Some(DeathReason::Malformed), "{type_name}");
    assert_eq!(job.payload, FORMER.as_bytes(), "{type_name}");
    let error = job.last_error().unwrap_or_default();
    assert!(error.contains("does not decode as `thing`"), "{type_name}: {error}");
    stop(worker).await;
    assert_eq!(desk.client.admin().retry(id).await.expect("a retry"), Act::Applied);
    let worker = desk.work(|builder| builder.job_fn(done::<versions::Anything>));
    let job = desk.until(id, State::Done).await;
    assert_eq!(job.payload, FORMER.as_bytes(), "{type_name}");
    stop(worker).await;
}

/// F81: each change of a type that serde can bridge runs the former jobs; the others keep them.
async fn f81_a_changed_type_reads_former_jobs_or_they_are_kept(store: Store) {
    use versions::*;
    let desk = Desk::at(&store).await;
    meets::<Same>(&desk, true).await;
    meets::<Added>(&desk, false).await;
    meets::<AddedWithDefault>(&desk, true).await;
    meets::<AddedOptional>(&desk, true).await;
    meets::<Removed>(&desk, true).await;
    meets::<Renamed>(&desk, false).await;
    meets::<RenamedWithAlias>(&desk, true).await;
    meets::<Wider>(&desk, true).await;
    meets::<Narrower>(&desk, false).await;
    meets::<Retyped>(&desk, false).await;
    meets::<MoreVariants>(&desk, true).await;
    meets::<OtherVariants>(&desk, false).await;
    meets::<Strict>(&desk, false).await;
    desk.inspect().await;
}

#[derive(Debug, Serialize, Deserialize)]
struct Load {
    text: String,
}
job!(Load is "load");

/// F82: one byte more than allowed is not sent, nor are 100 MB; an error of 10 MB is cut, and so is
/// a panic.
async fn f82_what_is_too_large_is_refused_or_cut(store: Store) {
    const LIMIT: usize = 1024 * 1024;
    let desk = Desk::at(&store).await;
    let around = r#"{"text":""}"#.len();
    let load = |len: usize| Load { text: "x".repeat(len - around) };
    let huge = Tier::of_this_run().pick(10_000_000, 100_000_000, 100_000_000);
    for len in [LIMIT + 1, huge] {
        let refused = desk.client.enqueue(load(len)).await.expect_err("it is too large");
        let EnqueueError::TooLarge { size, max, .. } = refused else { panic!("{refused}") };
        assert_eq!((size, max), (len, LIMIT));
    }
    assert_eq!(desk.client.engine().queues().await.expect("queues"), [], "nothing was sent");
    let largest = desk.client.enqueue(load(LIMIT)).await.expect("the largest one").id;
    let worker = desk.work(|builder| builder.job_fn(done::<Load>));
    let job = desk.until(largest, State::Done).await;
    assert_eq!(job.payload.len(), LIMIT);
    stop(worker).await;

    let shout = |job: Load, _: Context<()>| async move {
        match job.text.as_str() {
            // Shorter, because it is printed.
            "panic" => panic!("{}", "é".repeat(5_000)),
            _ => Err::<(), _>("é".repeat(5_000_000)),
        }
    };
    let worker = desk.work(|builder| builder.job_fn(shout));
    for text in ["panic", "error"] {
        let enqueue = desk.client.enqueue(Load { text: text.to_owned() }).max_attempts(3);
        let dead = desk.until(enqueue.await.expect("a job").id, State::Dead).await;
        assert_eq!(dead.errors.len(), 3);
        let length = |error: &AttemptError| error.error.len();
        assert!(
            dead.errors
                .iter()
                .all(|error| (ERROR_LEN_MAX - 1..=ERROR_LEN_MAX).contains(&length(error)))
        );
    }
    stop(worker).await;
    desk.inspect().await;
}

#[derive(Debug, Serialize, Deserialize)]
struct Deep {
    tree: Value,
}
job!(Deep is "deep");

#[derive(Debug, Serialize, Deserialize)]
struct Shallow {}
job!(Shallow is "shallow");

/// F84: a payload as deep as serde_json reads runs; a deeper one is a dead letter. Depth in a field
/// that the type does not have does no harm.
async fn f84_deep_payloads_are_refused_without_filling_the_stack(store: Store) {
    let mut desk = Desk::at(&store).await;
    // The deepest is larger than what a worker usually takes.
    desk.client = desk.client.payload_max(LARGEST);
    let worker = desk.work(|builder| builder.job_fn(done::<Deep>).job_fn(done::<Shallow>));
    for depth in [126, 127, 128, 129, 100_000, 1_000_000] {
        let payload = format!(r#"{{"tree":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let ids = [("deep", depth <= 126), ("shallow", true)];
        for (kind, runs) in ids {
            let id = desk.put(desk.raw(kind, payload.clone())).await;
            let state = if runs { State::Done } else { State::Dead };
            let job = desk.until(id, state).await;
            assert!(job.payload == payload.as_bytes(), "{kind} at {depth}: changed");
            let reason = (!runs).then_some(DeathReason::Malformed);
            assert_eq!(job.death_reason(), reason, "{kind} at {depth}");
        }
    }
    stop(worker).await;
    desk.inspect().await;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Numbers {
    lowest: i64,
    highest: u64,
    uneven: u64,
    large: f64,
    small: f64,
    zero: f64,
    list: Vec<u8>,
    map: std::collections::BTreeMap<String, u8>,
}
job!(Numbers is "numbers");

#[derive(Debug, Serialize, Deserialize)]
struct Float {
    value: f64,
}
job!(Float is "float");

/// F85: what a handler gets after failures, death and requeue is what was enqueued, and so are the
/// bytes. JSON has no word for NaN, so such a job is a dead letter.
async fn f85_numbers_come_back_as_they_went(store: Store) {
    let desk = Desk::at(&store).await;
    let numbers = Numbers {
        lowest: i64::MIN,
        highest: u64::MAX,
        uneven: (1 << 53) + 1,
        large: 1e308,
        small: 5e-324,
        zero: -0.0,
        list: Vec::new(),
        map: Default::default(),
    };
    let bytes = serde_json::to_vec(&numbers).expect("numbers serialize");
    let id = desk.client.enqueue(numbers.clone()).max_attempts(2).await.expect("a job").id;
    let check = move |job: Numbers, cx: Context<()>| {
        let same = job == numbers && job.zero.is_sign_negative();
        async move {
            assert!(same, "{job:?}");
            if cx.attempt() == 2 { Err("not yet") } else { Err(cx.retry_in(Duration::ZERO, "no")) }
        }
    };
    let worker = desk.work(|builder| builder.job_fn(check).job_fn(done::<Float>));
    for lifetime in [2, 4] {
        let dead = desk.until(id, State::Dead).await;
        assert_eq!((dead.lifetime_attempts, &dead.payload), (lifetime, &bytes));
        assert_eq!(dead.last_error(), Some("not yet"));
        assert_eq!(desk.client.admin().retry(id).await.expect("a retry"), Act::Applied);
    }
    for value in [f64::NAN, f64::INFINITY] {
        let id = desk.client.enqueue(Float { value }).await.expect("serde_json writes null").id;
        let dead = desk.until(id, State::Dead).await;
        assert_eq!(dead.death_reason(), Some(DeathReason::Malformed));
        assert_eq!(dead.payload, br#"{"value":null}"#);
    }
    stop(worker).await;
    desk.inspect().await;
}
