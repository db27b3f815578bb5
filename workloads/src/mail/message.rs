//! What is delivered: bytes that say which message they are, and whether they are whole.

use clap::ValueEnum;
use rand::{RngExt, rngs::SmallRng};
use rand_distr::{Distribution, LogNormal};
use std::fmt;
use std::sync::Arc;

/// What mail and mailboxes are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As in the published measurements: 12 bytes, as "Hello world." has, and a pickup deletes all.
    Published,
    /// Sizes from a log-normal distribution with a median of 1 KiB, up to 1 MiB; mailboxes begin
    /// with 100 messages, and a pickup deletes what is above that.
    Realistic,
}

/// Bytes of the shortest message: it says who has written it, as what, and its checksum.
const HEADER: usize = 12;
/// Of the realistic profile.
const MEDIAN: f64 = 1024.0;
const SIGMA: f64 = 1.0;
const LARGEST: usize = 1 << 20;
const KEPT: usize = 100;

impl Profile {
    /// The messages that a pickup leaves in a mailbox, and that are there before the first one.
    pub(super) fn kept(self) -> usize {
        match self {
            Self::Published => 0,
            Self::Realistic => KEPT,
        }
    }

    /// Draws the length of a message in bytes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates"
    )]
    pub(super) fn draw(self, random: &mut SmallRng) -> usize {
        match self {
            Self::Published => HEADER,
            Self::Realistic => {
                let sizes = LogNormal::new(MEDIAN.ln(), SIGMA).expect("the deviation is finite");
                (sizes.sample(random) as usize).clamp(HEADER, LARGEST)
            }
        }
    }

    /// Bytes of a message on average.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is some 1,700"
    )]
    pub(super) fn mean(self) -> u64 {
        match self {
            Self::Published => HEADER as u64,
            Self::Realistic => (MEDIAN * (SIGMA * SIGMA / 2.0).exp()) as u64,
        }
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Realistic => "realistic",
        }
    }
}

/// Which message it is: no two have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    /// The thread that has delivered it; no two runs on a directory share one.
    pub(super) writer: u32,
    /// The thread's count of deliveries.
    pub(super) number: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.writer, self.number)
    }
}

impl Id {
    /// What is displayed, read.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (writer, number) = text.split_once('.')?;
        Some(Self {
            writer: writer.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// The message's bytes, for this user.
    pub(super) fn message(self, user: u32, length: usize, random: &mut SmallRng) -> Arc<[u8]> {
        let fill: u8 = random.random();
        let mut bytes = vec![fill; length.max(HEADER)];
        bytes[..4].copy_from_slice(&self.writer.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.number.to_le_bytes());
        let sum = checksum(user, &bytes);
        bytes[8..HEADER].copy_from_slice(&sum.to_le_bytes());
        bytes.into()
    }

    /// Which message these bytes are. `None`: they are not a whole message for this user.
    pub(super) fn read(user: u32, bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let word = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(word.try_into().ok()?))
        };
        let (writer, number) = (word(0)?, word(4)?);
        (word(8)? == checksum(user, bytes)).then_some(Self { writer, number })
    }
}

/// Of all but itself, and of the user.
fn checksum(user: u32, bytes: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&user.to_le_bytes());
    sum.update(&bytes[..8]);
    sum.update(&bytes[HEADER..]);
    sum.finalize()
}

#[cfg(test)]
mod tests;
