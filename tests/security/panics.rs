//! Line 32: whatever of a user's code panics, its job fails and everything else goes on.

use std::fmt;

use mq::prelude::*;
use mq::{Next, Outcome, State};

use crate::kit::stores;

#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
enum At {
    /// Between its first and its second poll.
    Await,
    /// While it is asked for a future.
    Call,
    /// As the future is dropped, which has its values.
    Drop,
    /// While its error is made a text.
    Display,
    /// While it is asked what to do about its error.
    Verdict,
    /// With a value that is no text.
    Value,
    /// With a value that panics as it is dropped.
    Payload,
    Layer,
    Nowhere,
}

const ALL: [At; 8] =
    [At::Await, At::Call, At::Drop, At::Display, At::Verdict, At::Value, At::Payload, At::Layer];

#[derive(Serialize, Deserialize, Job)]
#[job(name = "clumsy", max_attempts = 1)]
struct Clumsy {
    at: At,
}

#[derive(Debug)]
struct Failure(At);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0 != At::Display, "no words");
        f.write_str("failure")
    }
}

impl std::error::Error for Failure {}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Handler for Clumsy {
    type Error = Failure;

    #[allow(clippy::manual_async_fn, reason = "it panics before there is a future")]
    fn run(self, _: Context) -> impl Future<Output = Result<(), Failure>> + Send {
        assert!(self.at != At::Call, "at the call");
        async move {
            tokio::task::yield_now().await;
            match self.at {
                At::Await => panic!("in the middle"),
                At::Value => std::panic::panic_any(7_u8),
                At::Payload => std::panic::panic_any(Bomb),
                At::Drop => {
                    let _bomb = Bomb;
                    tokio::task::yield_now().await;
                    Ok(())
                }
                At::Nowhere => Ok(()),
                at => Err(Failure(at)),
            }
        }
    }

    fn verdict(&self, _: &Failure) -> Verdict {
        assert!(self.at != At::Verdict, "no opinion");
        Verdict::Retry
    }
}

struct Layer;

impl Middleware for Layer {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        let outcome = next.run(request).await;
        if let Outcome::Failed { error, .. } = &outcome {
            assert!(error != "failure", "in a layer");
        }
        outcome
    }
}

/// Panics while it is decoded.
#[derive(Serialize, Job)]
#[job(name = "undecodable", max_attempts = 1)]
struct Undecodable;

impl<'de> Deserialize<'de> for Undecodable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("in the decoder")
    }
}

#[mq::handler]
impl Undecodable {
    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_anywhere_in_a_users_code_fails_its_job_and_nothing_else() {
    for store in stores().await {
        let mut ids = Vec::new();
        for at in ALL {
            ids.push((Some(at), store.mq.enqueue(Clumsy { at }).await.unwrap().id));
        }
        ids.push((None, store.mq.enqueue(Undecodable).await.unwrap().id));
        let all_settled = async {
            for (at, id) in &ids {
                let dead = store.job_in(*id, State::Dead).await;
                assert_eq!(dead.errors.len(), 1, "{} {at:?}", store.name);
                let error = dead.last_error().unwrap();
                assert!(error.contains("panicked"), "{} {at:?}: {error}", store.name);
            }
            // One slot: had one of them kept it, this would not run.
            let fine = store.mq.enqueue(Clumsy { at: At::Nowhere }).await.unwrap();
            store.gone(fine.id).await;
        };
        let jobs = |worker: mq::WorkerBuilder| {
            let worker = worker.job::<Clumsy, ()>().job::<Undecodable, ()>();
            worker.layer(Layer).concurrency(1)
        };
        let report = store.while_running(jobs, all_settled).await;
        assert_eq!((report.done, report.dead), (1, 9), "{}: {report:?}", store.name);
        store.is_sound().await;
    }
}
