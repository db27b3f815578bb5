//! Reading what is in the log into the tables.
//!
//! A row's writes are all applied by the same loader, in the order of the log; which one that is,
//! its key says. So the last write to a row wins, and rows of different loaders need no order.

use super::error::OpenError;
use super::schema::{Declared, Reading, Shape};
use crate::api::database::Database;
use crate::commit::log::record;
use crate::commit::log::record::Corrupt;
use journal::Event;
use journal::codec::DecodeError;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::hash::BuildHasher;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Rows of a table that the program does not declare: they are kept as they are.
pub(super) type Carried = HashMap<Box<[u8]>, Box<[u8]>>;

/// What was recovered beside the rows.
pub(super) struct Recovered {
    /// The tables that the log knows, by number.
    pub(super) shapes: BTreeMap<u32, Shape>,
    pub(super) carried: BTreeMap<u32, Carried>,
}

/// Whose rows those of a number are.
#[derive(Clone, Copy)]
enum Target {
    Declared(usize, Reading),
    Carried,
}

enum Message {
    Table(u32, Target),
    /// Writes.
    Rows(Vec<u8>),
}

/// What a loader leaves: the rows of its tables that are not declared.
type Loaded = Result<BTreeMap<u32, Carried>, OpenError>;
type Ended = thread::Result<Loaded>;

/// The most transactions that are believed to be in a log when it is opened: none comes that far,
/// and whoever counts on from there need not look for the end of the numbers.
const MOST: u64 = 1 << 62;

fn believe(transactions: u64) -> Result<u64, Corrupt> {
    if transactions > MOST {
        return Err(Corrupt("as many transactions as a log may have"));
    }
    Ok(transactions)
}

/// How many bytes of writes go to a loader at once, and how many such pieces wait for it.
const PIECE: usize = 256 << 10;
const PIECES: usize = 4;
/// How many writes are one transaction.
const BATCH: usize = 256;
const MOST_LOADERS: usize = 8;

/// Applies what the journal holds.
pub(super) struct Recovery {
    tables: Arc<[Declared]>,
    shapes: BTreeMap<u32, Shape>,
    loaders: Vec<Sender>,
    threads: Vec<JoinHandle<Loaded>>,
    hasher: foldhash::fast::FixedState,
}

struct Sender {
    pieces: SyncSender<Message>,
    piece: Vec<u8>,
}

/// A loader has ended before its time: it says why when it is joined.
#[derive(Debug)]
struct LoaderEnded;

impl std::fmt::Display for LoaderEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row cannot be applied")
    }
}

impl Error for LoaderEnded {}

impl Sender {
    fn send(&mut self, message: Message) -> Result<(), LoaderEnded> {
        self.pieces.send(message).map_err(|_| LoaderEnded)
    }

    fn flush(&mut self) -> Result<(), LoaderEnded> {
        let piece = std::mem::take(&mut self.piece);
        self.send(Message::Rows(piece))
    }
}

