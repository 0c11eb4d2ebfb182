//! The test bench, from the seat of somebody who tests their jobs with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use mq::DeathReason;
use mq::prelude::*;
use mq::testing::{Bench, MemoryEngine};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default)]
struct Mailer {
    sent: Arc<AtomicUsize>,
    refuses: Arc<AtomicU32>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum MailError {
    #[error("the server is busy")]
    Busy,
    #[error("no such address")]
    Bounced,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Job)]
#[job(queue = "mail", max_attempts = 3, state = Mailer, retention = "1h", output = String)]
#[job(backoff(fixed, base = "10s", jitter = "none"))]
struct Welcome {
    user_id: u64,
}

impl Handler<Mailer> for Welcome {
    type Error = MailError;

    async fn run(self, cx: Context<Mailer>) -> Result<String, MailError> {
        if self.user_id == 0 {
            return Err(MailError::Bounced);
        }
        let Mailer { sent, refuses } = cx.state();
        if refuses.load(Ordering::Relaxed) > 0 {
            refuses.fetch_sub(1, Ordering::Relaxed);
            return Err(MailError::Busy);
        }
        sent.fetch_add(1, Ordering::Relaxed);
        Ok(format!("mail {}", self.user_id))
    }

    fn verdict(&self, error: &MailError) -> Verdict {
        if *error == MailError::Bounced { Verdict::Discard } else { Verdict::Retry }
    }
}

/// Welcomes many, through its context.
#[mq::job]
async fn invite(cx: Context, users: Vec<u64>) -> Result<(), mq::EnqueueError> {
    for user_id in users {
        cx.client().enqueue(Welcome { user_id }).delay(HOUR).await?;
    }
    Ok(())
}

/// Ends a little after it was told to, if it obeys.
#[mq::job(timeout = "30s", max_attempts = 1)]
async fn hangs(obeys: bool, cx: Context) -> Result<(), String> {
    if obeys {
        cx.cancelled().await;
        // sleep: a job that takes its time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        return Err("told to stop".to_owned());
    }
    std::future::pending().await
}

/// Takes its time, and fails.
#[mq::job(timeout = "50ms", backoff(fixed, base = "10s", jitter = "none"))]
async fn slow(ms: u64) -> Result<(), String> {
    // sleep: a job that takes its time.
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Err("slow".to_owned())
}

/// Enqueues itself for ever, mostly in another queue.
#[mq::job]
async fn again(cx: Context, number: u32) -> Result<(), mq::EnqueueError> {
    let next = again(number + 1);
    cx.client().enqueue(next).queue(format!("again-{}", number % 3)).await?;
    Ok(())
}

struct Unshared;

#[mq::job]
async fn needs_unshared(cx: Context<Unshared>) {
    let Unshared = cx.state();
}

