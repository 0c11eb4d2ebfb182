//! The way to the server: one shared connection that mends itself.

mod connection;
mod fault;
mod pause;
mod request;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock;
use mq_core::engine::EngineError;
use mq_core::rng::Rng;
use redis::{Pipeline, RedisError, Value};
use tokio::time::{sleep_until, timeout_at};

pub(crate) use self::connection::{Broken, Connection, Identity, info_field, info_text};
pub(crate) use self::fault::{Fault, refusal};
pub(crate) use self::request::Request;
use crate::script;
use crate::url::Settings;

/// Longest pause before a request that met a passing refusal is sent again.
const RESEND_PAUSE_MAX: Duration = Duration::from_millis(500);
const RESEND_PAUSE_MIN: Duration = Duration::from_millis(5);
/// A connection that breaks this young counts as a failed try, or a server that cuts every
/// connection off would be hammered.
const YOUNG: Duration = Duration::from_secs(1);

/// So often is the time doubled after which a silent connection is given up.
const DEAF_DOUBLINGS_MAX: u32 = 5;
/// So long is an answer waited for at least, where answers have taken long before. Not longer, for
/// a worker that wants to stop waits as well; unless `response_timeout` says so.
const SLOW_ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a caller is willing to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Gives up after this time.
    Until(Duration),
    /// Never gives up, except when the server refuses by rule.
    Forever,
}

/// What the operator's and time plane's methods use; workers go on for ever by asking again.
pub(crate) const USUAL: Patience = Patience::Until(Duration::from_secs(10));

/// A handle on the way to the server. Cheap to clone; all clones share one connection.
///
/// The connection's own task lives on the runtime that was running when it was made. When that
/// runtime ends, the connection breaks like any other and the next caller makes a new one.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Arc<Settings>,
    role: &'static str,
    state: Mutex<State>,
    failures: AtomicU32,
    /// Connections given up for silence since the last answer.
    deaf: AtomicU32,
    /// Held by the one caller that connects; the others wait for what comes of it.
    connecting: tokio::sync::Mutex<()>,
    /// What is heard instead of a server.
    #[cfg(feature = "fuzzing")]
    canned: Option<crate::fuzzing::Replies>,
}

impl Shared {
    fn new(settings: Arc<Settings>, role: &'static str) -> Self {
        let state = State { connection: None, not_before: None, cause: None, rng: Rng::random() };
        Self {
            settings,
            role,
            state: Mutex::new(state),
            failures: AtomicU32::new(0),
            deaf: AtomicU32::new(0),
            connecting: tokio::sync::Mutex::new(()),
            #[cfg(feature = "fuzzing")]
            canned: None,
        }
    }
}

struct State {
    connection: Option<Arc<Connection>>,
    /// When the next try to connect may begin.
    not_before: Option<Instant>,
    cause: Option<RedisError>,
    rng: Rng,
}

/// When a caller gives up, and after how long that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    patience: Duration,
}

impl Deadline {
    pub(crate) fn of(patience: Patience) -> Self {
        match patience {
            Patience::Until(patience) => Self { at: clock::now().checked_add(patience), patience },
            Patience::Forever => Self { at: None, patience: Duration::MAX },
        }
    }

    /// What is left; very long when there is no end.
    pub(crate) fn left(&self) -> Duration {
        match self.at {
            Some(at) => at.saturating_duration_since(clock::now()),
            None => Duration::MAX,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Runs a future until it is done or the deadline is over.
    pub(crate) async fn bound<F: Future>(&self, future: F) -> Option<F::Output> {
        match self.at {
            Some(at) => timeout_at(at.into(), future).await.ok(),
            None => Some(future.await),
        }
    }
}

impl Link {
    /// A link that connects when it is first used. `role` is part of the connection's name.
    pub(crate) fn new(settings: Arc<Settings>, role: &'static str) -> Self {
        Self { shared: Arc::new(Shared::new(settings, role)) }
    }

    /// A link that leads nowhere and hears these replies.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn canned(settings: Arc<Settings>, replies: crate::fuzzing::Replies) -> Self {
        let shared = Shared { canned: Some(replies), ..Shared::new(settings, "fuzz") };
        Self { shared: Arc::new(shared) }
    }

    /// A link to the same server that shares no connection with this one.
    pub(crate) fn detached(&self) -> Self {
        self.with_role(self.shared.role)
    }

    /// The same for another purpose, which becomes part of the connection's name.
    pub(crate) fn with_role(&self, role: &'static str) -> Self {
        Self::new(self.shared.settings.clone(), role)
    }

    /// Where it leads and how.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.shared.settings
    }

