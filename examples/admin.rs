//! The operator's side: what is there, what is going on, stop it, check it.
//!
//! `cargo run --example admin [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::State;
use mq::admin::Filter;
use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "admin")]
struct Export {
    customer: u32,
}

impl Handler for Export {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    let admin = mq.admin();
    mq.warnings().iter().for_each(|warning| println!("About the store: {warning}"));

    admin.pause("admin").await?;
    mq.enqueue_all((1..=20).map(|customer| Export { customer })).tag("export").await?;
    mq.enqueue(Export { customer: 21 }).delay(Duration::from_secs(3600)).await?;
    let worker = Worker::builder(&mq).concurrency(4).discover().build()?.spawn();
    tokio::time::sleep(Duration::from_millis(300)).await;
    show(&mq, "Paused, so nobody takes a job:").await?;

    let tagged = Filter::state(State::Ready).queue("admin").tag("export");
    let page = admin.jobs(&tagged, None, 3).await?;
    println!("The first three of them (there is more: {}):", page.next.is_some());
    for job in &page.jobs {
        println!("  {} {} {} {:?}", job.id, job.kind, job.payload_text(), job.tags);
    }

    admin.resume("admin").await?;
    while admin.queue("admin").await?.stats.running == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    show(&mq, "Resumed:").await?;
    for worker in admin.workers().await? {
        let (pid, running) = (worker.about.pid, worker.running_count);
        println!("  worker {} of process {pid} runs {running} jobs", worker.worker);
    }
    for job in admin.jobs(&Filter::state(State::Scheduled).queue("admin"), None, 10).await?.jobs {
        println!("Delete the one of next hour: {:?}", admin.delete(job.id).await?);
    }
    common::all_done(&mq, "admin").await;
    show(&mq, "Done:").await?;

    println!("The audit recomputes every queue from all its structures:");
    for (queue, report) in admin.audit(false).await? {
        println!("  {queue}: {} jobs, {} disagreements", report.jobs, report.findings.len());
    }
    worker.stop(Duration::from_secs(1)).await?;
    Ok(())
}

async fn show(mq: &Client, title: &str) -> anyhow::Result<()> {
    let queue = mq.admin().queue("admin").await?.stats;
    let (ready, scheduled, running) = (queue.ready, queue.scheduled, queue.running);
    let done = queue.done_total;
    println!("{title} {ready} ready, {scheduled} scheduled, {running} running, {done} done");
    Ok(())
}
