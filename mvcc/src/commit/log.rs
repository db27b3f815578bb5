//! How commits get into the log of a durable database. See [`crate::durable`].

pub(crate) mod buffer;
pub(crate) mod logger;
pub(crate) mod logging;
pub(crate) mod record;
