//! The protocol of claims as a model that is explored to its last state.
//!
//! The fault tests show what happened in the runs that they made. Here every order of events within
//! stated bounds is looked at, the nearest first, so that what breaks a promise is shown on the
//! shortest way to it. `./ci model` takes the larger bounds, `cargo test -p mq-model` smaller ones.
//!
//! # What is in it
//!
//! * Jobs that are stored and acknowledged, two processes with two slots each, in either of them a
//!   worker that claims and a keeper that takes over, both with names and claim numbers of their
//!   own, as in `mq-worker`. What becomes of a job is asked of [`mq_core::lifecycle::decide`].
//! * The store's `join`, `claim`, `finish`, both halves of `reap`, `leave`, `promote` and `cancel`,
//!   as the scripts of `mq-redis` and the transactions of `mq-sqlite` do them; see [`store`].
//! * What goes wrong, so many times each ([`Faults`](state::Faults)): a process dies at any point
//!   and starts anew; a live worker is found gone and goes on as a zombie until it hears of it; a
//!   request stays without an answer, is sent again, and its copy arrives at any later time or
//!   never; an attempt fails; a process is told to stop; an operator cancels a job; the store is
//!   rolled back to what it was at any earlier time, as a power loss or a fail-over can do.
//!
//! # What is promised
//!
//! After every step: no job is lost (I1) and each is in one place (I3); no end is accepted from a
//! claim that was superseded (I4); a job comes to its end once (I5); no claim gets a job twice
//! (I6); executions are bounded (I7), and each but the first is explained by a failure, an
//! interruption or a hand-back that was counted (I8).
//!
//! And when no fault comes any more, every order of steps leads to the end of all jobs: from every
//! state that end is in reach (no job is stuck), and no way comes back to where it was (no
//! livelock). Steps that change nothing do not count, such as a claim when no job is ready: of
//! those a scheduler must not choose one for ever.
//!
//! A rollback brings back jobs that had ended and takes counts from the store. So each one allows
//! one more end of a job (I5), and explains one more execution of it beside those that were counted
//! at any time (I8), and executions are bounded by so many times more (I7). A claim may be given
//! again what the store has forgotten to have given (I6), but nothing is run twice under it. All
//! else holds as before.
//!
//! # What is not in it
//!
//! * Clocks: a sweep may find anybody gone at any time, and a job may be due at any time. So the
//!   rule that spares all workers when the store itself was away is not needed here, nor tested.
//! * Batches: a reap takes all, and a claim any of the ready jobs. Ends are sent one by one, in any
//!   order and beside a claim, which allows more than the one request at a time of a worker.
//! * The end of memory: a store of the model remembers all who are gone, a real one the last
//!   1,000 of a queue (`note_gone.lua`, `forget_workers.sql`).
//! * Enqueueing, priorities, several queues, and verbs of operators other than `cancel`.
//! * Whether the engines do what the model's store does: that is for `mq-conformance`.
//!
//! # What it has found
//!
//! * After a rollback a live worker could be said to run a job that it had ended; its beats kept
//!   the lease, so the job waited until that worker went. Now a worker that has no request without
//!   an answer looks at what the store says it holds, and gives back by a finish, which is fenced,
//!   what it got by an answered claim and does not know of; a housekeeper leaves and takes a new
//!   name. See `mq-worker/src/pull/reconcile.rs`; the tests here run both without and with it.
//! * A copy of a `join` that arrived after its worker was taken over let that worker in again with
//!   no number used. A copy of one of its claims then got jobs under a claim that was superseded,
//!   or that its worker did not know of. Now a store remembers who is gone, for a long while, and
//!   `mq-redis` sends a `join` once. Each of the two is enough here.
//!
//! # How it is known that the checks can fail
//!
//! [`Mutant`](mutant::Mutant) has mistakes that one could make in the protocol. The tests put each
//! of them in and expect the promise that it breaks, and that the same run without it breaks none.

pub mod explore;
pub mod mutant;
pub mod names;
mod promises;
pub mod protocol;
pub mod rules;
pub mod state;
pub mod steps;
pub mod store;
mod symmetry;
mod words;
