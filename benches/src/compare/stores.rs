//! The durable engines, each behind [`Store`]. Each commit of [`Store::write`] is synced before
//! that returns.

use super::durable_rows::Work;
use super::peer::About;
use super::rows::{VALUE, Value};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

const WORKS: &str = "the disk works";

/// A table from `u64` to [`Value`] in a directory.
pub(super) trait Store: Sync {
    /// Writes rows in one transaction, and waits until it is durable.
    fn write(&self, rows: &[(u64, Value)]);

    /// Writes a row in a transaction. Waits for an earlier one, if so many of the thread's are not
    /// known to be durable.
    fn write_ahead(&self, _key: u64, _value: Value, _ahead: usize) {
        unreachable!("it lacks tickets")
    }

    /// Writes a row in a transaction that nobody waits for.
    fn write_behind(&self, _key: u64, _value: Value) {
        unreachable!("it lacks commits that nobody waits for")
    }

    /// Waits until all is durable.
    fn sync(&self) {}

    fn get(&self, key: u64) -> Option<Value>;
}

/// What a kind of store is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// All rows.
    All,
    /// Those in which each commit waits.
    #[cfg(feature = "peers")]
    Waits,
    /// The same, and nothing can be read.
    Raw,
    /// That in which nobody waits.
    Memory,
}

/// A kind of store.
pub(super) struct Entry {
    pub(super) about: About,
    /// Whether it is measured whatever is asked for: `mvcc`, and the raw loop.
    pub(super) is_ours: bool,
    usable: Use,
    /// In a directory that is not there yet, or what was closed there.
    pub(super) open: fn(&Path) -> Box<dyn Store>,
}

impl Entry {
    const fn of(
        (name, version): (&'static str, &'static str),
        how: &'static str,
        usable: Use,
        open: fn(&Path) -> Box<dyn Store>,
    ) -> Self {
        let about = About {
            name,
            version,
            isolation: "durable",
            how,
        };
        Self {
            about,
            is_ours: true,
            usable,
            open,
        }
    }

    #[cfg(feature = "peers")]
    const fn peer(
        about: (&'static str, &'static str),
        how: &'static str,
        open: fn(&Path) -> Box<dyn Store>,
    ) -> Self {
        Self {
            is_ours: false,
            ..Self::of(about, how, Use::Waits, open)
        }
    }

    /// Why it cannot do something.
    pub(super) fn lacks(&self, work: Work) -> Option<&'static str> {
        let waits = work == Work::One || work == Work::Sixteen;
        if self.usable == Use::All {
            None
        } else if self.usable == Use::Memory {
            (work != Work::Nobody).then_some("in memory only")
        } else {
            (!waits).then_some("each commit waits for its sync here")
        }
    }

    pub(super) fn keeps_nothing(&self) -> bool {
        self.usable == Use::Raw
    }
}

/// What `--peers` takes besides.
pub(super) fn names() -> Vec<&'static str> {
    all().iter().map(|entry| entry.about.name).collect()
}

/// `mvcc`'s store first.
pub(super) fn all() -> Vec<Entry> {
    let version = env!("CARGO_PKG_VERSION");
    vec![
        Entry::of(
            ("mvcc-store", version),
            "`Store::run`, or `submit` with tickets",
            Use::All,
            |path| Box::new(Mvcc::open(path)),
        ),
        Entry::of(
            ("mvcc-memory", version),
            "`Database::run`: for what logging costs",
            Use::Memory,
            |_| Box::new(Memory::new()),
        ),
        Entry::of(
            ("raw", "-"),
            "the same bytes to a file that was filled before, and `fdatasync`; one at a time",
            Use::Raw,
            |path| Box::new(Raw::open(path)),
        ),
        #[cfg(feature = "peers")]
        Entry::peer(
            ("redb-durable", env!("VERSION_OF_redb")),
            "`Durability::Immediate`",
            |path| Box::new(peers::Redb::open(path)),
        ),
        #[cfg(feature = "peers")]
        Entry::peer(
            ("fjall", env!("VERSION_OF_fjall")),
            "a batch with `PersistMode::SyncData`",
            |path| Box::new(peers::Fjall::open(path)),
        ),
        #[cfg(feature = "peers")]
        Entry::peer(
            ("surrealmx-durable", env!("VERSION_OF_surrealmx")),
            "`AolMode::SynchronousOnCommit` and `FsyncMode::EveryAppend`",
            |path| Box::new(peers::SurrealMx::open(path)),
        ),
        #[cfg(feature = "peers")]
        Entry::peer(
            ("sqlite", env!("VERSION_OF_rusqlite")),
            "WAL, `synchronous = FULL`, a connection a client (version of rusqlite)",
            |path| Box::new(peers::Sqlite::open(path)),
        ),
        #[cfg(feature = "peers")]
        Entry::peer(
            ("lmdb", env!("VERSION_OF_heed")),
            "no flags, so each commit syncs (version of heed)",
            |path| Box::new(peers::Lmdb::open(path)),
        ),
    ]
}

