//! The line of callers, and who does the work for them: one of them, or a task.
//!
//! The work is a future that belongs to nobody. A caller who comes when nothing is under way polls
//! it beside its own answer: on a runtime with several threads, a task would cost a lone producer
//! two wake-ups of another thread per job, which took half as long again as the request itself.
//!
//! Nobody depends on a stranger who may have stopped polling, perhaps to wait for the very caller
//! behind him: the next one who comes while a caller leads gives the work to a task, and so does
//! the leader who leaves before it is done. A task that finds the line empty parks the work.
//!
//! ```text
//! Absent ──▶ Led ──▶ Parked ──▶ Led …      one caller after the other
//!             └────▶ Spawned ──▶ Parked    callers beside each other
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;

use super::Ticket;

/// What serves the line.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Ticket>,
    stand: Stand,
    /// The work has found nothing to do. It is not woken by those who come: whoever parks or
    /// unparks it polls it.
    is_idle: bool,
    turn: u64,
}

#[derive(Default)]
enum Stand {
    /// There is none: never begun, or its runtime has ended.
    #[default]
    Absent,
    /// It waits for a caller, polled by nobody.
    Parked(Work),
    /// Polled by the caller whose turn this is; he holds it while he does.
    Led { turn: u64, held: Option<Held> },
    /// Polled by a task, or about to be.
    Spawned,
}

/// Between two polls of a caller.
struct Held {
    work: Work,
    /// For the caller, when the work is taken from him.
    caller: Option<Waker>,
}

impl Line {
    /// Adds a caller, who must poll the [`Lead`] if there is one. `begin` makes the work anew.
    pub(super) fn join(
        self: &Arc<Self>,
        ticket: Ticket,
        begin: impl FnOnce() -> Work,
    ) -> Option<Lead> {
        let mut state = self.lock();
        state.waiting.push_back(ticket);
        let work = match std::mem::replace(&mut state.stand, Stand::Spawned) {
            Stand::Absent => begin(),
            Stand::Parked(work) => work,
            Stand::Led { held, .. } => {
                drop(state);
                // If its leader has it in his hands, he finds that it is to be a task.
                if let Some(held) = held {
                    self.spawn(held.work);
                    held.caller.inspect(Waker::wake_by_ref);
                }
                return None;
            }
            Stand::Spawned => return None,
        };
        state.turn += 1;
        let turn = state.turn;
        state.stand = Stand::Led { turn, held: Some(Held { work, caller: None }) };
        Some(Lead { line: Arc::clone(self), turn })
    }

    /// For the work that has nothing to do: takes those who wait; false if there are none, and
    /// then it is to be parked.
    pub(super) fn take(&self, into: &mut VecDeque<Ticket>) -> bool {
        let mut state = self.lock();
        state.is_idle = state.waiting.is_empty();
        into.append(&mut state.waiting);
        !state.is_idle
    }

    /// For the work: takes those who have come while it has something to do.
    pub(super) fn collect(&self, into: &mut VecDeque<Ticket>) {
        into.append(&mut self.lock().waiting);
    }

    fn spawn(self: &Arc<Self>, work: Work) {
        tokio::spawn(Task { line: Arc::downgrade(self), work: Some(work) });
    }

    /// After the loss of the work. Those who wait are let go, and come again.
    fn abandon(&self) {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        state.stand = Stand::Absent;
        drop(state);
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the work may be parked. If not, it has to be polled again when it is idle.
    fn is_over(&self) -> bool {
        self.is_idle && self.waiting.is_empty()
    }

    fn is_led_by(&self, turn: u64) -> bool {
        matches!(self.stand, Stand::Led { turn: now, .. } if now == turn)
    }
}

/// The turn of a caller to do the work for all.
pub(super) struct Lead {
    line: Arc<Line>,
    turn: u64,
}

impl Lead {
    /// Does what can be done now, if the work is still this caller's. Says whether it is
    /// afterwards: then the caller is woken when there is more to do, or when it is taken from him.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> bool {
        let Some(mut work) = self.pick_up() else { return false };
        loop {
            if work.as_mut().poll(cx).is_ready() {
                self.line.abandon();
                return false;
            }
            let mut state = self.line.lock();
            if !state.is_led_by(self.turn) {
                drop(state);
                self.line.spawn(work);
                return false;
            }
            if state.is_over() {
                state.stand = Stand::Parked(work);
                return false;
            }
            if !state.is_idle {
                let held = Held { work, caller: Some(cx.waker().clone()) };
                state.stand = Stand::Led { turn: self.turn, held: Some(held) };
                return true;
            }
        }
    }

    fn pick_up(&self) -> Option<Work> {
        match &mut self.line.lock().stand {
            Stand::Led { turn, held } if *turn == self.turn => held.take().map(|held| held.work),
            _ => None,
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if !state.is_led_by(self.turn) {
            return;
        }
        let stand = std::mem::replace(&mut state.stand, Stand::Spawned);
        drop(state);
        match stand {
            Stand::Led { held: Some(held), .. } if Handle::try_current().is_ok() => {
                self.line.spawn(held.work);
            }
            // Outside of a runtime, or after a panic.
            _ => self.line.abandon(),
        }
    }
}

/// The work as a task of its own.
struct Task {
    /// Weak, because the line owns the work that is parked, and the engine owns the line.
    line: Weak<Line>,
    work: Option<Work>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Before the work looks, so that both find the same.
        let line = self.line.upgrade();
        loop {
            let Some(work) = &mut self.work else { return Poll::Ready(()) };
            if work.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let Some(line) = &line else { return Poll::Pending };
            let mut state = line.lock();
            if state.is_over()
                && let Some(work) = self.work.take()
            {
                state.stand = Stand::Parked(work);
                return Poll::Ready(());
            }
            if !state.is_idle {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.work.is_some()
            && let Some(line) = self.line.upgrade()
        {
            line.abandon();
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let stand = match state.stand {
            Stand::Absent => "absent",
            Stand::Parked(_) => "parked",
            Stand::Led { .. } => "led",
            Stand::Spawned => "spawned",
        };
        f.debug_struct("Line").field("waiting", &state.waiting.len()).field("work", &stand).finish()
    }
}
