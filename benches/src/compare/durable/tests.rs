//! Each store does what its rows say.

use super::*;
use crate::compare::durable_rows::ROWS;
use crate::compare::figure_rows;

fn value(fill: u8) -> [u8; VALUE] {
    [fill; VALUE]
}

#[test]
fn what_was_written_is_there_after_reopening() {
    for entry in stores::all() {
        let name = entry.about.name;
        if entry.lacks(Work::One).is_some() || entry.keeps_nothing() {
            continue;
        }
        let place = tempfile::tempdir().expect("there is room");
        let directory = place.path().join("store");
        let store = (entry.open)(&directory);
        thread::scope(|scope| {
            for client in 0..4_u64 {
                let store = &*store;
                scope.spawn(move || {
                    for row in 0..5 {
                        let fill = u8::try_from(client * 10 + row).expect("few");
                        let second = ((client << 32) + row + 50, value(7));
                        store.write(&[(client << 32 | row, value(fill)), second]);
                    }
                });
            }
        });
        drop(store);
        let store = (entry.open)(&directory);
        for (client, row) in (0..4_u64).flat_map(|client| (0..5).map(move |row| (client, row))) {
            let fill = u8::try_from(client * 10 + row).expect("few");
            assert_eq!(store.get(client << 32 | row), Some(value(fill)), "{name}");
        }
        assert_eq!(
            (store.get(50), store.get(98)),
            (Some(value(7)), None),
            "{name}"
        );
    }
}

#[test]
fn every_store_runs_every_row_or_says_why_not() {
    let place = tempfile::tempdir().expect("there is room");
    let options = Options {
        directory: Some(place.path().into()),
        ..Options::small()
    };
    let rows: Vec<&Row> = ROWS.iter().collect();
    let Ok(measured) = measure(&options, &rows) else {
        panic!("the directory is there")
    };
    assert_eq!(measured.rows.len(), ROWS.len());
    for cell in &measured.results {
        assert_eq!(
            cell.throughput_tps.is_none(),
            cell.lacks.is_some(),
            "{cell:?}"
        );
        assert!(cell.throughput_tps.is_none_or(|tps| tps > 0.0), "{cell:?}");
    }
    let ours = |cell: &&Cell| cell.peer == "mvcc-store";
    assert_eq!(measured.results.iter().filter(ours).count(), 3 + 2 * 2);
    let left = std::fs::read_dir(place.path())
        .expect("it is there")
        .count();
    assert_eq!(left, 0, "nothing is left");
}

#[test]
fn every_figure_is_there_and_nothing_else_is_left() {
    let place = tempfile::tempdir().expect("there is room");
    let options = Options {
        directory: Some(place.path().into()),
        repeats: 2,
        ..Options::small()
    };
    let rows: Vec<&figure_rows::Row> = figure_rows::ROWS.iter().collect();
    let Ok((titles, found)) = figures::measure(&options, &rows) else {
        panic!("the directory is there")
    };
    assert_eq!(titles.len(), rows.len());
    assert_eq!(found.len(), 4 + 3 * 5);
    for figure in &found {
        assert_eq!(figure.repeats.len(), 2, "{figure:?}");
        let is_some = figure.value > 0.0 && figure.value.is_finite();
        assert!(is_some || figure.unit.is_empty(), "{figure:?}");
    }
    let left = std::fs::read_dir(place.path()).expect("it is there");
    assert_eq!(left.count(), 0, "nothing is left");
}
