//! A disk in memory that knows what a crash may leave of it, and fails when told to.
//!
//! The model, per file: each sector of 512 bytes that was written since the last sync is found as
//! it was then or as any write since has left it; the length is found as it was at the sync or at
//! any time since; where a file has grown, a sector may also be found as zeros or as garbage.
//! Per directory: of what was created, renamed and removed since the last sync of the directory,
//! each step is found done or not, independently of the others and of the data.

mod fault;
mod image;

pub use fault::{Fault, Lie};
pub use image::{Coverage, Image};

use crate::disk::{Disk, Lock};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = crate::frame::SECTOR;

/// A file, by whatever name.
#[derive(Clone, Default)]
struct Node {
    /// What programs see.
    seen: Vec<u8>,
    /// What is on the medium.
    kept: Vec<u8>,
    /// Since the last sync: what each sector was made to be, one after the other.
    sectors: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Since the last sync: what the length was made to be.
    lengths: Vec<usize>,
}

impl Node {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.set_len(end);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let until = self.seen.len().min((sector + 1) * SECTOR);
            let now = self.seen[sector * SECTOR..until].to_vec();
            self.sectors.entry(sector).or_default().push(now);
        }
    }

    fn set_len(&mut self, len: usize) {
        self.seen.resize(len, 0);
        self.lengths.push(len);
    }

    fn sync(&mut self) {
        // A write after a sync that failed is found; what failed to sync is not written again.
        self.kept.resize(self.seen.len(), 0);
        for (sector, versions) in std::mem::take(&mut self.sectors) {
            let last = versions.last().expect("a sector is noted with its bytes");
            let begin = sector * SECTOR;
            let end = self.kept.len().min(begin + last.len());
            if begin < end {
                self.kept[begin..end].copy_from_slice(&last[..end - begin]);
            }
        }
        self.lengths.clear();
    }

    /// A sync failed: nothing reaches the medium, and the system takes all for clean.
    fn lose(&mut self, is_dropped: bool) {
        self.sectors.clear();
        self.lengths.clear();
        if is_dropped {
            self.seen.clone_from(&self.kept);
        }
    }
}

/// A step in the directory.
#[derive(Clone)]
enum Step {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

impl Step {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, node) => drop(names.insert(name.clone(), *node)),
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            Self::Remove(name) => drop(names.remove(name)),
        }
    }
}

/// What the disk is at one moment.
#[derive(Clone, Default)]
struct State {
    nodes: Vec<Node>,
    /// What programs see.
    seen: BTreeMap<String, usize>,
    /// What is on the medium.
    kept: BTreeMap<String, usize>,
    /// Since the last sync of the directory.
    steps: Vec<Step>,
}

/// A moment between two operations.
#[derive(Clone)]
pub struct Moment {
    state: State,
    /// What [`SimDisk::acknowledge`] was last told, before the next operation.
    pub acknowledged: u64,
    /// The number of operations before.
    pub operations: u64,
}

#[derive(Default)]
struct Inner {
    state: State,
    operations: u64,
    acknowledged: u64,
    faults: Vec<(u64, Fault)>,
    lie: Option<Lie>,
    /// The most bytes that all files may have.
    quota: Option<usize>,
    history: Option<Vec<Moment>>,
}

/// The disk. Clones are handles of the same one.
#[derive(Clone, Default)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    is_locked: Arc<AtomicBool>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimDisk").finish_non_exhaustive()
    }
}

