//! What a run is to do.

use super::message::Profile;
use crate::measure::counted;
use crate::memory::Cost;
use std::time::Duration;

/// A run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Users, each with a mailbox.
    pub users: u32,
    /// What mail is like.
    pub profile: Profile,
    /// Threads that deliver and pick up.
    pub threads: usize,
    /// For how long.
    pub duration: Duration,
    /// Whether it is checked that no mail is lost, and that none comes back.
    pub check: bool,
    /// For the random numbers.
    pub seed: u64,
}

/// Bytes of memory that the mailboxes begin with, on the engine of this name.
pub fn bytes(settings: &Settings, engine: &str) -> u64 {
    let profile = settings.profile;
    let messages = u64::from(settings.users) * profile.kept() as u64;
    Cost::of(engine).rows(messages, profile.mean(), 1)
}

/// What the mailboxes begin with: with other settings of these, it would be something else.
pub fn loads(settings: &Settings) -> String {
    format!(
        "the mail of {}, {}",
        counted(u64::from(settings.users), "user"),
        settings.profile.name()
    )
}
