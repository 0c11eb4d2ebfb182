//! How jobs are run: all that is due, or one handler alone.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use mq_core::context::{Attempt, AttemptFacts};
use mq_core::signal::Signal;
use mq_core::{Claim, Context, Handler, JobId, QueueName, WorkerId, chain_text};
use mq_worker::{Report, Worker};
use tokio::runtime::Handle;

use super::Bench;

/// Attempts after which a drain is taken to have no end: more than a test has jobs, and reached in
/// a second or two.
const DRAIN_MAX: u64 = 10_000;
/// The shortest that a worker accepts. Cancellations of running jobs are seen every third of it.
const LEASE: Duration = Duration::from_secs(1);

impl Bench {
    /// Runs all jobs that are due, and those that they enqueue for now, one after the other, until
    /// none is due; says what became of them. Retries and jobs with a delay lie in the future and
    /// stay until [`advance`](Self::advance), or see [`drain_all`](Self::drain_all). Paused queues
    /// are left alone.
    ///
    /// Queues are emptied in the order of their names. A job that nobody handles here counts as
    /// [handed back](Report::handed_back) and stays enqueued, as with any worker.
    ///
    /// Time that a handler spends in `tokio::time::sleep`, and its time limit, pass as in any test:
    /// really, or at once under `#[tokio::test(start_paused = true)]`.
    ///
    /// Await it to its end: a job that runs when it is dropped is lost to the bench.
    ///
    /// # Panics
    /// Outside of a tokio runtime; when a job needs a state that the bench was not given; when the
    /// handlers do not fit together, with the words of
    /// [`build`](mq_worker::WorkerBuilder::build); after 10,000 attempts, when jobs seem to enqueue
    /// each other for ever.
    #[track_caller]
    pub fn drain(&self) -> impl Future<Output = Report> + Send + '_ {
        let place = Place(Location::caller());
        self.run_all(place, false)
    }

    /// As [`drain`](Self::drain), but goes on through time: whenever nothing is due, it moves to
    /// the next job that is scheduled, until none is. So every job comes to its end, through all
    /// its retries.
    ///
    /// # Panics
    /// As `drain`; a job that nobody handles here never comes to its end.
    #[track_caller]
    pub fn drain_all(&self) -> impl Future<Output = Report> + Send + '_ {
        let place = Place(Location::caller());
        self.run_all(place, true)
    }

    async fn run_all(&self, place: Place, through_time: bool) -> Report {
        if Handle::try_current().is_err() {
            place.panic("a drain needs a tokio runtime: write `#[tokio::test]`");
        }
        let mut total = Report::default();
        let mut left = DRAIN_MAX;
        loop {
            let ran = match self.worker(place).run_due(left).await {
                Ok(ran) => ran,
                Err(error) => place.panic(&chain_text(&error)),
            };
            if !ran.missing_states.is_empty() {
                let problems: Vec<_> = ran.missing_states.iter().map(ToString::to_string).collect();
                place.panic(&problems.join("\n"));
            }
            total += ran.report;
            left = left.saturating_sub(ran.ended);
            // A queue may be new, and so unknown to the worker that has just stopped.
            let mut due = self.due();
            if due.is_none() && through_time && self.advance_to_next().is_some() {
                due = self.due();
            }
            let Some(kind) = due else { return total };
            if left == 0 {
                place.panic(&endless(&kind, total));
            }
        }
    }

    /// A worker for all queues that there are.
    fn worker(&self, place: Place) -> Worker {
        let mut builder = self.builder.clone().concurrency(1).strict_order().lease(LEASE);
        for queue in self.queues() {
            builder = builder.queue(queue, 1);
        }
        match builder.build() {
            Ok(worker) => worker,
            Err(error) => place.panic(&error.to_string()),
        }
    }

    /// Runs one handler alone, once, as its first attempt: nothing is stored, no layer, time limit
    /// or retry has a part in it. Returns what the handler returns.
    ///
    /// Jobs that it enqueues through its context are in this bench.
    ///
    /// # Errors
    /// Those of the handler.
    ///
    /// # Panics
    /// When the handler does, or when the queue of the type has a name that mq does not accept.
    #[track_caller]
    pub fn run<J, S>(
        &self,
        job: J,
        state: S,
    ) -> impl Future<Output = Result<J::Output, J::Error>> + Send
    where
        J: Handler<S>,
        S: Send + Sync + 'static,
    {
        let queue = match QueueName::new(J::OPTIONS.queue) {
            Ok(queue) => queue,
            Err(error) => panic!("{error}"),
        };
        let facts = AttemptFacts {
            id: JobId::new(),
            kind: J::KIND.into(),
            claim: Claim { queue, worker: WorkerId::random(), number: 1 },
            number: 1,
            max_attempts: J::OPTIONS.max_attempts,
            tags: Vec::new(),
            traceparent: None,
        };
        let attempt = Attempt::new(facts, self.client.clone(), Signal::new());
        job.run(Context::new(Arc::new(attempt), Arc::new(state)))
    }
}

fn endless(kind: &str, total: Report) -> String {
    let mut text = format!("the drain has no end: {total}, and a `{kind}` is due next; ");
    text.push_str(if total.handed_back > total.done {
        "is there a handler for it? a job that nobody handles comes back again and again"
    } else {
        "do jobs enqueue each other for ever? give the next one a delay, or drain fewer at once"
    });
    text
}

/// The line of the test, which a panic inside of an async function does not know.
#[derive(Clone, Copy)]
struct Place(&'static Location<'static>);

impl Place {
    fn panic(self, text: &str) -> ! {
        panic!("{self}: {text}");
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}
