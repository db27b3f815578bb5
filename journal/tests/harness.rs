//! The harness finds what it is for: disks that do less than they say.

mod support;

use journal::sim::SimDisk;
use journal::{Disk, Lock, Options, open};
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use support::{Timeline, append, check, options};

/// What a careless disk leaves out.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Omitted {
    SyncData,
    SyncDir,
    Nothing,
}

#[derive(Clone)]
struct Careless(SimDisk, Omitted);

impl Disk for Careless {
    fn place(&self) -> String {
        self.0.place()
    }
    fn create(&self, name: &str) -> io::Result<()> {
        self.0.create(name)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(name, offset, bytes)
    }
    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.0.set_len(name, len)
    }
    fn sync_data(&self, name: &str) -> io::Result<()> {
        if self.1 == Omitted::SyncData {
            Ok(())
        } else {
            self.0.sync_data(name)
        }
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        if self.1 == Omitted::SyncDir {
            Ok(())
        } else {
            self.0.sync_dir()
        }
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.0.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(name, offset, into)
    }
    fn lock(&self) -> io::Result<Option<Lock>> {
        self.0.lock()
    }
}

/// Whether some crash loses or changes what was acknowledged.
fn is_caught(omitted: Omitted) -> bool {
    let sim = SimDisk::new();
    sim.record();
    let mut timeline = Timeline::default();
    let disk = Arc::new(Careless(sim.clone(), omitted));
    let settings: Options = options();
    let mut opened = open(disk, &settings, &mut |_, _| Ok(())).unwrap();
    for _ in 0..2 {
        assert!(append(&sim, &mut opened, &mut timeline, 0));
    }
    let crashes = || {
        for moment in sim.moments() {
            moment.images(&mut HashSet::new(), 1, |image| {
                check(&image, &timeline, moment.acknowledged);
            });
        }
    };
    catch_unwind(AssertUnwindSafe(crashes)).is_err()
}

#[test]
fn a_disk_that_does_not_sync_is_caught() {
    assert!(is_caught(Omitted::SyncData));
    assert!(is_caught(Omitted::SyncDir));
    assert!(!is_caught(Omitted::Nothing));
}
