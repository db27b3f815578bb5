//! Runs, small ones.

use super::schema::{OrderLine, Scale, Tables, key};
use super::transactions::{
    Delivery, NewOrder, OrderStatus, Payment, Profile, StockLevel, Terminal,
};
use super::{Mix, Report, Settings, Text, load, random, run};
use crate::engine::Engine;
use mvcc::Database;
use std::convert::Infallible;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SCALE: Scale = Scale {
    items: 200,
    districts: 3,
    customers: 30,
    undelivered: 9,
};

fn settings() -> Settings {
    Settings {
        warehouses: 2,
        scale: SCALE,
        threads: 4,
        duration: Duration::from_millis(1_500),
        mix: Mix::default(),
        stock_scan_interval: None,
        check: true,
        think_times: false,
        profile: Profile::Spec,
        seed: 42,
    }
}

fn report(settings: &Settings) -> Report {
    report_on(&Database::new(), settings)
}

/// The report of a run in which all conditions hold.
fn report_on<E: Engine>(engine: &E, settings: &Settings) -> Report {
    let report = run(engine, settings).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.violations, [], "{report}");
    report
}

#[test]
fn all_conditions_hold_under_the_full_mix() {
    let report = report(&Settings {
        stock_scan_interval: Some(Duration::from_millis(50)),
        ..settings()
    });
    let counts = report.transactions.values().map(|kind| kind.count);
    assert!(counts.clone().all(|count| count > 0), "{report}");
    assert_eq!(counts.sum::<u64>(), report.committed);
    // After loading, at least once on the way, and at the end.
    assert!(report.checks >= 3, "{report}");
    assert!(report.stock_scans.is_some_and(|scans| scans > 0));
    let new_orders = report.transactions["new_order"];
    assert_eq!(report.rollbacks, new_orders.rolled_back);
    assert!(report.tpmc > 0.0 && report.throughput_tps > report.tpmc / 60.0);
    assert!(
        report
            .to_string()
            .contains("without keying and think times")
    );
}

#[test]
fn all_conditions_hold_under_contention() {
    // One warehouse, and deliveries that find nothing to deliver.
    let report = report(&Settings {
        warehouses: 1,
        mix: "30,30,5,30,5".parse().expect("a mix"),
        ..settings()
    });
    assert!(report.skipped_districts > 0, "{report}");
}

#[test]
fn all_conditions_hold_with_two_phase_locking() {
    for (warehouses, mix) in [(2, "45,43,4,4,4"), (1, "30,30,5,30,5")] {
        let db = tplock::Database::new();
        let report = report_on(
            &db,
            &Settings {
                warehouses,
                mix: mix.parse().expect("a mix"),
                stock_scan_interval: Some(Duration::from_millis(50)),
                ..settings()
            },
        );
        let counts = report.transactions.values().map(|kind| kind.count);
        assert!(counts.clone().all(|count| count > 0), "{report}");
        assert!(report.checks >= 3, "{report}");
        assert!(report.stock_scans.is_some_and(|scans| scans > 0));
        assert_eq!(db.stats().locks, 0);
    }
}

#[test]
fn the_reduced_profile_rolls_nothing_back_and_is_as_consistent() {
    let report = report(&Settings {
        profile: Profile::Vmvcc,
        mix: "50,20,5,20,5".parse().expect("a mix"),
        duration: Duration::from_millis(300),
        ..settings()
    });
    assert_eq!((report.rollbacks, report.profile), (0, "vmvcc"));
    assert!(report.to_string().contains("profile vmvcc"));
}

#[test]
fn the_reduced_profile_delivers_by_district() {
    let (_, _, mut random, at) = fixture();
    let parts = |profile, random: &mut random::Random| {
        let input = Delivery::draw(random, Terminal { profile, ..at });
        input.parts(&SCALE).collect::<Vec<_>>()
    };
    assert_eq!(parts(Profile::Spec, &mut random), [1..=3]);
    assert_eq!(parts(Profile::Vmvcc, &mut random), [1..=1, 2..=2, 3..=3]);
}

#[test]
fn one_of_a_hundred_new_orders_rolls_back() {
    let report = report(&Settings {
        mix: "100,0,0,0,0".parse().expect("a mix"),
        threads: 1,
        ..settings()
    });
    let attempted = report.committed + report.rollbacks;
    let share = report.rollbacks as f64 / attempted as f64;
    assert!(
        attempted < 1_000 || (0.004..0.02).contains(&share),
        "{report}"
    );
}

