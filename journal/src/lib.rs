//! A durable log: what is appended is found again after a crash, in order, whole, up to some point,
//! and that point is not before anything that was acknowledged.
//!
//! It knows no transactions: records are bytes, and the order that they have is a number that the
//! user gives. One thread appends groups of records, each as one *frame*, written and synced; other
//! threads reserve room for them ahead. Checkpoints, written beside, keep the log short.
//!
//! ```
//! use journal::{Directory, Event, Options, open};
//! use std::sync::Arc;
//!
//! # let path = std::env::temp_dir().join(format!("journal-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&path);
//! let options = Options { segment_bytes: 1 << 20, ..Options::default() };
//! let disk = || Directory::create(&path).map(Arc::new);
//! let mut opened = open(disk()?, &options, &mut |_, _| Ok(()))?;
//! let reservation = opened.log.reserve(5)?;               // a full disk is met here
//! opened.writer.append(b"hello", 1, reservation)?;        // has returned: it survives
//! opened.writer.close()?;
//! drop(opened.log);
//!
//! let mut found = Vec::new();
//! open(disk()?, &options, &mut |event, _| {
//!     if let Event::Frame { up_to: 1, payload } = event {
//!         found.extend_from_slice(payload);
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(found, b"hello");
//! # std::fs::remove_dir_all(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Use
//! - [`open`] creates or recovers, and gives a [`Log`] for all threads and a [`Writer`] for one.
//! - [`Log::reserve`] promises room; [`Reservation::merge`] joins what goes into one frame,
//!   [`Reservation::split`] lets a thread reserve for many records at once.
//! - [`Writer::append`] writes a frame, syncs, and publishes the cut that is durable now
//!   ([`Log::durable`]). The next group may gather meanwhile.
//! - [`Log::checkpoint`] begins a checkpoint: it takes the place of the log up to that moment.
//! - Any write or sync that fails stops the log for good ([`Stopped`]); no room ([`Full`]) does
//!   not, where nothing was promised yet.
//! - [`Log::backup`], [`verify()`], [`survey`], [`dump`], [`salvage`] are for operators; [`codec`]
//!   makes bytes of values.
//!
//! # Files
//! | name | what it is |
//! | --- | --- |
//! | `lock` | locked while the journal is open; never removed |
//! | `journal` | one frame, *Identity*: this is a journal, and its number |
//! | `log-00000001` .. | a segment: a *Segment* frame, then frames of the log, then zeros |
//! | `checkpoint-0000000000000042` | a *Checkpoint* frame, *Block* frames, a *Footer* |
//! | `mirror` | of a side of a [`Mirror`]: what it knows of the other side |
//! | `*.tmp` | one of these while it is written; removed when the journal is opened |
//!
//! A checkpoint takes the place of all frames of the log before the number in its name.
//!
//! A file is written under a temporary name, synced, renamed, and the directory synced. So **under
//! its own name a file is whole**, has the length that it was made with, and whatever it lacks is
//! damage. A segment is full of zeros when it gets its name; from then on only its data changes.
//!
//! # Frames
//! Numbers are little-endian. A frame begins at a multiple of 512 and is filled up to one with
//! zeros, so no sector with bytes of a synced frame is written again, except by recovery, with the
//! same bytes.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..4 | `tscJ` |
//! | 4..6 | the format, 1. These six bytes stay as they are in later formats |
//! | 6..8 | the kind, by the number in the table below |
//! | 8..16 | store: the number of the journal, drawn when it is created |
//! | 16..24 | incarnation: how often it had been opened for writing |
//! | 24..32 | sequence: in the log from 1 on without gaps, in a checkpoint from 0 on |
//! | 32..40 | up-to: with this frame the log is complete up to here; in a footer the checkpoint |
//! | 40..48 | synced-to: all frames of the log with a smaller sequence were synced when this one was written; in a footer 0 if that was not noted |
//! | 48..56 | the length of the payload |
//! | 56..64 | the checksum of the frame before: its bytes 64 to 72, or 0 |
//! | 64..68 | CRC-32 of the payload |
//! | 68..72 | CRC-32 of bytes 0 to 68 |
//! | 72.. | the payload |
//!
//! | kind | its name | payload |
//! | --- | --- | --- |
//! | 1 | *Identity* | nothing |
//! | 2 | *Segment* | the length of the file, 8 bytes |
//! | 3 | *Open* | nothing |
//! | 4 | *Data* | the user's bytes |
//! | 5 | *Close* | nothing |
//! | 6 | *Checkpoint* | the place where the log goes on, 40 bytes |
//! | 7 | *Block* | the user's bytes |
//! | 8 | *Footer* | the number of blocks, and of bytes in their payloads; 8 bytes each |
//!
//! The sequence of a *Segment* frame is the segment's number. The checksum of the frame before is 0
//! in the first frame of a file, and in the first of the log. A place in the log is the segment,
//! the offset, the next sequence, the checksum of the frame before, its incarnation; 8 bytes each.
//!
//! The log is the frames *Open*, *Data* and *Close* from the place that the newest checkpoint
//! names, or from the first of segment 1. Each has the next sequence and the checksum of the one
//! before; an *Open* frame has a greater incarnation than that, any other the same. After a frame
//! the next one stands behind it or first in the next segment. Where there is neither, the log
//! ends.
//!
//! # Why what is recovered is a prefix with all that was acknowledged
//! A frame is written when all before it are synced, so at most one frame is not synced at any
//! time. One that was acknowledged was synced, and so was its segment's name before it was used:
//! reading finds it. What is not whole fails a checksum. What is whole and next was written next.
//!
//! Can a frame be found that was written before a crash *and* after a frame that was cut there? It
//! would name the checksum of a frame that is not the one before it, or have an incarnation that is
//! smaller. For the incarnation of a data frame is that of an *Open* frame that was synced before
//! it, and so is greater than all that recovery could find: no incarnation has data on two time
//! lines.
//!
//! # Why a torn tail is told from damage
//! Let the log end where frame *n* should stand. If *n* was acknowledged and another frame was
//! written later, that one says synced-to > *n*, and its header may be read. So all headers behind
//! the end are looked at: if one (of this store, with a right checksum) says so, *n* is damaged,
//! and that is an error with its place. No frame can say so wrongly: it was written after *n* was
//! synced, and a synced frame is never cut. Records that contain copies of frames do not say so
//! either: copies of this log's frames were written before the record was, and say synced-to <=
//! *n*.
//!
//! If none says so, *n* is cut. That is right for what was never acknowledged; of the very last
//! frame nothing says whether it was. A log that was closed ends in a *Close* frame, which says it
//! of all. Not shown: two places damaged at once, *n* and all headers behind it; the only segment
//! with nothing but zeros behind its first frame, as in a journal that was just created; a last
//! segment whose file is gone; bytes that fill up a sector, which hold nothing and may change
//! unnoticed; and a drive that says that its sectors have 512 bytes, and writes 4096 as one, as
//! many do: where it loses power in that, a frame beside the new one may be torn that was synced.
//! If that was the last one before, nothing says that it was synced, and it is cut.
//!
//! # Why recovery can be interrupted
//! Reading changes nothing. Then, each step synced before the next:
//! 1. Temporary files are removed, and segments behind the end. These hold no frame of the log, so
//!    reading finds the same with any of them there or not.
//! 2. What was read is synced, for somebody may have copied it here; and the last frame is written
//!    again as it is. Nothing else shows that it is on the disk and not in memory only, as after a
//!    sync that failed. A crash leaves it whole, or torn as it may have been, and then nobody was
//!    told of it.
//! 3. An *Open* frame is written: no record changes. Where it is not whole, it is cut, and the next
//!    recovery writes the same one.
//!
//! Recovery removes no segment and no checkpoint that it has read from: a name that is seen may not
//! be durable, if a sync of the directory failed. They go when the next checkpoint, synced by the
//! same process that wrote it, is durable. Creating a journal is redone until its first frame is
//! whole.
//!
//! # Checkpoints
//! What goes into a checkpoint holds all that was durable when it was begun
//! ([`Checkpoint::at_least`]), and nothing that is not durable when it is finished; then it is a
//! state that the log leads to. Its footer notes how far the log was synced then: a log that ends
//! before that is damaged. Frames behind its place may repeat what it holds, with an order up
//! to its own up-to: the user passes over these. So a frame with the up-to of the one before must
//! bring no records: where a checkpoint was begun between the two, it would be passed over. Older
//! files are removed in any order once the checkpoint is durable: none is needed any more. One that
//! met a full disk stays given up.
//!
//! # Processes
//! The lock keeps other processes out, and not a child that was forked while the journal was open:
//! it has the lock too. A child that goes on without `exec` uses no handle of the journal.

mod checkpoint;
pub mod codec;
mod copy;
mod disk;
mod error;
mod files;
mod frame;
mod inspect;
mod log;
mod mirror;
mod open;
mod parts;
mod reader;
mod salvage;
mod scan;
mod segment;
#[cfg(feature = "sim")]
pub mod sim;
mod source;
mod stored;
mod walk;
mod writer;

pub use checkpoint::Checkpoint;
pub use copy::CopyError;
pub use disk::{Directory, Disk, LOCK, Lock};
pub use error::{Damage, Fault, Full, LogError, OpenError, ReadError, Stopped};
pub use inspect::{Found, Line, Survey, dump, survey, verify};
pub use log::{Log, Options, Reservation, space};
pub use mirror::{LostSide, Mirror, MirrorError};
pub use open::{Opened, open};
pub use reader::{Next, Reader};
pub use salvage::{Partial, Salvaged, salvage};
pub use scan::{Event, Progress, Summary, Visit};
pub use walk::Position;
pub use writer::Writer;
