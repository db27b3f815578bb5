//! A durable log: frames in segments, written and synced by one thread, and recovered after a crash.

mod checkpoint;
pub mod codec;
mod disk;
mod error;
mod files;
mod frame;
mod log;
mod open;
mod scan;
mod segment;
mod writer;
pub use checkpoint::Checkpoint;
pub use disk::{Directory, Disk, LOCK, Lock};
pub use error::{Damage, Fault, Full, LogError, OpenError, ReadError, Stopped};
pub use log::{Log, Options, Reservation};
pub use open::{Opened, open};
pub use scan::{Event, Position, Progress, Summary, Visit};
pub use writer::Writer;
#[cfg(feature = "sim")]
pub mod sim;
