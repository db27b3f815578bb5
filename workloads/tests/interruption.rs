//! What ends a run early: signals, and threads that are not to be had. It is said, and what was
//! measured is not lost.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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

/// Waits until it has come so far.
fn wait_for(child: &mut Child, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come so far");
        assert!(child.try_wait().expect("it is ours").is_none(), "it ended");
        sleep(Duration::from_millis(5));
    }
}

/// Waits until it has so many threads, its first one among them.
#[cfg(target_os = "linux")]
fn wait_for_threads(child: &mut Child, count: usize) {
    let tasks = format!("/proc/{}/task", child.id());
    wait_for(child, || {
        fs::read_dir(&tasks).map_or(0, Iterator::count) == count
    });
}

fn read(json: &Path) -> serde_json::Value {
    let text = fs::read_to_string(json).expect("it is written");
    serde_json::from_str(&text).expect("it is JSON")
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
        let report = read(&json);
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

/// All was written at the very end.
#[test]
fn an_interrupted_paper_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = |name: &str| folder.path().join(name);
    let run = |more: &str| {
        let small = "--quick --records 500 --threads 1 --warehouses 1 --long-readers 1 --scan-intervals off \
                     --read-ratios 50 --thetas 0.5 --tpcc-duration 0.1 --pause 0.1 --hold 0.1 --repeats 1 --duration 0.5";
        let mut command = workloads(&format!("paper all {small} {more} --out"));
        let child = command.arg(folder.path()).spawn();
        child.expect("the command starts")
    };
    let (mut child, journal) = (run(""), file("all.journal"));
    let kept = || fs::read_to_string(&journal).unwrap_or_default();
    // Two chapters are there, and the third has begun.
    wait_for(&mut child, || {
        file("long-readers.csv").exists() && kept().contains("factors: ")
    });
    signal(&child, "TERM");
    let output = end(child);
    assert_eq!(output.status.code(), Some(143), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        table.contains("interrupted by SIGTERM in ") && table.contains("--continue"),
        "{table}"
    );
    let before = read(&file("silo.json"));
    let measured = kept().lines().count() - 1;

    for (options, part) in [("--seed 7 --continue", "other options"), ("", "--continue")] {
        let refused = end(run(options));
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert_eq!(said(&refused).lines().count(), 1, "{}", said(&refused));
        assert!(said(&refused).contains(part), "{}", said(&refused));
    }

    // As if the process had been killed in the middle of a line.
    fs::write(&journal, kept() + "[\"factors: rou").expect("there is room");
    let output = end(run("--continue"));
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        table.starts_with(&format!(
            "measurements that are there already: {measured}\n"
        )),
        "{table}"
    );
    let after = read(&file("silo.json"));
    assert_eq!(
        after["rows"], before["rows"],
        "what is kept is not run again"
    );
    assert!(file("gc.csv").exists() && file("all.html").exists());
    assert!(!journal.exists(), "all is done");

    let again = end(run("--continue"));
    assert_eq!(again.status.code(), Some(2), "there is nothing to continue");
}

/// What it has written is cut short, and it would go on alone.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_process_that_samples_too() {
    let folder = tempfile::tempdir().expect("there is room");
    let run = "paper gc --records 500 --threads 1 --long-readers 1 --duration 3600 --out";
    let mut command = workloads(run);
    let child = command.arg(folder.path()).spawn();
    let mut child = child.expect("the command starts");
    let parent = child.id();
    let children = format!("/proc/{parent}/task/{parent}/children");
    let sampler = || fs::read_to_string(&children).unwrap_or_default();
    wait_for(&mut child, || !sampler().is_empty());
    let sampler = format!("/proc/{}", sampler().trim());
    signal(&child, "INT");
    let output = end(child);
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(!Path::new(&sampler).exists(), "it has ended before");
}

/// One transaction that takes minutes, which nothing interrupts.
#[cfg(target_os = "linux")]
#[test]
fn the_second_signal_ends_it_at_once() {
    let mut child = workloads(
        "ycsb --records 1 --read-ratio 0 --value-size 50000000 --ops-per-txn 20000 --threads 1 --held-snapshots 1",
    )
    .spawn()
    .expect("the command starts");
    wait_for_threads(&mut child, 3);
    signal(&child, "INT");
    sleep(Duration::from_millis(200));
    assert!(
        child.try_wait().expect("it is ours").is_none(),
        "it was to be at work"
    );
    signal(&child, "TERM");
    let output = end(child);
    assert_eq!(output.status.code(), Some(143), "{}", said(&output));
    assert!(output.stdout.is_empty());
}

/// As under `nohup`.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let program = env!("CARGO_BIN_EXE_workloads");
    let run = "ycsb --records 100 --threads 2 --long-readers 1 --duration 2";
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' HUP; exec {program} {run}")]);
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().expect("bash starts");
    wait_for_threads(&mut child, 4);
    signal(&child, "HUP");
    let output = end(child);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("SIGHUP"));
}

/// The clock was looked at every 64 transactions, so that 0.2 seconds became many.
#[test]
fn a_run_ends_between_long_transactions() {
    let folder = tempfile::tempdir().expect("there is room");
    let json = folder.path().join("json");
    let record = "--records 1 --value-size 100000000 --read-ratio 0 --threads 1";
    let mut command = workloads(&format!("ycsb {record} --duration 0.2"));
    let child = command.arg("--json").arg(&json).spawn();
    let output = end(child.expect("the command starts"));
    assert!(output.status.success(), "{}", said(&output));
    let committed = read(&json)["committed"].as_u64().expect("a number");
    assert!((1..64).contains(&committed), "{committed}");
}

/// A stop of the process showed as a maximum of some microseconds, since most transactions are not
/// timed.
#[cfg(target_os = "linux")]
#[test]
fn a_stop_shows_in_both_loops() {
    let folder = tempfile::tempdir().expect("there is room");
    for loops in ["", "--target 1000"] {
        let json = folder.path().join("json");
        let run = "ycsb --records 500 --threads 2 --long-readers 2 --duration 3600";
        let mut command = workloads(&format!("{run} {loops}"));
        let child = command.arg("--json").arg(&json).spawn();
        let mut child = child.expect("the command starts");
        wait_for_threads(&mut child, 5);
        sleep(Duration::from_millis(200));
        signal(&child, "STOP");
        sleep(Duration::from_millis(700));
        signal(&child, "CONT");
        sleep(Duration::from_millis(300));
        signal(&child, "INT");
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        let report = read(&json);
        let shown = if loops.is_empty() {
            &report["longest_gap_us"]
        } else {
            &report["intended_latency_us"]["max"]
        };
        // The stop lasts as long as the test sleeps or longer.
        assert!(shown.as_f64() > Some(600_000.0), "{report}");
    }
}

/// It waited for ever, at full load, or panicked.
#[test]
fn threads_that_cannot_be_started_are_said() {
    let folder = tempfile::tempdir().expect("there is room");
    let everybody = Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody).expect("ours");
    let program = folder.path().join("workloads");
    fs::copy(env!("CARGO_BIN_EXE_workloads"), &program).expect("there is room");
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("there is room");
    fs::set_permissions(&out, Permissions::from_mode(0o777)).expect("ours");
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
        &format!(
            "paper silo --quick --records 100 --threads 64 --repeats 1 --out {}",
            out.display()
        ),
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
