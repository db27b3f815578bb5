//! Programs: small sets of transactions to be run at the same time.

use crate::history::Kind;
use crate::operation::{Key, LISTS, ORDERED, POINTS, table_letter};
use fastrand::Rng;
use std::fmt;

/// Transactions on several threads, over some initial rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// What it was made from, and what its executions draw their pauses from.
    pub seed: u64,
    /// The keys that have a value at the start.
    pub initial: Vec<Key>,
    /// For each thread, its transactions.
    pub threads: Vec<Vec<Body>>,
    /// After so many attempts that lost, a transaction that is committed by hand is given up, which
    /// bounds the history.
    pub attempts: u64,
}

/// A transaction of a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body {
    /// How it is run.
    pub kind: Kind,
    /// What it does. Those that cannot write only read.
    pub steps: Vec<Step>,
    /// How it ends.
    pub ending: Ending,
    /// How many more transactions of its thread run before it ends. It then reads everything again.
    /// Only for snapshots.
    pub outlives: usize,
}

/// How a transaction of a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// It commits, or tries to.
    Commits,
    /// It gives up instead.
    GivesUp,
    /// It panics instead.
    Panics,
}

/// A range of keys to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The table: [`POINTS`] or [`ORDERED`].
    pub table: u8,
    /// The smallest key that belongs to it.
    pub from: u32,
    /// The smallest key above it.
    pub to: u32,
    /// From the largest key down.
    pub reverse: bool,
    /// Stop after so many rows.
    pub limit: Option<usize>,
}

/// An operation to do. What it writes is decided when it runs, so that no value is written twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Read a key.
    Get(Key),
    /// Write a key.
    Insert(Key),
    /// Remove a key.
    Remove(Key),
    /// Read a key and, if it has a value, write it.
    Update(Key),
    /// Read a range.
    Scan(Range),
    /// Append to a list.
    Append(Key),
}

/// What random programs look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// At most so many threads.
    pub threads: usize,
    /// At most so many transactions, and at least two.
    pub transactions: usize,
    /// At most so many operations in each, and at least one.
    pub steps: usize,
    /// At most so many keys of each table, and at least one.
    pub keys: u32,
    /// Only lists.
    pub lists: bool,
}

impl Step {
    /// Whether it writes, or may.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get(_) | Self::Scan(_))
    }
}

impl Range {
    /// All of a table.
    pub fn all(table: u8) -> Self {
        Self {
            table,
            from: 0,
            to: u32::MAX,
            reverse: false,
            limit: None,
        }
    }
}

impl Shape {
    /// 2 to 4 transactions of 1 to 4 operations on 1 to 3 keys: what finds most errors, and what
    /// all checkers decide exactly.
    pub fn small(threads: usize) -> Self {
        Self {
            threads,
            transactions: 4,
            steps: 4,
            keys: 3,
            lists: false,
        }
    }

    /// Up to 100 transactions on lists, the history of which shows the order of all appends.
    pub fn long(threads: usize) -> Self {
        Self {
            threads,
            transactions: 100,
            steps: 4,
            keys: 3,
            lists: true,
        }
    }
}

impl Program {
    /// The program of a seed.
    pub fn random(seed: u64, shape: &Shape) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut draw = Draw {
            keys: rng.u32(1..=shape.keys),
            // Both forms in one program would leave the exact checker without timestamps that it
            // needs.
            writing: *choose(&mut rng, &[Kind::Begin, Kind::Begin, Kind::Run]),
            shape,
            rng,
        };
        let tables: &[u8] = if shape.lists { &[] } else { &[POINTS, ORDERED] };
        let keys = tables.iter().flat_map(|&table| {
            let keys = 0..draw.keys;
            keys.map(move |key| Key { table, key })
        });
        let initial = keys.filter(|_| draw.rng.bool()).collect();
        let thread_count = draw.rng.usize(2..=shape.threads.max(2));
        let mut threads = vec![Vec::new(); thread_count];
        for index in 0..draw.rng.usize(2..=shape.transactions.max(2)) {
            threads[index % thread_count].push(draw.body());
        }
        Self {
            seed,
            initial,
            threads,
            attempts: 8,
        }
    }

    /// The same for an engine without snapshots: in their places stand views.
    #[must_use]
    pub fn without_snapshots(mut self) -> Self {
        for body in self.threads.iter_mut().flatten() {
            if body.kind == Kind::Snapshot {
                (body.kind, body.outlives) = (Kind::View, 0);
            }
        }
        self
    }
}

