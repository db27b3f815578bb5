//! Opening: creating a journal, or recovering one and beginning a new incarnation.
//!
//! The crate's page argues why each step may be interrupted, and be done again.

use crate::disk::{Disk, LOCK};
use crate::error::{Fault, Full, OpenError, ReadError};
use crate::files::{self, Files, IDENTITY, Missing};
use crate::frame::{self, Header, Kind, Unreadable};
use crate::log::{Log, Options, Shared};
use crate::scan::{self, Scan, Summary, Visit};
use crate::segment;
use crate::source::{self, Broken};
use crate::walk::Position;
use crate::writer::Writer;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

impl From<Missing> for OpenError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Full(full) => Self::Full(full),
            Missing::Fault(fault) => fault.into(),
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Opened {
    /// For all threads.
    pub log: Log,
    /// For the thread that appends.
    pub writer: Writer,
    /// What was recovered.
    pub summary: Summary,
}

/// Opens a journal: creates it in an empty directory, or recovers it. `visit` receives all that is
/// recovered, in order.
///
/// # Errors
/// If the directory is locked, cannot be read, holds other files, or what was synced is damaged; or
/// if `visit` refuses.
/// Then nothing was changed, except that there is a file `lock`, where it was not something else's.
pub fn open(
    disk: Arc<dyn Disk>,
    options: &Options,
    visit: &mut Visit<'_>,
) -> Result<Opened, OpenError> {
    let files = Files::new(disk);
    refuse_others(&files)?;
    let Some(lock) = files.lock()? else {
        return Err(OpenError::Locked {
            directory: files.place(),
        });
    };
    // Before anything is written: where no thread can be started, there is no helper.
    let helper = options.helper.then(Helper::start).flatten();
    if !was_created(&files)? {
        create(&files, options)?;
    }
    let scan = scan::scan(&files, visit)?;
    remove_unused(&files, &scan)?;
    make_durable(&files, &scan)?;
    let (at, capacity) = begin(&files, &scan, options)?;
    let Scan {
        store,
        listing,
        mut summary,
        ..
    } = scan;
    summary.end = at;
    let mut segments = VecDeque::new();
    for number in listing
        .segments
        .into_iter()
        .filter(|number| *number < at.segment)
    {
        segments.push_back((number, files.len(&files::segment(number))?));
    }
    segments.push_back((at.segment, capacity));
    let shared = Shared::new(
        files,
        lock,
        store,
        (options, helper.is_some()),
        segments,
        (at, summary.up_to),
    );
    let helper = helper.map(|helper| helper.help(&shared));
    let writer = Writer::new(Arc::clone(&shared), at, capacity, helper);
    Ok(Opened {
        log: Log { shared },
        writer,
        summary,
    })
}

/// A thread that helps once it has got what it is to help. Dropping this ends it.
struct Helper {
    /// It waits for that; gone when it is to end.
    send: Option<mpsc::Sender<Arc<Shared>>>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    fn start() -> Option<Self> {
        let (send, receive) = mpsc::channel::<Arc<Shared>>();
        let started = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                if let Ok(shared) = receive.recv() {
                    shared.help();
                }
            });
        Some(Self {
            send: Some(send),
            thread: Some(started.ok()?),
        })
    }

    /// Lets it help, until the log stops.
    fn help(mut self, shared: &Arc<Shared>) -> JoinHandle<()> {
        if let Some(send) = self.send.take() {
            let _ = send.send(Arc::clone(shared));
        }
        self.thread.take().expect("it was started")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.send = None;
        if let Some(thread) = self.thread.take() {
            // It has got nothing, so it has done nothing that could panic.
            let _ = thread.join();
        }
    }
}

/// A directory that somebody uses for something else is left as it is.
fn refuse_others(files: &Files) -> Result<(), OpenError> {
    let listing = files.list()?;
    if listing.note {
        return Err(OpenError::Side {
            directory: files.place(),
        });
    }
    if listing.identity || !listing.others.is_empty() {
        source::identity(files, &listing)?;
    }
    Ok(())
}

/// Whether the journal was created to the end: its first frame was written. What is not, holds
/// nothing that was acknowledged, and is created again.
pub(crate) fn was_created(files: &Files) -> Result<bool, OpenError> {
    let listing = files.list()?;
    if listing.identity {
        // One of another version is not looked at any further.
        source::identity(files, &listing)?;
    }
    match (&listing.segments[..], &listing.checkpoints[..]) {
        ([], []) => Ok(listing.identity),
        ([1], []) => holds_frames(files),
        // Where the file `journal` is missing, that is an error which the reading finds.
        _ => Ok(true),
    }
}

