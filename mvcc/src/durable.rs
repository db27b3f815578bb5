//! Tables that survive the process: a log, checkpoints, recovery, behind the same transactions.
//!
//! [`Store`] is where to begin. The log itself is the package `tsc-journal`, which knows no
//! transactions; this module says what goes into it, and when.
//!
//! # What is promised
//!
//! Commits have one serialization order, that of their timestamps. *What is recovered is the state
//! after a prefix of that order*, with all that was reported durable. A transaction has one of
//! three outcomes: it is committed, it is aborted, or, if the log stops between the two moments
//! when it is visible and when it is durable, it is unknown which: [`StoreError::Unknown`].
//!
//! # How a commit gets into the log
//!
//! 1. Before it locks, it encodes its writes to durable tables, which is user code (I8), and takes
//!    room for them in the log. So a full disk is met while nothing has happened.
//! 2. It announces itself, as for a [feed](crate::Feed): a lower bound of the timestamp that it is
//!    going to have. It locks, reads the clock, validates and installs. It puts its record, with
//!    its timestamp, into its thread's buffer. It takes the announcement back.
//! 3. Whoever has the turn reads the clock, then all announcements: the *cut* is the lowest of
//!    these. All commits below the cut are in the buffers, and none will be below it any more; the
//!    argument is that of the feed. It takes their records out of all buffers, sorts them by
//!    timestamp, and appends them as one frame: one write, one sync. Then all below the cut is
//!    durable.
//!
//! So frames are complete up to a cut and follow each other in the order of timestamps, and a frame
//! is recovered whole or not at all: what is recovered is a prefix. No commit writes what all
//! threads write; no one waits for the disk with a lock, an announcement or an open slot.
//!
//! # Who writes
//!
//! A thread that waits for its own commit takes the turn if nobody has it: then no other thread has
//! to wake up for one client's commit. Otherwise a thread of the store does. While one frame is
//! written the commits for the next gather, so groups are as large as the disk is slow.
//!
//! # Why nobody waits for ever
//!
//! Between announcing a commit and taking that back runs no user code, and who waits for the gate
//! takes it back meanwhile. So the cut is held back by threads only that were preempted in these
//! few hundred nanoseconds, and moves on when they do.
//!
//! A thread has room in the log only while it has records that are not written, or is in a commit.
//! So who waits for room waits for the writing of records, or for commits.
//!
//! # What is stored
//!
//! Readings of the time-stamp counter are not: the order in the log is the number of transactions
//! in it. A checkpoint holds all rows, read in pieces, each from a snapshot of its own, after the
//! checkpoint's place in the log was fixed. It is finished when the log is durable up to the last
//! of these snapshots, and notes how far that is. The frames behind its place repeat whatever was
//! committed since, up to there and whole; since the last write to a row wins, it does not matter
//! which of these writes a piece has seen. So no version is kept for longer than a piece takes.

mod checkpoint;
mod error;
mod feed;
mod open;
mod position;
mod recovery;
mod schema;
mod store;
mod ticket;

pub use crate::api::room::WhenFull;
pub use error::{OpenError, StoreError};
pub use feed::{DurableChange, DurableChanges, DurableCommit, DurableFeed, FeedError};
pub use open::{OpenProgress, StoreOptions};
pub use position::{FeedPosition, FeedPositionError};
pub use schema::{Schema, Versioned};
pub use store::{CheckpointStats, Store, StoreStats};
pub use ticket::Ticket;

pub use journal::{CopyError, Disk, LostSide, MirrorError, Stopped};
