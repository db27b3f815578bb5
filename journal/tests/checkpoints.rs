//! Checkpoints that cannot be: one that failed before, one that holds too little.

mod support;

use journal::sim::SimDisk;
use journal::{Event, Log, LogError, Opened};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{io, thread};
use support::hooked::Hooked;
use support::{open_orders, options, put};

fn filled(opened: &mut Opened) {
    for number in 1..=12 {
        put(opened, number, 400).unwrap();
    }
}

#[test]
fn a_checkpoint_that_failed_once_is_never_finished() {
    let sim = SimDisk::new();
    let is_full = Arc::new(AtomicBool::new(false));
    let full = Arc::clone(&is_full);
    let disk = Hooked::new(sim.clone(), move |operation, name, _| {
        if operation == "write" && name.starts_with("checkpoint") && full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let (mut opened, _) = open_orders(disk, &options()).unwrap();
    filled(&mut opened);
    let mut checkpoint = opened.log.checkpoint().unwrap();
    checkpoint.block(b"a").unwrap();
    is_full.store(true, Ordering::Relaxed);
    let first = checkpoint.block(b"b").unwrap_err();
    assert!(matches!(first, LogError::Full(_)), "{first}");
    is_full.store(false, Ordering::Relaxed);
    let again = checkpoint.block(b"b").unwrap_err();
    assert_eq!(again.to_string(), first.to_string());
    let finished = checkpoint.finish(12).unwrap_err();
    assert_eq!(finished.to_string(), first.to_string());
    // The log goes on, and so may another checkpoint.
    opened.log.check().unwrap();
    let mut checkpoint = opened.log.checkpoint().unwrap();
    checkpoint.block(b"b").unwrap();
    checkpoint.finish(12).unwrap();
    drop(opened);
    let (_, found) = open_orders(Arc::new(sim), &options()).unwrap();
    assert_eq!(found, (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_holds_all_that_was_durable_when_it_was_begun() {
    let sim = SimDisk::new();
    let (mut opened, _) = open_orders(Arc::new(sim.clone()), &options()).unwrap();
    filled(&mut opened);
    let checkpoint = opened.log.checkpoint().unwrap();
    assert_eq!(checkpoint.at_least(), 12);
    put(&mut opened, 13, 400).unwrap();
    let error = checkpoint.finish(11).unwrap_err();
    assert!(
        matches!(
            error,
            LogError::Behind {
                up_to: 11,
                at_least: 12
            }
        ),
        "{error}"
    );
    opened.log.checkpoint().unwrap().finish(13).unwrap();
    drop(opened);
    let (opened, _) = open_orders(Arc::new(sim), &options()).unwrap();
    assert_eq!(opened.summary.up_to, 13);
}

/// On an idle log, a second checkpoint has the name of the first, which the backup reads.
#[test]
fn no_checkpoint_replaces_a_file_that_is_copied() {
    let sim = SimDisk::new();
    let (send, renamed) = mpsc::channel();
    let disk = Hooked::new(sim, move |operation, name, _| {
        if operation == "rename" && name.starts_with("checkpoint") {
            let _ = send.send(());
        }
        Ok(())
    });
    let (mut opened, _) = open_orders(disk, &options()).unwrap();
    filled(&mut opened);
    // More than is copied with one call.
    let write = |log: &Log, byte| {
        let mut checkpoint = log.checkpoint().unwrap();
        for _ in 0..3 {
            checkpoint.block(&vec![byte; 600_000]).unwrap();
        }
        checkpoint.finish(12).unwrap();
    };
    write(&opened.log, 1);
    renamed.recv().unwrap();

    let copy = SimDisk::new();
    let (begin, begun) = mpsc::channel();
    let meanwhile = Mutex::new(Some((begin, renamed)));
    let is_replaced = Arc::new(AtomicBool::new(false));
    let replaced = Arc::clone(&is_replaced);
    let target = Hooked::new(copy.clone(), move |operation, name, offset| {
        if operation == "write"
            && name.starts_with("checkpoint")
            && offset > 0
            && let Some((begin, renamed)) = meanwhile.lock().unwrap().take()
        {
            begin.send(()).unwrap();
            // The time that the second one gets to do it.
            let is_renamed = renamed.recv_timeout(Duration::from_millis(300)).is_ok();
            replaced.store(is_renamed, Ordering::Relaxed);
        }
        Ok(())
    });
    thread::scope(|scope| {
        let log = opened.log.clone();
        scope.spawn(move || {
            begun.recv().unwrap();
            write(&log, 2);
        });
        opened.log.backup(target).unwrap();
    });
    assert!(!is_replaced.load(Ordering::Relaxed));
    let mut blocks = HashSet::new();
    journal::verify(Arc::new(copy), &mut |event, _| {
        if let Event::Block(block) = event {
            blocks.insert(block[0]);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(blocks, HashSet::from([1]));
}

/// What it holds that is later than its place, the log repeats. So a log that ends before that is
/// damaged, though nothing behind its end says so.
#[test]
fn a_log_that_ends_before_a_checkpoint_was_finished_is_damaged() {
    let sim = SimDisk::new();
    let (mut opened, _) = open_orders(Arc::new(sim.clone()), &options()).unwrap();
    put(&mut opened, 1, 400).unwrap();
    let mut checkpoint = opened.log.checkpoint().unwrap();
    put(&mut opened, 2, 400).unwrap();
    put(&mut opened, 3, 400).unwrap();
    checkpoint.block(b"of a later time").unwrap();
    checkpoint.finish(1).unwrap();
    drop(opened);
    let image = sim.image();
    assert!(open_orders(Arc::new(SimDisk::after(&image)), &options()).is_ok());
    // The last frame takes the last sector with anything in it.
    let mut cut = image.clone();
    let (_, bytes) = cut
        .files
        .iter_mut()
        .rfind(|(name, bytes)| {
            name.starts_with("log-") && bytes[512..].iter().any(|byte| *byte != 0)
        })
        .unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512;
    bytes[last..].fill(0);
    let error = open_orders(Arc::new(SimDisk::after(&cut)), &options()).unwrap_err();
    assert!(support::is_damage(&error), "{error}");
    assert!(error.to_string().contains("frame 4"), "{error}");
}
