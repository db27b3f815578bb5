//! The command, as a user calls it.

use std::path::PathBuf;
use std::process::{Command, Output};

fn workloads(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    let output = command.args(arguments.split_whitespace()).output();
    output.expect("the command starts")
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("workloads-test-{}-{name}", std::process::id()))
}

/// Runs with `--json` and returns what it wrote.
fn json(name: &str, arguments: &str) -> serde_json::Value {
    let path = file(name);
    let output = workloads(&format!("{arguments} --json {}", path.display()));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&path).expect("the results are written");
    std::fs::remove_file(&path).expect("and nothing else has removed them");
    serde_json::from_str(&text).expect("they are JSON")
}

#[test]
fn every_core_workload_commits_what_was_asked() {
    for letter in ["a", "B", "c", "d", "f"] {
        let report = json(
            letter,
            &format!("ycsb --workload {letter} --records 500 --operations 2001 --threads 2"),
        );
        assert_eq!(report["committed"], 2001, "{letter}");
        assert_eq!(report["workload"], letter.to_lowercase());
        assert_eq!(report["latency_us"]["samples"], 2001);
        assert_eq!(report["record_bytes"], 1000);
    }
}

#[test]
fn the_results_have_their_names() {
    let report = json(
        "names",
        "ycsb --read-ratio 50 --records 1000 --operations 1000 --value-size 100 --threads 1 --ops-per-txn 4 --long-readers 1",
    );
    for name in [
        "engine",
        "workload",
        "threads",
        "seconds",
        "committed",
        "aborted",
        "throughput_tps",
        "abort_rate",
        "peak_rss_bytes",
        "clock",
    ] {
        assert!(!report[name].is_null(), "{name}");
    }
    for name in ["p50", "p95", "p99", "p999", "max"] {
        assert!(
            report["latency_us"][name].as_f64().expect("a number") > 0.0,
            "{name}"
        );
    }
    assert_eq!(
        (&report["engine"], &report["committed"], &report["aborted"]),
        (&"mvcc".into(), &250.into(), &0.into())
    );
    assert!(report["operations"]["transaction"].is_object());
}

#[test]
fn a_property_file_says_how_much() {
    let path = file("properties");
    let text = "recordcount=300\noperationcount=400\nworkload=site.ycsb.workloads.CoreWorkload\nreadproportion=0.5\nupdateproportion=0\n\
                insertproportion=0.5\nrequestdistribution=latest\nfieldcount=2\nfieldlength=30\nthreadcount=2\n";
    std::fs::write(&path, text).expect("the folder for temporary files is writable");
    let report = json("file", &format!("ycsb --workload {}", path.display()));
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(
        (
            &report["committed"],
            &report["records"],
            &report["record_bytes"]
        ),
        (&400.into(), &300.into(), &60.into())
    );
    assert_eq!(report["threads"], 2);
    assert!(report["operations"]["insert"].is_object());
}

#[test]
fn a_duration_ends_the_run() {
    let report = json(
        "duration",
        "ycsb --workload c --records 100 --duration 0.2s --clock counter",
    );
    assert!(report["seconds"].as_f64().expect("a number") >= 0.2);
    assert!(report["committed"].as_u64().expect("a number") > 0);
    assert_eq!(report["clock"], "counter");
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    for (arguments, parts) in [
        ("--workload no-such-file", vec!["no-such-file", "a to f"]),
        (
            "--workload e",
            vec![
                "scanproportion=0.95",
                "need ordered tables",
                "a, b, c, d, f",
            ],
        ),
        ("--threads 0", vec!["--threads 0", "above 0"]),
        ("--records 0", vec!["--records 0", "above 0"]),
        ("--value-size 0", vec!["--value-size 0", "above 0"]),
        ("--ops-per-txn 0", vec!["--ops-per-txn 0", "above 0"]),
        ("--operations 0", vec!["--operations 0", "above 0"]),
        ("--theta 1.5", vec!["--theta 1.5", "above 0 and below 1"]),
        ("--theta 0", vec!["--theta 0", "above 0 and below 1"]),
        ("--theta NaN", vec!["--theta NaN", "above 0 and below 1"]),
        ("--read-ratio 120", vec!["--read-ratio 120", "0 to 100"]),
        (
            "--read-ratio 50 --workload a",
            vec!["--read-ratio 50", "--workload a"],
        ),
        (
            "--duration 5 --operations 5",
            vec!["--duration 5", "--operations 5"],
        ),
        ("--duration soon", vec!["--duration soon", "seconds"]),
        ("--engine oracle", vec!["--engine oracle", "mvcc", "tplock"]),
        (
            "--engine tplock --clock tsc",
            vec!["--clock", "--engine tplock"],
        ),
        (
            "--json /no/such/folder/x.json --operations 1",
            vec!["/no/such/folder/x.json", "writable"],
        ),
    ] {
        refused(&format!("ycsb {arguments}"), &parts);
    }
}