    /// Sends a request until it is answered: one value per command, in order. An error reply of
    /// the server is a [`Value::ServerError`] in its place; see [`refusal`].
    ///
    /// Connects anew as often as it takes and sends again after a break, loads scripts that the
    /// server has forgotten, and repeats commands that were refused for a passing reason.
    ///
    /// # Errors
    /// When the patience is over: `Unavailable` if nothing can have been carried out, `Unknown`
    /// otherwise. `Denied` at once if the server does not let us in.
    pub(crate) async fn run(
        &self,
        request: &Request,
        patience: Patience,
    ) -> Result<Vec<Value>, EngineError> {
        if request.is_empty() {
            return Ok(Vec::new());
        }
        #[cfg(feature = "fuzzing")]
        if let Some(replies) = &self.shared.canned {
            return Ok(replies.take(request.pipeline().len()));
        }
        let deadline = Deadline::of(self.stretched(patience));
        let mut values = self.run_once(request, &deadline).await?;
        let mut pause = RESEND_PAUSE_MIN;
        loop {
            let again = refused_for_now(&values);
            if again.is_empty() {
                return Ok(values);
            }
            if deadline.left() <= pause {
                return self.give_up_resending(values, &again, &deadline);
            }
            if again.iter().any(|at| Fault::of_value(&values[*at]) == Some(Fault::NoScript)) {
                self.load_scripts(&deadline).await?;
            }
            if pause > RESEND_PAUSE_MIN
                || again.iter().any(|at| Fault::of_value(&values[*at]) == Some(Fault::Passing))
            {
                sleep_until((clock::now() + self.jitter(pause)).into()).await;
            }
            pause = (pause * 2).min(RESEND_PAUSE_MAX);
            let part = self.run_once(&request.only(&again), &deadline).await?;
            for (at, value) in again.into_iter().zip(part) {
                values[at] = value;
            }
        }
    }

    /// Sends commands until there is an answer of any sort to all of them, or once if the request
    /// says so.
    async fn run_once(
        &self,
        request: &Request,
        deadline: &Deadline,
    ) -> Result<Vec<Value>, EngineError> {
        let mut was_sent = false;
        loop {
            let connection = match self.connection(deadline).await {
                Ok(connection) => connection,
                Err(error) if was_sent && error.is_retryable() => {
                    return Err(self.unanswered(deadline));
                }
                Err(error) => return Err(error),
            };
            match self.try_on(&connection, request.pipeline(), deadline).await {
                Ok(values) => return Ok(values),
                Err(Broken::OutOfTime) => return Err(self.unanswered(deadline)),
                Err(_) if request.is_sent_once() => {
                    return Err(fault::cut_off(&self.shared.settings, self.cause().as_ref()));
                }
                Err(Broken::Lost(_) | Broken::Deaf) => was_sent = true,
            }
        }
    }

    /// One try on one connection; drops the connection if it turns out to be of no use.
    pub(crate) async fn try_on(
        &self,
        connection: &Arc<Connection>,
        pipeline: &Pipeline,
        deadline: &Deadline,
    ) -> Result<Vec<Value>, Broken> {
        let outcome = connection.send(pipeline, deadline.left(), self.deaf_after()).await;
        self.judge(connection, &outcome);
        outcome
    }

