//! What a `Directory` keeps open, and where it is.

mod support;

use journal::{Directory, Options};
use std::sync::Arc;
use support::temporary::Temporary;
use support::{open_orders, put};

fn options() -> Options {
    Options {
        segment_bytes: 4096,
        helper: false,
        ..Options::default()
    }
}

/// Another process may replace a file between two openings with the same `Directory`.
#[test]
fn a_file_that_was_replaced_meanwhile_is_read_anew() {
    let directory = Temporary::new("replaced");
    let first: Arc<Directory> = directory.disk();
    let (mut opened, _) = open_orders(first.clone(), &options()).unwrap();
    put(&mut opened, 1, 100).unwrap();
    // It does not fit: a spare segment is made, and stays empty.
    let reservation = opened.log.reserve(2500).unwrap();
    assert!(directory.0.join("log-00000002").exists());
    drop(reservation);
    opened.writer.close().unwrap();
    drop(opened.log);

    let larger = Options {
        segment_bytes: 8192,
        ..options()
    };
    let (mut opened, found) = open_orders(directory.disk(), &larger).unwrap();
    assert_eq!(found, [1]);
    for number in 2..=9 {
        put(&mut opened, number, 400).unwrap();
    }
    opened.writer.close().unwrap();
    drop(opened.log);

    let (_, found) = open_orders(first, &options()).unwrap();
    assert_eq!(found, (1..=9).collect::<Vec<_>>());
}

/// A directory that exists may have been created by a process that did not get to syncing it.
#[test]
#[cfg(target_os = "linux")]
fn the_name_of_a_directory_that_exists_is_synced_too() {
    // What the file system `proc` has cannot be synced, so trying to shows.
    let error = Directory::create("/proc/self/task").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
}

/// The handles of this process that are in `directory`.
#[cfg(target_os = "linux")]
fn handles(directory: &Temporary) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(&directory.0))
        .count()
}

#[test]
#[cfg(target_os = "linux")]
fn few_files_are_open_however_long_the_log_is() {
    // The directory, the lock, the segment that is written and the next one, and one that is read.
    const MOST: usize = 5;
    let directory = Temporary::new("few");
    let (mut opened, _) = open_orders(directory.disk(), &options()).unwrap();
    for number in 1..=40 {
        put(&mut opened, number, 2000).unwrap();
        assert!(handles(&directory) <= MOST);
    }
    let copy = Temporary::new("few-copied");
    let target = copy.disk();
    opened.log.backup(target.clone()).unwrap();
    assert!(handles(&directory) <= MOST && handles(&copy) <= MOST);
    let checkpoint = opened.log.checkpoint().unwrap();
    checkpoint.finish(20).expect_err("it is behind");
    put(&mut opened, 41, 2000).unwrap();
    drop(opened);
    let (opened, found) = open_orders(directory.disk(), &options()).unwrap();
    assert_eq!(found.len(), 41);
    assert!(handles(&directory) <= MOST);
    opened.log.checkpoint().unwrap().finish(41).unwrap();
    assert!(handles(&directory) <= MOST);
    drop(opened);
    assert_eq!(handles(&directory), 0);
}

/// What `verify` has read may be replaced before it is called again.
#[test]
fn each_reading_finds_what_is_there_then() {
    let directory = Temporary::new("anew");
    let (mut opened, _) = open_orders(directory.disk(), &options()).unwrap();
    put(&mut opened, 1, 100).unwrap();
    drop(opened);
    let disk = directory.disk();
    let up_to = || {
        let summary = journal::verify(disk.clone(), &mut |_, _| Ok(())).unwrap();
        summary.up_to
    };
    assert_eq!(up_to(), 1);
    let other = Temporary::new("anew-other");
    let (mut opened, _) = open_orders(other.disk(), &options()).unwrap();
    for number in 1..=2 {
        put(&mut opened, number, 100).unwrap();
    }
    drop(opened);
    for name in ["journal", "log-00000001"] {
        std::fs::rename(other.0.join(name), directory.0.join(name)).unwrap();
    }
    assert_eq!(up_to(), 2);
}
