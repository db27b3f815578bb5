//! Runs on an engine, and what is in its tables afterwards.

use super::*;
use crate::engine::Read;
use crate::ycsb::{Limit, LongReads, built_in};
use mvcc::Database;
use std::collections::BTreeSet;

type Boxed = Box<[u8]>;

fn settings(text: &str, operations: u64) -> Settings {
    Settings {
        name: "test".to_owned(),
        properties: Properties::parse(text).expect("valid"),
        ops_per_txn: 1,
        theta: 0.99,
        threads: 2,
        long_readers: 0,
        long_reads: LongReads::default(),
        held_snapshots: 0,
        read_only: ReadOnly::default(),
        limit: Limit::Operations(operations),
        target: None,
        seed: 11,
    }
}

fn e(more: &str) -> String {
    let core = built_in("e").expect("built in");
    format!("{core}\nfieldcount=2\nfieldlength=10\n{more}")
}

/// The keys of the ordered table, ascending.
fn keys(db: &Database) -> Vec<u64> {
    let table = db.ordered_table::<u64, Boxed>("usertable").expect("typed");
    Engine::snapshot(db, |snapshot| {
        let rows = Read::<Database>::range(snapshot, &table, ..);
        rows.map(|(key, _)| *key).collect()
    })
}

fn hashes(numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let keys: BTreeSet<_> = numbers.into_iter().map(fnv1a).collect();
    keys.into_iter().collect()
}

#[test]
fn scans_return_what_was_loaded_in_order() {
    for order in ["hashed", "ordered"] {
        let db = Database::new();
        let settings = settings(&e(&format!("recordcount=500\ninsertorder={order}")), 1);
        let run = Run::<_, Boxed, Ordered<_, _>>::new(&db, &db, &settings).expect("a new table");
        run.load().expect("it loads");
        let expected = match order {
            "hashed" => hashes(0..500),
            _ => (0..500).collect(),
        };
        for (first, length) in [(0, 1), (0, 500), (17, 100), (450, 100), (499, 3)] {
            let found: Vec<_> = Engine::view(&db, |view| {
                let rows = run.table.scan(view, expected[first], length);
                rows.map(|(key, _)| key).collect()
            });
            let end = expected.len().min(first + length as usize);
            assert_eq!(
                found,
                expected[first..end],
                "{order}: {length} from {first}"
            );
        }
    }
}

#[test]
fn a_run_of_e_commits_as_many_operations_and_keeps_every_insert() {
    let db = Database::new();
    let report = run(&db, &settings(&e("recordcount=1000"), 3_001)).expect("no record is lost");
    assert_eq!(report.committed, 3_001);
    let inserts = report.operations["insert"].samples;
    assert_eq!(report.scans + inserts, 3_001);
    assert_eq!(report.operations["scan"].samples, report.scans);
    assert_eq!(keys(&db), hashes(0..1_000 + inserts));
    // 5 % of 3,001, give or take five standard deviations of 12.
    assert!((90..210).contains(&inserts), "{inserts}");
}

#[test]
fn scan_lengths_have_the_mean_of_their_distribution() {
    let power = |exponent: f64| (1..=81).map(|k| f64::from(k).powf(exponent)).sum::<f64>();
    let zipfian_mean = 20.0 + power(0.01) / power(-0.99) - 1.0;
    for (distribution, mean) in [("uniform", 60.0), ("zipfian", zipfian_mean)] {
        let text = e(&format!(
            "recordcount=100000\nminscanlength=20\nscanlengthdistribution={distribution}"
        ));
        let report = run(&Database::new(), &settings(&text, 4_000)).expect("no record is lost");
        let measured = report.scanned_rows as f64 / report.scans as f64;
        // The standard deviation of the mean is 0.4; the table's end cuts off one scan in a
        // thousand.
        assert!((measured - mean).abs() < 2.0, "{measured}, not {mean}");
    }
}

#[test]
fn scans_and_writes_share_the_ordered_table() {
    let text = "recordcount=300\nreadproportion=0.2\nupdateproportion=0.2\ninsertproportion=0.2\nscanproportion=0.2\n\
                readmodifywriteproportion=0.2\nmaxscanlength=10\nfieldcount=2\nfieldlength=10\nrequestdistribution=latest";
    for ops_per_txn in [1, 4] {
        let db = Database::new();
        let settings = Settings {
            ops_per_txn,
            long_readers: 1,
            ..settings(text, 2_000)
        };
        let report = run(&db, &settings).expect("no record is lost");
        assert_eq!(report.committed, 2_000 / ops_per_txn);
        assert!(report.scans > 300 && report.scanned_rows <= report.scans * 10);
        assert!(keys(&db).len() > 600);
        assert!(
            db.table::<u64, Boxed>("usertable").is_err(),
            "there is no table for points besides"
        );
    }
}

