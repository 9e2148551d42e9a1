//! Why a machine does not take an event: said before any array is asked.

/// A refusal. Its text is shown to the operator as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another operation moves it.
    #[error("operation {operation} is under way; wait for it or cancel it")]
    Busy {
        /// Its id.
        operation: String,
    },
    /// The event belongs to an operation which does not hold it.
    #[error("operation {operation} does not hold this relation; it is over or was replaced")]
    NotHolder {
        /// Its id.
        operation: String,
    },
    /// The event cannot follow what happened until now.
    #[error("{event} cannot follow {phase}")]
    OutOfOrder {
        /// The event's name.
        event: &'static str,
        /// The phase's name.
        phase: &'static str,
    },
    /// What was expected is not what is.
    #[error(
        "the relation is at generation {actual}, not {expected}: somebody moved it since; make a new plan"
    )]
    Generation {
        /// As the caller believed.
        expected: u64,
        /// As it is.
        actual: u64,
    },
    /// It is there already.
    #[error("it is already served by {target}")]
    AlreadyThere {
        /// Where.
        target: String,
    },
    /// The side that was named is not the one which serves.
    #[error("{named} does not serve it{}: refusing to copy from the wrong side", serving.as_ref().map(|s| format!(", {s} does")).unwrap_or_default())]
    WrongSide {
        /// Named by the caller.
        named: String,
        /// The one that does.
        serving: Option<String>,
    },
    /// A target that holds an older generation would become the source.
    #[error(
        "{target} holds generation {held}, older than {current}: its content is stale; acknowledge with its role and generation {current} to use it all the same"
    )]
    StaleTarget {
        /// Which.
        target: String,
        /// What it holds.
        held: u64,
        /// What is current.
        current: u64,
    },
    /// What a target wrote on its own would be thrown away.
    #[error(
        "{target} may hold writes of generation {held} that were made on its own; acknowledge their discard with its role and generation {current}"
    )]
    WouldDiscard {
        /// Which.
        target: String,
        /// What it holds.
        held: u64,
        /// What is current.
        current: u64,
    },
    /// An acknowledgement that does not fit.
    #[error(
        "the acknowledgement names {target} as {role} at generation {generation}, but that is not what is: read the relation again"
    )]
    Acknowledgement {
        /// Target it names.
        target: String,
        /// Role it names.
        role: String,
        /// Generation it names.
        generation: u64,
    },
    /// The arrays know of a promotion that the record does not.
    #[error(
        "the record (generation {known}) is older than the arrays: {said}; nothing is changed on any array until \
         `springform reconcile --backend BACKEND --adopt` has brought the record up to them"
    )]
    Overtaken {
        /// Generation of the record.
        known: u64,
        /// What the arrays say.
        said: String,
    },
    /// Evidence that cannot be adopted.
    #[error("{said}; it cannot be adopted: {why}")]
    NotAdoptable {
        /// What the arrays say.
        said: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// A drill is open.
    #[error("drill {drill} is open; stop or commit it first")]
    DrillOpen {
        /// Its id.
        drill: String,
    },
    /// No such drill.
    #[error("drill {drill} is not open here")]
    NoDrill {
        /// Its id.
        drill: String,
    },
    /// It has no copy.
    #[error("it is not replicated; enable replication first")]
    NotReplicated,
    /// Nobody serves it.
    #[error(
        "no array serves it since its last failover stopped half-way; retry that failover or fail over back"
    )]
    Stranded,
    /// The backend's state does not allow it.
    #[error("backend replication is {status}, must be {needed}")]
    Status {
        /// What it is.
        status: &'static str,
        /// What it must be.
        needed: &'static str,
    },
    /// Too late to cancel.
    #[error("it cannot be cancelled any more: {why}")]
    TooLate {
        /// Why.
        why: &'static str,
    },
}
