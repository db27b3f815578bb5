//! Writing checkpoints.

use super::recovery::Carried;
use super::schema::{Blocks, Declared, Shape};
use crate::api::database::Database;
use crate::commit::log::logger::Logger;
use crate::commit::log::record;
use crate::memory::panicked::contained;
use crate::sync::{Arc, Mutex};
use journal::{Checkpoint, LogError};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// What a checkpoint is made of.
pub(super) struct Checkpointer {
    pub(super) tables: Arc<[Declared]>,
    /// The numbers of these.
    numbers: Vec<u32>,
    /// Tables that are not declared.
    pub(super) carried: BTreeMap<u32, (Shape, Carried)>,
    /// Held while one is written.
    turn: Mutex<()>,
    /// The last one, and how many there were.
    last: Mutex<(Option<Last>, u64)>,
    /// The log's size from which on one is due, in bytes, however small the data.
    least: u64,
}

/// The last checkpoint.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pub(super) at: Instant,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// A block's size in bytes, or a little more.
const BLOCK: usize = 1 << 20;

/// How many times as long as it has worked a checkpoint rests after each piece, if nobody waits for
/// it.
const REST: u32 = 3;

/// How fast a checkpoint is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once: somebody waits for it.
    Fast,
    /// It leaves the processor to others most of the time.
    Slow,
}

struct Rows<'c> {
    checkpoint: Checkpoint,
    block: Vec<u8>,
    logged: u64,
    count: u64,
    bytes: u64,
    pace: Pace,
    began: Instant,
    logger: &'c Logger,
}

impl Rows<'_> {
    /// Begins a block of rows.
    fn begin(&mut self) {
        self.block.clear();
        record::begin(self.logged, &mut self.block);
        self.block.extend_from_slice(&[0; 4]);
        self.block.push(record::ROWS);
    }

    fn write(&mut self) -> Result<(), LogError> {
        let length = self.block.len() - record::START - 4;
        let length = u32::try_from(length).expect("a block is smaller than 4 GiB");
        self.block[record::START..record::START + 4].copy_from_slice(&length.to_le_bytes());
        self.checkpoint.block(&self.block)?;
        self.bytes += self.block.len() as u64;
        Ok(())
    }
}

impl Blocks for Rows<'_> {
    fn block(&mut self) -> &mut Vec<u8> {
        &mut self.block
    }

    fn row(&mut self) -> Result<(), LogError> {
        self.count += 1;
        if self.block.len() >= BLOCK {
            self.write()?;
            self.begin();
        }
        Ok(())
    }

    fn rest(&mut self) {
        if self.pace == Pace::Slow && !self.logger.is_urgent() {
            // In steps, so that a store that is closed meanwhile does not wait for it.
            thread::sleep((self.began.elapsed() * REST).min(Duration::from_millis(200)));
        }
        self.began = Instant::now();
    }
}

impl Checkpointer {
    pub(super) fn new(
        tables: Arc<[Declared]>,
        numbers: Vec<u32>,
        carried: BTreeMap<u32, (Shape, Carried)>,
        least: u64,
    ) -> Self {
        Self {
            tables,
            numbers,
            carried,
            turn: Mutex::default(),
            last: Mutex::default(),
            least,
        }
    }

    /// Writes a checkpoint, which takes the place of the log before it.
    pub(super) fn write(
        &self,
        database: &Database,
        logger: &Logger,
        pace: Pace,
    ) -> Result<(), LogError> {
        let _turn = self.turn.lock();
        let shared = &database.inner().shared;
        let checkpoint = logger.log.checkpoint()?;
        // After it has begun: all up to here is durable, and every row is read later than that.
        let logged = logger.log.durable();
        let mut rows = Rows {
            checkpoint,
            block: Vec::new(),
            logged,
            count: 0,
            bytes: 0,
            pace,
            began: Instant::now(),
            logger,
        };
        let mut tables = Vec::new();
        record::begin(logged, &mut tables);
        for (table, number) in self.tables.iter().zip(&self.numbers) {
            table.shape.encode(*number, &mut tables);
        }
        for (number, (shape, _)) in &self.carried {
            shape.encode(*number, &mut tables);
        }
        rows.checkpoint.block(&tables)?;
        rows.begin();
        for (table, number) in self.tables.iter().zip(&self.numbers) {
            table.rows.encode_all(database, *number, &mut rows)?;
        }
        for (number, (_, carried)) in &self.carried {
            for (key, value) in carried {
                let change = record::RowChange {
                    table: *number,
                    key,
                    value: Some(value),
                };
                record::write(&change, &mut rows.block);
                rows.row()?;
            }
        }
        rows.write()?;
        // It may hold nothing that is not durable: the log has to be as far as the last piece.
        logger.wait(&shared.memory, shared.memory.clock.now())?;
        rows.checkpoint.finish(logged)?;
        let mut last = self.last.lock();
        last.0 = Some(Last {
            at: Instant::now(),
            bytes: rows.bytes,
            rows: rows.count,
        });
        last.1 += 1;
        drop(last);
        logger.set_due(self.due(rows.bytes));
        Ok(())
    }

    pub(super) fn last(&self) -> (Option<Last>, u64) {
        *self.last.lock()
    }

    /// The log's size at which the next checkpoint is due, after one of so many bytes: so the
    /// directory has at most the old checkpoint, the new one, and a log of that size.
    fn due(&self, bytes: u64) -> u64 {
        bytes.max(self.least)
    }

    /// What the thread of the checkpoints does until the store is closed.
    pub(super) fn run(&self, database: &Database, logger: &Logger) {
        while logger.wait_for_checkpoint() {
            // Encoding is user code: it may panic, and the next one may go well. A full disk is met
            // by commits as well, and so is a log that has stopped.
            let written = contained(|| self.write(database, logger, Pace::Slow));
            if !matches!(written, Some(Ok(()))) {
                logger.postpone_checkpoint();
            }
        }
    }
}
