//! What a checker says.

use std::fmt;

/// A checker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing is wrong.
    Accepted,
    /// The history is not strictly serializable.
    Rejected(Violation),
    /// This checker cannot tell, for this reason.
    Undecided(String),
}

/// What is wrong with a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of it.
    pub anomaly: Anomaly,
    /// Who did and saw what.
    pub explanation: String,
}

/// The kinds of violation. The names that have letters are those of Adya's thesis and of its
/// successors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anomaly {
    /// Two transactions that write have one timestamp, and their order makes a difference.
    SharedTimestamp,
    /// Timestamps contradict real time.
    TimestampAgainstRealTime,
    /// A read differs from the state at its timestamp.
    WrongRead,
    /// No one state within the transaction's life has all that it read.
    NoConsistentState,
    /// A value that nobody wrote there.
    Garbage,
    /// A transaction contradicts its own earlier reads and writes.
    Internal,
    /// G1a: a value of an aborted transaction was read.
    AbortedRead,
    /// An aborted transaction's value was read and replaced by a transaction that committed.
    DirtyUpdate,
    /// G1b: a value was read that its writer replaced.
    IntermediateRead,
    /// Two reads of one list, neither of which continues the other.
    IncompatibleOrder,
    /// G0: a cycle of overwritings.
    WriteCycle,
    /// G1c: a cycle of overwritings and reads.
    CircularInformationFlow,
    /// P4: two transactions replaced the same version.
    LostUpdate,
    /// G-single: a cycle with one read of something that was overwritten.
    GSingle,
    /// G2: a cycle with several of these.
    G2,
    /// A cycle that takes real time to close.
    RealTimeCycle,
    /// No order of the transactions explains all that was read.
    NoOrder,
}

impl Verdict {
    /// Whether it is a rejection.
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// Whether it is an acceptance.
    pub fn is_accepted(&self) -> bool {
        *self == Self::Accepted
    }

    /// What is wrong, if something is.
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Rejected(violation) => Some(violation),
            Self::Accepted | Self::Undecided(_) => None,
        }
    }
}

impl Violation {
    pub(crate) fn new(anomaly: Anomaly, explanation: impl Into<String>) -> Self {
        Self {
            anomaly,
            explanation: explanation.into(),
        }
    }
}

impl From<Result<(), Violation>> for Verdict {
    fn from(result: Result<(), Violation>) -> Self {
        match result {
            Ok(()) => Self::Accepted,
            Err(violation) => Self::Rejected(violation),
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SharedTimestamp => "shared timestamp",
            Self::TimestampAgainstRealTime => "timestamps against real time",
            Self::WrongRead => "wrong read",
            Self::NoConsistentState => "no consistent state",
            Self::Garbage => "garbage read",
            Self::Internal => "internal inconsistency",
            Self::AbortedRead => "aborted read (G1a)",
            Self::DirtyUpdate => "dirty update",
            Self::IntermediateRead => "intermediate read (G1b)",
            Self::IncompatibleOrder => "incompatible order",
            Self::WriteCycle => "write cycle (G0)",
            Self::CircularInformationFlow => "circular information flow (G1c)",
            Self::LostUpdate => "lost update (P4)",
            Self::GSingle => "read skew (G-single)",
            Self::G2 => "anti-dependency cycle (G2)",
            Self::RealTimeCycle => "cycle with real time",
            Self::NoOrder => "no serialization",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.anomaly, self.explanation)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Rejected(violation) => write!(f, "rejected: {violation}"),
            Self::Undecided(reason) => write!(f, "undecided: {reason}"),
        }
    }
}
