//! Checkpoints that cannot be: one that failed before, one that holds too little.

mod support;

use journal::sim::SimDisk;
use journal::{LogError, Opened};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
