//! Keeping the schedule that is being run.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::cell::RefCell;
use std::rc::Rc;

/// A scheduler whose current schedule can be looked at.
#[derive(Debug)]
pub(super) struct Recording<S> {
    scheduler: S,
    schedule: Rc<RefCell<Schedule>>,
}

impl<S> Recording<S> {
    pub(super) fn of(scheduler: S) -> (Self, Rc<RefCell<Schedule>>) {
        let schedule = Rc::<RefCell<Schedule>>::default();
        let recording = Self {
            scheduler,
            schedule: schedule.clone(),
        };
        (recording, schedule)
    }
}

impl<S: Scheduler> Scheduler for Recording<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.scheduler.new_execution()?;
        self.schedule.replace(schedule.clone());
        Some(schedule)
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let task = self.scheduler.next_task(runnable, current, is_yielding)?;
        self.schedule.borrow_mut().push_task(task);
        Some(task)
    }

    fn next_u64(&mut self) -> u64 {
        self.schedule.borrow_mut().push_random();
        self.scheduler.next_u64()
    }
}
