//! Secondary indexes.

use mvcc::{
    ConflictCause, Database, Duplicate, Index, IndexError, OrderedTable, Read, Table, UniqueIndex,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

#[derive(Clone, Debug, PartialEq)]
struct User {
    email: String,
    city: &'static str,
    tags: Vec<u8>,
}

fn user(email: &str, city: &'static str) -> User {
    User {
        email: email.to_owned(),
        city,
        tags: Vec::new(),
    }
}

type Users = Table<u64, User>;

struct Directory {
    db: Database,
    users: Users,
    by_email: UniqueIndex<String, Users>,
    by_city: Index<&'static str, Users>,
    by_tag: Index<u8, Users>,
}

impl Directory {
    fn new() -> Self {
        let db = Database::new();
        let users: Users = db.table("users").expect("new");
        Self {
            by_email: db
                .unique_index(&users, "by_email", |_, user| Some(user.email.clone()))
                .expect("new"),
            by_city: db
                .index(&users, "by_city", |_, user| [user.city])
                .expect("new"),
            by_tag: db
                .index(&users, "by_tag", |_, user| user.tags.clone())
                .expect("new"),
            users,
            db,
        }
    }

    fn add(&self, id: u64, user: &User) -> Result<(), Duplicate> {
        self.db
            .run(|tx| tx.insert_unique(&self.users, id, user.clone()))
    }

    fn in_city(&self, read: &impl Read, city: &'static str) -> Vec<u64> {
        let rows = self.by_city.rows(read, &city);
        rows.map(|(id, _)| *id).collect()
    }

    fn with_email(&self, read: &impl Read, email: &str) -> Option<u64> {
        self.by_email.get(read, email).map(|(id, _)| *id)
    }

    /// The indexes have exactly the entries that the rows call for.
    fn check(&self, read: &impl Read) {
        let rows: BTreeMap<u64, User> = read
            .iter(&self.users)
            .map(|(id, user)| (*id, user.clone()))
            .collect();
        let by_city = self.by_city.range::<&str>(read, ..);
        let found: Vec<_> = by_city.map(|(id, user)| (user.city, *id)).collect();
        let mut expected: Vec<_> = rows.iter().map(|(id, user)| (user.city, *id)).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let by_email = self.by_email.range::<str>(read, ..).count();
        assert_eq!(by_email, rows.len());
        for (id, user) in &rows {
            assert_eq!(self.with_email(read, &user.email), Some(*id));
        }
        for tag in 0..8 {
            let rows = rows.iter().filter(|(_, user)| user.tags.contains(&tag));
            let expected: Vec<_> = rows.map(|(id, _)| *id).collect();
            let found: Vec<_> = self.by_tag.rows(read, &tag).map(|(id, _)| *id).collect();
            assert_eq!(found, expected, "tag {tag}");
        }
    }
}

#[test]
fn writes_keep_all_indexes_up_to_date() {
    let directory = Directory::new();
    let Directory { db, users, .. } = &directory;
    directory.add(1, &user("ann", "Oslo")).expect("free");
    directory.add(2, &user("bob", "Bonn")).expect("free");
    directory.add(3, &user("cem", "Oslo")).expect("free");
    let before = db.snapshot();
    let tx = db.begin();
    assert_eq!(directory.in_city(&tx, "Oslo"), [1, 3]);
    tx.insert(users, 3, user("cem", "Bonn"));
    assert!(tx.update(users, &2, |bob| User {
        email: "bobby".to_owned(),
        ..bob.clone()
    }));
    tx.remove(users, &1);
    tx.insert(users, 4, user("ann", "Oslo"));
    directory.check(&tx);
    assert_eq!(directory.in_city(&tx, "Bonn"), [2, 3]);
    assert_eq!(directory.with_email(&tx, "bob"), None);
    assert_eq!(directory.with_email(&tx, "ann"), Some(4));
    tx.commit().expect("alone");
    directory.check(&before);
    db.view(|view| directory.check(view));
    assert_eq!(directory.in_city(&before, "Oslo"), [1, 3]);
    drop(before);
    db.collect();
    // Four rows less one, and an entry for each by email and by city.
    assert_eq!(db.stats().live_tuples, 9);
}

#[test]
fn a_duplicate_is_an_error_and_changes_nothing() {
    let directory = Directory::new();
    let Directory { db, users, .. } = &directory;
    directory.add(1, &user("ann", "Oslo")).expect("free");
    directory.add(2, &user("bob", "Bonn")).expect("free");
    let taken = directory.add(1, &user("dan", "Rome")).expect_err("taken");
    assert_eq!((&*taken.table, taken.index), ("users", None));
    let taken = directory.add(3, &user("ann", "Rome")).expect_err("taken");
    assert_eq!(taken.index.as_deref(), Some("by_email"));
    assert!(taken.to_string().contains("by_email"), "{taken}");

    let tx = db.begin();
    tx.insert(users, 4, user("dan", "Rome"));
    assert!(tx.try_insert(users, 2, user("dan", "Oslo")).is_err());
    let to_ann = |bob: &User| User {
        email: "ann".to_owned(),
        city: "Rome",
        ..bob.clone()
    };
    assert!(tx.try_update(users, &2, to_ann).is_err());
    assert_eq!(tx.try_update(users, &9, to_ann), Ok(false));
    assert_eq!(tx.try_insert(users, 1, user("ann", "Rome")), Ok(()));
    directory.check(&tx);
    assert_eq!(directory.in_city(&tx, "Rome"), [1, 4]);
    tx.commit().expect("alone");
    directory.check(&db.snapshot());

    let refused = catch_unwind(AssertUnwindSafe(|| {
        db.run(|tx| Ok::<_, ()>(tx.insert(users, 9, user("bob", "Oslo"))))
    }));
    assert!(refused.is_err(), "the row of another one would be lost");
    directory.check(&db.snapshot());
}

#[test]
fn of_two_who_take_the_same_key_one_gets_it() {
    let directory = Directory::new();
    let won = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for id in 0..4 {
            let (directory, won) = (&directory, &won);
            scope.spawn(move || {
                for round in 0..200 {
                    let added = directory.add(id * 1000 + round, &user(&round.to_string(), "Oslo"));
                    won.fetch_add(u64::from(added.is_ok()), Relaxed);
                }
            });
        }
    });
    assert_eq!(won.into_inner(), 200);
    directory.check(&directory.db.snapshot());
}