impl SimDisk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One on which a crash has left `image`.
    pub fn after(image: &Image) -> Self {
        let disk = Self::new();
        let mut inner = disk.inner();
        for (node, (name, bytes)) in image.files.iter().enumerate() {
            let (seen, kept) = (bytes.clone(), bytes.clone());
            inner.state.nodes.push(Node {
                seen,
                kept,
                ..Node::default()
            });
            inner.state.seen.insert(name.clone(), node);
        }
        inner.state.kept = inner.state.seen.clone();
        drop(inner);
        disk
    }

    /// Remembers what the disk is before each operation from now on.
    pub fn record(&self) {
        self.inner().history = Some(Vec::new());
    }

    /// All moments since [`record`](Self::record), the present one included.
    ///
    /// # Panics
    /// If nothing was recorded.
    pub fn moments(&self) -> Vec<Moment> {
        let inner = self.inner();
        let mut moments = inner.history.clone().expect("`record` was called");
        moments.push(inner.moment());
        moments
    }

    /// Says that the program has told its user of success; crashes from now on must not undo that.
    pub fn acknowledge(&self, count: u64) {
        self.inner().acknowledged = count;
    }

    /// The number of operations that change anything or sync, so far.
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// Lets the operation with this number fail, counted from 0.
    pub fn fail(&self, operation: u64, fault: Fault) {
        self.inner().faults.push((operation, fault));
    }

    /// Lets it leave out what it says that it has done, from now on; `None`: nothing.
    pub fn lie(&self, lie: Option<Lie>) {
        self.inner().lie = lie;
    }

    /// All faults are over.
    pub fn mend(&self) {
        self.inner().faults.clear();
    }

    /// How many bytes all files together may have.
    pub fn set_quota(&self, quota: Option<usize>) {
        self.inner().quota = quota;
    }

    /// What programs see, as if the disk had been unmounted in good order, or the process killed.
    pub fn image(&self) -> Image {
        let inner = self.inner();
        let State { nodes, seen, .. } = &inner.state;
        let files = seen
            .iter()
            .map(|(name, node)| (name.clone(), nodes[*node].seen.clone()));
        Image {
            files: files.collect(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation; `Err` is the fault that it is to have.
    fn begin(&self) -> (MutexGuard<'_, Inner>, Option<Fault>) {
        let mut inner = self.inner();
        if inner.history.is_some() {
            let moment = inner.moment();
            inner.history.as_mut().expect("it is some").push(moment);
        }
        let number = inner.operations;
        inner.operations += 1;
        let mut faults = inner.faults.iter();
        let fault = faults.find(|(at, fault)| *at == number || (fault.stays() && *at < number));
        let fault = fault.map(|(_, fault)| *fault);
        (inner, fault)
    }
}

impl Inner {
    fn moment(&self) -> Moment {
        let (acknowledged, operations) = (self.acknowledged, self.operations);
        Moment {
            state: self.state.clone(),
            acknowledged,
            operations,
        }
    }

    fn node(&mut self, name: &str) -> io::Result<&mut Node> {
        let node = *self.state.seen.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut self.state.nodes[node])
    }

    /// Whether all files have room if one has so many bytes.
    fn has_room(&self, name: &str, len: usize) -> bool {
        let State { nodes, seen, .. } = &self.state;
        let others = seen.iter().filter(|(other, _)| *other != name);
        let bytes: usize = others.map(|(_, node)| nodes[*node].seen.len()).sum();
        self.quota.is_none_or(|quota| bytes + len <= quota)
    }

    fn step(&mut self, step: Step) {
        step.apply(&mut self.state.seen);
        self.state.steps.push(step);
    }
}

impl Disk for SimDisk {
    fn place(&self) -> String {
        "the simulated disk".to_owned()
    }

    fn create(&self, name: &str) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        fault.map_or(Ok(()), Fault::fail)?;
        if inner.state.seen.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = inner.state.nodes.len();
        inner.state.nodes.push(Node::default());
        inner.step(Step::Create(name.to_owned(), node));
        Ok(())
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        let offset = usize::try_from(offset).expect("files are small");
        let end = offset + bytes.len();
        let old = inner.node(name)?.seen.len();
        let written = match fault {
            Some(Fault::Short) => bytes.len() / 2,
            Some(_) => 0,
            None if end > old && !inner.has_room(name, end) => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            None => bytes.len(),
        };
        if written > 0 {
            inner.node(name)?.write(offset, &bytes[..written]);
        }
        fault.map_or(Ok(()), Fault::fail)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        fault.map_or(Ok(()), Fault::fail)?;
        let len = usize::try_from(len).expect("files are small");
        if !inner.has_room(name, len) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.node(name)?.set_len(len);
        Ok(())
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        let is_omitted = inner.lie == Some(Lie::SyncData);
        let node = inner.node(name)?;
        match fault {
            None if is_omitted => {}
            None => node.sync(),
            Some(Fault::Dropped) => node.lose(true),
            Some(_) => node.lose(false),
        }
        fault.map_or(Ok(()), Fault::fail)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        fault.map_or(Ok(()), Fault::fail)?;
        let node = *inner.state.seen.get(from).ok_or(io::ErrorKind::NotFound)?;
        inner.step(Step::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        // Removing nothing changes nothing, and is not counted.
        self.inner().node(name)?;
        let (mut inner, fault) = self.begin();
        fault.map_or(Ok(()), Fault::fail)?;
        inner.step(Step::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let (mut inner, fault) = self.begin();
        if fault.is_none() && inner.lie == Some(Lie::SyncDir) {
            return Ok(());
        }
        let steps = std::mem::take(&mut inner.state.steps);
        if fault.is_none() {
            for step in &steps {
                step.apply(&mut inner.state.kept);
            }
        } else if matches!(fault, Some(Fault::Dropped)) {
            inner.state.seen = inner.state.kept.clone();
        }
        fault.map_or(Ok(()), Fault::fail)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().state.seen.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.inner().node(name)?.seen.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut inner = self.inner();
        let bytes = &inner.node(name)?.seen;
        let begin = usize::try_from(offset).expect("files are small");
        let read = bytes
            .get(begin..begin + into.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(read);
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        // The name of the lock file means nothing, so it is left out.
        if self.is_locked.swap(true, Ordering::Acquire) {
            return Ok(None);
        }
        let is_locked = Arc::clone(&self.is_locked);
        Ok(Some(Box::new(Unlock(is_locked))))
    }
}

struct Unlock(Arc<AtomicBool>);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