/// Random parts of a program.
struct Draw<'s> {
    rng: Rng,
    shape: &'s Shape,
    keys: u32,
    writing: Kind,
}

fn choose<'t, T>(rng: &mut Rng, from: &'t [T]) -> &'t T {
    &from[rng.usize(..from.len())]
}

impl Draw<'_> {
    fn body(&mut self) -> Body {
        let writing = self.writing;
        let kinds = [
            writing,
            writing,
            writing,
            writing,
            Kind::View,
            Kind::Snapshot,
        ];
        let kind = *choose(&mut self.rng, &kinds);
        let steps = 0..self.rng.usize(1..=self.shape.steps);
        let outlives = match kind {
            Kind::Snapshot if self.rng.bool() => self.rng.usize(1..=self.shape.transactions),
            _ => 0,
        };
        Body {
            kind,
            outlives,
            steps: steps.map(|_| self.step(kind.is_read_only())).collect(),
            ending: match self.rng.u8(..16) {
                0 | 1 if !kind.is_read_only() => Ending::GivesUp,
                2 => Ending::Panics,
                _ => Ending::Commits,
            },
        }
    }

    fn step(&mut self, read_only: bool) -> Step {
        let table = if self.shape.lists {
            LISTS
        } else {
            *choose(&mut self.rng, &[POINTS, ORDERED])
        };
        let key = Key {
            table,
            key: self.rng.u32(..self.keys),
        };
        match self.rng.u8(..12) {
            ..4 if self.shape.lists && !read_only => Step::Append(key),
            _ if self.shape.lists => Step::Get(key),
            ..2 if !read_only => Step::Insert(key),
            ..3 if !read_only => Step::Remove(key),
            ..6 if !read_only => Step::Update(key),
            ..9 => Step::Get(key),
            _ => Step::Scan(self.range(table)),
        }
    }

    fn range(&mut self, table: u8) -> Range {
        if self.rng.bool() {
            return Range::all(table);
        }
        let from = self.rng.u32(..self.keys);
        Range {
            table,
            from,
            to: self.rng.u32(from + 1..=self.keys),
            reverse: self.rng.bool(),
            limit: self.rng.bool().then(|| self.rng.usize(1..=2)),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = table_letter(self.table);
        if *self == Self::all(self.table) {
            return write!(f, "{table}[..]");
        }
        write!(f, "{table}[{}..{}]", self.from, self.to)?;
        if self.reverse {
            f.write_str(" down")?;
        }
        match self.limit {
            Some(limit) => write!(f, " {limit}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key) => write!(f, "get {key}"),
            Self::Insert(key) => write!(f, "put {key}"),
            Self::Remove(key) => write!(f, "del {key}"),
            Self::Update(key) => write!(f, "upd {key}"),
            Self::Scan(range) => write!(f, "scan {range}"),
            Self::Append(key) => write!(f, "app {key}"),
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if index == 0 { "(" } else { ", " })?;
        }
        f.write_str(")")?;
        if self.outlives > 0 {
            write!(f, " for {}", self.outlives)?;
        }
        f.write_str(match self.ending {
            Ending::Commits => "",
            Ending::GivesUp => "!",
            Ending::Panics => "!!",
        })
    }
}

/// One line: `#7 p0 p2 | begin(get p0, put p1) view(scan p[..]) | run(upd p0)!` has rows 0 and 2 at
/// the start and two threads; the last transaction gives up; if it panicked, it would end with two
/// of these marks.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.seed)?;
        for key in &self.initial {
            write!(f, " {key}")?;
        }
        for thread in &self.threads {
            f.write_str(" |")?;
            for body in thread {
                write!(f, " {body}")?;
            }
        }
        Ok(())
    }
}
