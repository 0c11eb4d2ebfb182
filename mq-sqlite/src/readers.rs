//! Threads for questions, each with a connection of its own: in a write-ahead log readers see the
//! last commit and wait for no writer, and a long audit holds up no claim.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::session::Session;
use crate::tx::Tx;
use crate::work::{Mode, Work, again, gone, task};

/// The way to the readers' threads. They end when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    queue: Sender<Box<dyn Work>>,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(crate) fn start(sessions: Vec<Session>) -> std::io::Result<Self> {
        let (queue, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for session in sessions {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name("mq-sqlite-read".to_owned())
                .spawn(move || serve(session, &receiver))?;
        }
        Ok(Self { queue })
    }

    /// Answers a question as of the last commit.
    pub(crate) async fn run<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (work, answer) = task(Mode::Read, question);
        self.queue.send(work).map_err(|_| gone())?;
        answer.wait().await
    }
}

fn serve(mut session: Session, receiver: &Mutex<Receiver<Box<dyn Work>>>) {
    loop {
        // Whoever has the lock waits for the next question, the others for the lock.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let mut group = vec![work];
        let whole = session.transact(&mut group).err();
        for work in group {
            work.answer(whole.as_ref().map(again));
        }
    }
}
