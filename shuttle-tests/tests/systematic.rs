//! The search through every schedule that makes a difference, against the one through every
//! schedule.

use fastrand::Rng;
use shuttle::scheduler::{DfsScheduler, Scheduler};
use shuttle::thread;
use shuttle_announce::{AtomicU64, Mutex, wait};
use shuttle_tests::explore::run;
use shuttle_tests::explore::systematic::{Progress, SystematicScheduler};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::Ordering::SeqCst;

#[derive(Clone, Copy, Debug)]
enum Op {
    Load(usize),
    Store(usize),
    Add(usize),
    /// Only from 0.
    Exchange(usize),
    /// Adds to what is in the mutex, with a load of the place meanwhile.
    Lock(usize),
    TryLock,
}

/// The operations of each task.
type Program = Vec<Vec<Op>>;

/// A task, its operation, what that saw.
type Step = (usize, usize, u64);

/// What a schedule came to: the order of the steps at each place, as far as it matters, and what
/// they saw.
type Trace = BTreeMap<usize, Vec<Vec<Step>>>;

const PLACES: usize = 2;
const MUTEX: usize = PLACES;

fn random_program(rng: &mut Rng, tasks: usize, length: usize) -> Program {
    let op = |rng: &mut Rng| {
        let place = rng.usize(..PLACES);
        match rng.u8(..7) {
            0 | 1 => Op::Load(place),
            2 => Op::Store(place),
            3 => Op::Add(place),
            4 => Op::Exchange(place),
            5 => Op::Lock(place),
            _ => Op::TryLock,
        }
    };
    let task = |rng: &mut Rng| (0..length).map(|_| op(rng)).collect();
    (0..tasks).map(|_| task(rng)).collect()
}

#[derive(Default)]
struct World {
    places: [AtomicU64; PLACES],
    mutex: Mutex<u64>,
    /// Each with its place and whether it wrote.
    log: StdMutex<Vec<(usize, bool, Step)>>,
}

impl World {
    fn log(&self, place: usize, writes: bool, task: usize, op: usize, saw: u64) {
        let mut log = self.log.lock().expect("no panics");
        log.push((place, writes, (task, op, saw)));
    }

    fn act(&self, task: usize, index: usize, op: Op) {
        let value = (task * 10 + index + 1) as u64;
        match op {
            Op::Load(at) => self.log(at, false, task, index, self.places[at].load(SeqCst)),
            Op::Store(at) => {
                self.places[at].store(value, SeqCst);
                self.log(at, true, task, index, 0);
            }
            Op::Add(at) => {
                let saw = self.places[at].fetch_add(value, SeqCst);
                self.log(at, true, task, index, saw);
            }
            Op::Exchange(at) => {
                let exchanged = self.places[at].compare_exchange(0, value, SeqCst, SeqCst);
                let (Ok(saw) | Err(saw)) = exchanged;
                self.log(at, true, task, index, saw);
            }
            Op::Lock(at) => {
                let mut guard = self.mutex.lock();
                self.log(MUTEX, true, task, index, *guard);
                *guard += self.places[at].load(SeqCst);
                self.log(at, false, task, index, *guard);
                drop(guard);
                self.log(MUTEX, true, task, index, 0);
            }
            Op::TryLock => {
                let guard = self.mutex.try_lock();
                let saw = guard.as_ref().map_or(u64::MAX, |guard| **guard);
                self.log(MUTEX, true, task, index, saw);
                if let Some(guard) = guard {
                    drop(guard);
                    self.log(MUTEX, true, task, index, 0);
                }
            }
        }
    }

    fn trace(&self) -> Trace {
        let mut trace = Trace::new();
        let mut after_write = BTreeMap::new();
        for &(place, writes, step) in &*self.log.lock().expect("no panics") {
            let steps = trace.entry(place).or_default();
            match steps.last_mut() {
                Some(reads) if !writes && after_write.insert(place, false) == Some(false) => {
                    // Reads commute.
                    reads.push(step);
                    reads.sort_unstable();
                }
                _ => {
                    after_write.insert(place, writes);
                    steps.push(vec![step]);
                }
            }
        }
        trace
    }
}

/// The traces of all schedules that a scheduler runs.
fn traces(program: &Program, scheduler: impl Scheduler + 'static) -> HashSet<Trace> {
    let traces = Arc::new(StdMutex::new(HashSet::new()));
    let (program, found) = (program.clone(), traces.clone());
    let outcome = run(scheduler, move || {
        let world = Arc::new(World::default());
        let tasks = program.iter().cloned().enumerate().map(|(task, ops)| {
            let world = world.clone();
            thread::spawn(move || {
                for (index, op) in ops.into_iter().enumerate() {
                    world.act(task, index, op);
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.join().expect("no panics");
        }
        found.lock().expect("no panics").insert(world.trace());
    });
    assert_eq!(outcome.failure, None);
    Arc::into_inner(traces)
        .expect("the run is over")
        .into_inner()
        .expect("no panics")
}

fn search(program: &Program) -> (HashSet<Trace>, Progress) {
    let (scheduler, progress) = SystematicScheduler::new(usize::MAX);
    let traces = traces(program, scheduler);
    let progress = *progress.lock().expect("no panics");
    assert!(progress.finished);
    (traces, progress)
}

fn compare(seeds: std::ops::Range<u64>, tasks: usize, length: usize) -> (usize, usize) {
    let (mut schedules, mut redundant) = (0, 0);
    for seed in seeds {
        let program = random_program(&mut Rng::with_seed(seed), tasks, length);
        let all = traces(&program, DfsScheduler::new(None, false));
        let (found, progress) = search(&program);
        let missed: Vec<_> = all.difference(&found).collect();
        assert!(missed.is_empty(), "{program:?} can do {missed:?}");
        assert_eq!(
            found.len(),
            progress.schedules,
            "{program:?}: equivalent schedules were run"
        );
        schedules += progress.schedules;
        redundant += progress.redundant;
    }
    (schedules, redundant)
}

#[test]
fn two_tasks() {
    let (schedules, redundant) = compare(0..60, 2, 3);
    assert!(redundant * 4 < schedules, "{redundant} and {schedules}");
}

#[test]
fn three_tasks() {
    compare(0..8, 3, 1);
}

/// What waits is asked again only when what it looked at has changed.
#[test]
fn a_loop_that_waits_ends() {
    let (scheduler, progress) = SystematicScheduler::new(1000);
    let outcome = run(scheduler, || {
        let places: Arc<[AtomicU64; 3]> = Arc::default();
        let setter = {
            let places = places.clone();
            thread::spawn(move || {
                places[0].store(1, SeqCst);
                places[1].store(1, SeqCst);
                places[0].store(2, SeqCst);
            })
        };
        let mut turns = 0;
        while places[0].load(SeqCst) != 2 {
            turns += 1;
            wait(turns);
        }
        assert_eq!(places[1].load(SeqCst), 1, "it was set before");
        setter.join().expect("no panics");
    });
    assert_eq!(outcome.failure, None);
    let progress = *progress.lock().expect("no panics");
    // The loop sees 2 at once, or 1 first, or 0 first and then 1 or not, and once more 0 or 1 after
    // the first turn.
    assert!(
        progress.finished && (3..=8).contains(&progress.schedules),
        "{progress:?}"
    );
}
