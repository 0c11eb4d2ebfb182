//! Two versions of one program, for rolling deploys: F15 of the fault matrix.
//!
//! Version 2 has renamed a field and reads it under its former name, has a new field with a
//! default, has dropped a field that version 1 can do without, and has a kind that version 1 does
//! not know. That is how a program changes whose jobs wait while it is replaced, and comes back
//! when the deploy is taken back.

use mq_core::{Context, Handler, Job, JobOptions};
use mq_testkit::Event;
use serde::{Deserialize, Serialize};

use crate::job::{App, QUEUE};

/// The variable that makes `mq-chaos-worker` one of two versions of a program: `1` or `2`.
pub const VERSION: &str = "MQ_VERSION";

const OPTIONS: JobOptions = JobOptions::DEFAULT.queue(QUEUE);

/// An order as version 1 knows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order1 {
    /// Which one it is.
    pub number: u64,
    /// What the customer has to say.
    pub note: String,
    /// Dropped in version 2.
    #[serde(default)]
    pub colour: String,
}

/// An order as version 2 knows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order2 {
    /// Which one it is.
    pub number: u64,
    /// What the customer has to say; a former program calls it `note`, and may come back.
    #[serde(rename = "note")]
    pub remark: String,
    /// New.
    #[serde(default)]
    pub amount: u32,
}

/// A kind that is new in version 2.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refund {
    /// Which one it is.
    pub number: u64,
}

macro_rules! written_down {
    ($($job:ident is $kind:literal;)+) => {$(
        impl Job for $job {
            type Output = ();
            const KIND: &'static str = $kind;
            const OPTIONS: JobOptions = OPTIONS;
        }

        impl Handler<App> for $job {
            type Error = String;

            async fn run(self, cx: Context<App>) -> Result<(), String> {
                let (id, claim) = (cx.id(), cx.fence().to_string());
                cx.state().write(Event::Started { id, claim: claim.clone() })?;
                cx.state().write(Event::Ended { id, claim, ok: true })
            }
        }
    )+};
}

written_down! {
    Order1 is "order";
    Order2 is "order";
    Refund is "refund";
}
