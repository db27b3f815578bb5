//! User code that a store runs on its own threads: wakers, and encoders in a checkpoint. What it
//! panics with, and that it drops the last handle, ends no thread and loses nobody's outcome.

#![cfg(feature = "durable")]

use mvcc::codec::{Decode, DecodeError, Encode};
use mvcc::{Store, StoreOptions, Table};
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// What panics when it is dropped: a payload of the worst kind.
struct Worst;

impl Drop for Worst {
    fn drop(&mut self) {
        assert!(thread::panicking(), "a payload that panics");
    }
}

/// Runs something, which must end.
fn within_a_minute(run: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let running = thread::spawn(move || {
        run();
        let _ = done.send(());
    });
    let ended = wait.recv_timeout(Duration::from_mins(1));
    assert_ne!(
        ended,
        Err(mpsc::RecvTimeoutError::Timeout),
        "it does not end"
    );
    running.join().expect("it did not panic");
}

fn options() -> StoreOptions {
    Store::options().segment_bytes(64 << 10)
}

type Numbers = Table<u64, Number>;

/// A number whose encoding may run something.
#[derive(Clone)]
struct Number(u64);

/// What the next encoding on a thread of a store runs.
static WHEN_ENCODED: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

impl Encode for Number {
    fn encode(&self, into: &mut Vec<u8>) {
        if thread::current().name() == Some("mvcc-checkpoint") {
            let run = WHEN_ENCODED.lock().expect("nobody panics with it").take();
            if let Some(run) = run {
                run();
            }
        }
        self.0.encode(into);
    }
}

impl Decode for Number {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        u64::decode(from).map(Self)
    }
}

fn open(path: &Path) -> (Store, Numbers) {
    options()
        .checkpoint_bytes(64 << 10)
        .open(path, |tables| tables.table("numbers"))
        .expect("it opens")
}

fn put(store: &Store, numbers: &Numbers, key: u64) {
    let put =
        |tx: &mvcc::Transaction<'_>| Ok::<_, Infallible>(tx.insert(numbers, key, Number(key)));
    store.run(put).expect("it is durable");
}

/// Commits until a checkpoint was written, beyond those that there were.
fn until_a_checkpoint(store: &Store, numbers: &Numbers) {
    let before = store.stats().checkpoint.map(|last| last.bytes);
    let mut key = 0;
    while store.stats().checkpoint.map(|last| last.bytes) == before {
        put(store, numbers, key);
        key += 1;
    }
}

/// A waker that runs something once.
struct Once(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Once {
    fn wake(self: Arc<Self>) {
        let run = self.0.lock().expect("nobody panics with it").take();
        if let Some(run) = run {
            run();
        }
    }
}

fn waker(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Once(Mutex::new(Some(Box::new(run))))))
}

#[test]
fn wakers_that_panic_keep_nobody_from_being_woken() {
    within_a_minute(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (store, numbers) = open(directory.path());
        for round in 0..20 {
            let mut tickets = Vec::new();
            let woken = Arc::new(AtomicBool::new(false));
            for key in 0..4 {
                let ((), mut ticket) = store
                    .submit(|tx| Ok::<_, Infallible>(tx.insert(&numbers, key, Number(round))))
                    .expect("it is visible");
                let last = woken.clone();
                let waker = waker(move || {
                    if key == 3 {
                        last.store(true, Ordering::SeqCst);
                    }
                    std::panic::panic_any(Worst);
                });
                let poll = Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker));
                if key == 3 && poll.is_ready() {
                    woken.store(true, Ordering::SeqCst);
                }
                tickets.push(ticket);
            }
            while !woken.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            drop(tickets);
            put(&store, &numbers, 9);
        }
        store.close().expect("its threads are there still");
    });
}

#[test]
fn a_waker_may_drop_the_last_handle() {
    within_a_minute(|| {
        for _ in 0..20 {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let (store, numbers) = open(directory.path());
            let ((), mut ticket) = store
                .submit(|tx| Ok::<_, Infallible>(tx.insert(&numbers, 1, Number(1))))
                .expect("it is visible");
            let (dropped, wait) = mpsc::channel();
            let waker = waker(move || {
                drop(store);
                dropped.send(()).expect("it is waited for");
            });
            let poll = Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker));
            if poll.is_ready() {
                // It was durable at once: nobody is going to be woken.
                waker.wake();
            }
            wait.recv().expect("it was dropped");
            drop(ticket);
            let (store, numbers) = open(directory.path());
            assert_eq!(store.snapshot().iter(&numbers).count(), 1);
        }
    });
}

#[test]
fn encoders_in_a_checkpoint_may_panic_and_drop_the_last_handle() {
    within_a_minute(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (store, numbers) = open(directory.path());
        let set = |run: Box<dyn FnOnce() + Send>| {
            *WHEN_ENCODED.lock().expect("nobody panics with it") = Some(run);
        };
        set(Box::new(|| std::panic::panic_any(Worst)));
        until_a_checkpoint(&store, &numbers);
        let ran = WHEN_ENCODED
            .lock()
            .expect("nobody panics with it")
            .is_none();
        assert!(
            ran,
            "the first checkpoint has panicked, the next one was written"
        );

        let kept = Arc::new(Mutex::new(Some(store.clone())));
        let (last, barrier) = (kept.clone(), Arc::new(Barrier::new(2)));
        let reached = barrier.clone();
        set(Box::new(move || {
            reached.wait();
            // Once the other handle has gone.
            reached.wait();
            drop(last.lock().expect("nobody panics with it").take());
        }));
        let committing = thread::spawn(move || {
            let mut key = 0;
            while WHEN_ENCODED
                .lock()
                .expect("nobody panics with it")
                .is_some()
            {
                put(&store, &numbers, key);
                key += 1;
            }
            drop(store);
        });
        barrier.wait();
        committing.join().expect("it commits");
        barrier.wait();
        drop(kept);
        // Whoever opens it finds it closed, sooner or later.
        let (store, numbers) = loop {
            let opened = options().open(directory.path(), |tables| -> Numbers {
                tables.table("numbers")
            });
            match opened {
                Ok(opened) => break opened,
                Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert!(store.snapshot().iter(&numbers).count() > 0);
    });
}
