//! Depth-first search through every schedule that makes a difference.
//!
//! Two steps of different tasks *depend* on each other if they touch the same place and one of them
//! writes it. Schedules that differ only in the order of steps that do not depend on each other end
//! in the same state, and one of them is enough. The search runs a schedule, looks for pairs of
//! dependent steps that could have come in the other order, and goes back to before the first of
//! them to try that: source sets and sleep sets, from Abdulla, Aronis, Jonsson and Sagonas,
//! "Optimal dynamic partial order reduction", POPL 2014. What depends on what is known from what
//! the primitives [announce](shuttle_announce).
//!
//! A task that waits in a loop goes on when another one has written something that the loop has
//! looked at: looking again before that is no other schedule, but without this there would be no
//! end of them.

use super::events::{Events, Tasks, one};
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle_announce::take;
use std::sync::{Arc, Mutex, PoisonError};

/// How far a search has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Schedules that are not equivalent to each other.
    pub schedules: usize,
    /// Others that turned out, on the way, to be equivalent to an earlier one.
    pub redundant: usize,
    /// Whether there are no more.
    pub finished: bool,
}

/// The search, as a scheduler.
#[derive(Debug)]
pub struct SystematicScheduler {
    limit: usize,
    progress: Arc<Mutex<Progress>>,
    /// The schedule that is being run, as far as alternatives to it are kept.
    nodes: Vec<Node>,
    /// How many of them were there before this run.
    known: usize,
    events: Events,
    enabled: Tasks,
    /// This run is equivalent to an earlier one.
    redundant: bool,
}

/// A state on the way, and the step that is taken from it.
#[derive(Debug)]
struct Node {
    /// Who can take a step.
    enabled: Tasks,
    /// Whose step has been tried in an equivalent state.
    asleep: Tasks,
    /// Whose step has been tried from here, the current one's included.
    tried: Tasks,
    /// Whose step is to be tried from here.
    wanted: Tasks,
    task: usize,
}

impl SystematicScheduler {
    /// A search that gives up after so many schedules, and where it tells how far it has come.
    pub fn new(limit: usize) -> (Self, Arc<Mutex<Progress>>) {
        let progress = Arc::<Mutex<Progress>>::default();
        let search = Self {
            limit,
            progress: progress.clone(),
            nodes: Vec::new(),
            known: 0,
            events: Events::default(),
            enabled: 0,
            redundant: false,
        };
        (search, progress)
    }

    /// Chooses the last step that is still to be tried. False: there is none.
    fn back_track(&mut self) -> bool {
        while let Some(node) = self.nodes.last_mut() {
            let open = node.wanted & !node.tried & !node.asleep;
            if open != 0 {
                node.task = open.trailing_zeros() as usize;
                node.tried |= one(node.task);
                return true;
            }
            self.nodes.pop();
        }
        false
    }

    /// Whose step comes next.
    fn choose(&mut self, current: Option<usize>) -> usize {
        let depth = self.events.len();
        if let Some(node) = self.nodes.get(depth) {
            assert_eq!(
                node.enabled, self.enabled,
                "step {depth} of the same schedule finds other tasks ready: something is not up to the scheduler"
            );
            return node.task;
        }
        let asleep = match self.nodes.last() {
            Some(node) if !self.redundant => {
                let before = node.asleep | node.tried & !one(node.task);
                self.events.not_woken(before)
            }
            _ => 0,
        };
        let awake = self.enabled & !asleep;
        self.redundant |= awake == 0;
        let among = if self.redundant { self.enabled } else { awake };
        // Going on with the same task makes the first schedules easy to read.
        let task = current.filter(|&task| among & one(task) != 0);
        let task = task.unwrap_or(among.trailing_zeros() as usize);
        if !self.redundant {
            self.nodes.push(Node {
                enabled: self.enabled,
                asleep,
                tried: one(task),
                wanted: one(task),
                task,
            });
        }
        task
    }

    /// Wants the other order of the last step and each earlier one that it could have come before.
    fn reverse_races(&mut self) {
        let depth = self.events.len() - 1;
        if self.redundant || depth + 1 < self.known {
            return;
        }
        for (earlier, first) in self.events.races() {
            let node = &mut self.nodes[earlier];
            let ready = first & node.enabled;
            if ready == 0 {
                node.wanted |= node.enabled;
            } else if ready & node.wanted == 0 {
                node.wanted |= one(ready.trailing_zeros() as usize);
            }
        }
    }
}

impl Scheduler for SystematicScheduler {
    fn new_execution(&mut self) -> Option<Schedule> {
        let progress = self.progress.clone();
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        if self.events.len() > 0 {
            *if self.redundant {
                &mut progress.redundant
            } else {
                &mut progress.schedules
            } += 1;
            if !self.back_track() {
                progress.finished = true;
                return None;
            }
        }
        if progress.schedules + progress.redundant >= self.limit {
            return None;
        }
        self.known = self.nodes.len();
        self.events = Events::default();
        (self.enabled, self.redundant) = (0, false);
        take();
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        let current = current.map(usize::from);
        if let Some(current) = current {
            self.events.announce(current, take());
        }
        let runnable = runnable.iter().map(|task| one(task.id().into()));
        let runnable = runnable.fold(0, |all, task| all | task);
        let before = self.enabled;
        self.enabled = self.events.enabled(runnable);
        self.events.enable(self.enabled & !before);
        let task = self.choose(current);
        self.events.step(task);
        self.reverse_races();
        Some(task.into())
    }

    fn next_u64(&mut self) -> u64 {
        panic!("a search through all schedules cannot go through all random numbers as well")
    }
}
