//! The task that runs a job's handler.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mq_core::handler::BoxFuture;
use mq_core::seal::{self, OpenError, Sealer};
use mq_core::telemetry::{SPAN_RUN, TARGET_JOB};
use mq_core::{JobRequest, Next, Outcome};
use tokio::runtime::Handle;
use tracing::Span;

use crate::backlog;
use crate::execute;
use crate::handlers::Bound;
use crate::panic::catch;
use crate::running::Key;
use crate::shared::Shared;

/// What a job's task needs.
pub(crate) struct Body {
    bound: Arc<Bound>,
    request: JobRequest,
    span: Span,
}

impl Body {
    pub(crate) fn new(bound: &Arc<Bound>, request: JobRequest) -> Self {
        let span = tracing::info_span!(
            target: TARGET_JOB,
            SPAN_RUN,
            id = %request.id(),
            kind = request.kind(),
            queue = %request.queue(),
            attempt = request.attempt()
        );
        Self { bound: Arc::clone(bound), request, span }
    }

    /// Whether it keeps its thread until it ends.
    pub(crate) fn is_blocking(&self) -> bool {
        self.bound.entry.options().blocking
    }
}

/// Starts the task of a job that is in the table.
pub(crate) fn start(shared: &Arc<Shared>, key: Key, body: Body) {
    let is_blocking = body.is_blocking();
    let Body { bound, request, span } = body;
    let ticket = Ticket { shared: Arc::clone(shared), key };
    let task = Task { step: Step::Waits(bound, request), span, ticket };
    let handle = if is_blocking {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(task)).abort_handle()
    } else {
        tokio::spawn(task).abort_handle()
    };
    shared.running.started(key, handle);
}

/// Written by hand: the compiler's future of the same keeps every value twice, once as an argument
/// and once where it is used, and is copied seven times on its way into the runtime.
struct Task {
    step: Step,
    span: Span,
    ticket: Ticket,
}

/// Waits from the start of the task to its first poll, so that nothing of the user's runs in the
/// loop; runs until the handler returns or panics; is over from then on.
enum Step {
    Waits(Arc<Bound>, JobRequest),
    Runs(BoxFuture<'static, Outcome>),
    Over,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { step, span, ticket } = self.get_mut();
        let is_first = matches!(step, Step::Waits(..));
        let polled = span.in_scope(|| catch(|| step.poll(&ticket.shared, cx)));
        if is_first {
            backlog::start_next(&ticket.shared);
        }
        let result = match polled {
            Ok(poll) => Ok(ready!(poll)),
            Err(panic) => Err(panic),
        };
        // Before the end is told: should these values panic as they are dropped, it is another one.
        span.in_scope(|| *step = Step::Over);
        execute::hand_in(&ticket.shared, ticket.key, result);
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // A handler's values first, in its span; the duty to report last.
        let _entered = self.span.enter();
        self.step = Step::Over;
    }
}

impl Step {
    fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if matches!(self, Self::Waits(..))
            && let Self::Waits(bound, request) = mem::replace(self, Self::Over)
        {
            // As when all threads were kept: what a job that is somebody else's by now does is
            // done twice.
            if request.is_cancelled() {
                return Poll::Ready(Outcome::failed("was told to end before it began"));
            }
            tracing::debug!(target: TARGET_JOB, "job started");
            *self = Self::Runs(run(Arc::clone(shared), &bound, request));
        }
        match self {
            Self::Runs(handler) => handler.as_mut().poll(cx),
            // Only after a panic, and nobody polls again then.
            Self::Waits(..) | Self::Over => Poll::Pending,
        }
    }
}

fn run(shared: Arc<Shared>, bound: &Bound, mut request: JobRequest) -> BoxFuture<'static, Outcome> {
    if let Some(sealer) = shared.client.sealer() {
        request = match opened(sealer, request) {
            Ok(request) => request,
            Err(error) => {
                let error = error.to_string();
                return Box::pin(std::future::ready(Outcome::Malformed { error }));
            }
        };
    }
    let (handler, state) = (bound.entry.handler(), Arc::clone(&bound.state));
    if shared.layers.is_empty() {
        return handler.call(request, state);
    }
    let handler = Arc::clone(handler);
    Box::pin(async move { Next::new(&shared.layers, &*handler, state).run(request).await })
}

/// On a client that opens seals, a request comes with all of the record.
fn opened(sealer: &dyn Sealer, request: JobRequest) -> Result<JobRequest, OpenError> {
    let (attempt, record) = request.into_parts();
    let payload = seal::open(Some(sealer), attempt.id, record)?;
    Ok(JobRequest::new(attempt, payload))
}

/// A running job's duty to report its end, also when its task is dropped or unwinds.
struct Ticket {
    shared: Arc<Shared>,
    key: Key,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // After a poll that was ready nothing is left to take. What is left here was not finished:
        // the runtime shuts down, or the handler's values panicked while they were dropped.
        execute::hand_in_dropped(&self.shared, self.key);
    }
}