#[test]
fn what_was_read_through_an_index_is_protected() {
    for change in ["add", "move", "remove", "elsewhere"] {
        let directory = Directory::new();
        let Directory { db, users, .. } = &directory;
        directory.add(1, &user("ann", "Oslo")).expect("free");
        directory.add(2, &user("bob", "Bonn")).expect("free");
        let tx = db.begin();
        let count = directory.in_city(&tx, "Oslo").len();
        tx.insert(users, 9, user(&count.to_string(), "Rome"));
        match change {
            "add" => directory.add(3, &user("cem", "Oslo")).expect("free"),
            "move" => db
                .run(|tx| Ok::<_, ()>(tx.insert(users, 2, user("bob", "Oslo"))))
                .expect("no error"),
            "remove" => db
                .run(|tx| Ok::<_, ()>(tx.remove(users, &1)))
                .expect("no error"),
            _ => directory.add(3, &user("cem", "Kyiv")).expect("free"),
        }
        assert_eq!(tx.commit().is_ok(), change == "elsewhere", "{change}");
    }
}

#[test]
fn an_index_of_a_filled_table_has_all_rows() {
    let db = Database::new();
    let numbers: OrderedTable<u64, u64> = db.ordered_table("numbers").expect("new");
    db.run(|tx| {
        for key in 0..1000 {
            tx.insert(&numbers, key, key % 7);
        }
        Ok::<_, ()>(())
    })
    .expect("no error");
    let (old, view_of_old) = (db.snapshot(), db.begin());
    assert_eq!(view_of_old.get(&numbers, &1), Some(&1));
    let index = db
        .index(&numbers, "by_rest", |_, rest| [*rest])
        .expect("new");
    assert_eq!(index.rows(&db.snapshot(), &3).count(), 143);
    // Older than the index: without its entries, but right.
    db.run(|tx| Ok::<_, ()>(tx.insert(&numbers, 3, 100)))
        .expect("no error");
    assert_eq!(index.rows(&old, &3).count(), 143);
    assert_eq!(index.rows(&db.snapshot(), &3).count(), 142);
    let last: Vec<_> = index.range(&old, 2..5).rev().take(2).collect();
    assert_eq!(last, [(&998, &4), (&991, &4)]);
    assert_eq!(index.rows(&view_of_old, &1).count(), 143);
}

