//! What holds back those who wait for all commits below a bound.

use super::*;
use crate::{Database, Table};

#[test]
fn the_oldest_announced_commit_holds_the_bound_back() {
    let db = Database::new();
    let table: Table<u64, u64> = db.table("t").expect("a new database");
    let write = || db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 1)));
    write().expect("it commits");
    std::thread::scope(|scope| scope.spawn(write).join())
        .expect("it does not panic")
        .expect("it commits");
    let memory = &db.inner().shared.memory;
    assert_eq!(oldest_announced(memory), None, "both have ended");
    let announce = |lower: [u64; 2]| {
        let workers = memory.workers();
        assert!(workers.len() >= 2);
        for (worker, lower) in workers.iter().zip(lower) {
            worker.announced.store(lower, Ordering::SeqCst);
        }
    };
    announce([9, 7]);
    assert_eq!((oldest_announced(memory), bound(memory)), (Some(7), 7));
    announce([9, NONE]);
    assert_eq!((oldest_announced(memory), bound(memory)), (Some(9), 9));
    announce([NONE, NONE]);
    assert_eq!(oldest_announced(memory), None);
    assert!(bound(memory) > 9);
}
