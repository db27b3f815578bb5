//! Threads that do a bit of everything, without anything that the thread sanitizer does not see
//! through: no scopes, no locks of the standard library. It looks for data races; what comes out is
//! checked elsewhere, but for the sum. `MVCC_STRESS_MS` sets the time.

use mvcc::{Database, OrderedTable, Table};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const ROWS: u64 = 16;
const TOTAL: u64 = ROWS * 100;

#[derive(Clone)]
struct Bank {
    db: Database,
    hashed: Table<u64, u64>,
    ordered: OrderedTable<u64, Box<u64>>,
}

impl Bank {
    fn new() -> Self {
        let db = Database::new();
        let hashed = db.table("hashed").expect("new");
        let ordered = db.ordered_table("ordered").expect("new");
        db.run(|tx| Ok::<_, ()>((0..ROWS).for_each(|key| tx.insert(&hashed, key, 100))))
            .expect("no error");
        Self {
            db,
            hashed,
            ordered,
        }
    }

    /// Moves one from a row to another, and notes it in a row that comes and goes.
    fn transfer(&self, number: u64) {
        let (from, to, note) = (number % ROWS, number / ROWS % ROWS, number % 100);
        self.db
            .run(|tx| {
                tx.update(&self.hashed, &from, |value| value.wrapping_sub(1));
                tx.update(&self.hashed, &to, |value| value.wrapping_add(1));
                if number.is_multiple_of(3) {
                    tx.remove(&self.ordered, &note);
                } else {
                    tx.insert(&self.ordered, note, Box::new(number));
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
    }

    fn look(&self, number: u64) {
        let sum = self.db.view(|view| {
            let values = view.iter(&self.hashed).map(|(_, value)| *value);
            values.fold(0, u64::wrapping_add)
        });
        assert_eq!(sum, TOTAL);
        let snapshot = self.db.snapshot();
        let notes = || snapshot.range(&self.ordered, number % 50..).take(20);
        let before: Vec<_> = notes().map(|(key, value)| (*key, **value)).collect();
        let now = notes().map(|(key, value)| (*key, **value));
        assert!(now.eq(before), "a snapshot that moved");
    }
}

fn repeat(until: Instant, seed: u64, mut step: impl FnMut(u64) + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut numbers = fastrand::Rng::with_seed(seed);
        while Instant::now() < until {
            step(numbers.u64(..));
        }
    })
}

#[test]
fn a_bit_of_everything() {
    let milliseconds = std::env::var("MVCC_STRESS_MS").map_or(200, |milliseconds| {
        milliseconds.parse().expect("MVCC_STRESS_MS is a number")
    });
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let bank = Bank::new();
    let (a, b, c, d) = (bank.clone(), bank.clone(), bank.clone(), bank.clone());
    let threads = [
        repeat(until, 1, move |number| a.transfer(number)),
        repeat(until, 2, move |number| b.transfer(number)),
        repeat(until, 3, move |number| c.look(number)),
        repeat(until, 4, move |_| d.db.collect()),
    ];
    for thread in threads {
        thread.join().expect("no panics");
    }
    bank.look(0);
}