struct Mvcc {
    store: mvcc::Store,
    table: mvcc::Table<u64, Value>,
}

impl Mvcc {
    fn open(path: &Path) -> Self {
        let opened = mvcc::Store::open(path, |tables| tables.table("table"));
        let (store, table) = opened.expect(WORKS);
        Self { store, table }
    }

    fn submit(&self, key: u64, value: Value) -> mvcc::Ticket {
        let put = |tx: &mvcc::Transaction<'_>| tx.insert(&self.table, key, value);
        let submitted = self.store.submit(|tx| Ok::<_, Infallible>(put(tx)));
        submitted.expect(WORKS).1
    }
}

impl Store for Mvcc {
    fn write(&self, rows: &[(u64, Value)]) {
        let put = |tx: &mvcc::Transaction<'_>| {
            for (key, value) in rows {
                tx.insert(&self.table, *key, *value);
            }
        };
        let ran = self.store.run(|tx| Ok::<_, Infallible>(put(tx)));
        ran.expect(WORKS);
    }

    fn write_ahead(&self, key: u64, value: Value, ahead: usize) {
        thread_local! {
            static TICKETS: RefCell<VecDeque<mvcc::Ticket>> = const { RefCell::new(VecDeque::new()) };
        }
        let ticket = self.submit(key, value);
        TICKETS.with_borrow_mut(|tickets| {
            tickets.push_back(ticket);
            if tickets.len() >= ahead
                && let Some(first) = tickets.pop_front()
            {
                first.wait().expect(WORKS);
            }
        });
    }

    fn write_behind(&self, key: u64, value: Value) {
        drop(self.submit(key, value));
    }

    fn sync(&self) {
        self.store.sync().expect(WORKS);
    }

    fn get(&self, key: u64) -> Option<Value> {
        self.store.view(|view| view.get(&self.table, &key).copied())
    }
}

struct Memory {
    db: mvcc::Database,
    table: mvcc::Table<u64, Value>,
}

impl Memory {
    fn new() -> Self {
        let db = mvcc::Database::new();
        let table = db.table("table").expect("the only table");
        Self { db, table }
    }
}

impl Store for Memory {
    fn write(&self, rows: &[(u64, Value)]) {
        for (key, value) in rows {
            self.write_behind(*key, *value);
        }
    }

    fn write_behind(&self, key: u64, value: Value) {
        let put = |tx: &mvcc::Transaction<'_>| tx.insert(&self.table, key, value);
        let Ok(()) = self.db.run(|tx| Ok::<_, Infallible>(put(tx)));
    }

    fn get(&self, key: u64) -> Option<Value> {
        self.db.view(|view| view.get(&self.table, &key).copied())
    }
}

/// What a disk gives who does nothing else.
struct Raw {
    file: File,
    at: Mutex<u64>,
}

/// The file of [`Raw`] in bytes: it begins again at its end.
const FILE: u64 = 64 << 20;