#[test]
fn a_writer_that_does_not_know_of_an_index_is_a_conflict() {
    let db = Database::new();
    let numbers: Table<u64, u64> = db.table("numbers").expect("new");
    let others: Table<u64, u64> = db.table("others").expect("new");
    let (tx, other) = (db.begin(), db.begin());
    tx.insert(&numbers, 1, 1);
    other.insert(&others, 1, 1);
    let index = db
        .index(&numbers, "by_value", |_, value| [*value])
        .expect("new");
    let conflict = tx.commit().expect_err("its row would not be found");
    assert_eq!(conflict.cause, ConflictCause::IndexAdded);
    assert_eq!(&*conflict.table, "numbers");
    other.commit().expect("its table has no index");
    assert_eq!(index.range(&db.snapshot(), ..).count(), 0);
}

#[test]
fn indexes_are_opened_again_by_their_names() {
    let db = Database::new();
    let numbers: Table<u64, u64> = db.table("numbers").expect("new");
    let first = db.unique_index(&numbers, "i", |_, value| [*value]);
    let first = first.expect("new");
    let again = db.unique_index(&numbers, "i", |_, _| [7u64]);
    let again = again.expect("the same");
    db.run(|tx| {
        tx.insert(&numbers, 1, 10);
        Ok::<_, ()>(tx.insert(&numbers, 2, 20))
    })
    .expect("no error");
    db.view(|view| {
        assert_eq!(first.get(view, &10), Some((&1, &10)));
        assert_eq!(again.get(view, &20), Some((&2, &20)));
        assert_eq!(again.get(view, &7), None);
    });
    let wrong = db.index(&numbers, "i", |_, value| [*value]);
    let wrong = wrong.expect_err("it is unique");
    assert!(matches!(
        wrong,
        IndexError::WrongKind {
            is_unique: true,
            ..
        }
    ));
    assert!(wrong.to_string().contains("unique_index"), "{wrong}");
    let wrong = db.unique_index(&numbers, "i", |_, value| [value.to_string()]);
    assert!(matches!(wrong, Err(IndexError::Table(_))));
    let wrong = db.unique_index(&numbers, "constant", |_, _| [0]);
    let wrong = wrong.expect_err("two rows have the same key");
    assert!(matches!(wrong, IndexError::Duplicate(_)));
    // Nothing is left of it.
    db.run(|tx| Ok::<_, ()>(tx.insert(&numbers, 3, 30)))
        .expect("no error");
    assert!(db.index(&numbers, "constant", |_, _| [0]).is_ok());
}

#[test]
fn rows_may_have_no_key_or_several() {
    let directory = Directory::new();
    let tagged = |tags: &[u8]| User {
        tags: tags.to_vec(),
        ..user(&format!("{tags:?}"), "Oslo")
    };
    directory.add(1, &tagged(&[3, 1, 3])).expect("free");
    directory.add(2, &tagged(&[])).expect("free");
    directory.add(3, &tagged(&[1])).expect("free");
    let Directory { db, users, .. } = &directory;
    directory.check(&db.snapshot());
    db.run(|tx| Ok::<_, ()>(tx.insert(users, 1, tagged(&[1, 2]))))
        .expect("no error");
    directory.check(&db.snapshot());
}

#[test]
fn a_panic_in_a_key_function_leaves_the_transaction_as_it_was() {
    static ARMED: AtomicBool = AtomicBool::new(false);

    let db = Database::new();
    let numbers: Table<u64, u64> = db.table("numbers").expect("new");
    let by_value = db
        .index(&numbers, "by_value", |_, value| [*value])
        .expect("new");
    let touchy = |_: &u64, value: &u64| {
        assert!(!ARMED.load(Relaxed), "armed");
        [*value]
    };
    db.index(&numbers, "touchy", touchy).expect("new");
    let tx = db.begin();
    tx.insert(&numbers, 1, 10);
    ARMED.store(true, Relaxed);
    let caught = catch_unwind(AssertUnwindSafe(|| tx.insert(&numbers, 1, 20)));
    ARMED.store(false, Relaxed);
    assert!(caught.is_err());
    assert_eq!(by_value.rows(&tx, &20).count(), 0);
    assert_eq!(by_value.rows(&tx, &10).count(), 1);
    tx.commit().expect("alone");
    assert_eq!(by_value.range(&db.snapshot(), ..).count(), 1);
}