#[test]
fn only_a_part_of_the_records_is_loaded() {
    for distribution in ["uniform", "zipfian", "latest"] {
        let db = Database::new();
        let text = e(&format!(
            "recordcount=900\ninsertstart=200\ninsertcount=300\nrequestdistribution={distribution}"
        ));
        let report = run(&db, &settings(&text, 1_000)).expect("no operation uses another record");
        assert_eq!((report.records, report.committed), (300, 1_000));
        let inserts = report.operations["insert"].samples;
        // What the run inserts comes after all records that there are elsewhere.
        assert_eq!(keys(&db), hashes((200..500).chain(900..900 + inserts)));
    }
}

#[test]
fn fields_of_different_lengths_are_read_and_written() {
    for (all, table) in [
        ("true", "scanproportion=0.5"),
        ("false", "insertproportion=0.5"),
    ] {
        let text = format!(
            "recordcount=200\nreadproportion=0.25\nupdateproportion=0.25\n{table}\nfieldlengthdistribution=zipfian\n\
             readallfields={all}\nwriteallfields={all}\nmaxscanlength=5"
        );
        let report = run(&Database::new(), &settings(&text, 1_000)).expect("no record is lost");
        assert_eq!(report.committed, 1_000);
        assert_eq!(
            (report.field_lengths.as_str(), report.record_bytes),
            ("zipfian", 1_000)
        );
        assert!(
            report
                .to_string()
                .contains("200 records of up to 1000 bytes")
        );
    }
}

#[test]
fn held_snapshots_keep_what_they_see_until_the_end() {
    let text = "recordcount=500\nreadproportion=0\nupdateproportion=1\nrequestdistribution=uniform\nfieldcount=1\nfieldlength=100";
    for held_snapshots in [0, 3] {
        let db = Database::new();
        let settings = Settings {
            held_snapshots,
            ..settings(text, 20_000)
        };
        let report = run(&db, &settings).expect("no record is lost");
        let [memory] = report.memory[..] else {
            panic!("{:?}", report.memory);
        };
        assert!(memory.seconds > 0.0);
        let versions = memory.live_versions.expect("it has versions");
        // Taken while they are held: after 40 updates of each record on average, each has been
        // updated. Without them there may be as many: a thread that is preempted within one of its
        // last transactions holds back what the other one overwrites, and then hardly anybody
        // commits who would collect it.
        let held = if held_snapshots > 0 { 1_000 } else { 500 };
        assert!(versions >= held, "{versions} versions");
        db.collect();
        assert_eq!(db.stats().live_versions, 500);
        let shown = report.to_string();
        assert!(shown.contains(&format!("{versions} versions")), "{shown}");
        assert_eq!(shown.contains("3 snapshots"), held_snapshots > 0, "{shown}");
        assert_eq!(db.stats().live_snapshots, 0);
    }
}

#[test]
fn growth_is_expected_only_from_inserts() {
    assert_eq!(expected_inserts(1_000, 0.05), 100);
    assert_eq!(expected_inserts(u64::MAX, 1.0), u64::MAX);
}

#[test]
fn columns_stay_apart_however_long_a_transaction_takes() {
    let mut report = run(&Database::new(), &settings("recordcount=10", 100)).expect("it runs");
    let latency = report.operations.get_mut("read").expect("most are reads");
    // More than a day, in microseconds.
    (latency.p50, latency.p95, latency.p99) = (1e6, 1e7, 1e8);
    (latency.p999, latency.max) = (1e9, 1e11);
    let shown = report.to_string();
    let row = shown.lines().find(|line| line.starts_with("read "));
    let cells = row.expect("it is shown").split_whitespace();
    let numbers: Vec<f64> = cells
        .skip(1)
        .map(|it| it.parse().expect("one number"))
        .collect();
    assert_eq!(numbers[..5], [1e6, 1e7, 1e8, 1e9, 1e11]);
    assert_eq!(numbers.len(), 6);
}

#[test]
fn a_distribution_is_reported_with_its_own_parameters_only() {
    for (name, expected) in [
        ("uniform", "uniform"),
        ("zipfian", "zipfian 0.99"),
        ("latest", "latest 0.99"),
        ("sequential", "sequential"),
        ("hotspot", "hotspot 0.2 0.8"),
        ("exponential", "exponential 95 0.8571428571"),
    ] {
        let text = format!("recordcount=10\nrequestdistribution={name}");
        let report = run(&Database::new(), &settings(&text, 10)).expect("it runs");
        assert_eq!(report.distribution, expected);
    }
}
