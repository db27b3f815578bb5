//! `workloads mail`: what was acknowledged is there after any end of the process, and what was
//! deleted is not.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
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
    let deadline = Instant::now() + Duration::from_mins(2);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("it has ended")
}

fn run(arguments: &str) -> Output {
    end(workloads(arguments).spawn().expect("the command starts"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One line, exit status 2, and the words.
#[track_caller]
fn refused(arguments: &str, words: &str) {
    let output = run(arguments);
    let error = said(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(words), "{words} in {error}");
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The arguments of a run that lasts so many seconds.
    fn arguments(&self, engine: &str, seconds: f64) -> String {
        let directory = self.path("mail").display().to_string();
        format!(
            "mail --users 5 --threads 2 --check --durable {directory} {engine} --duration {seconds}"
        )
    }

    /// A short run with `--json`, and what it wrote.
    #[track_caller]
    fn report(&self, engine: &str) -> serde_json::Value {
        let path = self.path("json");
        let arguments = self.arguments(engine, 0.1);
        let output = run(&format!("{arguments} --json {}", path.display()));
        assert!(output.status.success(), "{engine}: {}", said(&output));
        let text = fs::read(&path).expect("the results are written");
        serde_json::from_slice(&text).expect("they are JSON")
    }

    /// A run without an end.
    fn endless(&self, engine: &str) -> Child {
        let child = workloads(&self.arguments(engine, 600.0)).spawn();
        child.expect("the command starts")
    }

    fn ledger(&self) -> PathBuf {
        self.path("mail").join("acknowledged")
    }

    /// Waits until it has noted more.
    fn wait_for_more(&self, child: &mut Child) {
        let size = || fs::metadata(self.ledger()).map_or(0, |ledger| ledger.len());
        let deadline = Instant::now() + Duration::from_mins(1);
        let before = size();
        while size() < before + 2_000 {
            assert!(Instant::now() < deadline, "it does not get that far");
            assert!(child.try_wait().expect("it is ours").is_none(), "it ended");
            sleep(Duration::from_millis(1));
        }
    }
}

fn count(report: &serde_json::Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name}"))
}

const ALL: [&str; 5] = [
    "--sync wait",
    "--sync ticket",
    "--sync none",
    "--engine maildir",
    "--engine maildir --sync none",
];

#[test]
fn every_engine_keeps_its_mail_from_run_to_run() {
    for engine in ALL {
        for profile in ["published", "realistic"] {
            let place = Place::new();
            let engine = format!("{engine} --profile {profile}");
            let first = place.report(&engine);
            assert_eq!(count(&first, "found"), 0, "{engine}");
            let begun = if profile == "realistic" { 500 } else { 0 };
            let second = place.report(&engine);
            let left = count(&first, "left");
            assert_eq!(
                left,
                begun + count(&first, "delivered") - count(&first, "deleted")
            );
            assert_eq!(count(&second, "found"), left, "{engine}");
            assert_eq!(count(&second, "found_again"), left, "{engine}");
            assert!(count(&second, "delivered") > 0 && count(&second, "deleted") > 0);
        }
    }
}

#[test]
fn memory_is_checked_as_well() {
    for engine in ["mvcc", "tplock"] {
        let mail = format!("mail --users 3 --threads 3 --engine {engine} --check --duration 0.3");
        let output = run(&mail);
        assert!(output.status.success(), "{}", said(&output));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            table.contains("nothing lost, doubled or torn, and nothing came back"),
            "{table}"
        );
    }
}

#[test]
fn what_was_acknowledged_survives_kills() {
    for engine in ALL {
        let place = Place::new();
        place.report(engine);
        let mut found = 0;
        for _ in 0..5 {
            let mut child = place.endless(engine);
            // Where nothing is acknowledged before the end, what will be deleted is noted.
            place.wait_for_more(&mut child);
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
            found += count(&place.report(engine), "found_again");
        }
        let acknowledges = !engine.contains("ticket") && !engine.contains("sync none");
        if acknowledges || engine.contains("maildir") {
            assert!(found > 0, "{engine}: there was something to be looked for");
        }
    }
}

#[test]
fn a_signal_reports_and_closes() {
    for engine in ALL {
        let place = Place::new();
        place.report(engine);
        let mut child = place.endless(engine);
        place.wait_for_more(&mut child);
        let sent = Command::new("kill")
            .args(["-s", "INT", &child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(table.contains("SIGINT ended the run early"), "{table}");
        let left = table.lines().find(|line| line.starts_with("left"));
        let left: u64 = left
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("{table}"));
        assert_eq!(
            count(&place.report(engine), "found_again"),
            left,
            "{engine}"
        );
    }
}

/// The check is worth nothing if it does not fail.
#[test]
fn mail_that_is_lost_or_back_or_torn_is_found() {
    let place = Place::new();
    let engine = "--engine maildir --profile realistic";
    place.report(engine);
    let new = place.path("mail").join("3").join("new");
    let files = || -> Vec<PathBuf> {
        let all = fs::read_dir(&new).expect("it is there");
        let mut all: Vec<_> = all.map(|file| file.expect("it is there").path()).collect();
        all.sort();
        all
    };
    let fails = |words: &str| {
        let output = run(&place.arguments(engine, 0.1));
        let error = said(&output);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(words), "{words} in {error}");
    };
    let file = files().swap_remove(7);
    let message = fs::read(&file).expect("it is there");
    fs::remove_file(&file).expect("it is there");
    fails("of user 3 is lost");
    fs::write(&file, &message[1..]).expect("there is room");
    fails("of user 3 is torn");
    fs::write(&file, &message).expect("there is room");
    let copy = new.join("10000000000000000000");
    fs::copy(&file, &copy).expect("there is room");
    fails("of user 3 is there twice");
    fs::remove_file(&copy).expect("it is there");
    place.report(engine);

    let ledger = fs::read_to_string(place.ledger()).expect("it is there");
    let deleted = |id: &str| {
        let mut lines = ledger.lines().filter(|line| line.starts_with("? 3 "));
        lines.any(|line| line.split(' ').skip(2).any(|it| it == id))
    };
    let is_there = |line: &&str| line.strip_prefix("+ 3 ").is_some_and(|id| !deleted(id));
    let there = ledger.lines().find(is_there).expect("100 are kept");
    let deleted = there.replacen('+', "-", 1);
    fs::write(place.ledger(), format!("{ledger}{deleted}\n")).expect("there is room");
    fails("of user 3 has come back");
}

#[test]
fn what_cannot_be_run_is_refused() {
    let place = Place::new();
    let directory = |name: &str| place.path(name).display().to_string();
    refused("mail --engine pigeon", "mvcc, tplock and maildir");
    refused("mail --users 0", "--users 0");
    refused("mail --threads 0", "--threads 0");
    refused("mail --engine maildir", "name one with --durable");
    let maildir = format!("mail --engine maildir --durable {}", directory("m"));
    refused(&format!("{maildir} --sync ticket"), "no tickets");
    refused(&format!("{maildir} --clock tsc"), "no clock");
    assert!(!Path::new(&directory("m")).exists());

    for engine in ["", "--engine maildir"] {
        let place = Place::new();
        place.report(engine);
        let arguments = place.arguments(engine, 0.1);
        let more = arguments.replace("--users 5", "--users 6");
        refused(&more, "the mail of 5 users");
        let unchecked = arguments.replace("--check", "");
        refused(&unchecked, "add --check");
        let mut child = place.endless(engine);
        place.wait_for_more(&mut child);
        refused(&arguments, "in use");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }
    fs::write(directory("file"), "").expect("there is room");
    for engine in ["mvcc", "maildir"] {
        let file = directory("file");
        refused(&format!("mail --engine {engine} --durable {file}"), "file");
    }
}