/// The text of the panic that a future ends with.
async fn panic_of<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> String {
    let Err(error) = tokio::spawn(future).await else { panic!("it did not panic") };
    text_of(&*error.into_panic())
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_job_is_seen_waits_for_its_time_and_runs() {
    let mailer = Mailer::default();
    let t = Bench::new().state(mailer.clone());
    t.client().enqueue(Welcome { user_id: 7 }).delay(HOUR).await.unwrap();
    assert_eq!(t.enqueued::<Welcome>(), [Welcome { user_id: 7 }]);
    assert_eq!(t.drain().await, mq::Report::default());
    t.advance(HOUR - Duration::from_millis(1));
    assert_eq!(t.drain().await.done, 0);
    t.advance(Duration::from_millis(1));
    assert_eq!(t.drain().await.done, 1);
    assert_eq!(mailer.sent.load(Ordering::Relaxed), 1);
    assert_eq!(t.enqueued::<Welcome>(), []);
}

#[tokio::test]
async fn one_handler_runs_alone_with_its_own_types() {
    let t = Bench::new();
    let sent = t.run(Welcome { user_id: 7 }, Mailer::default()).await;
    assert_eq!(sent, Ok("mail 7".to_owned()));
    let bounced = t.run(Welcome { user_id: 0 }, Mailer::default()).await;
    assert_eq!(bounced, Err(MailError::Bounced));
    assert_eq!(t.enqueued::<Welcome>(), []);
}

#[tokio::test]
async fn what_a_handler_enqueues_is_in_the_bench() {
    let t = Bench::new().state(Mailer::default());
    t.run(invite(vec![3]), ()).await.unwrap();
    assert_eq!(t.enqueued::<Welcome>(), [Welcome { user_id: 3 }]);
    t.client().enqueue(invite(vec![1, 2])).await.unwrap();
    assert_eq!(t.drain().await.done, 1);
    t.advance(HOUR);
    assert_eq!(t.drain().await.done, 3);
}

#[tokio::test]
async fn waiting_jobs_are_listed_in_the_order_in_which_they_will_run() {
    let t = Bench::new();
    let mq = t.client();
    mq.enqueue(Welcome { user_id: 4 }).delay(2 * HOUR).await.unwrap();
    mq.enqueue(Welcome { user_id: 3 }).at(t.now() + TimeDelta::hours(1)).await.unwrap();
    mq.enqueue(Welcome { user_id: 2 }).await.unwrap();
    mq.enqueue(Welcome { user_id: 1 }).priority(Priority::High).await.unwrap();
    mq.enqueue(invite(vec![])).await.unwrap();
    let order = t.enqueued::<Welcome>().into_iter().map(|job| job.user_id);
    assert_eq!(order.collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_retry_comes_at_its_time_and_not_before() {
    let mailer = Mailer { refuses: Arc::new(2.into()), ..Mailer::default() };
    let t = Bench::new().state(mailer);
    t.client().enqueue(Welcome { user_id: 7 }).await.unwrap();
    assert_eq!(t.drain().await.failed, 1);
    assert_eq!(t.drain().await.failed, 0);
    assert_eq!(t.enqueued::<Welcome>().len(), 1);
    assert_eq!(t.advance_to_next(), Some(Duration::from_secs(10)));
    assert_eq!(t.drain().await.failed, 1);
    t.advance(Duration::from_secs(10));
    assert_eq!(t.drain().await.done, 1);
    assert_eq!(t.advance_to_next(), None);
}

#[tokio::test]
async fn dead_letters_say_why_they_died() {
    let mailer = Mailer { refuses: Arc::new(9.into()), ..Mailer::default() };
    let t = Bench::new().state(mailer);
    t.client().enqueue(Welcome { user_id: 7 }).await.unwrap();
    t.client().enqueue(Welcome { user_id: 0 }).delay(HOUR).await.unwrap();
    let ran = t.drain_all().await;
    assert_eq!((ran.failed, ran.dead), (2, 2));
    let dead = t.dead_letters();
    let [exhausted, bounced] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(exhausted.death_reason(), Some(DeathReason::Exhausted));
    assert_eq!((exhausted.attempts, exhausted.errors.len()), (3, 3));
    assert_eq!(bounced.death_reason(), Some(DeathReason::Discarded));
    assert_eq!(bounced.last_error(), Some("no such address"));
    assert_eq!(bounced.payload_text(), r#"{"user_id":0}"#);
}

#[tokio::test]
async fn what_is_kept_after_success_goes_when_its_time_is_over() {
    let t = Bench::new().state(Mailer::default());
    let id = t.client().enqueue(Welcome { user_id: 7 }).await.unwrap().id;
    t.drain().await;
    let admin = t.client().admin();
    assert_eq!(admin.job(id).await.unwrap().unwrap().state, mq::State::Done);
    t.advance(HOUR);
    assert!(admin.job(id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn time_limits_hold_and_cost_no_time_when_the_runtime_is_paused() {
    let t = Bench::new();
    for obeys in [true, false, true] {
        t.client().enqueue(hangs(obeys)).await.unwrap();
    }
    assert_eq!(t.drain().await.dead, 3);
    let dead = t.dead_letters();
    let errors: Vec<_> = dead.iter().filter_map(|job| job.last_error()).collect();
    let ends = |text: &str| errors.iter().filter(|error| error.ends_with(text)).count();
    assert_eq!(ends("timed out after 30s: told to stop"), 2, "{errors:?}");
    assert_eq!(ends("ignored the cancellation for 5s"), 1, "{errors:?}");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_is_kept_to_the_millisecond() {
    let t = Bench::new();
    let id = t.client().enqueue(slow(100)).await.unwrap().id;
    assert_eq!(t.drain().await.failed, 1);
    let job = t.client().admin().job(id).await.unwrap().unwrap();
    let error = job.last_error().unwrap();
    assert!(error.starts_with("timed out after 50ms"), "{error}");
}

#[tokio::test]
async fn the_time_that_a_handler_takes_does_not_move_the_bench() {
    let t = Bench::new();
    t.client().enqueue(slow(20)).await.unwrap();
    assert_eq!(t.drain().await.failed, 1);
    assert_eq!(t.advance_to_next(), Some(Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_running_job_can_be_cancelled_and_has_its_grace() {
    let cleaned = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&cleaned);
    let t = Bench::bare().job_fn(move |_: Slow, cx: Context| {
        let noted = Arc::clone(&noted);
        async move {
            cx.cancelled().await;
            // sleep: a job that takes its time.
            tokio::time::sleep(Duration::from_secs(1)).await;
            noted.fetch_add(1, Ordering::Relaxed);
            Err("cancelled")
        }
    });
    let id = t.client().enqueue(slow(0)).timeout(HOUR).await.unwrap().id;
    let admin = t.client().admin();
    let cancel = async {
        // sleep: the job has been running for long.
        tokio::time::sleep(HOUR / 2).await;
        admin.cancel(id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(t.drain(), cancel);
    assert_eq!((ran.cancelled, cleaned.load(Ordering::Relaxed)), (1, 1));
}

struct Count(Arc<AtomicUsize>);

impl Middleware for Count {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        self.0.fetch_add(1, Ordering::Relaxed);
        next.run(request).await
    }
}

#[mq::job(blocking)]
fn blocks() {}

#[mq::job(max_attempts = 1)]
async fn panics() {
    panic!("no luck");
}

#[tokio::test]
async fn layers_panics_and_blocking_jobs_are_as_in_any_worker() {
    let calls = Arc::new(AtomicUsize::new(0));
    let t = Bench::new().layer(Count(Arc::clone(&calls)));
    t.client().enqueue(blocks()).await.unwrap();
    t.client().enqueue(panics()).await.unwrap();
    let ran = t.drain().await;
    assert_eq!((ran.done, ran.dead, calls.load(Ordering::Relaxed)), (1, 1, 2));
    let dead = t.dead_letters();
    let error = dead[0].last_error().unwrap();
    assert!(error.contains("bench.rs:") && error.ends_with("no luck"), "{error}");
}

#[tokio::test]
async fn a_handler_can_be_replaced_and_an_unknown_job_stays() {
    let t =
        Bench::bare().job_fn(
            async |job: Welcome, _: Context| {
                if job.user_id == 1 { Ok("stub".to_owned()) } else { Err("stub") }
            },
        );
    t.client().enqueue(Welcome { user_id: 1 }).await.unwrap();
    t.client().enqueue(invite(vec![1])).await.unwrap();
    let ran = t.drain().await;
    assert_eq!((ran.done, ran.handed_back), (1, 1));
    assert_eq!(t.enqueued::<Invite>().len(), 1);
    let text = panic_of(async move { t.drain_all().await }).await;
    assert!(text.contains("a `invite` is due next; is there a handler for it?"), "{text}");
}

#[tokio::test]
async fn a_paused_queue_is_left_alone() {
    let t = Bench::new().state(Mailer::default());
    t.client().enqueue(Welcome { user_id: 7 }).await.unwrap();
    t.client().admin().pause("mail").await.unwrap();
    t.client().enqueue(Welcome { user_id: 8 }).delay(HOUR).await.unwrap();
    assert_eq!(t.drain_all().await.done, 0);
    t.client().admin().resume("mail").await.unwrap();
    assert_eq!(t.drain().await.done, 1);
}

#[tokio::test]
async fn a_missing_state_is_named_with_its_job_and_the_line_of_the_test() {
    let t = Bench::new();
    t.client().enqueue(needs_unshared()).await.unwrap();
    let line = line!() + 1;
    let text = panic_of(async move { t.drain().await }).await;
    assert!(text.contains(&format!("bench.rs:{line}: job `needs_unshared` (")), "{text}");
    assert!(text.ends_with("needs state `bench::Unshared`: call `.state(…)` with one"), "{text}");
}

#[tokio::test]
async fn jobs_that_enqueue_each_other_for_ever_are_found_out() {
    let t = Bench::new();
    t.client().enqueue(again(0)).await.unwrap();
    let text = panic_of(async move { t.drain().await }).await;
    assert!(text.contains(" done, 0 failed, 0 dead, and a `again` is due next"), "{text}");
    assert!(text.contains("; do jobs enqueue each other for ever?"), "{text}");
}

#[tokio::test]
async fn a_bench_without_jobs_says_what_a_worker_would() {
    let text = panic_of(async { Bench::bare().drain().await }).await;
    assert!(text.contains("the worker cannot be built: no jobs: call `.discover()`"), "{text}");
}

#[test]
fn a_test_without_a_runtime_is_told_so() {
    let t = Bench::new();
    let drain = std::panic::AssertUnwindSafe(|| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(t.drain()).as_mut().poll(&mut cx).is_ready()
    });
    let text = text_of(&*std::panic::catch_unwind(drain).unwrap_err());
    assert!(text.ends_with("a drain needs a tokio runtime: write `#[tokio::test]`"), "{text}");
}

#[tokio::test]
async fn a_worker_of_ones_own_can_run_on_the_store_in_memory() {
    let engine = MemoryEngine::new(1_750_000_000_000);
    let mq = Client::with_engine(Arc::new(engine.clone()));
    let (sender, mut ran) = tokio::sync::mpsc::unbounded_channel();
    let ping = move |job: Welcome, _: Context| {
        let sent = sender.send(job.user_id).map(|()| String::new());
        async move { sent.map_err(|error| error.to_string()) }
    };
    let worker = Worker::builder(&mq).job_fn(ping).build().unwrap().spawn();
    mq.enqueue(Welcome { user_id: 1 }).await.unwrap();
    assert_eq!(ran.recv().await, Some(1));
    mq.enqueue(Welcome { user_id: 2 }).delay(HOUR).await.unwrap();
    engine.advance(HOUR);
    assert_eq!(ran.recv().await, Some(2));
    assert_eq!(worker.stop(HOUR).await.unwrap().done, 2);
}

#[test]
fn old_payloads_are_tried() {
    let job: Welcome = mq::testing::golden(r#"{"user_id":7,"lang":"en"}"#);
    assert_eq!(job, Welcome { user_id: 7 });
    let failed = std::panic::catch_unwind(|| mq::testing::golden::<Welcome>("{}"));
    let text = text_of(&*failed.unwrap_err());
    assert!(text.starts_with("a stored `welcome` does not decode: missing field"), "{text}");
}

#[test]
fn the_registered_jobs_fit_together() {
    mq::testing::check_registry();
}
