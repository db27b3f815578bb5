//! Opening a store: options, declarations, recovery.

use super::checkpoint::Checkpointer;
use super::error::{OpenError, open_error};
use super::recovery::{Carried, Recovered, Recovery};
use super::schema::{Declared, Schema, Shape};
use super::store::Store;
use crate::api::database::{Builder, Database};
use crate::api::room::WhenFull;
use crate::commit::log::logger::Logger;
use crate::secondary::Fill;
use crate::sync::Arc;
use journal::{Directory, Disk, Event, Mirror, Options, Progress, ReadError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// How far the opening of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenProgress {
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that there may be to read.
    pub total: u64,
}

/// How a store is opened and kept.
#[must_use = "options do nothing until `open`"]
pub struct StoreOptions {
    database: Builder,
    journal: Options,
    when_full: WhenFull,
    checkpoint_bytes: Option<u64>,
    mirror: MirrorChoice,
    progress: Option<Box<dyn FnMut(OpenProgress)>>,
}

/// Whether there is a second directory.
#[derive(Debug, Default)]
enum MirrorChoice {
    /// None, and none is known to the first one.
    #[default]
    None,
    /// There is.
    At(PathBuf),
    /// If there was one, it is gone on without.
    Part,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("journal", &self.journal)
            .field("when_full", &self.when_full)
            .field("checkpoint_bytes", &self.checkpoint_bytes)
            .field("mirror", &self.mirror)
            .finish_non_exhaustive()
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The default size of a segment in bytes: an empty store takes two.
const SEGMENT: u64 = 16 << 20;

impl StoreOptions {
    /// The default options.
    pub fn new() -> Self {
        Self {
            database: Database::builder(),
            journal: Options {
                segment_bytes: SEGMENT,
                ..Options::default()
            },
            when_full: WhenFull::default(),
            checkpoint_bytes: None,
            mirror: MirrorChoice::None,
            progress: None,
        }
    }

    /// How the database is made that the tables are in: its name, clock, ...
    pub fn database(mut self, builder: Builder) -> Self {
        self.database = builder;
        self
    }

    /// The size of the files that the log consists of, in bytes: 16 MiB by default. What one
    /// transaction writes must fit into one.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.journal.segment_bytes = bytes;
        self
    }

    /// The most bytes that the log may take: 4 GiB by default, and at least four segments. Where a
    /// checkpoint does not come in time, transactions find it full.
    pub fn log_bytes(mut self, bytes: u64) -> Self {
        self.journal.log_bytes = bytes;
        self
    }

    /// The size of the log in bytes at which a checkpoint is written, as long as the last
    /// checkpoint is not larger than that; then it is that one's size. Four segments by default, at
    /// most half of the log's limit.
    pub fn checkpoint_bytes(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes = Some(bytes);
        self
    }

    /// What a transaction does that has no room in the log: by default it is refused.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Keeps all files in a second directory as well, which may be on another device. A commit is
    /// durable once both have it. One of them may fail: then the store goes on with the other, and
    /// [`StoreStats::lost_side`](crate::durable::StoreStats::lost_side) says so.
    ///
    /// Opening makes both the same again: an empty directory is filled, a stale or damaged one is
    /// made a copy of the other. Each sync is done on both, one after the other, and opening reads
    /// both. From then on the directories are opened together; see
    /// [`without_mirror`](Self::without_mirror). [`open_on`](Self::open_on) takes a
    /// [`journal::Mirror`] for this.
    pub fn mirror(mut self, directory: impl Into<PathBuf>) -> Self {
        self.mirror = MirrorChoice::At(directory.into());
        self
    }

    /// Goes on without the mirror that the directory has had: the other side is stale from then on,
    /// and has to be emptied before it can be a mirror again. Without this, a side of a mirror is
    /// not opened by itself.
    pub fn without_mirror(mut self) -> Self {
        self.mirror = MirrorChoice::Part;
        self
    }

