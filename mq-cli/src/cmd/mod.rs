//! The commands, one per file.

mod audit;
mod cancel;
mod delete;
mod discard;
mod enqueue;
mod job;
mod jobs;
mod move_to;
mod queue;
mod queues;
mod retry;
mod run_now;
mod status;
mod transfer;
mod workers;

use crate::app::App;
use crate::fail::{Exit, Fail};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show how it goes as a whole.
    Status,
    /// List the queues with their sizes.
    Queues,
    /// Show a queue; pause or resume it.
    Queue(queue::Args),
    /// List jobs of a state.
    Jobs(jobs::Args),
    /// Show a job with its errors and its payload.
    Job(job::Args),
    /// Run dead, cancelled or scheduled jobs again, with all their attempts.
    Retry(retry::Args),
    /// Make scheduled jobs and retries due now.
    RunNow(run_now::Args),
    /// Remove jobs that are not running.
    Delete(delete::Args),
    /// Cancel jobs; of those that run, the workers are asked.
    Cancel(cancel::Args),
    /// Send jobs that wait to the dead letters, from where they can be retried.
    Discard(discard::Args),
    /// Enqueue a job.
    Enqueue(enqueue::Args),
    /// List the workers and what they do.
    Workers,
    /// Recompute every queue and report what disagrees.
    Audit(audit::Args),
    /// Move jobs that wait or are dead to another queue.
    Transfer(transfer::Args),
    /// Move all jobs to another engine.
    Move(move_to::Args),
}

pub(crate) async fn run(app: &App, command: Command) -> Result<Exit, Fail> {
    match command {
        Command::Status => status::run(app).await,
        Command::Queues => queues::run(app).await,
        Command::Queue(args) => queue::run(app, args).await,
        Command::Jobs(args) => jobs::run(app, args).await,
        Command::Job(args) => job::run(app, args).await,
        Command::Retry(args) => retry::run(app, args).await,
        Command::RunNow(args) => run_now::run(app, args).await,
        Command::Delete(args) => delete::run(app, args).await,
        Command::Cancel(args) => cancel::run(app, args).await,
        Command::Discard(args) => discard::run(app, args).await,
        Command::Enqueue(args) => enqueue::run(app, args).await,
        Command::Workers => workers::run(app).await,
        Command::Audit(args) => audit::run(app, &args).await,
        Command::Transfer(args) => transfer::run(app, args).await,
        Command::Move(args) => move_to::run(app, args).await,
    }
}
