//! A durable log: frames in segments, written and synced by one thread, and recovered after a crash.

mod checkpoint;
pub mod codec;
mod copy;
mod disk;
mod error;
mod files;
mod frame;
mod inspect;
mod log;
mod open;
mod scan;
mod segment;
mod source;
mod stored;
mod walk;
mod writer;
pub use checkpoint::Checkpoint;
pub use copy::{CopyError, Salvaged, salvage};
pub use disk::{Directory, Disk, LOCK, Lock};
pub use error::{Damage, Fault, Full, LogError, OpenError, ReadError, Stopped};
pub use inspect::{Line, dump, verify};
pub use log::{Log, Options, Reservation};
pub use open::{Opened, open};
pub use scan::{Event, Progress, Summary, Visit};
pub use walk::Position;
pub use writer::Writer;
#[cfg(feature = "sim")]
pub mod sim;
