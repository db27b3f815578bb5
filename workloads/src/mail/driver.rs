//! Threads that deliver and pick up.

use super::ledger::{Ledger, next_writer};
use super::mailboxes::{Mail, Mailboxes};
use super::message::Id;
use super::report::{Report, Tally};
use super::settings::Settings;
use crate::engine::durable::Durability;
use crate::interruption::{self, interrupted};
use crate::measure::{progress, seed_of};
use crate::memory;
use crate::team::{self, Start};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::{ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

/// What all threads share.
struct Run<'r, M> {
    boxes: &'r M,
    settings: &'r Settings,
    ledger: Option<Ledger>,
    /// Whoever picks up has the mailbox locked.
    locks: Vec<Mutex<()>>,
    /// The writers of the load come first, then those of the run.
    first_writer: u32,
    requests: AtomicU64,
    stop: AtomicBool,
}

/// Loads what a run begins with, unless it is there, and runs. `directory` is where the mail is, if
/// it survives; `acknowledges` is whether what has returned does.
///
/// # Errors
/// A message if the store of mail fails, or if mail was lost, doubled, torn, or came back.
pub(super) fn run<M: Mailboxes>(
    boxes: &M,
    settings: &Settings,
    directory: Option<&Path>,
    acknowledges: bool,
) -> Result<Report, String> {
    let mut found = Vec::new();
    for user in 0..settings.users {
        interruption::check()?;
        found.push(identify(user, &boxes.read(user)?)?);
    }
    let open = || Ledger::open(directory, acknowledges, boxes.deletes_whole(), &found);
    let ledger = settings.check.then(open).transpose()?;
    let next = next_writer(&found);
    let run = Run {
        boxes,
        settings,
        first_writer: ledger.as_ref().map_or(next, |ledger| ledger.next_writer),
        ledger,
        locks: found.iter().map(|_| Mutex::default()).collect(),
        requests: AtomicU64::default(),
        stop: AtomicBool::default(),
    };
    if !boxes.is_loaded() {
        run.load()?;
        boxes.loaded()?;
    }
    let (tally, seconds, durability) = run.measure()?;
    if let Some(ledger) = &run.ledger {
        ledger.all_survives()?;
    }
    let left = run.check_all()?;
    Ok(Report {
        found: found.iter().map(|mail| mail.len() as u64).sum(),
        found_again: run.ledger.map(|ledger| ledger.found_again),
        left,
        durability,
        ..Report::new(boxes.name(), settings, seconds, &tally)
    })
}

/// Which messages these are. They are whole, and those of a writer in its order, none twice.
fn identify(user: u32, mail: &[Mail]) -> Result<Vec<Id>, String> {
    let mut ids: Vec<Id> = Vec::with_capacity(mail.len());
    for Mail { arrival, message } in mail {
        let id = Id::read(user, message);
        ids.push(id.ok_or_else(|| format!("message {arrival} of user {user} is torn"))?);
    }
    let mut sorted: Vec<_> = ids.iter().zip(0..).collect();
    sorted.sort_unstable();
    for (&(earlier, place), &(id, next)) in sorted.iter().zip(sorted.iter().skip(1)) {
        if earlier == id {
            return Err(format!("message {id} of user {user} is there twice"));
        }
        if earlier.writer == id.writer && place > next {
            return Err(format!(
                "message {id} of user {user} stands before {earlier}, which was delivered before it"
            ));
        }
    }
    Ok(ids)
}