    /// Is told how far the opening is, after each frame and block that is read.
    pub fn progress(mut self, progress: impl FnMut(OpenProgress) + 'static) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Opens a store, as [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open<T>(
        mut self,
        directory: impl AsRef<Path>,
        declare: impl FnOnce(&mut Schema) -> T,
    ) -> Result<(Store, T), OpenError> {
        let (schema, declared) = self.declare(declare)?;
        let disk = create(directory.as_ref())?;
        match std::mem::take(&mut self.mirror) {
            MirrorChoice::None => {}
            MirrorChoice::Part => Mirror::part(&disk)?,
            MirrorChoice::At(other) => {
                let mirror = Arc::new(Mirror::open(disk, create(&other)?)?);
                let store = self.recover(mirror.clone(), Some(mirror), schema)?;
                return Ok((store, declared));
            }
        }
        Ok((self.recover(disk, None, schema)?, declared))
    }

    /// Opens a store on any [`Disk`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on<T>(
        mut self,
        disk: Arc<dyn Disk>,
        declare: impl FnOnce(&mut Schema) -> T,
    ) -> Result<(Store, T), OpenError> {
        let (schema, declared) = self.declare(declare)?;
        Ok((self.recover(disk, None, schema)?, declared))
    }

    /// User code, before anything is touched.
    fn declare<T>(
        &mut self,
        declare: impl FnOnce(&mut Schema) -> T,
    ) -> Result<(Schema, T), OpenError> {
        let builder = std::mem::take(&mut self.database);
        let database = builder.build().map_err(OpenError::Clock)?;
        let mut schema = Schema::new(database);
        let declared = declare(&mut schema);
        match schema.error.take() {
            Some(error) => Err(error),
            None => Ok((schema, declared)),
        }
    }

    /// `mirror` is the disk, where it is one.
    fn recover(
        self,
        disk: Arc<dyn Disk>,
        mirror: Option<Arc<Mirror>>,
        schema: Schema,
    ) -> Result<Store, OpenError> {
        let Self {
            journal: options,
            when_full,
            checkpoint_bytes,
            progress,
            ..
        } = self;
        let Schema {
            database, fills, ..
        } = schema;
        let tables: Arc<[Declared]> = schema.tables.into();
        let (opened, recovered) = read(&database, &tables, fills, disk, &options, progress)?;
        let journal::Opened {
            log,
            writer,
            summary,
        } = opened;
        let shapes = Shapes::new(&tables, recovered);
        for (table, number) in tables.iter().zip(&shapes.numbers) {
            table.rows.set_number(*number);
        }
        let limit = options.log_bytes.max(4 * options.segment_bytes);
        let least = (4 * options.segment_bytes).min(limit / 2);
        let least = checkpoint_bytes.unwrap_or(least);
        let logger = Arc::new(Logger::new(log, writer, summary.up_to, least, limit));
        if !shapes.new.is_empty() {
            logger.append(&shapes.new).map_err(open_error)?;
        }
        // From now on commits are logged. There were none but ours.
        let shared = &database.inner().shared;
        let _ = shared.log.set(logger.clone());
        shared.set_log();
        let checkpointer = Checkpointer::new(tables, shapes.numbers, shapes.carried, least);
        let store = Store::new(
            database,
            logger,
            checkpointer,
            shapes.all,
            when_full,
            mirror,
        );
        store.start(shapes.is_migrated)?;
        Ok(store)
    }
}

fn create(directory: &Path) -> Result<Arc<dyn Disk>, OpenError> {
    let created = Directory::create(directory);
    let disk = created.map_err(|source| OpenError::Directory {
        path: directory.display().to_string(),
        source,
    })?;
    Ok(Arc::new(disk))
}

