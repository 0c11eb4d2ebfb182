//! Handlers that keep their threads for ever, until the worker has too few of them.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mq_core::signal::Signal;
use mq_core::{Backoff, Client, Context, JobOptions};
use mq_testkit::RedisServer;
use mq_worker::{Report, RunError, Worker, WorkerBuilder};
use support::*;

/// Retries come when the worker has given up.
const OPTIONS: JobOptions =
    JobOptions::DEFAULT.backoff(Backoff::fixed(Duration::from_secs(4))).max_attempts(2);
job!(Hog {}, "hog", OPTIONS.timeout(Duration::from_millis(200)));
job!(BlockingHog {}, "blocking hog", OPTIONS.timeout(Duration::from_millis(200)).blocking(true));
job!(Meek { n: u32 }, "meek", OPTIONS);

/// A worker on a runtime of its own, whose handlers keep their threads until the test ends.
struct Bad {
    notes: Notes,
    release: Sender<()>,
    ended: Signal,
    thread: JoinHandle<Result<Report, RunError>>,
}

fn hog(notes: &Notes, released: &Mutex<Receiver<()>>) {
    notes.add("hogs");
    // Not behind a lock: all of them wait at the same time.
    while released.lock().unwrap().try_recv() == Err(TryRecvError::Empty) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

impl Bad {
    fn start(url: String, change: fn(WorkerBuilder) -> WorkerBuilder) -> Self {
        let (release, released) = channel();
        let (notes, ended, released) =
            (Notes::default(), Signal::new(), Arc::new(Mutex::new(released)));
        let (app, over) = (notes.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(2).enable_all().build().unwrap();
            let (first, second) = (Arc::clone(&released), released);
            let result = runtime.block_on(async {
                let mq = Client::connect(url).await.unwrap();
                let builder = Worker::builder(&mq).queue("default", 1).concurrency(8).state(app);
                let builder = builder.timeout_grace(Duration::from_millis(50));
                let builder = builder
                    .job_fn(move |_: Hog, cx: Context<Notes>| {
                        let released = Arc::clone(&first);
                        async move {
                            hog(cx.state(), &released);
                            Ok::<_, String>(())
                        }
                    })
                    .job_fn(move |_: BlockingHog, cx: Context<Notes>| {
                        let released = Arc::clone(&second);
                        async move {
                            hog(cx.state(), &released);
                            Ok::<_, String>(())
                        }
                    })
                    .job_fn(|_: Meek, cx: Context<Notes>| async move {
                        cx.state().add("waits");
                        pending::<Result<(), String>>().await
                    });
                change(builder).build().unwrap().run_until(pending::<()>()).await
            });
            over.fire();
            runtime.shutdown_background();
            result
        });
        Self { notes, release, ended, thread }
    }

    /// Asserts that it gives up, and that what it had is done by another one.
    async fn gives_up(self, mq: &Client, hogs: u64) {
        within(self.ended.fired()).await;
        let error = self.thread.join().unwrap().unwrap_err();
        assert_eq!(error.exit_code(), 70, "{error}");
        let RunError::Blocked { report } = error else { panic!("{error}") };
        assert_eq!((report.abandoned, report.done), (hogs, 0), "{report}");
        let notes = Notes::default();
        let builder = Worker::builder(mq).queue("default", 1).state(notes.clone());
        let builder = builder.job_fn(|_: Hog, cx: Context<Notes>| note(cx));
        let builder = builder.job_fn(|_: BlockingHog, cx: Context<Notes>| note(cx));
        let worker =
            builder.job_fn(|_: Meek, cx: Context<Notes>| note(cx)).build().unwrap().spawn();
        // The hogs have failed once, by their time limit, and the others were given back.
        notes.has("attempt 2", hogs as usize).await;
        notes.has("attempt 1", 3).await;
        let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
        assert_eq!((report.done, report.recovered), (hogs + 3, 0), "{report}");
        nothing_left(mq).await;
        drop(self.release);
    }
}

async fn note(cx: Context<Notes>) -> Result<(), String> {
    cx.state().add(format!("attempt {}", cx.attempt()));
    Ok(())
}

async fn enqueue_meek(mq: &Client) {
    within(mq.enqueue_all((0..3).map(|n| Meek { n })).into_future()).await.unwrap();
}

/// F06: nothing runs on the worker's runtime any more, not even its loop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_a_free_thread_gives_its_jobs_back_and_ends() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let bad = Bad::start(server.url(), |builder| builder);
    enqueue_meek(&mq).await;
    bad.notes.has("waits", 3).await;
    within(mq.enqueue_all((0..2).map(|_| Hog {})).into_future()).await.unwrap();
    bad.notes.has("hogs", 2).await;
    bad.gives_up(&mq, 2).await;
}

/// F06: the loop is well, but threads that were made for blocking handlers do not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_has_lost_too_many_threads_gives_its_jobs_back_and_ends() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let bad = Bad::start(server.url(), |builder| builder.lost_threads_max(3));
    enqueue_meek(&mq).await;
    bad.notes.has("waits", 3).await;
    within(mq.enqueue_all((0..3).map(|_| BlockingHog {})).into_future()).await.unwrap();
    bad.notes.has("hogs", 3).await;
    bad.gives_up(&mq, 3).await;
}