#[test]
fn rows_that_are_wrong_from_the_start_are_reported() {
    let (database, settings) = (Database::new(), settings());
    let tables = Tables::open(&database, SCALE, 2).expect("the tables are new");
    let line = OrderLine {
        item: 1,
        supply_warehouse: 1,
        delivery: None,
        amount: 0,
        quantity: 5,
        dist_info: Text::FIRST,
    };
    let stray = key::line(1, 1, SCALE.customers + 1, 1);
    let Ok(()) = database.run(|tx| Ok::<_, Infallible>(tx.insert(&tables.line, stray, line)));
    let report = run(&database, &settings).expect("the engine works");
    assert!(report.violations.iter().any(|found| found.condition == 4));
    assert_eq!(
        (report.committed, report.throughput_tps),
        (0, 0.0),
        "nothing was run"
    );
    assert!(report.to_string().contains("VIOLATED"), "{report}");
}

#[test]
fn a_violation_ends_the_run() {
    let database = Database::new();
    let tables = Tables::open(&database, SCALE, 2).expect("the tables are new");
    let settings = Settings {
        duration: Duration::from_mins(1),
        ..settings()
    };
    let start = Instant::now();
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Most likely in the run, else while loading: found either way.
            sleep(Duration::from_millis(300));
            let Ok(()) = database.run(|tx| {
                let mut row = *tx.get(&tables.warehouse, &1).expect("it is loaded first");
                row.ytd += 1;
                Ok::<_, Infallible>(tx.insert(&tables.warehouse, 1, row))
            });
        });
        run(&database, &settings).expect("the engine works")
    });
    assert!(start.elapsed() < Duration::from_secs(30));
    let found = report.violations.iter().map(|found| found.condition);
    assert!(found.eq([1, 8]), "a cent too many: {report}");
    for found in &report.violations {
        assert!(found.to_string().contains("warehouse 1: W_YTD"), "{found}");
    }
}

#[test]
fn terminals_that_think_do_little() {
    let report = report(&Settings {
        think_times: true,
        duration: Duration::from_millis(300),
        check: false,
        ..settings()
    });
    // The shortest keying takes two seconds.
    assert_eq!((report.committed, report.checks), (0, 0));
    assert!(report.to_string().contains("with keying and think times"));
}

#[test]
fn a_mix_is_five_percentages() {
    assert_eq!("45, 43,4,4,4".parse(), Ok(Mix::default()));
    assert_eq!(Mix::default().to_string(), "45,43,4,4,4");
    for (text, found) in [
        ("45,43,4,4", "4 numbers"),
        ("45,43,4,4,5", "the sum is 101"),
        ("45,43,4,4,x", "whole percentages"),
        ("-1,101,0,0,0", "whole percentages"),
    ] {
        let error = text.parse::<Mix>().expect_err("no mix").to_string();
        assert!(error.contains(text) && error.contains(found), "{error}");
    }
}

/// A small database and a terminal.
fn fixture() -> (Database, Tables<Database>, random::Random, Terminal) {
    let database = Database::new();
    let tables = Tables::open(&database, SCALE, 2).expect("the tables are new");
    load(&database, &tables, 1, 7).expect("it loads");
    let random = random::Random::new(random::Constants::new(7), 8);
    let at = Terminal {
        warehouse: 1,
        district: 2,
        profile: Profile::Spec,
    };
    (database, tables, random, at)
}

#[test]
fn an_order_is_placed_seen_and_delivered() {
    let (database, tables, mut random, at) = fixture();
    let (input, output) = loop {
        let input = NewOrder::draw(&mut random, &SCALE, 2, at);
        if let Ok(output) = database.run(|tx| input.run::<Database>(tx, &tables)) {
            break (input, output);
        }
    };
    assert_eq!(output.order, SCALE.customers + 1, "{input:?}");
    assert!((5..=15).contains(&output.lines.len()));
    let snapshot = database.snapshot();
    let districts = 1..=SCALE.districts;
    let mut orders = districts.clone().map(|d| key::order(1, d, output.order));
    let order = orders.find(|order| snapshot.get(&tables.order, order).is_some());
    let order = order.expect("the order is in one of the districts");
    assert!(snapshot.get(&tables.new_order, &order).is_some());
    let deliver = |input: &Delivery| {
        let Ok(delivered) = database
            .run(|tx| Ok::<_, Infallible>(input.run::<Database>(tx, &tables, 1..=SCALE.districts)));
        delivered
    };
    // Nine older ones and this one: the tenth delivery at the latest has it.
    for _ in 0..10 {
        let input = Delivery::draw(&mut random, at);
        deliver(&input);
    }
    let snapshot = database.snapshot();
    let row = snapshot
        .get(&tables.order, &order)
        .expect("it is still there");
    assert!(row.carrier.is_some());
    assert_eq!(snapshot.get(&tables.new_order, &order), None);
    let input = Delivery::draw(&mut random, at);
    let none = deliver(&input);
    assert!(none.orders.is_empty());
    assert_eq!(none.skipped, u64::from(SCALE.districts));
}

