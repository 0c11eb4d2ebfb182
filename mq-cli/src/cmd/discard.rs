//! `mq discard`

use crate::app::App;
use crate::bulk::{self, Verb};
use crate::fail::{Exit, Fail};
use crate::pick::Which;
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let plan = Plan::make(app, &args.which).await?;
    bulk::run(app, plan, Verb::Discard, args.yes).await
}
