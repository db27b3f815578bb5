//! A world that never stands still, and observers that look at it for a long time: each sees one instant of it.

use mvcc::{Database, OrderedTable, Snapshot};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const SIDE: u16 = 32;
const CELLS: u64 = SIDE as u64 * SIDE as u64;
const HEAT: u64 = 1_000;
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

/// Looks at a snapshot row by row, with time between the looks, until the world is over; and then once more.
fn observe(snapshot: &Snapshot, heat: &Heat, is_over: &AtomicBool) -> u64 {
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
    while !is_over.load(Relaxed) {
        assert!(
            (0..SIDE).map(row).eq(first.iter().cloned()),
            "an instant that changes"
        );
        looks += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    looks
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
    let (looks, most_versions) = std::thread::scope(|scope| {
        for seed in 0..2 {
            let (db, heat, is_over) = (&db, &heat, &is_over);
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
        let observers: Vec<_> = (0..3)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(100));
                let (db, heat, is_over) = (&db, &heat, &is_over);
                scope.spawn(move || observe(&db.snapshot(), heat, is_over))
            })
            .collect();
        let start = Instant::now();
        let mut most_versions = 0;
        while start.elapsed() < RUNS_FOR {
            std::thread::sleep(Duration::from_millis(50));
            most_versions = most_versions.max(db.stats().live_versions);
        }
        is_over.store(true, Relaxed);
        let looks = observers.into_iter().map(|observer| observer.join());
        let looks: u64 = looks.map(|looks| looks.expect("it saw one instant")).sum();
        (looks, most_versions)
    });

    let stats = db.stats();
    println!(
        "{} commits beside three long snapshots, which were looked at {looks} times; at most {most_versions} versions of {CELLS} cells",
        stats.commits
    );
    // What a snapshot does not see is not kept, however many times it is overwritten: a version for each snapshot, the newest, and what waits to be collected.
    assert!(most_versions < 8 * CELLS, "versions pile up");
    db.collect();
    assert_eq!(
        db.stats().live_versions,
        CELLS,
        "nothing is left of the snapshots"
    );
}
