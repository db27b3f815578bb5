//! What is said of a journal, as text and as JSON.

use journal::{Damage, Found, Line, Position, Salvaged, Summary, Survey};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// A damaged place.
#[derive(Serialize)]
struct Place {
    file: String,
    offset: u64,
    expected: String,
    found: String,
}

impl From<Damage> for Place {
    fn from(damage: Damage) -> Self {
        Self {
            file: damage.file,
            offset: damage.offset,
            expected: damage.expected,
            found: damage.found,
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at byte {}: expected {}, found {}",
            self.file, self.offset, self.expected, self.found
        )
    }
}

fn places(damages: impl IntoIterator<Item = Damage>) -> Vec<Place> {
    damages.into_iter().map(Place::from).collect()
}

/// A place in the log.
#[derive(Serialize)]
struct At {
    segment: u64,
    offset: u64,
}

impl From<Position> for At {
    fn from(position: Position) -> Self {
        Self {
            segment: position.segment,
            offset: position.offset,
        }
    }
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} at byte {}", self.segment, self.offset)
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What `verify` says.
#[derive(Serialize)]
pub(super) struct Verified {
    directory: String,
    segments: u64,
    checkpoints: u64,
    bytes: u64,
    blocks: u64,
    frames: u64,
    payload_bytes: u64,
    /// What a recovery would do; `None`: it would fail.
    recovery: Option<Recovery>,
    damages: Vec<Place>,
}

#[derive(Serialize)]
struct Recovery {
    checkpoint: Option<String>,
    begin: At,
    end: At,
    is_closed: bool,
    /// The durable cut.
    up_to: u64,
    removes: Vec<String>,
}

impl Verified {
    pub(super) fn new(directory: String, survey: Survey) -> Self {
        let removes = survey.removed;
        let recovery = survey.recovery.map(|summary: Summary| Recovery {
            checkpoint: summary.checkpoint,
            begin: summary.begin.into(),
            end: summary.end.into(),
            is_closed: summary.is_closed,
            up_to: summary.up_to,
            removes,
        });
        Self {
            directory,
            segments: survey.segments,
            checkpoints: survey.checkpoints,
            bytes: survey.bytes,
            blocks: survey.blocks,
            frames: survey.frames,
            payload_bytes: survey.payload,
            recovery,
            damages: places(survey.damages),
        }
    }

    /// How many places are damaged, in words; `None`: none is.
    pub(super) fn damaged(&self) -> Option<String> {
        let count = self.damages.len() as u64;
        (count > 0).then(|| counted(count, "damaged place"))
    }
}

impl Display for Verified {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "journal      {}", self.directory)?;
        writeln!(
            f,
            "files        {}, {}, {} bytes",
            counted(self.segments, "segment"),
            counted(self.checkpoints, "checkpoint"),
            self.bytes
        )?;
        writeln!(
            f,
            "read         {} of the log, {} of a checkpoint, {} bytes of records",
            counted(self.frames, "frame"),
            counted(self.blocks, "block"),
            self.payload_bytes
        )?;
        match &self.recovery {
            Some(recovery) => recovery.fmt(f)?,
            None => write!(f, "recovery     fails")?,
        }
        for damage in &self.damages {
            write!(f, "\ndamaged      {damage}")?;
        }
        Ok(())
    }
}

impl Display for Recovery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "durable cut  {}", self.up_to)?;
        write!(f, "recovery     reads ")?;
        if let Some(checkpoint) = &self.checkpoint {
            write!(f, "{checkpoint}, then ")?;
        }
        write!(f, "the log from {} to {}, ", self.begin, self.end)?;
        f.write_str(if self.is_closed {
            "where it was closed"
        } else {
            "where it ends without having been closed"
        })?;
        for (number, name) in self.removes.iter().enumerate() {
            let before = if number == 0 { "; removes" } else { "," };
            write!(f, "{before} {name}")?;
        }
        Ok(())
    }
}

/// A line of `dump` as JSON.
#[derive(Serialize)]
struct Frame<'l> {
    file: &'l str,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synced_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    /// Why there is no frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

