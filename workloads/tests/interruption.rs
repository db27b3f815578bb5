//! What ends a run early: signals, and threads that are not to be had. It is said, and what was measured is not lost.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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
    let deadline = Instant::now() + Duration::from_mins(2);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_first_signal_ends_the_run_and_reports() {
    let folder = tempfile::tempdir().expect("there is room");
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let json = folder.path().join(name);
        let mut command = workloads("ycsb --records 1000 --threads 2 --duration 100");
        let child = command
            .arg("--json")
            .arg(&json)
            .spawn()
            .expect("the command starts");
        // Loading takes less, and so does starting.
        sleep(Duration::from_secs(2));
        signal(&child, name);
        let output = end(child);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            table.contains(&format!("SIG{name} ended the run early")),
            "{table}"
        );
        let report = std::fs::read_to_string(&json).expect("it is written");
        let report: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
        assert_eq!(report["interrupted"], format!("SIG{name}"));
        assert!(report["committed"].as_u64() > Some(0));
        assert!(report["seconds"].as_f64() < Some(60.0));
    }
}

#[test]
fn a_load_that_is_interrupted_has_no_result() {
    let child = workloads("tpcc --warehouses 50 --threads 2 --duration 100").spawn();
    let child = child.expect("the command starts");
    sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let output = end(child);
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(
        said(&output).contains("ended by SIGINT before there was a result"),
        "{}",
        said(&output)
    );
}

#[test]
fn paper_keeps_what_is_finished() {
    let folder = tempfile::tempdir().expect("there is room");
    let arguments = "paper factors --quick --duration 50 --threads 1 --out";
    let child = workloads(arguments)
        .arg(folder.path())
        .spawn()
        .expect("the command starts");
    sleep(Duration::from_secs(1));
    signal(&child, "TERM");
    let output = end(child);
    assert_eq!(output.status.code(), Some(143), "{}", said(&output));
}

/// It waited for ever, at full load, or panicked.
#[test]
fn threads_that_cannot_be_started_are_said() {
    let folder = tempfile::tempdir().expect("there is room");
    let everybody = Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody).expect("ours");
    let program = folder.path().join("workloads");
    fs::copy(env!("CARGO_BIN_EXE_workloads"), &program).expect("there is room");
    let limited = |arguments: &str| {
        let program = program.display();
        // Root has no such limit, but can be somebody else.
        let script = format!(
            "if [ $(id -u) = 0 ]; then as='setpriv --reuid 61234 --regid 61234 --clear-groups'; fi
            ulimit -u 20; exec $as {program} {arguments}"
        );
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        end(command.spawn().expect("bash starts"))
    };
    for arguments in [
        "ycsb --records 100 --duration 0.3 --threads 64",
        "ycsb --records 100 --duration 0.3 --threads 1 --held-snapshots 64",
        "ycsb --records 100 --duration 0.3 --threads 1 --long-readers 64",
        "tpcc --warehouses 1 --duration 0.3 --threads 64",
    ] {
        let output = limited(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments}: {}",
            said(&output)
        );
        assert!(
            said(&output).starts_with("error: cannot start one more thread: "),
            "{}",
            said(&output)
        );
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    }
}
