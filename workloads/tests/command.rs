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
    for letter in ["a", "B", "c", "d", "e", "f"] {
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
    let text = "recordcount=300\noperationcount=400\nworkload=site.ycsb.workloads.CoreWorkload\nreadproportion=0.5\nupdateproportion=0\n\
                insertproportion=0.5\nrequestdistribution=latest\nfieldcount=2\nfieldlength=30\nthreadcount=2\n";
    let report = with_properties("properties", text, |ycsb| json("file", ycsb));
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

/// An attempt that was run again took the numbers that the next operations are drawn from, and so
/// did a choice among records that others had inserted.
#[test]
fn the_same_seed_gives_each_thread_the_same_operations() {
    for workload in ["a", "d", "e", "f"] {
        let run = |seed: u64| {
            let report = json(
                "seed",
                &format!(
                    "ycsb --workload {workload} --records 10 --operations 4000 --threads 2 --seed {seed}"
                ),
            );
            let operations = report["operations"].as_object().expect("kinds").clone();
            let samples =
                |(kind, latency): (String, serde_json::Value)| (kind, latency["samples"].as_u64());
            operations.into_iter().map(samples).collect::<Vec<_>>()
        };
        assert_eq!(run(42), run(42), "{workload}");
        assert_ne!(run(42), run(43), "{workload}");
    }
}

#[test]
fn an_open_loop_counts_from_the_intended_starts() {
    let report = json(
        "target",
        "ycsb --workload a --records 300 --threads 2 --duration 1 --target 500",
    );
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let (committed, overdue) = (number(&report["committed"]), number(&report["overdue"]));
    // What has not begun is said. None begins before it is to, and each thread may have one to
    // come.
    let seconds = report["seconds"].as_f64().expect("a number");
    let due = (committed + overdue) as f64;
    assert!((498.0..=500.0 * seconds + 2.0).contains(&due), "{report}");
    assert_eq!(report["target_tps"], 500.0);
    assert_eq!(report["timed_every"], 1);
    assert_eq!(number(&report["intended_latency_us"]["samples"]), committed);
    for (kind, service) in report["operations"].as_object().expect("kinds") {
        let intended = &report["intended_operations"][kind];
        assert_eq!(intended["samples"], service["samples"]);
        for quantile in ["p50", "p99", "max"] {
            assert!(
                intended[quantile].as_f64() >= service[quantile].as_f64(),
                "{report}"
            );
        }
    }

    // More than can be done: the transactions wait, and those that never began are counted.
    let report = json(
        "overload",
        "ycsb --workload a --records 300 --threads 1 --duration 0.5 --target 100000000",
    );
    assert!(number(&report["overdue"]) > 10_000_000, "{report}");
    let median = |name: &str| report[name]["p50"].as_f64().expect("a number");
    assert!(
        median("intended_latency_us") > 10.0 * median("latency_us"),
        "{report}"
    );
}

#[test]
fn a_closed_loop_says_what_it_times() {
    let report = json("sampling", "ycsb --records 300 --threads 1 --duration 0.3");
    assert_eq!(report["timed_every"], 64);
    assert!(report["target_tps"].is_null() && report["overdue"].is_null());
    let gap = report["longest_gap_us"].as_f64().expect("a number");
    assert!(
        gap >= report["latency_us"]["max"].as_f64().expect("a number") * 0.99,
        "{report}"
    );
    let output = workloads("ycsb --records 300 --threads 1 --duration 0.3");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["one in 64 is timed", "--target", "longest gap"] {
        assert!(table.contains(part), "{table}");
    }
    let help = workloads("ycsb --help");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for part in [
        "--target <RATE>",
        "one of 64 operations is timed",
        "open loop",
    ] {
        assert!(help.contains(part), "{help}");
    }
    let report = json(
        "all-timed",
        "ycsb --records 300 --operations 1000 --threads 1",
    );
    assert_eq!(report["timed_every"], 1);
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    for (arguments, parts) in [
        ("--workload no-such-file", vec!["no-such-file", "a to f"]),
        ("--threads 0", vec!["--threads 0", "1 to 1024"]),
        ("--threads -2", vec!["'-2'", "--threads"]),
        ("--threads many", vec!["'many'", "--threads", "--help"]),
        ("--threads 100000", vec!["--threads 100000", "1 to 1024"]),
        ("--thraeds 1", vec!["'--thraeds'", "'--threads'"]),
        (
            "--distribution normal",
            vec!["'normal'", "uniform, zipfian, latest"],
        ),
        (
            "--records 99999999999999",
            vec!["99999999999999 records", "GiB are needed"],
        ),
        (
            "--long-readers 5000",
            vec!["--long-readers 5000", "0 to 1024"],
        ),
        (
            "--held-snapshots 1025",
            vec!["--held-snapshots 1025", "0 to 1024"],
        ),
        ("--records 0", vec!["--records 0", "above 0"]),
        ("--value-size 0", vec!["--value-size 0", "above 0"]),
        ("--ops-per-txn 0", vec!["--ops-per-txn 0", "1 to 1000000"]),
        ("--operations 0", vec!["--operations 0", "above 0"]),
        ("--theta 1.5", vec!["--theta 1.5", "above 0 and below 1"]),
        ("--theta 0", vec!["--theta 0", "above 0 and below 1"]),
        ("--theta NaN", vec!["--theta NaN", "above 0 and below 1"]),
        ("--read-ratio 120", vec!["--read-ratio 120", "0 to 100"]),
        (
            "--read-ratio 50 --scan-length 0",
            vec!["--scan-length 0", "above 0"],
        ),
        (
            "--read-ratio 0 --scan-length 9",
            vec!["--scan-length 9", "--read-ratio 0"],
        ),
        (
            "--workload e --scan-length 9",
            vec!["--scan-length 9", "--workload e", "maxscanlength"],
        ),
        ("--scan-length 9", vec!["--scan-length 9", "--read-ratio"]),
        (
            "--read-ratio 50 --workload a",
            vec!["--read-ratio 50", "--workload a"],
        ),
        (
            "--duration 5 --operations 5",
            vec!["--duration 5", "--operations 5"],
        ),
        ("--duration -1", vec!["--duration -1", "above 0"]),
        ("--target 0", vec!["--target 0", "above 0"]),
        ("--target -5", vec!["--target -5", "above 0"]),
        ("--target NaN", vec!["--target NaN", "above 0"]),
        ("--target inf", vec!["--target inf", "up to 1000000000"]),
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

/// Writes a property file of this text and gives the arguments that use it.
fn with_properties<T>(name: &str, text: &str, run: impl FnOnce(&str) -> T) -> T {
    let path = file(name);
    std::fs::write(&path, text).expect("the folder for temporary files is writable");
    let result = run(&format!("ycsb --workload {}", path.display()));
    std::fs::remove_file(&path).expect("it is there");
    result
}

/// What YCSB's own file of workload E says.
const E: &str = "recordcount=1000\noperationcount=1000\nworkload=site.ycsb.workloads.CoreWorkload\n\nreadallfields=true\n\n\
                 readproportion=0\nupdateproportion=0\nscanproportion=0.95\ninsertproportion=0.05\n\n\
                 requestdistribution=zipfian\n\nmaxscanlength=100\n\nscanlengthdistribution=uniform\n";

#[test]
fn the_file_of_workload_e_scans() {
    let report = with_properties("e", E, |ycsb| {
        json("e-file", &format!("{ycsb} --threads 2"))
    });
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    assert_eq!(
        (number(&report["committed"]), number(&report["records"])),
        (1_000, 1_000)
    );
    let operations = &report["operations"];
    let scans = number(&operations["scan"]["samples"]);
    assert_eq!(scans + number(&operations["insert"]["samples"]), 1_000);
    assert_eq!(number(&report["scans"]), scans);
    let rows = number(&report["scanned_rows"]);
    assert!(
        (scans * 30..=scans * 70).contains(&rows),
        "{rows} of {scans}"
    );
}

#[test]
fn reads_become_scans_of_one_length() {
    let report = json(
        "scan-length",
        "ycsb --read-ratio 90 --scan-length 100 --records 20000 --operations 3000 --threads 2 --distribution uniform",
    );
    assert_eq!(report["workload"], "90 % scans of 100");
    let operations = &report["operations"];
    assert!(operations["scan"].is_object() && operations["update"].is_object());
    assert!(operations["read"].is_null(), "all reads are scans");
    let number = |name: &str| report[name].as_u64().expect("a number");
    let (scans, rows) = (number("scans"), number("scanned_rows"));
    // One start in 200 is less than 100 records before the end of the table.
    assert!(scans > 2_500 && (scans * 98..=scans * 100).contains(&rows));
}

#[test]
fn the_help_explains_scans() {
    let output = workloads("ycsb --help");
    let help = String::from_utf8_lossy(&output.stdout);
    for part in [
        "--scan-length <RECORDS>",
        "makes the reads scans",
        "(a to f)",
    ] {
        assert!(help.contains(part), "{help}");
    }
}

#[test]
fn a_part_is_loaded() {
    let text = "recordcount=500\ninsertstart=100\ninsertcount=50\noperationcount=600\ninsertproportion=0.05\nreadproportion=0.9";
    let report = with_properties("part", text, |ycsb| json("part-file", ycsb));
    assert_eq!(
        (&report["records"], &report["committed"]),
        (&50.into(), &600.into())
    );
    with_properties("too-few", text, |ycsb| {
        let parts = ["insertstart=100", "insertcount=50", "recordcount=149"];
        refused(&format!("{ycsb} --records 149"), &parts);
    });
}

#[test]
fn bad_properties_are_one_line_and_exit_code_2() {
    for (i, (text, parts)) in [
        (
            "fieldlengthdistribution=histogram",
            ["fieldlengthdistribution=histogram", "zipfian"],
        ),
        (
            "minscanlength=101",
            ["minscanlength=101", "maxscanlength=100"],
        ),
        ("insertcount=1001", ["insertcount=1001", "recordcount=1000"]),
        (
            "insertorder=sorted",
            ["insertorder=sorted", "hashed or ordered"],
        ),
        (
            "scanlengthdistribution=latest",
            ["scanlengthdistribution=latest", "uniform or zipfian"],
        ),
        (
            "hotspotdatafraction=2",
            ["hotspotdatafraction=2", "from 0 to 1"],
        ),
        (
            "scanproportion=0\ninsertproportion=0",
            ["scanproportion", "sum to 0"],
        ),
        ("operationcount=0", ["operationcount=0", "maxexecutiontime"]),
    ]
    .into_iter()
    .enumerate()
    {
        with_properties(&format!("bad-{i}"), &format!("{E}{text}\n"), |ycsb| {
            refused(ycsb, &parts);
        });
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
fn an_unknown_command_is_one_line_and_exit_code_2() {
    refused("tpch", &["'tpch'", "'tpcc'"]);
    refused("clock --clock sundial", &["'sundial'", "tsc, counter"]);
}

#[test]
fn bad_input_for_tpcc_is_one_line_and_exit_code_2() {
    for (arguments, parts) in [
        ("--warehouses 0", ["--warehouses 0", "1 to 65535"]),
        (
            "--warehouses 65535",
            ["--warehouses 65535", "GiB are needed"],
        ),
        ("--warehouses 65536", ["--warehouses 65536", "65535"]),
        ("--threads 0", ["--threads 0", "1 to 1024"]),
        ("--duration 0", ["--duration 0", "seconds"]),
        (
            "--stock-scan-interval 0",
            ["--stock-scan-interval 0", "1 to 86400000"],
        ),
        ("--mix 45,43,4,4,5", ["--mix 45,43,4,4,5", "the sum is 101"]),
        ("--mix 50,50", ["--mix 50,50", "2 numbers"]),
        ("--mix 45.5,42.5,4,4,4", ["--mix 45.5", "whole percentages"]),
        ("--engine oracle", ["--engine oracle", "mvcc"]),
        (
            "--json /no/such/folder/x.json",
            ["/no/such/folder/x.json", "writable"],
        ),
        ("--json /", ["--json /", "is a directory"]),
        ("--profile half", ["'half'", "spec, vmvcc"]),
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
    assert_eq!(report["violations"], serde_json::json!([]));
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
        "ycsb --engine tplock --workload f --records 50 --operations 4000 --threads 4 --ops-per-txn 4 --long-readers 1 --held-snapshots 2",
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
fn the_clock_is_described() {
    let output = workloads("clock --clock counter");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() || cfg!(not(target_os = "linux")));
    for part in ["counter", "asked for", "reading", "ns"] {
        assert!(text.contains(part), "{text}");
    }
}