impl<M: Mailboxes> Run<'_, M> {
    /// Fills the mailboxes.
    fn load(&self) -> Result<(), String> {
        let kept = self.settings.profile.kept();
        let threads = self.settings.threads;
        let load = |thread| {
            let mut writer = Writer::new(self, thread);
            for user in (0..self.settings.users).skip(thread).step_by(threads) {
                for _ in 0..kept {
                    interruption::check()?;
                    writer.deliver(user)?;
                }
            }
            Ok::<_, String>(())
        };
        std::thread::scope(|scope| {
            let loaders = (0..threads).map(|thread| team::spawn(scope, move || load(thread)));
            let loaders: Result<Vec<_>, _> = loaders.collect();
            let mut loaders = loaders?.into_iter();
            loaders.try_for_each(|loader| loader.join().expect("a loader panicked"))
        })?;
        interruption::check()
    }

    fn measure(&self) -> Result<(Tally, f64, Option<Durability>), String> {
        let start = Start::default();
        std::thread::scope(|scope| {
            let (start, starter) = (&start, start.starter());
            let work = |thread| {
                let Some(begin) = start.wait() else {
                    return Ok(Tally::default());
                };
                let done = self.work(thread, begin);
                if done.is_err() {
                    self.stop.store(true, Relaxed);
                }
                done
            };
            let workers = (0..self.settings.threads)
                .map(|thread| team::spawn(scope, move || work(thread)))
                .collect::<Result<Vec<_>, _>>()?;
            self.boxes.begin();
            let start = starter.begin(workers.len());
            let room = self.watch(start, || workers.iter().all(ScopedJoinHandle::is_finished));
            let mut tally = Tally::default();
            for worker in workers {
                tally.add(&worker.join().expect("a worker panicked")?);
            }
            room?;
            let durability = self.boxes.end();
            Ok((tally, start.elapsed().as_secs_f64(), durability))
        })
    }

    /// Shows progress until the time is over. Ends the run early if memory runs out.
    fn watch(&self, start: Instant, done: impl Fn() -> bool) -> Result<(), String> {
        let bar = progress("running", None);
        let mut memory = memory::Watch::new();
        let mut room = Ok(());
        while !done() {
            room = room.and_then(|()| memory.look());
            let left = self.settings.duration.saturating_sub(start.elapsed());
            if room.is_err() || left.is_zero() || interrupted().is_some() {
                self.stop.store(true, Relaxed);
            }
            sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(100)));
            bar.set_message(format!("{} requests", self.requests.load(Relaxed)));
            bar.tick();
        }
        bar.finish_and_clear();
        room
    }

    fn work(&self, thread: usize, begin: Instant) -> Result<Tally, String> {
        let users = self.settings.users;
        let mut writer = Writer::new(self, self.settings.threads + thread);
        while !self.stop.load(Relaxed) {
            let user = writer.random.random_range(0..users);
            writer.deliver(user)?;
            let user = writer.random.random_range(0..users);
            self.pick_up(user, &mut writer.tally)?;
            self.requests.fetch_add(2, Relaxed);
            // Beside many busy threads, the one that watches may wait long for a core.
            if begin.elapsed() >= self.settings.duration {
                self.stop.store(true, Relaxed);
            }
        }
        Ok(writer.tally)
    }

    /// Reads the mail of a user, and deletes what is above what a mailbox keeps.
    fn pick_up(&self, user: u32, tally: &mut Tally) -> Result<(), String> {
        let lock = &self.locks[usize::try_from(user).expect("there are as many")];
        let _locked = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = self.ledger.as_ref().map(|ledger| ledger.owed(user));
        let start = Instant::now();
        let mail = self.boxes.read(user)?;
        tally.pickups.record(start.elapsed());
        tally.read += mail.len() as u64;
        let ids = identify(user, &mail)?;
        if let (Some(ledger), Some(owed)) = (&self.ledger, owed) {
            ledger.check(user, &owed, &ids)?;
        }
        let excess = mail.len().saturating_sub(self.settings.profile.kept());
        if excess == 0 {
            return Ok(());
        }
        if let Some(ledger) = &self.ledger {
            ledger.begin_to_delete(user, &ids[..excess])?;
        }
        let start = Instant::now();
        self.boxes.delete(user, &mail[..excess])?;
        tally.deletions.record(start.elapsed());
        tally.deleted += excess as u64;
        match &self.ledger {
            Some(ledger) => ledger.deleted(user, &ids[..excess]),
            None => Ok(()),
        }
    }

    /// Reads all mail at the end, and returns how much there is.
    fn check_all(&self) -> Result<u64, String> {
        let mut count = 0;
        for user in 0..self.settings.users {
            let ids = identify(user, &self.boxes.read(user)?)?;
            if let Some(ledger) = &self.ledger {
                ledger.check(user, &ledger.owed(user), &ids)?;
            }
            count += ids.len() as u64;
        }
        Ok(count)
    }
}

/// A thread that delivers.
struct Writer<'r, M> {
    run: &'r Run<'r, M>,
    next: Id,
    random: SmallRng,
    tally: Tally,
}

impl<'r, M: Mailboxes> Writer<'r, M> {
    /// The `place`th writer of the run.
    fn new(run: &'r Run<'r, M>, place: usize) -> Self {
        let writer = run.first_writer + u32::try_from(place).expect("there are few threads");
        Self {
            run,
            next: Id { writer, number: 0 },
            random: SmallRng::seed_from_u64(seed_of(run.settings.seed, u64::from(writer))),
            tally: Tally::default(),
        }
    }

    fn deliver(&mut self, user: u32) -> Result<(), String> {
        let (run, id) = (self.run, self.next);
        self.next.number += 1;
        let length = run.settings.profile.draw(&mut self.random);
        let message = id.message(user, length, &mut self.random);
        let start = Instant::now();
        run.boxes.deliver(user, message)?;
        self.tally.deliveries.record(start.elapsed());
        self.tally.bytes += length as u64;
        match &run.ledger {
            Some(ledger) => ledger.delivered(user, id),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