impl Store {
    /// Creates a store in an empty or new directory, or recovers what is in it. `declare` names the
    /// tables that are durable, and returns what the program keeps of them. It is called once,
    /// before the directory is looked at.
    ///
    /// Tables in the directory that are not declared are kept as they are:
    /// [`undeclared`](Self::undeclared) lists them. Reading takes time that is proportional to the
    /// rows and to the log, which checkpoints bound; see [`StoreOptions::progress`].
    ///
    /// # Errors
    /// If the directory is in use by this or another process, is no store, of another version, or
    /// damaged; if a table is stored with other types than it is declared with.
    ///
    /// # Panics
    /// If `declare` or the code of keys and values panics.
    pub fn open<T>(
        directory: impl AsRef<Path>,
        declare: impl FnOnce(&mut Schema) -> T,
    ) -> Result<(Self, T), OpenError> {
        StoreOptions::new().open(directory, declare)
    }

    /// The options to open a store with.
    pub fn options() -> StoreOptions {
        StoreOptions::new()
    }
}

/// Reads what is in the log into the tables, and fills their indexes.
fn read(
    database: &Database,
    tables: &Arc<[Declared]>,
    fills: Vec<Fill>,
    disk: Arc<dyn Disk>,
    options: &Options,
    mut progress: Option<Box<dyn FnMut(OpenProgress)>>,
) -> Result<(journal::Opened, Recovered), OpenError> {
    let mut recovery = Some(Recovery::start(database, tables)?);
    let mut fills = Some(fills);
    let mut recovered = None;
    let visit = &mut |event: Event<'_>, read: Progress| {
        if let Some(progress) = &mut progress {
            progress(OpenProgress {
                read: read.read,
                total: read.total,
            });
        }
        let Event::End = event else {
            let recovery = recovery.as_mut().expect("the end comes last");
            return recovery.visit(&event);
        };
        // Before anything is written: a row or an index may make the opening fail.
        let recovery = recovery.take().expect("there is one end");
        recovered = Some(recovery.finish()?);
        for fill in fills.take().into_iter().flatten() {
            fill(database).map_err(OpenError::from)?;
        }
        Ok(())
    };
    let opened = journal::open(disk, options, visit);
    if let Some(recovery) = recovery {
        // A loader says why it has ended, so what it says comes first.
        recovery.finish()?;
    }
    let opened = opened.map_err(refused)?;
    Ok((opened, recovered.expect("all was read")))
}

/// What the recovery has refused, where the journal only passes it on.
fn refused(error: journal::OpenError) -> OpenError {
    match error {
        journal::OpenError::Read(ReadError::Refused(reason)) => {
            match reason.downcast::<OpenError>() {
                Ok(error) => *error,
                Err(reason) => journal::OpenError::Read(ReadError::Refused(reason)).into(),
            }
        }
        error => error.into(),
    }
}

/// Which tables the log has, by number.
struct Shapes {
    /// The numbers of the declared tables.
    numbers: Vec<u32>,
    /// The records of those that are new.
    new: Vec<u8>,
    carried: BTreeMap<u32, (Shape, Carried)>,
    /// Whether there are rows of earlier versions.
    is_migrated: bool,
    /// All that the log knows, by number.
    all: BTreeMap<u32, Shape>,
}

impl Shapes {
    fn new(tables: &[Declared], mut recovered: Recovered) -> Self {
        let known = recovered.shapes;
        let mut next = known.last_key_value().map_or(0, |(last, _)| last + 1);
        let mut all = known.clone();
        let (mut numbers, mut new) = (Vec::new(), Vec::new());
        for table in tables {
            let stored = known.iter().find(|(_, shape)| **shape == table.shape);
            let number = stored.map_or(next, |(number, _)| *number);
            if stored.is_none() {
                all.insert(number, table.shape.clone());
                table.shape.encode(number, &mut new);
                next += 1;
            }
            numbers.push(number);
        }
        let (mut carried, mut is_migrated) = (BTreeMap::new(), false);
        for (number, shape) in known {
            if tables.iter().all(|table| table.shape.name != shape.name) {
                let rows = recovered.carried.remove(&number).unwrap_or_default();
                carried.insert(number, (shape, rows));
            } else {
                is_migrated |= !numbers.contains(&number);
            }
        }
        Self {
            numbers,
            new,
            carried,
            is_migrated,
            all,
        }
    }
}
