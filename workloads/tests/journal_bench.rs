//! `workloads journal-bench`, as a user calls it.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn command(directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command.arg("journal-bench").arg(directory);
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(directory: &Path, arguments: &str) -> Output {
    let output = command(directory, arguments).output();
    output.expect("the command starts")
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("it is there").count() == 0
}

/// The points of a short run, which leaves nothing.
fn points(arguments: &str) -> Vec<serde_json::Value> {
    let place = tempfile::tempdir().expect("there is room");
    let output = run(place.path(), &format!("{arguments} --json -"));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    assert!(is_empty(place.path()), "{arguments}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let raw = report["raw_syncs_per_second"].as_f64();
    assert!(raw.is_some_and(|raw| raw > 0.0));
    report["points"].as_array().expect("a list").clone()
}

fn number(point: &serde_json::Value, name: &str) -> f64 {
    point[name].as_f64().expect("a number")
}

#[test]
fn each_pattern_commits_what_it_says() {
    for pattern in ["overwrite", "small-files"] {
        let points = points(&format!("--pattern {pattern} --clients 1,4 --duration 0.2"));
        let clients: Vec<_> = points.iter().map(|point| &point["clients"]).collect();
        assert_eq!(clients, [1, 4]);
        for point in &points {
            assert!(number(point, "transactions") > 0.0, "{pattern}");
        }
    }
    let points = points("--pattern large-file --clients 2 --megabytes 4");
    assert_eq!(points[0]["transactions"], 62, "4 MB in 64 KiB");
    let written = number(&points[0], "megabytes_per_second") * number(&points[0], "seconds");
    assert!((4.0..4.5).contains(&written), "{written} MB");
}

#[test]
fn without_group_commit_each_transaction_has_its_sync() {
    for pattern in ["overwrite", "small-files"] {
        let clients = format!("--pattern {pattern} --clients 8 --duration 0.2");
        let alone = points(&format!("{clients} --without group-commit"));
        assert!((number(&alone[0], "per_sync") - 1.0).abs() < 0.01);
        for shared in [clients.clone(), format!("{clients} --without concurrency")] {
            assert!(number(&points(&shared)[0], "per_sync") > 1.1, "{shared}");
        }
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let place = tempfile::tempdir().expect("there is room");
    let here = || place.path().to_owned();
    for (directory, arguments, words) in [
        (place.path().join("none"), "", "cannot write in"),
        (here(), "--clients 1,0", "--clients 0"),
        (here(), "--megabytes 3", "leave one of them out"),
        (
            here(),
            "--pattern large-file --megabytes 0",
            "--megabytes 0",
        ),
        (here(), "--pattern large-file --duration 3", "--duration is"),
    ] {
        let output = run(&directory, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(words), "{error}");
    }
    assert!(is_empty(place.path()));
}

#[test]
fn a_signal_ends_it_and_what_was_measured_is_there() {
    let place = tempfile::tempdir().expect("there is room");
    let mut command = command(place.path(), "--clients 2,1 --duration 60");
    let child = command.spawn().expect("the command starts");
    // A store: the raw loop's file has no name.
    while is_empty(place.path()) {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(500));
    let sent = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
    let output = child.wait_with_output().expect("it is ours");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{error}");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("SIGINT ended it early"), "{table}");
    let last = table.lines().last().unwrap_or_default();
    let clients = last.split_whitespace().next();
    assert_eq!(clients, Some("2"), "{table}");
    assert!(is_empty(place.path()));
}
