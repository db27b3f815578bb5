//! A world that never stands still, and observers that look at it for a long time: each sees one
//! instant of it.

use mvcc::{Database, OrderedTable, Snapshot};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

const SIDE: u16 = 32;
const CELLS: u64 = SIDE as u64 * SIDE as u64;
const HEAT: u64 = 1_000;
const OBSERVERS: u64 = 3;
const RUNS_FOR: Duration = Duration::from_secs(2);

/// A cell at row and column.
type Place = (u16, u16);
type Heat = OrderedTable<Place, u64>;

/// The cells beside one, on a world that is round in both directions.
fn beside((row, column): Place) -> [Place; 4] {
    let (up, left) = ((row + SIDE - 1) % SIDE, (column + SIDE - 1) % SIDE);
    let (down, right) = ((row + 1) % SIDE, (column + 1) % SIDE);
    [(up, column), (down, column), (row, left), (row, right)]
}

/// Heat flows from a cell to the coldest one beside it. No heat is made or lost.
fn flow(db: &Database, heat: &Heat, place: Place) {
    let flowed = db.run(|tx| {
        let at = |place| *tx.get(heat, &place).expect("the world has no holes");
        let coldest = beside(place).into_iter().min_by_key(|&place| at(place));
        let coldest = coldest.expect("there are four");
        let amount = at(place).saturating_sub(at(coldest)) / 2;
        if amount > 0 {
            tx.update(heat, &place, |heat| heat - amount);
            tx.update(heat, &coldest, |heat| heat + amount);
        }
        Ok::<_, Infallible>(())
    });
    flowed.unwrap_or_else(|never| match never {});
}

/// A spark: all heat of a row gathers in one of its cells.
fn gather(db: &Database, heat: &Heat, row: u16, column: u16) {
    let gathered = db.run(|tx| {
        let cells: Vec<_> = tx.range(heat, (row, 0)..(row + 1, 0)).collect();
        let sum = cells.iter().map(|(_, heat)| **heat).sum();
        for (&place, _) in cells {
            tx.insert(heat, place, 0);
        }
        Ok::<_, Infallible>(tx.insert(heat, (row, column), sum))
    });
    gathered.unwrap_or_else(|never| match never {});
}

/// Takes a snapshot and looks at it row by row, with time between the looks, until the world is
/// over; and then once more.
fn observe(db: &Database, heat: &Heat, is_over: &AtomicBool) -> (Snapshot, u64) {
    let snapshot = db.snapshot();
    let row = |row| -> Vec<u64> {
        let cells = snapshot.range(heat, (row, 0)..(row + 1, 0));
        cells.map(|(_, heat)| *heat).collect()
    };
    let mut first = Vec::new();
    for number in 0..SIDE {
        first.push(row(number));
        std::thread::sleep(Duration::from_millis(5));
    }
    let sum: u64 = first.iter().flatten().sum();
    assert_eq!(sum, CELLS * HEAT, "heat was made or lost");
    let mut looks = 1;
    loop {
        let was_over = is_over.load(Relaxed);
        let is_same = (0..SIDE).map(row).eq(first.iter().cloned());
        assert!(is_same, "an instant that changes");
        looks += 1;
        if was_over {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    (snapshot, looks)
}

fn main() {
    let db = Database::new();
    let heat: Heat = db.ordered_table("heat").expect("a new table");
    let tx = db.begin();
    for place in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
        tx.insert(&heat, place, HEAT);
    }
    tx.commit().expect("nobody else is there yet");

    let is_over = AtomicBool::new(false);
    let observed: Vec<(Snapshot, u64)> = std::thread::scope(|scope| {
        let (db, heat, is_over) = (&db, &heat, &is_over);
        for seed in 0..2 {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                while !is_over.load(Relaxed) {
                    let place = (random.u16(..SIDE), random.u16(..SIDE));
                    if random.u8(..) == 0 {
                        gather(db, heat, place.0, place.1);
                    } else {
                        flow(db, heat, place);
                    }
                }
            });
        }
        let observers: Vec<_> = (0..OBSERVERS)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(100));
                scope.spawn(move || observe(db, heat, is_over))
            })
            .collect();
        std::thread::sleep(RUNS_FOR);
        is_over.store(true, Relaxed);
        let observed = observers.into_iter().map(ScopedJoinHandle::join);
        observed
            .map(|observed| observed.expect("it saw one instant"))
            .collect()
    });

    // However many times a cell was overwritten, there is at most one version for each snapshot,
    // and the newest.
    db.collect();
    let kept = db.stats().live_versions;
    assert!(kept <= (OBSERVERS + 1) * CELLS, "versions pile up");
    println!(
        "{} commits beside {OBSERVERS} long snapshots, which were looked at {} times; {kept} versions of {CELLS} cells are left",
        db.stats().commits,
        observed.iter().map(|(_, looks)| looks).sum::<u64>()
    );
    drop(observed);
    db.collect();
    let kept = db.stats().live_versions;
    assert_eq!(kept, CELLS, "something is left of the snapshots");
}
