//! Waiting for room in the log.

use crate::collect::local::Local;
use crate::commit::conflict::Lost;
use crate::rows::cause::ConflictCause;
use crate::sync::pause;
use journal::{LogError, Stopped};
use std::rc::Rc;
use std::time::Duration;

/// What a transaction does that has no room in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused, with [`StoreError::Full`](crate::StoreError::Full).
    #[default]
    Refuse,
    /// It waits until there is room.
    Wait,
}

/// How long to wait before a log that had no room is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// Room that a thread's next commit can take. It is given up with this.
pub(crate) struct RoomInHand(Rc<Local>);

impl Drop for RoomInHand {
    fn drop(&mut self) {
        self.0.logging.keep_room(None);
    }
}

/// What to do after a transaction has lost. `None`: it was not because of the log. Else the log has
/// room for it now, or why it has not.
///
/// Whoever calls this has no slot open: it may take as long as the disk.
#[cold]
pub(crate) fn wait_for_room(
    local: &Rc<Local>,
    lost: Lost,
    when_full: WhenFull,
) -> Option<Result<RoomInHand, LogError>> {
    let logger = local.shared().log.get()?;
    match lost.cause {
        ConflictCause::NoRoom => {}
        ConflictCause::LogStopped => {
            let stopped = logger.check().cloned();
            return Some(Err(LogError::Stopped(
                stopped.unwrap_or(Stopped { fault: None }),
            )));
        }
        _ => return None,
    }
    loop {
        match logger.reserve(local.logging.wanted.get()) {
            Ok(room) => {
                local.logging.keep_room(Some(room));
                return Some(Ok(RoomInHand(local.clone())));
            }
            Err(LogError::Full(_)) if when_full == WhenFull::Wait => pause(PAUSE),
            Err(error) => return Some(Err(error)),
        }
    }
}