    /// After how long a connection that says nothing is given up: longer each time, or what takes
    /// long on a slow line would never come to its end.
    fn deaf_after(&self) -> Duration {
        let deaf = self.shared.deaf.load(Ordering::Relaxed).min(DEAF_DOUBLINGS_MAX);
        self.shared.settings.response_timeout * (1 << deaf)
    }

    /// The patience for a request that is repeated until it is answered: with less of it than an
    /// answer takes to come, each repeat would begin the answer anew.
    fn stretched(&self, patience: Patience) -> Patience {
        let Patience::Until(limit) = patience else { return patience };
        let slow_max = SLOW_ANSWER_MAX.max(self.shared.settings.response_timeout);
        // A little more, so that silence is what ends it.
        let silent = self.deaf_after().min(slow_max) + Duration::from_secs(1);
        Patience::Until(limit.max(silent))
    }

    /// One try that the server is allowed to take this long for.
    pub(crate) async fn try_within(
        &self,
        connection: &Arc<Connection>,
        pipeline: &Pipeline,
        limit: Duration,
    ) -> Result<Vec<Value>, Broken> {
        let outcome = connection.send(pipeline, limit, limit).await;
        self.judge(connection, &outcome);
        outcome
    }

    fn judge(&self, connection: &Arc<Connection>, outcome: &Result<Vec<Value>, Broken>) {
        match outcome {
            Ok(values) => {
                for count in [&self.shared.failures, &self.shared.deaf] {
                    // Written by all callers if it were not looked at first.
                    if count.load(Ordering::Relaxed) != 0 {
                        count.store(0, Ordering::Relaxed);
                    }
                }
                if values.iter().any(is_wrong_server) {
                    self.discard(connection, None);
                }
            }
            Err(Broken::Lost(error)) => self.discard(connection, Some(error.clone())),
            Err(Broken::Deaf) => {
                self.shared.deaf.fetch_add(1, Ordering::Relaxed);
                let server = &self.shared.settings;
                tracing::warn!(%server, "redis does not answer; connecting anew");
                let silence = std::io::Error::from(std::io::ErrorKind::TimedOut);
                self.discard(connection, Some(silence.into()));
            }
            Err(Broken::OutOfTime) => {}
        }
    }

