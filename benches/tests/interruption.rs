//! A signal ends a measurement early: what was measured is reported, and it is said.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

struct Run {
    child: Child,
    notes: BufReader<ChildStderr>,
}

impl Run {
    fn start(arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_benches"));
        command.args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it was built");
        let notes = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, notes }
    }

    /// Waits until it says that it has come so far.
    fn wait_for(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let read = self.notes.read_line(&mut line).expect("it is text");
            assert!(read > 0, "it has ended before {part:?}");
        }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
    }

    /// Waits for its end, but not for ever.
    fn end(self) -> Output {
        let Self {
            mut child,
            mut notes,
        } = self;
        // It is not to wait for somebody who reads these.
        let reader = thread::spawn(move || std::io::copy(&mut notes, &mut std::io::sink()));
        let deadline = Instant::now() + Duration::from_mins(2);
        while child.try_wait().expect("it is ours").is_none() {
            if Instant::now() > deadline {
                child.kill().expect("it is ours");
                panic!("it does not end");
            }
            thread::sleep(Duration::from_millis(5));
        }
        reader.join().expect("no panic").expect("it is readable");
        child.wait_with_output().expect("it has ended")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn read(json: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(json).expect("it is written");
    serde_json::from_str(&text).expect("it is JSON")
}

fn file(name: &str) -> String {
    format!("{}/{name}.json", env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn a_comparison_reports_what_it_has_measured() {
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let json = file(&format!("compare-{name}"));
        let mut run = Run::start(&format!(
            "compare --peers tplock --rows uniform-100,hot-key --threads 1 --seconds 0.01 \
             --repeats 1000000 --keys 1000 --json {json}"
        ));
        run.wait_for("repeat 3");
        run.signal(name);
        let output = run.end();
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(status), "{text}");
        let said = format!("interrupted: SIG{name} ended it early, after ");
        assert!(text.contains(&said), "{text}");
        let report = read(&json);
        assert!(report["interrupted"].is_string());
        let results = report["results"].as_array().expect("a list");
        assert_eq!(results.len(), 2, "the second row has not begun");
        for cell in results {
            assert_eq!(cell["row"], "uniform-100");
            assert!(cell["throughput_tps"].as_f64() > Some(0.0), "{cell}");
        }
    }
}

#[test]
fn a_sample_that_is_cut_short_does_not_count() {
    let mut run = Run::start(
        "compare --peers tplock --rows uniform-100 --threads 1 --seconds 3600 --repeats 1 \
         --keys 1000",
    );
    run.wait_for("repeat 1");
    run.signal("INT");
    let output = run.end();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("ended it early, after 0 samples"), "{text}");
    assert!(!text.contains("transactions per second"), "{text}");
}

#[test]
fn indexes_report_what_they_have_measured() {
    let json = file("indexes");
    let run = "indexes --keys 1000 --threads 1 --repeats 1000000 --only crossbeam,btreemap";
    let mut run = Run::start(&format!("{run} --json {json}"));
    run.wait_for("repeat 3");
    run.signal("TERM");
    let output = run.end();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(143), "{text}");
    assert!(text.contains("SIGTERM ended it early."), "{text}");
    let report = read(&json);
    assert_eq!(report["interrupted"], "SIGTERM ended it early.");
    let samples = report["results"][0]["samples"].as_array().map(Vec::len);
    assert!(samples >= Some(2), "{report}");
}

/// Loading is not interrupted.
#[test]
fn the_second_signal_ends_it_at_once() {
    let mut run = Run::start("compare --peers tplock --rows uniform-100 --threads 1");
    run.wait_for("loading");
    run.signal("INT");
    run.signal("TERM");
    let output = run.end();
    // Two that wait for the process to run may reach it in either order.
    let code = output.status.code();
    assert!([Some(130), Some(143)].contains(&code), "{code:?}");
    assert_eq!(stdout(&output), "");
}