#[test]
fn a_payment_is_booked() {
    let (database, tables, mut random, at) = fixture();
    for sequence in 1..=200 {
        let input = Payment::draw(&mut random, &SCALE, 2, at, (1, sequence));
        let before = database.snapshot();
        let Ok(paid) = database.run(|tx| Ok::<_, Infallible>(input.run::<Database>(tx, &tables)));
        assert_eq!(
            paid.data.is_some(),
            paid.customer.credit == super::schema::Credit::Bad
        );
        let after = database.snapshot();
        let sum = |read: &mvcc::Snapshot| -> i64 {
            let rows = read.iter(&tables.warehouse);
            rows.map(|(_, row)| row.ytd).sum()
        };
        assert!(sum(&after) > sum(&before));
        assert_eq!(
            after.range(&tables.history, ..).count(),
            before.range(&tables.history, ..).count() + 1
        );
    }
}

#[test]
fn an_order_status_finds_the_last_order() {
    let (database, tables, mut random, at) = fixture();
    for _ in 0..100 {
        let input = OrderStatus::draw(&mut random, &SCALE, at);
        let status = database.view(|view| input.run::<Database>(view, &tables));
        assert_eq!(status.lines.len(), usize::from(status.order.lines));
        // Nothing was ordered since loading: each customer has the one order.
        assert!((1..=SCALE.customers).contains(&status.number));
        assert_eq!(status.customer.balance, -1_000);
    }
}

#[test]
fn a_stock_level_counts_items_once() {
    let (database, tables, mut random, at) = fixture();
    let low = |random: &mut random::Random| {
        let input = StockLevel::draw(random, at);
        database.view(|view| input.run::<Database>(view, &tables))
    };
    // A tenth of 10..=100 is below 20, of at most 200 items.
    assert!((0..100).all(|_| low(&mut random) < 60));
}

#[test]
fn columns_stay_apart_and_what_never_ran_has_no_latency() {
    let mut report = report(&Settings {
        mix: "100,0,0,0,0".parse().expect("a mix"),
        duration: Duration::from_millis(100),
        check: false,
        ..settings()
    });
    let new_orders = report.transactions.get_mut("new_order").expect("a kind");
    let latency = new_orders.latency_us.as_mut().expect("it ran");
    (latency.p50, latency.p90, latency.p99, latency.max) = (1e6, 1e8, 1e9, 1e11);
    (new_orders.count, new_orders.aborted, new_orders.rolled_back) = (1 << 40, 1 << 41, 1 << 42);
    let shown = report.to_string();
    let cells = |name: &str| -> Vec<String> {
        let row = shown.lines().find(|line| line.starts_with(name));
        let cells = row.expect("it is shown").split_whitespace().skip(1);
        cells.map(str::to_owned).collect()
    };
    let numbers: Vec<f64> = cells("new-order")
        .iter()
        .map(|it| it.parse().expect("one"))
        .collect();
    let counts = [
        (1_u64 << 40) as f64,
        (1_u64 << 41) as f64,
        (1_u64 << 42) as f64,
    ];
    assert_eq!(numbers, [&counts[..], &[1e6, 1e8, 1e9, 1e11]].concat());
    assert_eq!(cells("payment"), ["0", "0", "0", "-", "-", "-", "-"]);
    assert_eq!(report.transactions["payment"].latency_us, None);
}

#[test]
fn a_check_says_what_was_asked_for() {
    let checked = report(&settings());
    let [
        rolled_back,
        lines,
        remote_lines,
        remote_payments,
        by_name,
        statuses_by_name,
    ] = &checked.sanity[..]
    else {
        panic!("six figures: {checked}")
    };
    let new_orders = checked.transactions["new_order"];
    assert_eq!(
        rolled_back.samples,
        new_orders.count + new_orders.rolled_back
    );
    let percent = checked.rollbacks as f64 * 100.0 / rolled_back.samples as f64;
    assert_eq!(rolled_back.value, Some(percent));
    assert_eq!(lines.samples, rolled_back.samples);
    let lines = lines.value.expect("there are lines") * lines.samples as f64;
    assert!((lines - remote_lines.samples as f64).abs() < 0.5);
    let payments = checked.transactions["payment"].count;
    assert_eq!(
        (remote_payments.samples, by_name.samples),
        (payments, payments)
    );
    let statuses = checked.transactions["order_status"].count;
    assert_eq!(statuses_by_name.samples, statuses);
    let unchecked = report(&Settings {
        check: false,
        duration: Duration::from_millis(50),
        ..settings()
    });
    assert!(unchecked.sanity.is_empty() && !unchecked.to_string().contains("9.2.2.5"));
}
