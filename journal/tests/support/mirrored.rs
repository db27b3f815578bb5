//! Two simulated disks under a mirror, and what a crash may leave of both at the same moment.

use super::{Timeline, options, take};
use journal::sim::{Image, SimDisk};
use journal::{Disk, Lock, Mirror, MirrorError, OpenError, Opened, open};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// Moments of both disks: the operations that each has done, and what was acknowledged.
type Moments = Arc<Mutex<Vec<([u64; 2], u64)>>>;

/// Both sides, and a record of what happened when.
#[derive(Clone)]
pub struct Pair {
    pub sides: [SimDisk; 2],
    moments: Moments,
    pub acknowledged: Arc<AtomicU64>,
}

/// A side whose operations are noted, before each.
struct Watched {
    side: usize,
    pair: Pair,
}

impl Watched {
    fn disk(&self) -> &SimDisk {
        self.pair.note();
        &self.pair.sides[self.side]
    }

    fn quiet(&self) -> &SimDisk {
        &self.pair.sides[self.side]
    }
}

impl Disk for Watched {
    fn place(&self) -> String {
        ["the first side", "the second side"][self.side].to_owned()
    }

    fn create(&self, name: &str) -> io::Result<()> {
        self.disk().create(name)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk().write_at(name, offset, bytes)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk().set_len(name, len)
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        self.disk().sync_data(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk().remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk().sync_dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.quiet().list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.quiet().len(name)
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.quiet().read_at(name, offset, into)
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        self.quiet().lock()
    }
}

/// Why it cannot be opened.
#[derive(Debug)]
pub enum Unopened {
    Mirror(MirrorError),
    Journal(OpenError),
}

/// An open journal on a mirror.
pub struct Mirrored {
    pub opened: Opened,
    pub records: Vec<Vec<u8>>,
    pub mirror: Arc<Mirror>,
}

impl Pair {
    pub fn new(sides: [SimDisk; 2]) -> Self {
        Self {
            sides,
            moments: Moments::default(),
            acknowledged: Arc::default(),
        }
    }

    pub fn empty() -> Self {
        Self::new([SimDisk::new(), SimDisk::new()])
    }

    pub fn after(images: &[Image; 2]) -> Self {
        Self::new([SimDisk::after(&images[0]), SimDisk::after(&images[1])])
    }

    pub fn record(&self) {
        self.sides.iter().for_each(SimDisk::record);
    }

    fn note(&self) {
        let operations = [0, 1].map(|side: usize| self.sides[side].operations());
        let acknowledged = self.acknowledged.load(SeqCst);
        self.moments
            .lock()
            .unwrap()
            .push((operations, acknowledged));
    }

    pub fn side(&self, side: usize) -> Arc<dyn Disk> {
        let pair = self.clone();
        Arc::new(Watched { side, pair })
    }

    pub fn open(&self) -> Result<Mirrored, Unopened> {
        self.open_as([0, 1])
    }

    /// With the sides in this order.
    pub fn open_as(&self, [first, second]: [usize; 2]) -> Result<Mirrored, Unopened> {
        let mirror = Mirror::open(self.side(first), self.side(second));
        let mirror = Arc::new(mirror.map_err(Unopened::Mirror)?);
        let (mut records, mut covered) = (Vec::new(), 0);
        let disk: Arc<dyn Disk> = mirror.clone();
        let opened = open(disk, &options(), &mut |event, _| {
            take(&mut records, &mut covered, &event);
            Ok(())
        });
        Ok(Mirrored {
            opened: opened.map_err(Unopened::Journal)?,
            records,
            mirror,
        })
    }

    pub fn images(&self) -> [Image; 2] {
        [0, 1].map(|side: usize| self.sides[side].image())
    }

    /// What a crash may leave of both, at each moment since `record`: handed on with what was
    /// acknowledged. Of many images of both, a part is combined.
    pub fn crashes(&self, mut each: impl FnMut([Image; 2], u64)) -> u64 {
        self.note();
        let moments = self.moments.lock().unwrap().clone();
        let mut known: BTreeMap<(usize, u64), Vec<Image>> = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut count = 0;
        let recorded = [0, 1].map(|side: usize| self.sides[side].moments());
        for (operations, acknowledged) in moments {
            let images = [0, 1].map(|side: usize| {
                let number = operations[side];
                let images = known.entry((side, number)).or_insert_with(|| {
                    let moment = recorded[side].iter().find(|it| it.operations == number);
                    let mut images = Vec::new();
                    moment
                        .expect("it was recorded")
                        .images(&mut HashSet::new(), number, |image| images.push(image));
                    images
                });
                images.clone()
            });
            for (first, second) in combined(images[0].len(), images[1].len()) {
                let pair = [images[0][first].clone(), images[1][second].clone()];
                let mut hasher = DefaultHasher::new();
                (&pair, acknowledged).hash(&mut hasher);
                if seen.insert(hasher.finish()) {
                    count += 1;
                    each(pair, acknowledged);
                }
            }
        }
        count
    }
}

/// All, of a few; of more, each of one with the first and the last of the other, and some.
fn combined(first: usize, second: usize) -> Vec<(usize, usize)> {
    let all = (0..first).flat_map(|one| (0..second).map(move |other| (one, other)));
    if first * second <= 64 {
        return all.collect();
    }
    let is_end = |at: usize, count: usize| at == 0 || at + 1 == count;
    all.filter(|(one, other)| {
        is_end(*one, first) || is_end(*other, second) || (one * 31 + other * 17) % 97 == 0
    })
    .collect()
}

impl Mirrored {
    /// Appends one record and acknowledges it; whether that went well.
    pub fn append(&mut self, pair: &Pair, timeline: &mut Timeline, line: u64) -> bool {
        let (record, number) = timeline.issue(line);
        let Ok(reservation) = self.opened.log.reserve(record.len()) else {
            timeline.records.pop();
            return false;
        };
        let appended = self.opened.writer.append(&record, number, reservation);
        if appended.is_ok() {
            pair.acknowledged.store(number, SeqCst);
        }
        appended.is_ok()
    }
}
