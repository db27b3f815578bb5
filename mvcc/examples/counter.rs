//! One hot key that every thread increments: each increment counts exactly once, whatever conflicts
//! there are.

use mvcc::Database;
use std::convert::Infallible;

const THREADS: u64 = 4;
const INCREMENTS: u64 = 20_000;

fn main() {
    let db = Database::new();
    let counters = db.table::<&str, u64>("counters").expect("a new table");

    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..INCREMENTS {
                    // The closure cannot fail, so its error type is `Infallible`.
                    let Ok(()) = db.run(|tx| {
                        let count = tx.get(&counters, "visits").copied().unwrap_or(0);
                        tx.insert(&counters, "visits", count + 1);
                        Ok::<_, Infallible>(())
                    });
                }
            });
        }
    });

    let count = db.view(|view| view.get(&counters, "visits").copied());
    assert_eq!(count, Some(THREADS * INCREMENTS), "an increment was lost");
    let stats = db.stats();
    println!(
        "{} increments, {} conflicts retried",
        stats.commits, stats.conflicts
    );
}
