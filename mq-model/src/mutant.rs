//! Mistakes that one could make in the protocol, to be put into the model in tests: a check that
//! does not find them would be worth nothing.

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A finish is accepted from whoever sends it.
    NobodyIsFenced,
    /// A finish is accepted from a worker that holds the job, under whatever number.
    NumberIsNotCompared,
    /// A finish that was applied is applied again when it comes again.
    FinishIsAppliedTwice,
    /// A worker's next claim removes what was noted for the one before.
    ReceiptIsDroppedEarly,
    /// That a number was used is known only as long as its jobs run.
    UsedNumberIsForgotten,
    /// A reaper gets jobs that stay with the worker that was found gone, too.
    ReapDoesNotRelease,
    /// A late copy of a reap takes jobs once more.
    ReapIgnoresItsNumber,
    /// The history that comes with a finish is not stored.
    PastIsNotStored,
    /// A worker that got no answer asks under a new number.
    RepeatHasANewNumber,
    /// A worker does not count on after an answer.
    NumberIsNotRaised,
    /// A worker that was found gone comes back under the name that it had.
    NameIsUsedAgain,
    /// A worker that is gone may join again, if a copy of its request comes late.
    GoneAreForgotten,
    /// A reaper forgets what it took over if its finish is not answered.
    ReaperGivesUp,
    /// A worker does not send an end again that was not answered.
    WorkerGivesUp,
    /// A worker gives back what the store says that it holds, and runs it on.
    WorkerDoubtsItself,
    /// A keeper takes a new name whenever the store says that it holds something.
    KeeperDoubtsItself,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::NobodyIsFenced,
        Self::NumberIsNotCompared,
        Self::FinishIsAppliedTwice,
        Self::ReceiptIsDroppedEarly,
        Self::UsedNumberIsForgotten,
        Self::ReapDoesNotRelease,
        Self::ReapIgnoresItsNumber,
        Self::PastIsNotStored,
        Self::RepeatHasANewNumber,
        Self::NumberIsNotRaised,
        Self::NameIsUsedAgain,
        Self::GoneAreForgotten,
        Self::ReaperGivesUp,
        Self::WorkerGivesUp,
        Self::WorkerDoubtsItself,
        Self::KeeperDoubtsItself,
    ];
}
