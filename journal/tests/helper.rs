//! The thread that makes segments ahead.
#![cfg(target_os = "linux")]

mod support;

use journal::Options;
use journal::sim::SimDisk;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};
use support::{open_orders, put};

fn options() -> Options {
    Options {
        segment_bytes: 1 << 20,
        ..Options::default()
    }
}

/// The directories of the helpers' threads.
fn helpers() -> Vec<PathBuf> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let paths = threads.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "journal\n"))
        .collect()
}

/// How often a thread has begun to wait.
fn waits(thread: &Path) -> u64 {
    let status = fs::read_to_string(thread.join("status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

const WITHOUT: &str = "JOURNAL_TEST_WITHOUT_THREADS";

/// Both in one test: each looks at the threads of the process.
#[test]
fn a_helper_wakes_for_segments_only_and_may_be_missing() {
    if env::var_os(WITHOUT).is_some() {
        let (mut opened, _) = open_orders(Arc::new(SimDisk::new()), &options()).unwrap();
        assert!(helpers().is_empty(), "no stack is so large");
        for number in 1..=40 {
            put(&mut opened, number, 100_000).unwrap();
        }
        return;
    }
    let (mut opened, _) = open_orders(Arc::new(SimDisk::new()), &options()).unwrap();
    // The first spare is made: by then the thread has its name.
    while opened.log.bytes() < 2 << 20 {
        std::thread::yield_now();
    }
    let [helper] = &helpers()[..] else {
        panic!("one helper");
    };
    let before = waits(helper);
    for number in 1..=1000 {
        put(&mut opened, number, 100).unwrap();
        std::thread::yield_now();
    }
    assert!(waits(helper) - before < 20);

    // A process that cannot start threads, as where there are too many.
    let status = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "a_helper_wakes_for_segments_only_and_may_be_missing",
        ])
        .args(["--test-threads=1", "--nocapture"])
        .env(WITHOUT, "1")
        .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
        .status();
    assert!(status.unwrap().success());
}
