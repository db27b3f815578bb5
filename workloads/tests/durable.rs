//! The workloads on a directory: what is loaded once is there again, and what cannot be used is
//! named and left alone.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn workloads(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for its end, but not for ever.
fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_mins(3);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

fn run(arguments: &str) -> Output {
    end(workloads(arguments).spawn().expect("the command starts"))
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn place() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

/// Runs with `--json`, and returns what it wrote.
#[track_caller]
fn json(place: &Path, arguments: &str) -> serde_json::Value {
    let path = place.join("json");
    let output = run(&format!("{arguments} --json {}", path.display()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = fs::read(&path).expect("the results are written");
    serde_json::from_slice(&written).expect("they are JSON")
}

/// One line, exit status 2, and the words.
#[track_caller]
fn refused(arguments: &str, words: &[&str]) {
    let output = run(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for word in words {
        assert!(error.contains(word), "{word} in {error}");
    }
}

#[test]
fn ycsb_goes_on_with_the_rows_that_are_there() {
    let place = place();
    let store = place.path().join("store");
    let arguments = format!(
        "ycsb --records 1000 --value-size 100 --threads 2 --operations 4000 --durable {}",
        store.display()
    );
    for (number, sync) in ["none", "ticket", "wait"].into_iter().enumerate() {
        let report = json(place.path(), &format!("{arguments} --sync {sync}"));
        assert_eq!(report["committed"], 4000);
        let durability = &report["durability"];
        assert_eq!(durability["sync"], sync);
        assert_eq!(durability["continued"], number > 0, "{sync}");
        let commits = durability["logged_commits"].as_u64().expect("a count");
        assert!(
            (1500..2500).contains(&commits),
            "half are updates: {commits}"
        );
        let syncs = durability["syncs"].as_u64().expect("a count");
        assert!(syncs > 0 && syncs <= commits);
        let bytes = durability["bytes_per_commit"].as_f64().expect("a number");
        assert!((100.0..200.0).contains(&bytes), "{bytes}");
    }
    // The log holds nothing that a check finds fault with.
    let verified = run(&format!("journal verify {}", store.display()));
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    let report = json(
        place.path(),
        &format!("journal checkpoint {}", store.display()),
    );
    assert_eq!(report["rows"], 1001, "and what the tables hold");
    assert!(
        report["bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 100_000)
    );
    let report = json(place.path(), &format!("{arguments} --sync none"));
    assert_eq!(report["durability"]["continued"], true);
}

#[test]
fn tpcc_goes_on_and_stays_consistent() {
    let place = place();
    let arguments = format!(
        "tpcc --threads 2 --duration 0.5 --check --sync none --durable {}",
        place.path().join("store").display()
    );
    for continued in [false, true, true] {
        let report = json(place.path(), &arguments);
        assert_eq!(report["durability"]["continued"], continued);
        assert!(report["checks"].as_u64().is_some_and(|checks| checks > 1));
    }
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let place = place();
    let store = place.path().join("store");
    let arguments = format!(
        "ycsb --records 1000 --value-size 100 --threads 2 --durable {}",
        store.display()
    );
    json(place.path(), &format!("{arguments} --operations 100"));
    for _ in 0..3 {
        let endless = format!("{arguments} --duration 100 --sync none");
        let mut child = workloads(&endless).spawn().expect("the command starts");
        sleep(Duration::from_millis(200));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        let report = json(place.path(), &format!("{arguments} --operations 100"));
        assert_eq!(report["durability"]["continued"], true);
    }
}

/// A run that inserts goes on behind the records that earlier ones have inserted.
#[test]
fn inserts_go_on_behind_those_of_earlier_runs() {
    let place = place();
    let store = place.path().join("store").display().to_string();
    let arguments = format!(
        "ycsb --workload d --records 1000 --value-size 100 --threads 2 --operations 4000 \
         --sync none --durable {store}"
    );
    let mut rows = 1001; // the records, and what the tables hold
    for _ in 0..3 {
        let report = json(place.path(), &arguments);
        let inserts = report["durability"]["logged_commits"].as_u64();
        rows += inserts.expect("a count");
        let report = json(place.path(), &format!("journal checkpoint {store}"));
        assert_eq!(report["rows"], rows);
    }
}

#[test]
fn a_signal_reports_and_closes() {
    let place = place();
    let store = place.path().join("store").display().to_string();
    let ycsb = format!("ycsb --records 1000 --value-size 100 --threads 2 --durable {store}");
    json(place.path(), &format!("{ycsb} --operations 100"));
    for (sync, name, status) in [
        ("wait", "INT", 130),
        ("ticket", "TERM", 143),
        ("none", "HUP", 129),
    ] {
        let path = place.path().join(sync);
        let endless = format!(
            "{ycsb} --duration 100 --sync {sync} --json {}",
            path.display()
        );
        let child = workloads(&endless).spawn().expect("the command starts");
        // Opening takes less, and so does starting.
        sleep(Duration::from_secs(1));
        signal(&child, name);
        let output = end(child);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{}",
            text(&output.stderr)
        );
        let written = fs::read(&path).expect("the results are written");
        let report: serde_json::Value = serde_json::from_slice(&written).expect("they are JSON");
        let durability = &report["durability"];
        assert!(durability["logged_commits"].as_u64() > Some(0));
        let tickets = (sync == "ticket").then_some(64);
        assert_eq!(durability["tickets"].as_u64(), tickets);
        let verified = run(&format!("journal verify {store}"));
        assert!(text(&verified.stdout).contains("where it was closed"));
    }
}

#[test]
fn a_load_that_was_ended_early_is_refused() {
    let place = place();
    let store = place.path().join("store");
    let ycsb = format!(
        "ycsb --records 1000000 --value-size 100 --threads 2 --operations 1 --sync none \
         --durable {}",
        store.display()
    );
    let child = workloads(&ycsb).spawn().expect("the command starts");
    // The second segment is full: some 30 of 130 megabytes are loaded.
    let deadline = Instant::now() + Duration::from_mins(2);
    while !store.join("log-00000003").exists() {
        assert!(Instant::now() < deadline, "it does not come so far");
        sleep(Duration::from_millis(5));
    }
    signal(&child, "TERM");
    let output = end(child);
    assert_eq!(output.status.code(), Some(143), "{}", text(&output.stderr));
    refused(&ycsb, &["a part of a load", "1000000 YCSB records"]);
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let place = place();
    let path = |name: &str| place.path().join(name).display().to_string();
    fs::write(path("file"), "a file").expect("there is room");
    refused(
        &format!("ycsb --durable {}", path("file")),
        &["file", "not a directory"],
    );
    refused(
        &format!("ycsb --durable {}", place.path().display()),
        &["not a journal"],
    );
    assert_eq!(fs::read(path("file")).expect("it is there"), b"a file");
    // It became a journal, without a row.
    fs::create_dir(path("empty")).expect("there is room");
    let checkpoint = format!("journal checkpoint {}", path("empty"));
    refused(&checkpoint, &["empty", "journal"]);
    assert!(!Path::new(&path("empty")).join("journal").exists());
    let ycsb = format!(
        "ycsb --records 100 --operations 1 --durable {}",
        path("store")
    );
    json(place.path(), &ycsb);
    let other = ycsb.replace("100", "101");
    refused(&other, &["holds 100 YCSB records", "not 101"]);
    refused(
        &format!("{ycsb} --value-size 7"),
        &["cannot open", "usertable"],
    );
    refused(
        &format!("tpcc --durable {}", path("store")),
        &["YCSB", "TPC-C"],
    );
    json(place.path(), &ycsb);
}

#[test]
fn a_directory_in_use_is_refused() {
    let place = place();
    let store = place.path().join("store");
    let ycsb = format!("ycsb --records 100 --durable {}", store.display());
    let mut first = workloads(&format!("{ycsb} --duration 100"))
        .spawn()
        .expect("the command starts");
    while !store.join("lock").exists() {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(100));
    refused(&format!("{ycsb} --operations 1"), &["in use"]);
    refused(
        &format!("journal checkpoint {}", store.display()),
        &["in use"],
    );
    first.kill().expect("it is ours");
    first.wait().expect("it is ours");
}

#[test]
fn what_goes_with_durable_only_is_refused_without() {
    refused("ycsb --sync none", &["--sync", "--durable"]);
    refused(
        "tpcc --engine tplock --durable nowhere",
        &["--durable", "tplock"],
    );
    assert!(!Path::new("nowhere").exists());
}

/// A limit on the size of files stands for a disk that is full.
#[test]
fn a_disk_without_room_ends_the_run_with_a_line() {
    let place = place();
    let script = format!(
        "trap '' XFSZ; ulimit -f 20; exec {} ycsb --records 100 --duration 1 --durable {}",
        env!("CARGO_BIN_EXE_workloads"),
        place.path().join("store").display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::null());
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = end(shell.spawn().expect("a shell starts"));
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("store"), "{error}");
}
