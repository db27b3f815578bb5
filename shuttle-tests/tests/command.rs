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
