//! How fast a store is opened.

use super::opened::{Checkpoints, Opened, Sample, WORKS, bytes};
use crate::compare::options::Options;
use crate::compare::rows::VALUE;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::Instant;
use workloads::interruption::interrupted;
use workloads::ycsb::fnv1a;

const ROWS: &str = "million rows/s";

pub(super) fn sample(options: &Options, directory: &Path) -> Vec<Sample> {
    let rows = options.keys;
    Opened::load(directory, rows, [1; VALUE]).close();
    let data = rows * (size_of::<u64>() + VALUE) as u64;
    let stored = bytes(directory) as f64 / data as f64;
    let checkpoint = open(directory, rows - 1, 1);
    let files = read(directory);
    fs::remove_dir_all(directory).expect(WORKS);

    // As many updates as keys, of a tenth as many rows.
    let updated = rows.div_ceil(10);
    let logged = Opened::new(directory, Checkpoints::ByHand);
    for update in 0..rows {
        if interrupted().is_some() {
            return Vec::new();
        }
        let fill = update.to_le_bytes()[0];
        let key = fnv1a(update % updated);
        logged.submit(&logged.table, &[key], [fill; VALUE]);
    }
    logged.close();
    let last = rows - 1;
    let log = open(directory, last % updated, last.to_le_bytes()[0]);

    let millions = rows as f64 / 1e6;
    vec![
        Sample::new("checkpoint", millions / checkpoint, ROWS),
        Sample::new("the same files, only read", millions / files, ROWS),
        Sample::new("directory of that", stored, "times the data"),
        Sample::new("log", millions / log, "million updates/s"),
    ]
}

/// How long it takes to open a directory, in seconds. One row is looked at.
fn open(directory: &Path, record: u64, fill: u8) -> f64 {
    let begun = Instant::now();
    let opened = Opened::new(directory, Checkpoints::ByHand);
    let seconds = begun.elapsed().as_secs_f64();
    let found = opened.get(&opened.table, fnv1a(record));
    assert_eq!(found, Some([fill; VALUE]), "it was recovered");
    opened.close();
    seconds
}

/// How long it takes to read all files of a directory, in seconds.
fn read(directory: &Path) -> f64 {
    let begun = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    for entry in fs::read_dir(directory).expect(WORKS) {
        let path = entry.expect(WORKS).path();
        let mut file = File::open(path).expect(WORKS);
        while file.read(&mut buffer).expect(WORKS) > 0 {
            black_box(&buffer);
        }
    }
    begun.elapsed().as_secs_f64()
}
