//! What happens seldom, as events of `tracing` if the feature of that name is on: target `mvcc`, no
//! spans. No tuple, shard or node is locked, and no other thread waits, while a subscriber runs.
//!
//! | event | level | fields |
//! | --- | --- | --- |
//! | `conflict` | debug | `table`, `cause` ([`ConflictCause::name`](crate::ConflictCause::name)), `attempt` |
//! | `exclusive run` | info | `attempts`: so many have lost |
//! | `snapshots expired` | warn | `expired`: how many; `limit` |

#[cfg(not(feature = "tracing"))]
macro_rules! silent {
    ($($event:tt)*) => {};
}
#[cfg(not(feature = "tracing"))]
pub(crate) use {silent as debug, silent as info, silent as warn};

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, info, warn};
