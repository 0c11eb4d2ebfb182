//! `mq transfer`

use mq::{JobId, QueueName};

use crate::app::App;
use crate::bulk::{self, Verb};
use crate::fail::{Exit, Fail};
use crate::pick;
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The jobs.
    #[arg(value_name = "ID", value_parser = pick::id, required = true)]
    ids: Vec<JobId>,
    /// The queue to move them to; it need not exist yet.
    #[arg(long, value_name = "QUEUE")]
    to: QueueName,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let plan = Plan::of_ids(app, &args.ids).await?;
    bulk::run(app, plan, Verb::Transfer { to: args.to }, true).await
}
