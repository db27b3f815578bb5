//! When a view takes a timestamp, and what its slot says then.

use super::*;
use crate::{Database, Table};

fn database() -> (Database, Table<u64, u64>) {
    let db = Database::new();
    let table = db.table("t").expect("a new database");
    db.run(|tx| Ok::<_, ()>((0..20).for_each(|key| tx.insert(&table, key, key))))
        .expect("it commits");
    (db, table)
}

fn timestamp(view: &View<'_>) -> Option<u64> {
    view.timestamp()
}

/// What the only slot in use says.
fn bound(db: &Database) -> slots::Bound {
    let mut bounds = db.inner().shared.memory.slots.bounds();
    let bound = bounds.next().expect("a view is open");
    assert_eq!(bounds.next(), None);
    bound
}

#[test]
fn a_few_keys_that_are_there_need_no_timestamp() {
    let (db, table) = database();
    db.view(|view| {
        assert_eq!(
            (view.get(&table, &1), view.get(&table, &2)),
            (Some(&1), Some(&2))
        );
        assert_eq!(timestamp(view), None);
        assert!(matches!(bound(&db), slots::Bound::Open(_)));
    });
}

#[test]
fn a_missing_key_and_a_scan_and_many_reads_need_one() {
    let (db, table) = database();
    let needs_one = |read: fn(&View<'_>, &Table<u64, u64>)| {
        db.view(|view| {
            read(view, &table);
            let timestamp = timestamp(view).expect("it has taken one");
            assert_eq!(bound(&db), slots::Bound::Fixed(timestamp));
            let reads = view.gather();
            assert!(reads.entries.is_empty(), "they are not checked any more");
        });
    };
    needs_one(|view, table| assert_eq!(view.get(table, &99), None));
    needs_one(|view, table| assert_eq!(view.iter(table).count(), 20));
    needs_one(|view, table| (0..20).for_each(|key| assert_eq!(view.get(table, &key), Some(&key))));
}

#[test]
fn what_was_read_before_an_overwrite_decides_what_is_read_after_it() {
    let (db, table) = database();
    db.view(|view| {
        assert_eq!(view.get(&table, &1), Some(&1));
        db.run(|tx| {
            tx.insert(&table, 1, 100);
            Ok::<_, ()>(tx.insert(&table, 2, 200))
        })
        .expect("it commits");
        assert_eq!(view.get(&table, &2), Some(&2));
        assert_eq!(view.get(&table, &1), Some(&1));
    });
    db.view(|view| assert_eq!(view.get(&table, &2), Some(&200)));
}

/// Comparing keys is user code, which can use the very view that is searching: the slot must stay
/// open until the search is over.
#[test]
fn a_view_may_be_used_while_it_compares_keys() {
    use std::cell::RefCell;
    use std::hash::{Hash, Hasher};

    thread_local! {
        static COMPARED: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
    }
    #[derive(Eq)]
    struct Key(u64);
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            let compared = COMPARED.with(RefCell::take);
            if let Some(compared) = compared {
                compared();
            }
            self.0 == other.0
        }
    }
    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    let db = Database::new();
    let keys = db.table::<Key, u64>("keys").expect("a new database");
    let others = db.table::<u64, u64>("others").expect("a new database");
    db.run(|tx| {
        tx.insert(&others, 1, 1);
        Ok::<_, ()>(tx.insert(&keys, Key(1), 1))
    })
    .expect("it commits");
    // The search that is interrupted is the view's first one, its second, and one at a timestamp.
    for before in 0..3 {
        db.view(|view| {
            if before > 0 {
                assert_eq!(view.get(&others, &1), Some(&1));
            }
            if before > 1 {
                assert_eq!(view.get(&others, &9), None);
            }
            let was_open = timestamp(view).is_none();
            // SAFETY: the closure is called below, while the view lives, or dropped there.
            let inner: &'static View<'static> = unsafe { &*std::ptr::from_ref(view).cast() };
            let (inner_db, inner_table) = (db.clone(), others.clone());
            COMPARED.set(Some(Box::new(move || {
                assert_eq!(inner.get(&inner_table, &7), None);
                let is_open = matches!(bound(&inner_db), slots::Bound::Open(_));
                assert!(timestamp(inner).is_some() && is_open == was_open);
            })));
            assert_eq!(view.get(&keys, &Key(1)), Some(&1));
            assert!(COMPARED.take().is_none(), "keys were compared");
            assert!(matches!(bound(&db), slots::Bound::Fixed(_)));
            assert_eq!(view.get(&others, &8), None);
        });
    }
}
