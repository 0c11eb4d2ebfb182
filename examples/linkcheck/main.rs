//! A link checker for documentation trees: every page is a job, every link target is a job.
//!
//! ```text
//! cargo run --release --example linkcheck                    # the documentation of this workspace
//! cargo run --release --example linkcheck -- --workers 4 --kill-workers
//! cargo run --release --example linkcheck -- --root book/html --json
//! ```
//!
//! The program serves the tree over HTTP on 127.0.0.1 with some injected failures, enqueues the
//! first page and starts worker processes (itself, as `linkcheck worker`). A page's handler
//! enqueues the pages and targets that it links to, under their URLs as idempotency keys. Pages
//! that answer 503 are tried again; links to nowhere become dead letters, which are the report.
//! With `--kill-workers` a random worker is killed with SIGKILL every second or two, and the end
//! shows that every job was done all the same.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod args;
mod crawl;
mod docs;
mod fleet;
mod html;
mod http;
mod jobs;
mod progress;
mod report;
mod results;
mod server;
mod worker;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "worker") {
        words.remove(0);
        worker::run(&args::WorkerArgs::parse(words)?).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{}", args::HELP);
        return Ok(ExitCode::SUCCESS);
    }
    let args = args::Args::parse(words)?;
    let report = crawl::run(&args).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    // Broken links are the result of the program; lost jobs would be its failure.
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
