//! The steps of one schedule: which of them are dependent, and which could have come in the other
//! order.

use foldhash::HashMap;
use shuttle_announce::Access;

/// A set of tasks.
pub(super) type Tasks = u8;

/// At most so many tasks can be searched through, which is more than one would.
const TASKS: usize = 8;

/// The set of one task.
pub(super) fn one(task: usize) -> Tasks {
    assert!(
        task < TASKS,
        "no more than {TASKS} tasks can be searched through"
    );
    1 << task
}

/// The tasks in a set.
pub(super) fn members(tasks: Tasks) -> impl Iterator<Item = usize> {
    (0..TASKS).filter(move |&task| tasks & 1 << task != 0)
}

fn set(tasks: impl Iterator<Item = usize>) -> Tasks {
    tasks.fold(0, |all, task| all | one(task))
}

/// Where a step touches what others may touch.
fn place(access: Access) -> Option<usize> {
    match access {
        Access::Local | Access::FirstWait | Access::Wait => None,
        Access::Read(at)
        | Access::Write(at)
        | Access::Lock(at)
        | Access::TryLock(at)
        | Access::Unlock(at) => Some(at),
    }
}

/// For each task, how many of its steps happen before.
type Clock = [u32; TASKS];

fn join(clock: &mut Clock, other: &Clock) {
    for (ours, theirs) in clock.iter_mut().zip(other) {
        *ours = (*ours).max(*theirs);
    }
}

#[derive(Clone, Copy, Debug)]
struct Event {
    task: usize,
    /// Itself included.
    clock: Clock,
}

impl Event {
    /// Whether it happens before whatever has this clock.
    fn is_before(&self, clock: &Clock) -> bool {
        clock[self.task] >= self.clock[self.task]
    }
}

/// What is known of a task.
#[derive(Debug, Default)]
struct TaskState {
    next: Access,
    clock: Clock,
    /// The places that it has looked at since it last said that it waits.
    seen: Vec<usize>,
    waits_for: Vec<usize>,
}

/// The last steps at a place.
#[derive(Debug, Default)]
struct Place {
    write: Option<usize>,
    /// Since that.
    reads: Vec<usize>,
    /// If it is a mutex: who has it, and the step that last locked it.
    holder: Option<usize>,
    locked: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    steps: Vec<Event>,
    tasks: [TaskState; TASKS],
    places: HashMap<usize, Place>,
    /// What the last step did.
    last: Access,
    /// The steps that the last one has raced with.
    races: Vec<usize>,
}

impl Events {
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// What a task is about to do.
    pub(super) fn announce(&mut self, task: usize, access: Access) {
        let task = &mut self.tasks[task];
        task.next = match access {
            Access::FirstWait => {
                task.seen.clear();
                Access::Local
            }
            Access::Wait => {
                task.waits_for = std::mem::take(&mut task.seen);
                Access::Local
            }
            _ => access,
        };
    }

    /// Those of the tasks that can take a step: they neither wait for something to be written nor
    /// for a mutex.
    pub(super) fn enabled(&mut self, tasks: Tasks) -> Tasks {
        let free = members(tasks).filter(|&task| match self.tasks[task].next {
            Access::Lock(at) => self.places.get(&at).is_none_or(|it| it.holder.is_none()),
            _ => true,
        });
        let free = set(free);
        let ready = set(members(free).filter(|&task| self.tasks[task].waits_for.is_empty()));
        match (ready, free) {
            // A deadlock; the scheduler's mutex will say so.
            (_, 0) => tasks,
            // They wait for each other: the one that gives up waiting goes on.
            (0, _) => {
                for task in members(free) {
                    self.tasks[task].waits_for.clear();
                }
                free
            }
            _ => ready,
        }
    }

    /// The last step has made it possible for these tasks to go on. For a mutex that is no reason
    /// to be after it: the locking could have come before that of the task that had it.
    pub(super) fn enable(&mut self, tasks: Tasks) {
        if let Some(last) = self.steps.last() {
            for task in members(tasks) {
                if !matches!(self.tasks[task].next, Access::Lock(_)) {
                    join(&mut self.tasks[task].clock, &last.clock);
                }
            }
        }
    }

    /// Those whose next step does not depend on the last one.
    pub(super) fn not_woken(&self, tasks: Tasks) -> Tasks {
        set(members(tasks).filter(|&task| {
            let next = self.tasks[task].next;
            let is_read = |access| matches!(access, Access::Read(_));
            let independent = place(next).is_none() || place(next) != place(self.last);
            independent || is_read(next) && is_read(self.last)
        }))
    }

    /// Takes a task's next step.
    pub(super) fn step(&mut self, task: usize) {
        let index = self.steps.len();
        let (access, before) = (self.tasks[task].next, self.tasks[task].clock);
        let mut clock = before;
        clock[task] += 1;
        self.races.clear();
        self.last = access;
        let Some(at) = place(access) else {
            return self.finish(task, clock);
        };
        let is_read = matches!(access, Access::Read(_));
        let place = self.places.entry(at).or_default();
        let reads = if is_read { &[] } else { place.reads.as_slice() };
        let races = match access {
            // Not with the unlocking in between.
            Access::Lock(_) => (&[][..], place.locked),
            _ => (reads, place.write.filter(|_| reads.is_empty())),
        };
        self.races
            .extend(races.0.iter().chain(&races.1).filter(|&&earlier| {
                let event = &self.steps[earlier];
                event.task != task && !event.is_before(&before)
            }));
        for &earlier in reads.iter().chain(&place.write) {
            join(&mut clock, &self.steps[earlier].clock);
        }
        if is_read {
            place.reads.push(index);
        } else {
            place.reads.clear();
            place.write = Some(index);
        }
        match access {
            Access::Lock(_) | Access::TryLock(_) if place.holder.is_none() => {
                (place.holder, place.locked) = (Some(task), Some(index));
            }
            Access::Unlock(_) => place.holder = None,
            _ => {}
        }
        if !is_read {
            for other in &mut self.tasks {
                if other.waits_for.contains(&at) {
                    other.waits_for.clear();
                }
            }
        }
        self.tasks[task].seen.push(at);
        self.finish(task, clock);
    }

    fn finish(&mut self, task: usize, clock: Clock) {
        self.tasks[task].clock = clock;
        self.tasks[task].next = Access::Local;
        self.steps.push(Event { task, clock });
    }

    /// The earlier steps that the last one could have come before, each with the tasks one of which
    /// has to come first for that.
    pub(super) fn races(&self) -> impl Iterator<Item = (usize, Tasks)> {
        self.races.iter().map(|&earlier| {
            // What does not happen after the earlier step, and the last one: in the other order,
            // these come before it.
            let last = self.steps.len() - 1;
            let race = &self.steps[earlier];
            let mut first: Vec<&Event> = Vec::new();
            for (index, event) in self.steps.iter().enumerate().skip(earlier + 1) {
                let stays = index == last || !race.is_before(&event.clock);
                if stays && first.iter().all(|first| first.task != event.task) {
                    first.push(event);
                }
            }
            let initial = first.iter().filter(|event| {
                let others = first.iter().filter(|other| other.task != event.task);
                !others
                    .into_iter()
                    .any(|other| other.is_before(&event.clock))
            });
            (earlier, set(initial.map(|event| event.task)))
        })
    }
}
