//! How a job is done, typed for users and erased for workers.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use crate::context::{Attempt, Context, Mark};
use crate::job::Job;
use crate::middleware::JobRequest;
use crate::outcome::{JobError, Outcome, Verdict};

/// Does the work of a job.
///
/// `S` is the type of the shared state that the handler needs; a worker is given one with
/// `.state(…)`. Because it is a parameter of the trait, a job type of another crate can have its
/// handler where the state is defined.
#[diagnostic::on_unimplemented(
    message = "no handler for job `{Self}` with state `{S}`",
    label = "needs `impl Handler<{S}> for {Self}`",
    note = "write `impl mq::Handler<{S}> for {Self} {{ type Error = …; async fn run(self, cx: \
            mq::Context<{S}>) -> Result<Self::Output, Self::Error> {{ … }} }}`",
    note = "if it needs another state, name that in the job: `#[job(state = App)]`",
    note = "or, if the handler lives in another crate, add `#[job(producer)]` to the job"
)]
pub trait Handler<S = ()>: Job {
    /// What a failed attempt returns; see [`JobError`] for what is accepted.
    type Error: JobError;

    /// Runs one attempt. Must be safe to run again: a worker can die between the work and the
    /// record of it.
    fn run(self, cx: Context<S>) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// What to do about a failed attempt. `self` is decoded afresh from the payload.
    fn verdict(&self, error: &Self::Error) -> Verdict {
        let _ = error;
        Verdict::Retry
    }
}

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A handler whose types are forgotten: bytes in, outcome out.
pub trait ErasedHandler: Send + Sync + 'static {
    /// Runs one attempt.
    fn call(
        &self,
        request: JobRequest,
        state: Arc<dyn Any + Send + Sync>,
    ) -> BoxFuture<'static, Outcome>;
}

/// The [`Handler`] impl of a type.
pub(crate) struct Implemented<J, S>(PhantomData<fn(J, S)>);

impl<J, S> Implemented<J, S> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<J: Handler<S>, S: Send + Sync + 'static> ErasedHandler for Implemented<J, S> {
    fn call(
        &self,
        request: JobRequest,
        state: Arc<dyn Any + Send + Sync>,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            let (attempt, payload) = request.into_parts();
            let cx = match context::<S>(&attempt, state) {
                Ok(cx) => cx,
                Err(outcome) => return outcome,
            };
            let job: J = match decode(&payload) {
                Ok(job) => job,
                Err(outcome) => return outcome,
            };
            match job.run(cx).await {
                Ok(_) => ended(&attempt, None),
                Err(error) => {
                    // The job was consumed by `run`; decoding again costs only those that fail.
                    let verdict = match decode::<J>(&payload) {
                        Ok(job) => job.verdict(&error),
                        Err(_) => Verdict::Retry,
                    };
                    ended(&attempt, Some((error.into_text(), verdict)))
                }
            }
        })
    }
}

/// A closure that handles a job type.
pub(crate) struct Closure<J, S, F>(F, PhantomData<fn(J, S)>);

impl<J, S, F> Closure<J, S, F> {
    pub(crate) fn new(function: F) -> Self {
        Self(function, PhantomData)
    }
}

impl<J, S, F, Fut, E> ErasedHandler for Closure<J, S, F>
where
    J: Job,
    S: Send + Sync + 'static,
    F: Fn(J, Context<S>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<J::Output, E>> + Send,
    E: JobError,
{
    fn call(
        &self,
        request: JobRequest,
        state: Arc<dyn Any + Send + Sync>,
    ) -> BoxFuture<'static, Outcome> {
        let function = self.0.clone();
        Box::pin(async move {
            let (attempt, payload) = request.into_parts();
            let cx = match context::<S>(&attempt, state) {
                Ok(cx) => cx,
                Err(outcome) => return outcome,
            };
            let job: J = match decode(&payload) {
                Ok(job) => job,
                Err(outcome) => return outcome,
            };
            match function(job, cx).await {
                Ok(_) => ended(&attempt, None),
                Err(error) => ended(&attempt, Some((error.into_text(), Verdict::Retry))),
            }
        })
    }
}

fn context<S: Send + Sync + 'static>(
    attempt: &Arc<Attempt>,
    state: Arc<dyn Any + Send + Sync>,
) -> Result<Context<S>, Outcome> {
    // `build()` has matched handlers and states, so this is a bug of mq's if it ever happens.
    match state.downcast::<S>() {
        Ok(state) => Ok(Context::new(Arc::clone(attempt), state)),
        Err(_) => Err(Outcome::failed(format!(
            "mq gave the handler of `{}` a state that is not `{}`; please report this",
            attempt.kind,
            std::any::type_name::<S>()
        ))),
    }
}

fn decode<J: Job>(payload: &[u8]) -> Result<J, Outcome> {
    serde_json::from_slice(payload).map_err(|error| {
        let reason = without_values(&error.to_string());
        let error = format!("the payload does not decode as `{}`: {reason}", J::KIND);
        Outcome::Malformed { error }
    })
}

/// Serde's words without what it found in the payload, which is users' data and would end up in
/// logs: `invalid type: string "…", expected u32 at line 1` becomes `invalid type, expected u32 at
/// line 1`.
fn without_values(text: &str) -> String {
    // The last one: what was found comes first and may itself contain the words.
    let split = |words| text.rfind(words).and_then(|at| text.split_at_checked(at));
    // The second is what serde says where nothing could be expected.
    let Some((found, rest)) = split(", expected").or_else(|| split(", there are no")) else {
        return text.to_owned();
    };
    let what = found.split([':', '`']).next().unwrap_or_default();
    format!("{}{rest}", what.trim_end())
}

/// Joins what the handler returned with what it said through its context.
fn ended(attempt: &Attempt, failure: Option<(String, Verdict)>) -> Outcome {
    match (attempt.mark(), failure) {
        (Some(Mark::Snooze(delay)), _) => Outcome::Snooze(delay),
        (_, None) => Outcome::Done,
        (Some(Mark::Verdict(verdict)), Some((error, _))) | (None, Some((error, verdict))) => {
            Outcome::Failed { error, verdict }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// The library's own fast way is off by one in the last place for some numbers.
    #[test]
    fn a_number_reaches_its_handler_as_it_was_to_the_last_bit() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Measured(f64);
        impl Job for Measured {
            type Output = ();
            const KIND: &'static str = "measured";
        }
        let mut rng = Rng::seeded(1);
        let known = f64::from_bits(0x0024_6058_b5c7_3a8b);
        let some = (0..10_000).map(|_| f64::from_bits(rng.next_u64())).filter(|n| n.is_finite());
        for number in some.chain([known, -0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324]) {
            let payload = serde_json::to_vec(&Measured(number)).unwrap();
            let job: Measured = decode(&payload).unwrap();
            assert_eq!(job.0.to_bits(), number.to_bits(), "{number:e}");
        }
    }

    #[test]
    fn values_are_left_out_of_what_serde_says() {
        for (text, expected) in [
            (
                r#"invalid type: string "a, expected b", expected u32 at line 1 column 3"#,
                "invalid type, expected u32 at line 1 column 3",
            ),
            (
                "unknown variant `secret`, expected `a` or `b` at line 1 column 2",
                "unknown variant, expected `a` or `b` at line 1 column 2",
            ),
            (
                "unknown field `secret`, there are no fields at line 1 column 2",
                "unknown field, there are no fields at line 1 column 2",
            ),
            (
                "missing field `user_id` at line 1 column 2",
                "missing field `user_id` at line 1 column 2",
            ),
        ] {
            assert_eq!(without_values(text), expected);
        }
    }
}