/// Whether the first segment has a first frame, or once had one. What is not whole under that name
/// may have had any: it is damage, which the reading finds. It may be of another journal than the
/// file `journal`, where one was created again and that was not finished.
fn holds_frames(files: &Files) -> Result<bool, OpenError> {
    let first = match source::whole_segment(files, 1) {
        Err(ReadError::Damaged(_) | ReadError::Version { .. }) => return Ok(true),
        whole => whole?.0,
    };
    match first.frame(segment::FIRST, &mut Vec::new())? {
        Ok(_) | Err(Broken::Unreadable(Unreadable::Format(_))) => return Ok(true),
        Err(_) => {}
    }
    let mut offset = segment::FIRST + frame::space(0);
    let mut bytes = vec![0; 1 << 20];
    while offset < first.len {
        let length =
            usize::try_from(first.len - offset).map_or(bytes.len(), |rest| rest.min(bytes.len()));
        files.read_at(&first.name, offset, &mut bytes[..length])?;
        if bytes[..length].iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        offset += length as u64;
    }
    Ok(false)
}

/// Creates a journal without frames, in the place of one that was not created to the end. Each
/// file replaces the old one in one step, so that at no time one is missing that was there.
fn create(files: &Files, options: &Options) -> Result<(), OpenError> {
    for name in files.list()?.temporary {
        files.remove(&name)?;
    }
    let store = options
        .store
        .unwrap_or_else(|| RandomState::new().hash_one(LOCK));
    segment::create(files, store, 1, options.capacity())?;
    create_identity(files, store)?;
    Ok(())
}

/// Writes the file that says that the directory is a journal.
pub(crate) fn create_identity(files: &Files, store: u64) -> Result<(), Missing> {
    let header = Header {
        kind: Kind::Identity,
        store,
        incarnation: 0,
        sequence: 0,
        up_to: 0,
        synced_to: 0,
        length: 0,
        before: 0,
    };
    let mut bytes = Vec::new();
    frame::encode(&header, &[], &mut bytes);
    let temporary = files.begin(IDENTITY)?;
    files.write_at(&temporary, 0, &bytes)?;
    files.finish(IDENTITY)
}

/// Removes what was not whole, and segments after the end of the log: they hold nothing.
fn remove_unused(files: &Files, scan: &Scan) -> Result<(), Fault> {
    for name in &scan.listing.temporary {
        files.remove(name)?;
    }
    for &number in &scan.listing.segments {
        if number > scan.summary.end.segment {
            files.remove(&files::segment(number))?;
        }
    }
    Ok(())
}

/// Makes durable what was read. It is, unless somebody has copied the files here; but of the last
/// frame nothing says so, and a sync that failed may have left it in memory only, where a second
/// sync would not find it. So it is written again.
fn make_durable(files: &Files, scan: &Scan) -> Result<(), Fault> {
    let end = scan.summary.end;
    let whole = (scan.summary.begin.segment..end.segment).map(files::segment);
    let checkpoint = scan.summary.checkpoint.clone();
    for name in [IDENTITY.to_owned()]
        .into_iter()
        .chain(checkpoint)
        .chain(whole)
    {
        files.sync_data(&name)?;
        files.release(&name);
    }
    if let Some((segment, offset)) = scan.last {
        let mut bytes = vec![0; usize::try_from(end.offset - offset).expect("it was read")];
        let name = files::segment(segment);
        files.read_at(&name, offset, &mut bytes)?;
        files.write_at(&name, offset, &bytes)?;
    }
    files.sync_data(&files::segment(end.segment))?;
    files.sync_dir()
}

/// Writes the first frame of a new incarnation. Returns the place after it, and the size of the
/// segment.
fn begin(files: &Files, scan: &Scan, options: &Options) -> Result<(Position, u64), OpenError> {
    let mut at = scan.summary.end;
    let mut capacity = files.len(&files::segment(at.segment))?;
    if capacity - at.offset < frame::space(0) {
        capacity = options.capacity();
        (at.segment, at.offset) = (at.segment + 1, segment::FIRST);
        let made = segment::create(files, scan.store, at.segment, capacity);
        made.map_err(|missing| match missing {
            Missing::Full(Full { reason }) => OpenError::Full(Full {
                reason: format!("opening needs a segment: {reason}"),
            }),
            fault @ Missing::Fault(_) => fault.into(),
        })?;
    }
    at.incarnation += 1;
    let header = Header {
        kind: Kind::Open,
        store: scan.store,
        incarnation: at.incarnation,
        sequence: at.sequence,
        up_to: scan.summary.up_to,
        synced_to: at.sequence,
        length: 0,
        before: at.before,
    };
    let mut bytes = Vec::new();
    let checksum = frame::encode(&header, &[], &mut bytes);
    let name = files::segment(at.segment);
    files.write_at(&name, at.offset, &bytes)?;
    files.sync_data(&name)?;
    at.offset += bytes.len() as u64;
    at.sequence += 1;
    at.before = checksum;
    Ok((at, capacity))
}