impl Raw {
    fn open(path: &Path) -> Self {
        std::fs::create_dir_all(path).expect(WORKS);
        let options = File::options().read(true).write(true).create(true).clone();
        let file = options.open(path.join("raw")).expect(WORKS);
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE).step_by(zeros.len()) {
            file.write_all_at(&zeros, at).expect(WORKS);
        }
        file.sync_all().expect(WORKS);
        let at = Mutex::new(0);
        Self { file, at }
    }
}

impl Store for Raw {
    fn write(&self, rows: &[(u64, Value)]) {
        let mut at = self.at.lock().expect("nobody panics with it");
        // In whole sectors, as a log does.
        let bytes = (rows.len() * (VALUE + size_of::<u64>())).next_multiple_of(512);
        if *at + bytes as u64 > FILE {
            *at = 0;
        }
        self.file.write_all_at(&vec![1; bytes], *at).expect(WORKS);
        self.file.sync_data().expect(WORKS);
        *at += bytes as u64;
    }

    fn get(&self, _key: u64) -> Option<Value> {
        None
    }
}

#[cfg(feature = "peers")]
mod peers {
    use super::{Path, RefCell, Store, VALUE, Value, WORKS};
    use std::path::PathBuf;

    fn value(bytes: &[u8]) -> Value {
        bytes.try_into().expect("values have a size")
    }

    pub(super) struct Redb(redb::Database);

    const TABLE: redb::TableDefinition<'_, u64, &[u8; VALUE]> = redb::TableDefinition::new("table");

    impl Redb {
        pub(super) fn open(path: &Path) -> Self {
            std::fs::create_dir_all(path).expect(WORKS);
            Self(redb::Database::create(path.join("redb")).expect(WORKS))
        }
    }

    impl Store for Redb {
        fn write(&self, rows: &[(u64, Value)]) {
            let mut tx = self.0.begin_write().expect(WORKS);
            tx.set_durability(redb::Durability::Immediate)
                .expect("no savepoints");
            let mut table = tx.open_table(TABLE).expect(WORKS);
            for (key, value) in rows {
                table.insert(key, value).expect(WORKS);
            }
            drop(table);
            tx.commit().expect(WORKS);
        }

        fn get(&self, key: u64) -> Option<Value> {
            use redb::ReadableDatabase;
            let tx = self.0.begin_read().expect(WORKS);
            let table = tx.open_table(TABLE).expect(WORKS);
            table.get(key).expect(WORKS).map(|found| *found.value())
        }
    }

    pub(super) struct Fjall {
        db: fjall::Database,
        table: fjall::Keyspace,
    }

    impl Fjall {
        pub(super) fn open(path: &Path) -> Self {
            let db = fjall::Database::builder(path).open().expect(WORKS);
            let table = db.keyspace("table", fjall::KeyspaceCreateOptions::default);
            let table = table.expect(WORKS);
            Self { db, table }
        }
    }

    impl Store for Fjall {
        fn write(&self, rows: &[(u64, Value)]) {
            let mut batch = self
                .db
                .batch()
                .durability(Some(fjall::PersistMode::SyncData));
            for (key, value) in rows {
                batch.insert(&self.table, key.to_be_bytes(), value);
            }
            batch.commit().expect(WORKS);
        }

        fn get(&self, key: u64) -> Option<Value> {
            let found = self.table.get(key.to_be_bytes()).expect(WORKS);
            found.map(|found| value(&found))
        }
    }

    pub(super) struct SurrealMx(surrealmx::Database);

    impl SurrealMx {
        pub(super) fn open(path: &Path) -> Self {
            use surrealmx::{AolMode, Database, DatabaseOptions, FsyncMode, PersistenceOptions};
            let options = PersistenceOptions {
                aol_mode: AolMode::SynchronousOnCommit,
                fsync_mode: FsyncMode::EveryAppend,
                ..PersistenceOptions::new(path)
            };
            let opened = Database::new_with_persistence(DatabaseOptions::default(), options);
            Self(opened.expect(WORKS))
        }
    }

    impl Store for SurrealMx {
        fn write(&self, rows: &[(u64, Value)]) {
            let mut tx = self.0.transaction(true);
            for (key, value) in rows {
                tx.set(key.to_be_bytes(), *value).expect("it is buffered");
            }
            tx.commit().expect("clients have rows of their own");
        }

