//! Signals that ask the process to end.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

const SIGNALS: [(i32, &str); 3] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")];

static CAUGHT: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Why the run was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The signal's name.
    pub signal: &'static str,
    /// What the process exits with: 128 and the signal's number.
    pub status: u8,
}

/// From now on, the first SIGINT, SIGTERM or SIGHUP ends runs early, and the second one ends the
/// process at once. One that was ignored when the process began, as SIGHUP is under `nohup`, stays
/// so.
///
/// # Errors
/// If the operating system refuses.
pub fn listen() -> io::Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    for (signal, _) in SIGNALS
        .into_iter()
        .filter(|(signal, _)| !is_ignored(*signal))
    {
        // In this order: the first signal does not find the flag that it sets.
        flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
        flag::register(signal, again.clone())?;
        flag::register_usize(signal, CAUGHT.clone(), usize::try_from(signal).unwrap_or(0))?;
    }
    Ok(())
}

/// Whether there was such a signal.
pub fn interrupted() -> Option<Interrupted> {
    let caught = CAUGHT.load(SeqCst);
    let found = SIGNALS
        .into_iter()
        .find(|(signal, _)| usize::try_from(*signal) == Ok(caught));
    found.map(|(signal, name)| Interrupted {
        signal: name,
        status: u8::try_from(128 + signal).unwrap_or(u8::MAX),
    })
}

/// An error if there was such a signal, for what has nothing to report yet.
///
/// # Errors
/// A message that says so.
pub(crate) fn check() -> Result<(), String> {
    match interrupted() {
        Some(Interrupted { signal, .. }) => {
            Err(format!("ended by {signal} before there was a result"))
        }
        None => Ok(()),
    }
}

/// Whether the process began with this signal ignored, where the operating system tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
