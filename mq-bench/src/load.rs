//! Jobs as they are in earnest: some fail, some have a time, some go first, some have a key.

use std::time::Duration;

use mq::prelude::*;
use mq::{JobSet, JobSetOptions, WorkerBuilder, WorkerHandle};

use crate::fail::Fail;

/// How many queues they are spread over.
pub(crate) const QUEUES: u64 = 10;
/// How long after its failure a job runs again.
const RETRY: Duration = Duration::from_millis(50);
/// The longest that one waits for its time.
pub(crate) const DELAY_MAX: Duration = Duration::from_millis(500);
/// Jobs of one set.
const BATCH: u64 = 1_000;

/// Does nothing, or fails when it is run for the first time.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "mixed")]
pub(crate) struct Mixed {
    number: u64,
    padding: String,
}

impl Mixed {
    fn new(number: u64) -> Self {
        // About 100 bytes of JSON.
        Self { number, padding: "x".repeat(70) }
    }

    /// One in 20.
    fn fails(&self) -> bool {
        self.number % 20 == 6
    }

    fn queue(&self) -> String {
        queue(self.number / 20 % QUEUES)
    }

    /// Of 20: one with high priority, one with low, two with a time, two with a key.
    fn options(&self, options: JobSetOptions) -> JobSetOptions {
        let options = options.queue(self.queue());
        match self.number % 20 {
            0 => options.priority(Priority::High),
            1 => options.priority(Priority::Low),
            2 | 3 => options.delay(DELAY_MAX.mul_f64((self.number % 1_000) as f64 / 1e3)),
            4 | 5 => options.idempotency_key(format!("order-{}", self.number)),
            _ => options,
        }
    }

    /// Of the jobs with a key, every tenth is enqueued twice.
    fn is_repeated(&self) -> bool {
        self.number % 100 == 4
    }
}

impl Handler for Mixed {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        if self.fails() && cx.attempt() == 1 {
            return Err(cx.retry_in(RETRY, "told to fail once".to_owned()));
        }
        Ok(())
    }
}

/// What must become of so many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) done: u64,
    pub(crate) failed: u64,
}

/// Of the jobs of these numbers.
pub(crate) fn expected(numbers: std::ops::Range<u64>) -> Expected {
    let done = numbers.end - numbers.start;
    let failed = numbers.filter(|number| Mixed::new(*number).fails()).count() as u64;
    Expected { done, failed }
}

/// Enqueues the jobs of these numbers.
pub(crate) async fn enqueue(mq: &Client, numbers: std::ops::Range<u64>) -> Result<(), Fail> {
    let mut first = numbers.start;
    while first < numbers.end {
        let (mut set, mut repeated) = (JobSet::new(), 0);
        let end = numbers.end.min(first + BATCH);
        for number in first..end {
            let job = Mixed::new(number);
            let times = if job.is_repeated() { 2 } else { 1 };
            repeated += times - 1;
            for _ in 0..times {
                let job = Mixed::new(number);
                let shape = Mixed::new(number);
                set.add_with(job, |options| shape.options(options));
            }
        }
        let receipts = mq.enqueue_set(set).await?;
        let seen = receipts.iter().filter(|receipt| receipt.duplicate).count();
        if seen != repeated {
            return Err(Fail::new(format!("{repeated} keys were repeated, {seen} were known")));
        }
        first = end;
    }
    Ok(())
}

/// A worker that serves all queues, by weights.
pub(crate) fn worker(mq: &Client, slots: usize) -> WorkerBuilder {
    let builder = Worker::builder(mq).concurrency(slots).job::<Mixed, ()>();
    (0..QUEUES).fold(builder, |builder, number| builder.queue(queue(number), 1 + number as u32 % 3))
}

/// Waits until the store has confirmed the ends of so many jobs. The stop that follows is no part
/// of what is measured: leaving the queues takes its time, whatever was done before.
pub(crate) async fn confirmed(worker: &WorkerHandle, jobs: u64) {
    while worker.report().done < jobs {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Fails unless the worker's report is what was expected and nothing is left in the store.
pub(crate) async fn account(
    mq: &Client,
    report: mq::Report,
    expected: Expected,
) -> Result<(), Fail> {
    let seen = Expected { done: report.done, failed: report.failed };
    if seen != expected || report.dead != 0 {
        return Err(Fail::new(format!("{expected:?} was expected, and there was {report}")));
    }
    for queue in mq.admin().queues().await? {
        let stats = &queue.stats;
        let left = stats.ready + stats.scheduled + stats.retrying + stats.running + stats.dead;
        if left != 0 {
            return Err(Fail::new(format!("{left} jobs are left in {}", queue.name)));
        }
    }
    Ok(())
}

fn queue(number: u64) -> String {
    format!("mixed-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_mix_is_what_the_description_says() {
        let jobs: Vec<_> = (0..10_000).map(Mixed::new).collect();
        let share = |is: fn(&Mixed) -> bool| jobs.iter().filter(|job| is(job)).count();
        assert_eq!(share(Mixed::fails), 500);
        assert_eq!(share(Mixed::is_repeated), 100);
        let mut queues = BTreeMap::new();
        for job in &jobs {
            *queues.entry(job.queue()).or_insert(0) += 1;
        }
        assert_eq!(queues.len() as u64, QUEUES);
        assert!(queues.values().all(|count| *count == 1_000), "{queues:?}");
        assert_eq!(expected(0..10_000), Expected { done: 10_000, failed: 500 });
        assert_eq!(expected(20..27), Expected { done: 7, failed: 1 });
    }
}