/// The entries of an index were a table named `TABLE.INDEX`: those of `y.z` of `x` and of `z` of
/// `x.y` were one table, and a user's table of that name was a third.
#[test]
fn no_name_is_that_of_an_indexs_entries() {
    let db = Database::new();
    let by_value = |_: &u64, value: &u64| [*value];
    let (x, x_y) = (db.table("x").unwrap(), db.table("x.y").unwrap());
    let y_z = db.index(&x, "y.z", by_value).unwrap();
    let z = db.index(&x_y, "z", by_value).unwrap();
    let named = db.ordered_table::<u64, String>("x.y.z").unwrap();
    db.run(|tx| {
        tx.insert(&x, 1, 10);
        tx.insert(&x_y, 2, 10);
        Ok::<_, ()>(tx.insert(&named, 3, "three".to_owned()))
    })
    .unwrap();
    let snapshot = db.snapshot();
    assert!(y_z.range(&snapshot, 10..=10).eq([(&1, &10)]));
    assert!(z.range(&snapshot, 10..=10).eq([(&2, &10)]));
    assert_eq!(snapshot.iter(&named).count(), 1);
    assert_eq!(db.stats().live_tuples, 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn indexes_follow_random_writes(
        steps in prop::collection::vec((0..6u8, 0..10u64, 0..12u8, prop::collection::vec(0..8u8, 0..3)), 1..80),
    ) {
        let directory = Directory::new();
        let Directory { db, users, .. } = &directory;
        let cities = ["Bonn", "Oslo", "Rome", "Kyiv"];
        let mut tx = db.begin();
        for (what, id, email, tags) in steps {
            let new = User { email: email.to_string(), city: cities[usize::from(email) % 4], tags };
            let taken = directory.with_email(&tx, &new.email).is_some_and(|other| other != id);
            match what {
                0 => prop_assert_eq!(tx.try_insert(users, id, new).is_err(), taken),
                1 => {
                    let taken = taken || tx.contains_key(users, &id);
                    prop_assert_eq!(tx.insert_unique(users, id, new).is_err(), taken);
                }
                2 => {
                    let found = tx.contains_key(users, &id);
                    let updated = tx.try_update(users, &id, |_| new.clone());
                    prop_assert_eq!(updated.is_err(), found && taken);
                }
                3 => tx.remove(users, &id),
                4 => {
                    let savepoint = tx.savepoint();
                    tx.remove(users, &id);
                    savepoint.roll_back();
                }
                _ => {
                    tx.commit().expect("nobody else is there");
                    tx = db.begin();
                }
            }
            directory.check(&tx);
        }
        tx.commit().expect("nobody else is there");
        directory.check(&db.snapshot());
    }
}

/// A transaction that had written to a table found its rows by key, but not by an index that was
/// made since: only the commit would have told it.
#[test]
fn an_index_made_since_shows_what_a_transaction_has_written_before() {
    let db = Database::new();
    let table = db.ordered_table::<u64, u64>("t").expect("new");
    db.run(|tx| Ok::<_, ()>((0..4).for_each(|key| tx.insert(&table, key, key))))
        .expect("no error");
    // One reads at a timestamp from before the index, the other one takes a later one.
    for (name, is_timed) in [("timed", true), ("untimed", false)] {
        let tx = db.begin();
        let undone = tx.savepoint();
        if is_timed {
            assert_eq!(tx.iter(&table).count(), 4);
        }
        tx.insert(&table, 1, 10);
        tx.insert(&table, 7, 7);
        tx.remove(&table, &2);
        let index = db.unique_index(&table, name, |_, value| [*value]);
        let index = index.expect("no duplicates");
        let by_key = |index_key: u64| index.get(&tx, &index_key).map(|(key, _)| *key);
        assert_eq!([1, 10, 7, 2].map(by_key), [None, Some(1), Some(7), None]);
        assert_eq!(index.range::<u64>(&tx, ..).count(), 4);
        // A row that it sees has the key, whether or not the index has an entry of it; one that it
        // does not see has not.
        assert!(tx.try_insert(&table, 8, 10).is_err());
        assert!(tx.try_insert(&table, 8, 3).is_err());
        assert!(tx.try_insert(&table, 8, 2).is_ok());
        assert_eq!([2, 10].map(by_key), [Some(8), Some(1)]);
        undone.roll_back();
        let rows: Vec<_> = index.range::<u64>(&tx, ..).collect();
        assert!(rows.into_iter().eq(tx.iter(&table)));
        drop(undone);
        tx.insert(&table, 1, 10);
        assert!(tx.commit().is_err(), "its rows are not in the index");
    }
}