/// A line of `dump` as a JSON object.
pub(super) fn json(line: &Line) -> String {
    let mut frame = Frame {
        file: &line.file,
        offset: line.offset,
        kind: None,
        sequence: None,
        incarnation: None,
        up_to: None,
        synced_to: None,
        length: None,
        found: None,
    };
    match &line.found {
        Found::Frame {
            kind,
            sequence,
            incarnation,
            up_to,
            synced_to,
            length,
        } => {
            frame.kind = Some(kind);
            frame.sequence = Some(*sequence);
            frame.incarnation = Some(*incarnation);
            frame.up_to = Some(*up_to);
            frame.synced_to = Some(*synced_to);
            frame.length = Some(*length);
        }
        other => frame.found = Some(other.to_string()),
    }
    serde_json::to_string(&frame).expect("numbers and strings")
}

/// What `salvage` says.
#[derive(Serialize)]
pub(super) struct Copied {
    directory: String,
    to: String,
    checkpoint: Option<String>,
    /// Blocks of the checkpoint that are gone, and where it is damaged first.
    blocks_left_out: u64,
    checkpoint_damage: Option<Place>,
    frames: u64,
    up_to: u64,
    /// Where the copy of the log ends before its end.
    log_damage: Option<Place>,
    frames_left_out: u64,
    frames_left_out_up_to: u64,
    passed_over: Vec<Place>,
}

impl Copied {
    pub(super) fn new(directory: String, to: String, salvaged: Salvaged) -> Self {
        let partial = salvaged.partial;
        Self {
            directory,
            to,
            checkpoint: salvaged.checkpoint,
            blocks_left_out: partial.as_ref().map_or(0, |partial| partial.left_out),
            checkpoint_damage: partial.map(|partial| partial.damage.into()),
            frames: salvaged.frames,
            up_to: salvaged.up_to,
            log_damage: salvaged.damage.map(Place::from),
            frames_left_out: salvaged.left_out,
            frames_left_out_up_to: salvaged.left_out_up_to,
            passed_over: places(salvaged.ignored),
        }
    }

    /// Whether the copy has all that the journal held.
    pub(super) fn is_whole(&self) -> bool {
        self.checkpoint_damage.is_none() && self.log_damage.is_none()
    }
}

impl Display for Copied {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "copied       ")?;
        if let Some(checkpoint) = &self.checkpoint {
            write!(f, "{checkpoint}, ")?;
        }
        let frames = counted(self.frames, "frame");
        write!(
            f,
            "{frames} of the log, up to {}, to {}",
            self.up_to, self.to
        )?;
        for passed_over in &self.passed_over {
            write!(f, "\npassed over  {passed_over}")?;
        }
        if let Some(damage) = &self.checkpoint_damage {
            if self.blocks_left_out == 0 {
                // The log ends before the place where the checkpoint was finished.
                write!(
                    f,
                    "\nin part      transactions behind the end of the log may be; {damage}"
                )?;
            } else {
                let blocks = counted(self.blocks_left_out, "block");
                write!(
                    f,
                    "\nleft out     {blocks} of the checkpoint at least; {damage}"
                )?;
            }
        }
        if let Some(damage) = &self.log_damage {
            write!(f, "\nleft out     the log from its damage on, ")?;
            match self.frames_left_out {
                0 => write!(f, "where no other frame is whole")?,
                count => write!(
                    f,
                    "with {} that can be read, up to {}",
                    counted(count, "frame"),
                    self.frames_left_out_up_to
                )?,
            }
            write!(f, "; {damage}")?;
        }
        if self.is_whole() {
            write!(f, "\nleft out     nothing")?;
        }
        Ok(())
    }
}

/// What `journal checkpoint` has done.
#[derive(Serialize)]
pub(super) struct Checkpointed {
    pub(super) directory: String,
    /// The tables that are stored.
    pub(super) tables: Vec<String>,
    pub(super) rows: u64,
    /// Of the checkpoint.
    pub(super) bytes: u64,
    /// Of the log's files.
    pub(super) log_bytes_before: u64,
    pub(super) log_bytes: u64,
}

impl fmt::Display for Checkpointed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            directory,
            tables,
            rows,
            bytes,
            log_bytes_before,
            log_bytes,
        } = self;
        writeln!(f, "{directory}: a checkpoint was written")?;
        writeln!(f, "{:<14}{}", "tables", tables.join(", "))?;
        writeln!(f, "{:<14}{rows}, {bytes} bytes", "rows")?;
        write!(
            f,
            "{:<14}{log_bytes} bytes, {log_bytes_before} before",
            "log"
        )
    }
}
