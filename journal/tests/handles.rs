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
