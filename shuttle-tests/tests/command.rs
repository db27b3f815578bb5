//! The command.

use std::path::PathBuf;
use std::process::{Command, Output};

fn command(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuttle-tests"));
    command.args(arguments).output().expect("it was built")
}

fn file(name: &str, history: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let evidence = format!(
        r#"{{"program_seed": 1, "threads": 2, "program": "", "verdicts": "", "history": {{"transactions": [{history}]}}}}"#
    );
    std::fs::write(&file, evidence).expect("a directory for tests");
    file
}

const WRITER: &str = r#"{"thread": 0, "kind": "begin", "begin": 0, "end": 1, "outcome": "committed", "timestamp": 5,
    "ops": [{"write": {"key": {"table": 0, "key": 1}, "value": 7}}]}"#;
const READER: &str = r#"{"thread": 1, "kind": "view", "begin": 2, "end": 3, "outcome": "committed", "timestamp": null,
    "ops": [{"read": {"key": {"table": 0, "key": 1}, "value": VALUE}}]}"#;

#[test]
fn a_short_soak_ends_well() {
    let output = command(&["--minutes", "0.02", "--seed", "7", "--threads", "3"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(" programs, ") && text.contains("; 0 violations"),
        "{text}"
    );
}

#[test]
fn one_program_can_be_run_again() {
    let output = command(&["--minutes", "0.01", "--program-seed", "99"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn killed_processes_lose_nothing() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let output = command(&[
        "crash",
        "--minutes",
        "0.15",
        "--seed",
        "3",
        "--directory",
        directory,
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{error}");
    assert!(
        text.contains(" kills ") && text.contains("; lost: 0"),
        "{text}"
    );
    assert!(
        !text.starts_with("0 kills") && !text.contains(", 0 acknowledged"),
        "{text}"
    );
}

#[test]
fn bad_arguments_are_one_line() {
    for arguments in [
        &["--minutes", "soon"][..],
        &["--minutes", "0"],
        &["--minutes", "-1"],
        &["--minutes", "nan"],
        &["--threads", "1"],
        &["--hours", "1"],
        &["--output", "/no/such/directory"],
        &["--replay", "/no/such/file"],
        &["--replay", "/no/such/file", "--program-seed", "1"],
        &["now"],
        &["crash", "--minutes", "0"],
        &["crash", "--directory", "/no/such/directory"],
        &["--threads", "2", "crash"],
    ] {
        let output = command(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(
            text.starts_with("error: ") && text.lines().count() == 1,
            "{arguments:?}: {text}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_history_is_checked_again() {
    for (value, code, says) in [("7", 0, "accepted"), ("null", 1, "rejected")] {
        let history = format!("{WRITER}, {}", READER.replace("VALUE", value));
        let file = file(&format!("history-{value}.json"), &history);
        let output = command(&["--replay", &file.to_string_lossy()]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(
            text.contains(&format!("black-box checker: {says}")),
            "{text}"
        );
    }
}

/// The signal comes once the first batch runs, and what was done until then is said.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_soak_that_says_how_far_it_came() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shuttle-tests"));
        command.args(["--minutes", "60"]).stdout(Stdio::piped());
        let mut soak = command.spawn().expect("it was built");
        let tasks = format!("/proc/{}/task", soak.id());
        let start = Instant::now();
        // The first batch runs: the handlers are there.
        while std::fs::read_dir(&tasks).map_or(0, Iterator::count) < 2 {
            std::thread::sleep(Duration::from_millis(1));
            assert!(start.elapsed() < Duration::from_mins(1), "it never begins");
        }
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", signal, &soak.id().to_string()]).status();
        assert!(status.expect("kill is there").success());
        while soak.try_wait().expect("it is a child").is_none() {
            std::thread::sleep(Duration::from_millis(5));
            if start.elapsed() > Duration::from_mins(2) {
                let _ = soak.kill();
                panic!("it goes on after SIG{signal}");
            }
        }
        let output = soak.wait_with_output().expect("it is a child");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{text}");
        let said = format!("interrupted by SIG{signal} after ");
        assert!(
            text.contains(&said) && text.contains(" of 3600.0 s: "),
            "{text}"
        );
        assert!(!text.contains(" 0 programs"), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_be_started_is_one_line_and_exit_code_1() {
    let program = env!("CARGO_BIN_EXE_shuttle-tests");
    let mut shell = Command::new("timeout");
    shell.env("RUST_MIN_STACK", (1_u64 << 30).to_string());
    let script = format!("ulimit -v $((4 * 1048576)); exec {program} --threads 8 --minutes 0.1");
    let output = shell
        .args(["-s", "KILL", "120", "sh", "-c", &script])
        .output();
    let output = output.expect("there is a shell");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("cannot start one more thread"), "{error}");
}