impl Recovery {
    /// Starts the loaders.
    pub(super) fn start(database: &Database, tables: &Arc<[Declared]>) -> Result<Self, OpenError> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let mut recovery = Self {
            tables: tables.clone(),
            shapes: BTreeMap::new(),
            loaders: Vec::new(),
            threads: Vec::new(),
            hasher: foldhash::fast::FixedState::default(),
        };
        for _ in 0..count.min(MOST_LOADERS) {
            let (pieces, receiver) = sync_channel(PIECES);
            let loader = Loader {
                database: database.clone(),
                tables: tables.clone(),
                targets: HashMap::new(),
                carried: BTreeMap::new(),
            };
            let thread = thread::Builder::new().name("mvcc-load".into());
            let thread = thread
                .spawn(move || loader.run(&receiver))
                .map_err(OpenError::Thread)?;
            recovery.threads.push(thread);
            recovery.loaders.push(Sender {
                pieces,
                piece: Vec::new(),
            });
        }
        Ok(recovery)
    }

    /// Applies what stands in a block or a frame.
    pub(super) fn visit(&mut self, event: &Event<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        match event {
            Event::Checkpoint { up_to, .. } => Ok(believe(*up_to).map(drop)?),
            Event::Block(payload) => self.apply(payload).map(drop),
            Event::Frame { up_to, payload } if self.apply(payload)? != *up_to => {
                Err(Corrupt("as many transactions as the frame is up to").into())
            }
            _ => Ok(()),
        }
    }

    /// Returns the number of transactions in the log up to the end of the payload.
    fn apply(&mut self, mut payload: &[u8]) -> Result<u64, Box<dyn Error + Send + Sync>> {
        let mut logged = believe(record::take_start(&mut payload)?)?;
        while let Some((kind, mut record)) = record::take_record(&mut payload)? {
            match kind {
                record::TABLE => {
                    let (number, shape) = Shape::decode(record)?;
                    self.add_table(number, shape)?;
                }
                record::TRANSACTION | record::ROWS => {
                    logged += u64::from(kind == record::TRANSACTION);
                    while let Some(change) = record::take_change(&mut record)? {
                        self.send(&change)?;
                    }
                }
                _ => return Err(Corrupt("a kind of record that this program knows").into()),
            }
        }
        Ok(logged)
    }

    fn add_table(&mut self, number: u32, shape: Shape) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.shapes.get(&number) == Some(&shape) {
            return Ok(());
        }
        let declared = self
            .tables
            .iter()
            .position(|table| table.shape.name == shape.name);
        let target = match declared {
            Some(at) => Target::Declared(at, self.tables[at].reading(&shape)?),
            None => Target::Carried,
        };
        self.shapes.insert(number, shape);
        for loader in &mut self.loaders {
            loader.flush()?;
            loader.send(Message::Table(number, target))?;
        }
        Ok(())
    }

    fn send(&mut self, change: &record::RowChange<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        // By the name, for a table has another number after a migration.
        let shape = self
            .shapes
            .get(&change.table)
            .ok_or(Corrupt("a table that was described before"))?;
        let hash = self.hasher.hash_one((&shape.name, change.key));
        let count = self.loaders.len() as u64;
        let loader = &mut self.loaders[usize::try_from(hash % count).expect("fewer than 2^32")];
        record::write(change, &mut loader.piece);
        if loader.piece.len() >= PIECE {
            loader.flush()?;
        }
        Ok(())
    }

    /// Waits until all is applied.
    ///
    /// # Errors
    /// If a row could not be.
    pub(super) fn finish(mut self) -> Result<Recovered, OpenError> {
        for loader in &mut self.loaders {
            // If it has ended, that is told below.
            let _ = loader.flush();
        }
        let mut carried = BTreeMap::<u32, Carried>::new();
        for ended in self.join() {
            let rows = match ended {
                Ok(ended) => ended?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            for (number, rows) in rows {
                carried.entry(number).or_default().extend(rows);
            }
        }
        let shapes = std::mem::take(&mut self.shapes);
        Ok(Recovered { shapes, carried })
    }

    /// Waits until all loaders have ended, however they have. There are none after that.
    fn join(&mut self) -> Vec<Ended> {
        self.loaders.clear();
        self.threads.drain(..).map(JoinHandle::join).collect()
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        // Something else has gone wrong, and is told.
        let _ = self.join();
    }
}

/// A thread that applies the writes of some rows.
struct Loader {
    database: Database,
    tables: Arc<[Declared]>,
    targets: HashMap<u32, Target>,
    carried: BTreeMap<u32, Carried>,
}

impl Loader {
    fn run(mut self, pieces: &Receiver<Message>) -> Loaded {
        while let Ok(message) = pieces.recv() {
            match message {
                Message::Table(number, target) => drop(self.targets.insert(number, target)),
                Message::Rows(piece) => self.apply(&piece)?,
            }
        }
        Ok(self.carried)
    }

    fn apply(&mut self, mut writes: &[u8]) -> Result<(), OpenError> {
        while !writes.is_empty() {
            let (mut rest, mut carried) = (writes, Vec::new());
            self.database.run(|tx| {
                (rest, carried) = (writes, Vec::new());
                for _ in 0..BATCH {
                    let change = record::take_change(&mut rest).expect("it was written here");
                    let Some(change) = change else { break };
                    match self.targets[&change.table] {
                        Target::Declared(at, reading) => {
                            let table = &self.tables[at];
                            let applied = table.rows.apply(tx, reading, change.key, change.value);
                            applied.map_err(|source| row_error(table, source))?;
                        }
                        Target::Carried => carried.push(change),
                    }
                }
                Ok::<_, OpenError>(())
            })?;
            for change in carried {
                let rows = self.carried.entry(change.table).or_default();
                match change.value {
                    Some(value) => drop(rows.insert(change.key.into(), value.into())),
                    None => drop(rows.remove(change.key)),
                }
            }
            writes = rest;
        }
        Ok(())
    }
}

fn row_error(table: &Declared, source: DecodeError) -> OpenError {
    OpenError::Row {
        table: table.shape.name.clone(),
        source,
    }
}
