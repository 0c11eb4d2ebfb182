//! The command `mq`: look at queues and jobs of any engine, and act on them.
//!
//! A library only so that `main` and `mq-fuzz` can share it; it promises nothing to anybody else.

mod app;
mod bulk;
mod cmd;
mod fail;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod out;
mod pick;
mod plan;
mod table;
mod text;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::app::App;
use crate::fail::{Exit, Fail};

const AFTER_HELP: &str = "\
Exit codes: 0 it is so or was done; 1 a condition: something was found, refused, or is not there;
2 the command is not meant so; 3 the engine cannot be used.";

/// Look at queues and jobs, and act on them.
#[derive(Debug, Parser)]
#[command(name = "mq", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Args {
    /// The engine, for example redis://127.0.0.1:6379 or sqlite:jobs.db. The variable is the better
    /// place for a password: other users of the machine can see arguments.
    #[arg(long, global = true, value_name = "URL", env = "MQ_URL", hide_env_values = true)]
    url: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: cmd::Command,
}

/// Does what the arguments of this process ask for.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return explain(&error).into(),
    };
    match run(args) {
        Ok(exit) => exit.into(),
        Err(fail) => {
            out::note(&format!("mq: {fail}"));
            fail.exit().into()
        }
    }
}

/// What clap has to say: help and version, or what is wrong with the arguments. It repeats those,
/// so it takes the same way to the terminal as everything else.
fn explain(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    if error.use_stderr() {
        out::note(text.trim_end());
        return Exit::Usage;
    }
    match out::write(text.trim_end()) {
        Ok(()) => Exit::Fine,
        Err(fail) => fail.exit(),
    }
}

fn run(args: Args) -> Result<Exit, Fail> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = App::connect(args.url.as_deref(), args.json).await?;
        cmd::run(&app, args.command).await
    })
}