        fn get(&self, key: u64) -> Option<Value> {
            let tx = self.0.transaction(false);
            let found = tx.get(key.to_be_bytes()).expect(WORKS);
            found.map(|found| value(&found))
        }
    }

    pub(super) struct Sqlite(PathBuf);

    impl Sqlite {
        pub(super) fn open(path: &Path) -> Self {
            std::fs::create_dir_all(path).expect(WORKS);
            let sqlite = Self(path.join("sqlite"));
            let table = "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB NOT NULL)";
            sqlite.connect().execute(table, ()).expect(WORKS);
            sqlite
        }

        fn connect(&self) -> rusqlite::Connection {
            let connection = rusqlite::Connection::open(&self.0).expect(WORKS);
            let wait = std::time::Duration::from_mins(1);
            connection.busy_timeout(wait).expect(WORKS);
            for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")] {
                connection.pragma_update(None, name, value).expect(WORKS);
            }
            connection
        }

        /// With the thread's connection.
        fn with<R>(&self, run: impl FnOnce(&mut rusqlite::Connection) -> R) -> R {
            thread_local! {
                static CONNECTION: RefCell<Option<(PathBuf, rusqlite::Connection)>> =
                    const { RefCell::new(None) };
            }
            CONNECTION.with_borrow_mut(|connection| {
                let is_ours = |open: &(PathBuf, _)| open.0 == self.0;
                if !connection.as_ref().is_some_and(is_ours) {
                    *connection = Some((self.0.clone(), self.connect()));
                }
                let (_, connection) = connection.as_mut().expect("it was opened");
                run(connection)
            })
        }
    }

    impl Store for Sqlite {
        fn write(&self, rows: &[(u64, Value)]) {
            use rusqlite::TransactionBehavior::Immediate;
            self.with(|connection| {
                let tx = connection
                    .transaction_with_behavior(Immediate)
                    .expect(WORKS);
                let put = "INSERT INTO t (k, v) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET v = ?2";
                let mut statement = tx.prepare_cached(put).expect(WORKS);
                for (key, value) in rows {
                    let key = key.cast_signed();
                    statement.execute((key, &value[..])).expect(WORKS);
                }
                drop(statement);
                tx.commit().expect(WORKS);
            });
        }

        fn get(&self, key: u64) -> Option<Value> {
            self.with(|connection| {
                let get = "SELECT v FROM t WHERE k = ?1";
                let found =
                    connection.query_row(get, [key.cast_signed()], |row| row.get::<_, Vec<u8>>(0));
                found.ok().map(|found| value(&found))
            })
        }
    }

    pub(super) struct Lmdb {
        env: heed::Env,
        table: heed::Database<heed::types::U64<heed::byteorder::BE>, heed::types::Bytes>,
    }

    impl Lmdb {
        #[expect(
            unsafe_code,
            reason = "the file must not be changed by others: it is ours"
        )]
        pub(super) fn open(path: &Path) -> Self {
            std::fs::create_dir_all(path).expect(WORKS);
            let mut options = heed::EnvOpenOptions::new();
            options.map_size(1 << 30).max_readers(1 << 10);
            // SAFETY: nobody else opens or changes the files.
            let env = unsafe { options.open(path) }.expect(WORKS);
            let mut tx = env.write_txn().expect(WORKS);
            let table = env.create_database(&mut tx, None).expect(WORKS);
            tx.commit().expect(WORKS);
            Self { env, table }
        }
    }

    impl Store for Lmdb {
        fn write(&self, rows: &[(u64, Value)]) {
            let mut tx = self.env.write_txn().expect(WORKS);
            for (key, value) in rows {
                self.table.put(&mut tx, key, value).expect(WORKS);
            }
            tx.commit().expect(WORKS);
        }

        fn get(&self, key: u64) -> Option<Value> {
            let tx = self.env.read_txn().expect(WORKS);
            let found = self.table.get(&tx, &key).expect(WORKS);
            found.map(value)
        }
    }
}
