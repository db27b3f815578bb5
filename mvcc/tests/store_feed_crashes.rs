//! What a feed has delivered no crash takes back: every image that one may leave of a store is
//! opened, and the feed goes on from the last position that its follower had, with exactly the
//! rest.

#![cfg(feature = "durable")]

use journal::sim::{Image, SimDisk};
use mvcc::{DurableFeed, FeedError, FeedPosition, OrderedTable, Store, Transaction};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::thread;

type Order = OrderedTable<u64, u64>;

const WRITERS: u64 = 2;
const EACH: u64 = 12;

fn open(disk: &SimDisk) -> (Store, Order) {
    let options = Store::options()
        .segment_bytes(2 << 10)
        .checkpoint_bytes(1 << 40);
    options
        .open_on(Arc::new(disk.clone()), |tables| {
            tables.ordered_table("order")
        })
        .expect("what a crash leaves is opened")
}

/// Adds a row at the end: its key is the number of the commits before.
#[expect(clippy::unnecessary_wraps, reason = "for the store to run")]
fn append(tx: &Transaction<'_>, order: &Order, writer: u64) -> Result<(), Infallible> {
    let next = tx.last(order).map_or(0, |(last, _)| last + 1);
    Ok(tx.insert(order, next, writer))
}

/// The writer of the next commit, which must be the next one.
fn take(feed: &mut DurableFeed, order: &Order) -> Option<u64> {
    let before = feed.position().number();
    let commit = feed.try_recv().expect("it goes on")?;
    assert_eq!(commit.position().number(), before + 1);
    let changes = commit.changes(order).expect("they are numbers");
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].key, before, "another commit has this place");
    changes[0].after
}

/// Writers that mostly don't wait, and a follower that tells the disk of each position that it has
/// seen. Where there is a checkpoint, the follower has seen only half of the commits before it.
fn run(disk: &SimDisk, with_checkpoint: bool) {
    let (store, order) = open(disk);
    let start = store.on_commit_from(FeedPosition::START);
    let mut feed = start.expect("it is there");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, order) = (&store, &order);
            scope.spawn(move || {
                for number in 0..EACH {
                    let ((), ticket) = store
                        .submit(|tx| append(tx, order, writer))
                        .expect("nothing fails");
                    if number % 4 == 3 {
                        ticket.wait().expect("nothing fails");
                    }
                }
            });
        }
        let seen = WRITERS * EACH / if with_checkpoint { 2 } else { 1 };
        for position in 1..=seen {
            let commit = feed.recv().expect("it goes on");
            assert_eq!(commit.position().number(), position);
            disk.acknowledge(position);
        }
    });
    if with_checkpoint {
        store.checkpoint().expect("there is room");
    }
    store.close().expect("nothing failed");
}

/// Opens an image and goes on from a position that was delivered. How many commits came after it,
/// or `None` if a checkpoint has pruned them.
fn resume(image: &Image, delivered: u64) -> Option<u64> {
    let disk = SimDisk::after(image);
    let (store, order) = open(&disk);
    let snapshot = store.snapshot();
    let recovered: Vec<u64> = snapshot.iter(&order).map(|(_, writer)| *writer).collect();
    let newest = recovered.len() as u64;
    assert!(delivered <= newest, "{delivered} delivered, {newest} left");
    let mut feed = match store.on_commit_from(FeedPosition::new(delivered)) {
        Ok(feed) => feed,
        Err(FeedError::Pruned { oldest, .. }) => {
            assert!(delivered < oldest.number() && oldest.number() <= newest);
            return None;
        }
        Err(error) => panic!("position {delivered} was handed out: {error}"),
    };
    for writer in &recovered[usize::try_from(delivered).expect("a few")..] {
        assert_eq!(take(&mut feed, &order), Some(*writer));
    }
    assert_eq!(take(&mut feed, &order), None, "it was not recovered");
    // The numbers go on where the recovered ones end, not where the lost ones did.
    store.run(|tx| append(tx, &order, 7)).expect("it goes on");
    assert_eq!(take(&mut feed, &order), Some(7));
    Some(newest - delivered)
}

/// Goes on in each image that a crash may leave: how many had more to deliver, and how many had
/// pruned it.
fn crash(disk: &SimDisk) -> (u64, u64) {
    let (mut with_more, mut pruned) = (0, 0);
    let mut seen = HashSet::new();
    let mut delivered = None;
    for moment in disk.moments() {
        if delivered.replace(moment.acknowledged) != Some(moment.acknowledged) {
            seen.clear();
        }
        let mut images = Vec::new();
        let _ = moment.images(&mut seen, moment.operations, |image| images.push(image));
        // Some of each moment: all of them are the journal's own tests.
        let stride = images.len() / 16 + 1;
        for image in images.iter().step_by(stride) {
            match resume(image, moment.acknowledged) {
                Some(more) => with_more += u64::from(more > 0),
                None => pruned += 1,
            }
        }
    }
    (with_more, pruned)
}

#[test]
fn what_was_delivered_survives_every_crash_and_the_rest_follows() {
    let disk = SimDisk::new();
    disk.record();
    run(&disk, false);
    let (with_more, pruned) = crash(&disk);
    assert!(with_more > 0, "no crash came before the last delivery");
    assert_eq!(pruned, 0, "there was no checkpoint");
}

#[test]
fn a_crash_beside_a_checkpoint_leaves_the_rest_or_says_that_it_is_pruned() {
    let disk = SimDisk::new();
    disk.record();
    run(&disk, true);
    let (with_more, pruned) = crash(&disk);
    assert!(with_more > 0, "no crash came before the checkpoint");
    assert!(pruned > 0, "no crash came after the checkpoint");
}