/// One line that has these parts, exit code 2, and nothing was run.
fn refused(arguments: &str, parts: &[&str]) {
    let output = workloads(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
    assert_eq!(error.lines().count(), 1, "{arguments}: {error}");
    assert!(error.starts_with("error: "), "{error}");
    assert!(
        parts.iter().all(|part| error.contains(part)),
        "{arguments}: {error}"
    );
    assert!(output.stdout.is_empty(), "{arguments}: something was run");
}

#[test]
fn bad_input_for_tpcc_is_one_line_and_exit_code_2() {
    for (arguments, parts) in [
        ("--warehouses 0", ["--warehouses 0", "above 0"]),
        ("--warehouses 65536", ["--warehouses 65536", "65535"]),
        ("--threads 0", ["--threads 0", "above 0"]),
        ("--duration 0", ["--duration 0", "seconds"]),
        (
            "--stock-scan-interval 0",
            ["--stock-scan-interval 0", "above 0"],
        ),
        ("--mix 45,43,4,4,5", ["--mix 45,43,4,4,5", "the sum is 101"]),
        ("--mix 50,50", ["--mix 50,50", "2 numbers"]),
        ("--mix 45.5,42.5,4,4,4", ["--mix 45.5", "whole percentages"]),
        ("--engine oracle", ["--engine oracle", "mvcc"]),
        (
            "--json /no/such/folder/x.json",
            ["/no/such/folder/x.json", "writable"],
        ),
    ] {
        refused(&format!("tpcc {arguments}"), &parts);
    }
}

#[test]
fn tpcc_reports_under_stable_names() {
    let report = json(
        "tpcc",
        "tpcc --warehouses 1 --threads 2 --duration 1 --stock-scan-interval 100 --clock counter",
    );
    for name in [
        "warehouses",
        "threads",
        "seconds",
        "committed",
        "aborted",
        "rollbacks",
        "throughput_tps",
        "tpmc",
        "peak_rss_bytes",
        "stock_scans",
        "checks",
    ] {
        assert!(report[name].is_number(), "{name}");
    }
    for (name, value) in [
        ("engine", "mvcc"),
        ("workload", "tpcc"),
        ("clock", "counter"),
        ("profile", "spec"),
    ] {
        assert_eq!(report[name], value);
    }
    assert_eq!(report["think_times"], false);
    let kinds = [
        "new_order",
        "payment",
        "order_status",
        "delivery",
        "stock_level",
    ];
    let mut committed = 0;
    for kind in kinds {
        let transaction = &report["transactions"][kind];
        committed += transaction["count"].as_u64().expect("a number");
        for name in ["aborted", "rolled_back"] {
            assert!(transaction[name].is_u64(), "{kind} {name}");
        }
        for name in ["p50", "p90", "p99", "max"] {
            assert!(transaction["latency_us"][name].is_number(), "{kind} {name}");
        }
    }
    assert!(committed > 0 && report["committed"] == committed);
}

#[test]
fn both_workloads_run_on_two_phase_locking() {
    let report = json(
        "tplock-ycsb",
        "ycsb --engine tplock --workload f --records 50 --operations 4000 --threads 4 --ops-per-txn 4 --long-readers 1",
    );
    assert_eq!(
        (&report["engine"], &report["clock"]),
        (&"tplock".into(), &"none".into())
    );
    assert_eq!(report["committed"], 1000);
    for letter in ["a", "b", "c", "d"] {
        let report = json(
            "tplock-ycsb-letter",
            &format!(
                "ycsb --engine tplock --workload {letter} --records 500 --operations 2001 --threads 2"
            ),
        );
        assert_eq!(report["committed"], 2001, "{letter}");
    }
    let report = json(
        "tplock-tpcc",
        "tpcc --engine tplock --warehouses 1 --threads 2 --duration 1 --stock-scan-interval 100",
    );
    assert_eq!(report["engine"], "tplock");
    assert!(report["committed"].as_u64().expect("a number") > 0);
}

#[test]
fn proportions_that_do_not_sum_to_one_are_refused() {
    let path = file("proportions");
    std::fs::write(&path, "readproportion=0.5\nupdateproportion=0.6\n").expect("writable");
    let output = workloads(&format!("ycsb --workload {}", path.display()));
    std::fs::remove_file(&path).expect("it is there");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("sum to 1.1") && error.contains("must sum to 1"),
        "{error}"
    );
}

#[test]
fn the_clock_is_described() {
    let output = workloads("clock --clock counter");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() || cfg!(not(target_os = "linux")));
    for part in ["counter", "asked for", "reading", "ns"] {
        assert!(text.contains(part), "{text}");
    }
}
