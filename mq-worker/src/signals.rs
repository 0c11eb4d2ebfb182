//! The operating system's wish that the process stops.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use mq_core::telemetry::TARGET_WORKER;

/// Waits for SIGTERM or SIGINT (Ctrl-C).
///
/// A worker that is stopped by it also listens for the **second** signal, which means: now.
/// Other servers can use it as well, each with a future of its own:
/// `axum::serve(…).with_graceful_shutdown(mq::shutdown_signal())`.
///
/// Listens from its first poll on; from then on the signals do not end the process by themselves.
pub fn shutdown_signal() -> Shutdown {
    Shutdown { streams: None }
}

/// See [`shutdown_signal`].
#[must_use = "nobody listens until it is awaited"]
pub struct Shutdown {
    streams: Option<Streams>,
}

impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let streams = self.streams.get_or_insert_with(Streams::listen);
        if streams.poll(cx).is_pending() {
            return Poll::Pending;
        }
        // The same streams go on listening: new ones would miss a signal in between.
        if let Some(streams) = self.streams.take() {
            SECOND.with(|slot| slot.set(Some(streams)));
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}

thread_local! {
    /// Where a [`Shutdown`] leaves its streams during the poll that ends it. Not an output of the
    /// future, because axum and others want futures without one; not a static, because two workers
    /// of one process would take each other's.
    static SECOND: Cell<Option<Streams>> = const { Cell::new(None) };
}

/// The order to stop, and after it whatever says "now".
pub(crate) struct StopOrder<F>(Pin<Box<F>>);

impl<F: Future> StopOrder<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for StopOrder<F> {
    type Output = Second;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Second> {
        SECOND.with(Cell::take);
        let poll = self.0.as_mut().poll(cx);
        let streams = SECOND.with(Cell::take);
        poll.map(|_| Second(streams))
    }
}

/// Waits for the second signal; for ever, if the stop was not ordered by one.
pub(crate) struct Second(Option<Streams>);

impl Future for Second {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(streams) => streams.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[cfg(unix)]
struct Streams(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Streams {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        let streams = kinds.into_iter().filter_map(|kind| match signal(kind) {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::error!(target: TARGET_WORKER, %error, "cannot listen for a signal");
                None
            }
        });
        Self(streams.collect())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Not `any`: every stream must be polled to be woken by its signal.
        let ready = self.0.iter_mut().map(|stream| stream.poll_recv(cx).is_ready());
        let ready = ready.fold(false, |one, other| one | other);
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(not(unix))]
struct Streams(Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>);

#[cfg(not(unix))]
impl Streams {
    fn listen() -> Self {
        Self(Box::pin(tokio::signal::ctrl_c()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => {
                *self = Self::listen();
                Poll::Ready(())
            }
            Poll::Ready(Err(error)) => {
                tracing::error!(target: TARGET_WORKER, %error, "cannot listen for a signal");
                self.0 = Box::pin(std::future::pending());
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
