//! The stores that are damaged: what is in them, and what was in them after each commit.

use super::frames;
use journal::sim::{Image, SimDisk};
use mvcc::{OpenError, OrderedTable, Schema, Store, StoreOptions, Table, Transaction, UniqueIndex};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

type Orders = OrderedTable<(u32, u64), Vec<u8>>;
type Note = Option<BTreeMap<String, Vec<u16>>>;

/// All rows. Those of `people` as they are after the migration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    people: BTreeMap<String, String>,
    orders: BTreeMap<(u32, u64), Vec<u8>>,
    notes: BTreeMap<u64, Note>,
    small: BTreeMap<[u8; 4], (bool, char, Duration)>,
}

/// The tables that are declared. There is one more, `rest`, which is carried along.
pub struct Tables {
    people: Table<String, String>,
    orders: Orders,
    notes: Table<u64, Note>,
    small: Table<[u8; 4], (bool, char, Duration)>,
    _by_place: UniqueIndex<(u64, u32), Orders>,
}

/// A store's files, and what may be found in them.
pub struct Subject {
    pub image: Image,
    /// The files as they were in the middle.
    pub earlier: Image,
    /// What was in it after so many commits.
    pub states: Vec<Content>,
}

pub fn options() -> StoreOptions {
    Store::options()
        .segment_bytes(4 << 10)
        .checkpoint_bytes(1 << 40)
}

/// Opens it as a later program does, which has migrated `people`. The probe is kept for as long as
/// anything of the store is.
pub fn open(disk: &SimDisk, probe: &Arc<()>) -> Result<(Store, Tables), OpenError> {
    options().open_on(Arc::new(disk.clone()), |tables| declare(tables, probe))
}

fn declare(tables: &mut Schema, probe: &Arc<()>) -> Tables {
    let (migrates, indexes) = (Arc::clone(probe), Arc::clone(probe));
    let people = tables.version(2).from(1, move |old: i64| {
        let _ = &migrates;
        old.to_string()
    });
    let people = people.table("people");
    let orders = tables.ordered_table("orders");
    let by_place = tables.unique_index(&orders, "by place", move |(of, number), _| {
        let _ = &indexes;
        [(*number, *of)]
    });
    Tables {
        people,
        orders,
        notes: tables.table("notes"),
        small: tables.table("small"),
        _by_place: by_place,
    }
}

impl Content {
    pub fn of(store: &Store, tables: &Tables) -> Self {
        let view = store.snapshot();
        let owned = |(key, value): (&String, &String)| (key.clone(), value.clone());
        Self {
            people: view.iter(&tables.people).map(owned).collect(),
            orders: view
                .iter(&tables.orders)
                .map(|(k, v)| (*k, v.clone()))
                .collect(),
            notes: view
                .iter(&tables.notes)
                .map(|(k, v)| (*k, v.clone()))
                .collect(),
            small: view.iter(&tables.small).map(|(k, v)| (*k, *v)).collect(),
        }
    }

    /// What a commit of [`go_on`] makes of it.
    pub fn with_more(&self) -> Self {
        let mut more = self.clone();
        more.people.insert("more".to_owned(), "more".to_owned());
        more
    }
}

/// Commits once more.
pub fn go_on(store: &Store, tables: &Tables) -> bool {
    let more = |tx: &Transaction<'_>| {
        Ok::<_, Infallible>(tx.insert(&tables.people, "more".into(), "more".into()))
    };
    store.run(more).is_ok()
}

/// Reads the feed from its begin, if the log has that, and all changes in it.
pub fn follow(store: &Store, tables: &Tables) {
    let Ok(mut feed) = store.on_commit_from(mvcc::FeedPosition::START) else {
        return;
    };
    while let Ok(Some(commit)) = feed.try_recv() {
        let _ = (
            commit.changes(&tables.people),
            commit.changes(&tables.notes),
        );
        let _ = (
            commit.changes(&tables.orders),
            commit.changes(&tables.small),
        );
    }
}

/// All subjects: closed or not, with a checkpoint in the middle, at the end or none, and with all
/// in one segment.
pub fn subjects() -> &'static [Subject] {
    static SUBJECTS: OnceLock<Vec<Subject>> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        let kinds = [
            (12, false, None),
            (12, true, None),
            (12, false, Some(6)),
            (12, true, Some(6)),
            (12, false, Some(11)),
            (2, false, None),
        ];
        let made = kinds.iter().zip(1..);
        made.map(|(kind, number)| make(*kind, number)).collect()
    })
}

/// A store of the program that was before the migration.
fn make((commits, is_closed, checkpoint): (u64, bool, Option<u64>), number: u64) -> Subject {
    let disk = SimDisk::new();
    let opened = options().open_on(Arc::new(disk.clone()), |tables| {
        let people: Table<String, i64> = tables.table("people");
        let rest: Table<u32, String> = tables.table("rest");
        (
            people,
            rest,
            tables.ordered_table("orders"),
            tables.table("notes"),
            tables.table("small"),
        )
    });
    let (store, (people, rest, orders, notes, small)) = opened.expect("it is new");
    let mut content = Content::default();
    let mut states = vec![content.clone()];
    let mut earlier = Image::default();
    for n in 0..commits {
        let name = ["ann", "bob", "eve"][usize::try_from(n % 3).expect("it is small")];
        let of = (u32::from(n % 2 == 0), n);
        let bytes = vec![7; usize::try_from(n * 40).expect("it is small")];
        let note = (n % 4 != 0).then(|| [(name.to_owned(), vec![1, 2, 3])].into());
        let key = u32::try_from(n).expect("it is small").to_le_bytes();
        let value = (n % 2 == 1, 'x', Duration::from_millis(n));
        let commit = |tx: &Transaction<'_>| {
            tx.insert(
                &people,
                name.to_owned(),
                i64::try_from(n).expect("it is small"),
            );
            tx.insert(&orders, of, bytes.clone());
            tx.remove(&orders, &(1, n / 2));
            tx.insert(&notes, n % 5, note.clone());
            tx.insert(&small, key, value);
            tx.insert(&rest, of.0, name.to_owned());
            Ok::<_, Infallible>(())
        };
        store.run(commit).expect("it is durable");
        content.people.insert(name.to_owned(), n.to_string());
        content.orders.insert(of, bytes);
        content.orders.remove(&(1, n / 2));
        content.notes.insert(n % 5, note);
        content.small.insert(key, value);
        states.push(content.clone());
        if n == commits / 2 {
            earlier = disk.image();
        }
        if Some(n) == checkpoint {
            store.checkpoint().expect("there is room");
        }
    }
    let mut image = disk.image();
    if is_closed {
        store.close().expect("nothing has failed");
        image = disk.image();
    }
    Subject {
        image: same_each_time(image, number),
        earlier: same_each_time(earlier, number),
        states,
    }
}

/// Without what differs from one run to the next: the number of the journal, segments that were
/// made ahead.
fn same_each_time(mut image: Image, number: u64) -> Image {
    image.files.retain(|name, file| {
        let is_segment = name.starts_with("log-");
        !name.contains(".tmp") && (!is_segment || frames::frames(file).len() > 1)
    });
    for file in image.files.values_mut() {
        for frame in frames::frames(file) {
            frames::set(file, frame.start + frames::STORE, number);
        }
    }
    frames::seal(&mut image);
    image
}