    /// The connection, made if there is none.
    pub(crate) async fn connection(
        &self,
        deadline: &Deadline,
    ) -> Result<Arc<Connection>, EngineError> {
        loop {
            if let Some(connection) = &self.state().connection {
                return Ok(connection.clone());
            }
            match deadline.bound(self.connect()).await {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(Some(denied))) => return Err(denied),
                Some(Err(None)) if !deadline.is_over() => {}
                Some(Err(None)) | None => {
                    let cause = self.cause();
                    return Err(fault::unreached(
                        &self.shared.settings,
                        deadline.patience,
                        cause.as_ref(),
                    ));
                }
            }
        }
    }

    /// One try to connect, after the pause that the last failure asks for. An error with content
    /// is final for the caller.
    async fn connect(&self) -> Result<Arc<Connection>, Option<EngineError>> {
        let _turn = self.shared.connecting.lock().await;
        if let Some(connection) = &self.state().connection {
            return Ok(connection.clone());
        }
        let not_before = self.state().not_before;
        if let Some(not_before) = not_before {
            sleep_until(not_before.into()).await;
        }
        // A task of its own: callers with less patience than a connection takes to come about
        // would otherwise start it over and over and never have it.
        let link = self.clone();
        let opening = tokio::spawn(async move { link.open().await });
        opening.await.unwrap_or(Err(None))
    }

    async fn open(&self) -> Result<Arc<Connection>, Option<EngineError>> {
        let settings = &self.shared.settings;
        let began = clock::now();
        match Connection::open(settings, self.shared.role).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                let mut state = self.state();
                state.connection = Some(connection.clone());
                let again = state.cause.take().is_some();
                drop(state);
                if again {
                    tracing::info!(server = %settings, "connected to redis again");
                }
                Ok(connection)
            }
            Err(cause) => {
                let denied = fault::denied(settings, &cause);
                // Once per outage; there may be many tries in it.
                if self.shared.failures.load(Ordering::Relaxed) == 0 {
                    tracing::warn!(server = %settings, error = %cause, "cannot connect to redis");
                }
                tracing::debug!(server = %settings, error = %cause, "a try to connect failed");
                self.fail(cause, began.elapsed());
                Err(denied)
            }
        }
    }

    /// Notes the failure of a try, which lengthens the pause before the next one.
    fn fail(&self, cause: RedisError, took: Duration) {
        let failures = self.shared.failures.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let pause = pause::before_next_try(failures, took, &mut state.rng);
        state.not_before = Some(clock::now() + pause);
        state.cause = Some(cause);
    }

    /// Lets go of a connection, unless another one has taken its place.
    pub(crate) fn discard(&self, connection: &Arc<Connection>, cause: Option<RedisError>) {
        let mut state = self.state();
        if !state.connection.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection)) {
            return;
        }
        state.connection = None;
        state.not_before = None;
        let Some(cause) = cause else { return };
        state.cause = Some(cause.clone());
        drop(state);
        let age = connection.age();
        if age < YOUNG {
            self.fail(cause, age);
        }
    }

    /// Loads all scripts. Other errors than those of the connection are left to the resend.
    pub(crate) async fn load_scripts(&self, deadline: &Deadline) -> Result<(), EngineError> {
        let mut request = Request::new();
        for script in script::ALL {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.source());
            request.cmd(load);
        }
        self.run_once(&request, deadline).await.map(drop)
    }

    /// Out of time with commands that were refused: their error replies say why, unless others of
    /// the request were carried out, which the caller then hears of as well.
    fn give_up_resending(
        &self,
        values: Vec<Value>,
        again: &[usize],
        deadline: &Deadline,
    ) -> Result<Vec<Value>, EngineError> {
        if again.len() < values.len() {
            return Err(self.unanswered(deadline));
        }
        Ok(values)
    }

    /// What the last try to connect failed with, if there is no connection since.
    pub(crate) fn cause(&self) -> Option<RedisError> {
        self.state().cause.clone()
    }

    pub(crate) fn unanswered(&self, deadline: &Deadline) -> EngineError {
        let cause = self.cause();
        fault::unanswered(&self.shared.settings, deadline.patience, cause.as_ref())
    }

    fn jitter(&self, pause: Duration) -> Duration {
        pause::jittered(pause, &mut self.state().rng)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, and its content is good at every step anyway.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.state().connection.is_some();
        f.debug_struct("Link")
            .field("server", &format_args!("{}", self.shared.settings))
            .field("connected", &connected)
            .finish()
    }
}

/// Positions of the commands that were not carried out but may be soon.
fn refused_for_now(values: &[Value]) -> Vec<usize> {
    let is_passing =
        |value| matches!(Fault::of_value(value), Some(Fault::NoScript | Fault::Passing));
    values.iter().enumerate().filter(|(_, value)| is_passing(value)).map(|(at, _)| at).collect()
}

/// Whether the server says that it is not, or no longer, one that we can use: after a fail-over the
/// same name may lead to another one.
fn is_wrong_server(value: &Value) -> bool {
    match value {
        Value::ServerError(error) => matches!(error.code(), "READONLY" | "NOAUTH"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(response_timeout: &str, deaf: u32) -> Patience {
        let url = format!("redis://nowhere?response_timeout={response_timeout}");
        let link = Link::new(Arc::new(Settings::parse(&url).unwrap()), "test");
        link.shared.deaf.store(deaf, Ordering::Relaxed);
        link.stretched(USUAL)
    }

    #[test]
    fn patience_grows_where_answers_take_long_and_has_an_end() {
        let seconds = |seconds| Patience::Until(Duration::from_secs(seconds));
        assert_eq!([0, 1].map(|deaf| patience("4s", deaf)), [USUAL; 2]);
        assert_eq!(
            [2, 3, 9].map(|deaf| patience("4s", deaf)),
            [seconds(17), seconds(31), seconds(31)]
        );
        assert_eq!(patience("60s", 5), seconds(61));
    }
}
