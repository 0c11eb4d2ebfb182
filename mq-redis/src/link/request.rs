//! What is sent in one go.

use redis::{Cmd, Pipeline};

use crate::script::Script;

/// Commands that are sent in one go on the shared connection and answered in order.
///
/// Each of them may be sent twice, unless the request was made to be [sent once](Self::sent_once).
/// One that was refused for a passing reason is sent again after the others: nothing in a request
/// may rely on an earlier command having succeeded, and `MULTI` has no place here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pipeline: Pipeline,
    is_sent_once: bool,
}

impl Request {
    /// An empty request.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An empty request that is not sent again once it may have arrived: no copy of it can come
    /// late. What was refused has surely not been carried out, so that is sent again all the same.
    pub(crate) fn sent_once() -> Self {
        Self { is_sent_once: true, ..Self::default() }
    }

    /// Adds a call of a script.
    pub(crate) fn script<K: AsRef<[u8]>, A: AsRef<[u8]>>(
        &mut self,
        script: &'static Script,
        keys: &[K],
        args: &[A],
    ) -> &mut Self {
        debug_assert!(script.takes(keys.len()), "{} keys for {}", keys.len(), script.name);
        let bytes: usize = keys.iter().map(|key| key.as_ref().len() + 8).sum::<usize>()
            + args.iter().map(|arg| arg.as_ref().len() + 8).sum::<usize>();
        let mut cmd = Cmd::with_capacity(keys.len() + args.len() + 3, bytes + 64);
        cmd.arg("EVALSHA").arg(script.sha()).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_ref());
        }
        for arg in args {
            cmd.arg(arg.as_ref());
        }
        self.cmd(cmd)
    }

    /// Adds a plain command.
    pub(crate) fn cmd(&mut self, cmd: Cmd) -> &mut Self {
        self.pipeline.add_command(cmd);
        self
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.pipeline.is_empty()
    }

    pub(super) fn is_sent_once(&self) -> bool {
        self.is_sent_once
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The commands at some positions, in order.
    pub(super) fn only(&self, positions: &[usize]) -> Self {
        let mut part = Self { is_sent_once: self.is_sent_once, ..Self::default() };
        for (position, cmd) in self.pipeline.cmd_iter().enumerate() {
            if positions.binary_search(&position).is_ok() {
                part.cmd(cmd.clone());
            }
        }
        part
    }
}
