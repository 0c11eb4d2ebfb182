//! `mq retry`

use crate::app::App;
use crate::bulk::{self, Verb};
use crate::fail::{Exit, Fail};
use crate::pick::Which;
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// At most so many a second: the jobs are scheduled in a row, so this returns at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let plan = Plan::make(app, &args.which).await?;
    bulk::run(app, plan, Verb::Retry { per_second: args.rate }, args.yes).await
}
