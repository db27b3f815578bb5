//! The seeded bugs: wrong variants of single lines, each to be found by the scenarios. They stand
//! in the sources as `bug!("name")`, where the right line stands, and are built in by a `cfg` of
//! their crate, which this workspace sets from an environment variable.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A crate with seeded bugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its directory.
    pub name: &'static str,
    /// The environment variable that names the bug to build in.
    pub variable: &'static str,
    /// Its bugs.
    pub bugs: &'static [Bug],
}

/// A seeded bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bug {
    /// Its name, which no bug of another crate has.
    pub name: &'static str,
    /// What it breaks.
    pub breaks: &'static str,
}

/// All crates with seeded bugs.
pub const SUBJECTS: &[Subject] = &[Subject {
    name: "mvcc",
    variable: "MVCC_BUG",
    bugs: MVCC,
}];

/// All bugs, each with its crate.
pub fn all() -> impl Iterator<Item = (&'static Subject, &'static Bug)> {
    let bugs = |subject: &'static Subject| subject.bugs.iter().map(move |bug| (subject, bug));
    SUBJECTS.iter().flat_map(bugs)
}

macro_rules! bugs {
    ($($name:literal: $breaks:literal,)+) => {
        &[$(Bug { name: $name, breaks: $breaks },)+]
    };
}

/// In the order of the protocol.
const MVCC: &[Bug] = bugs! {
    // The clock.
    "no-settling": "no wait after a reading: commits that follow each other may have equal timestamps (I1)",
    "settling-too-short": "the wait after a reading is shorter than the clocks are apart (I1)",
    "clock-rounded-down": "a reading is rounded down, below what was read before (I1)",
    // The commit.
    "clock-before-locks": "the timestamp is taken before the rows are locked (I2, I3)",
    "install-before-all-locks": "rows are installed while others of the commit are not locked (I2)",
    "partial-locks-kept": "whoever gets only some of its locks keeps those",
    "lock-kept-on-abort": "a commit that fails its validation keeps its locks",
    "lock-kept-on-panic": "keys are compared while rows are locked, so a panic in there leaves them locked (I8)",
    "gate-ignored": "others commit while a transaction runs that must not lose",
    "gate-before-locks": "a commit looks at the gate before it locks, not after",
    "no-validation": "a commit does not look again at what it has read (I3)",
    "validation-before-clock": "a commit looks again at what it has read before it has its timestamp (I3)",
    "locked-is-current": "a row that another commit has locked counts as unchanged (I3)",
    "absence-unchecked": "a key that was absent is not looked up again (I3)",
    "tombstone-is-no-absence": "a key that was found removed is not among the reads (I3)",
    "scan-unchecked": "a scan of a hashed table is not looked at again (I3)",
    "range-unchecked": "a range is not looked at again (I10)",
    "range-nodes-unchecked": "new rows in a range go unnoticed (I10)",
    "range-rows-unchecked": "changed rows in a range go unnoticed (I10)",
    "range-cut-short": "the last row that was made use of is not part of its range any more (I10)",
    "extension-unchecked": "a transaction moves to a later timestamp without looking again at what it has read (I3)",
    "timestamp-to-a-copy": "the timestamp does not get into the installed version",
    // Reading.
    "visible-at-its-timestamp": "a version is visible at its own timestamp (I2)",
    "locked-is-read": "a reader does not wait for the commit that holds the row (I2)",
    "first-read-unchecked": "the first read of a view is not checked against later ones",
    "locked-is-at-rest": "a tuple that a commit holds is read as if it were at rest",
    "scan-reads-newest": "a scan reads the newest version of a tuple that nobody holds, whatever its timestamp",
    "locked-stays-current": "what was read of a tuple that a commit holds by now counts as current",
    "untimed-unchecked": "reads without a timestamp are not checked against each other",
    "timed-without-a-check": "a timestamp is taken without looking again at what was read before",
    "overwriter-is-visible": "the timestamp taken from an overwriter is one too late",
    "last-overwriter-counts": "the timestamp is taken from the last overwriter, not from the first",
    "own-write-unseen": "a transaction does not see its own writes",
    "first-write-wins": "of two writes of one transaction to one row the first is installed",
    "abort-commits": "a transaction that is dropped is committed",
    // Slots and the watermark.
    "watermark-is-now": "the watermark does not look at the live transactions (I4)",
    "idle-is-no-bound": "when no slot is in use, nothing bounds the watermark (I4)",
    "recent-after-slots": "the coarse clock is read after the slots, not before (I4)",
    "snapshot-unannounced": "a snapshot announces itself only once it has its timestamp (I4)",
    "slot-lent-twice": "two transactions get the same slot (I4)",
    "nested-share-a-slot": "transactions within each other on one thread share a slot (I4)",
    "slot-kept-on-panic": "a panic in a closure leaves the slot occupied",
    "values-dropped-first": "a panic in the drop of a buffered value leaves the slot occupied (I8)",
    // Garbage.
    "expired-at-watermark": "what was superseded at the watermark is freed, not only what was superseded below it (I4)",
    "middle-snapshot-ignored": "a version between two snapshots is unlinked although the later one sees it (I5)",
    "bound-snapshot-ignored": "a version is unlinked that a snapshot sees whose timestamp is the successor's (I5)",
    "unlinkers-collide": "two collectors unlink versions of one tuple at the same time (I5)",
    "expired-is-unlinked": "a version is unlinked though what is above it may have been freed since the scan (I4)",
    "middle-recycled-at-once": "the memory of an unlinked version is used again while others walk past it (I5)",
    "garbage-lost-on-panic": "a panic in the drop of a value loses the garbage behind it",
    // Tuples and indexes.
    "held-is-removed": "a tuple is removed that a transaction is about to write to (I6)",
    "removed-though-seen": "a tuple is removed though a snapshot sees a value below its tombstone (I6)",
    "removal-looks-below": "a removal looks at the version below its tombstone, which may be freed (I4)",
    "removal-forgotten": "a removal that has to wait is not looked at again (I6)",
    "given-up-in-two-steps": "giving up a hold and seeing to the removal are two steps (I6)",
    "dead-not-marked": "a removed tuple is not marked as dead (I6)",
    "dead-left-in-index": "a removed tuple is left in its index (I6)",
    "unlinked-freed-at-once": "what left an index is freed while open slots may have found it (I9)",
    "overflow-unmarked": "an insert goes on to the next bucket of the hash index without a mark (I7)",
    "tag-before-tuple": "a slot of the hash index is in use before it has its tuple",
    "insert-unchecked": "a key is inserted although another one has come since it was found missing (I7)",
    "insert-uncounted": "inserts are not counted, so nobody notices that one has come (I7)",
    "node-unchecked": "a tree node is replaced although it has changed since it was read",
    "keys-dropped-under-a-lock": "a removal that has to begin again drops its clones of keys while the tuple is locked (I8)",
    "split-overlooked": "who comes to a node that was split does not follow its link to the right",
    "merge-overlooked": "who comes to a node that was merged away does not follow its link to the left",
    "walk-begins-anew": "a walk that comes to a merged leaf takes the rows again that it has from there",
    "walk-beyond-its-end": "a walk takes all of a leaf that has neighbours to the right",
    "collapse-overlooked": "who comes from a root that has collapsed to a lower level takes that for the one looked for",
    "split-root-collapses": "a root gives way to its only child although it has been split",
    // Snapshots with a limit.
    "expired-while-read": "a snapshot expires while it is read",
    "expired-after-its-slot": "the slot of a snapshot that expires is given up before its reads are refused",
    "expired-after-its-drop": "a snapshot that is dropped stays on the list of those that may expire, so its slot is taken from whoever has it next",
    // Reservations, indexes, feeds, savepoints, peeks.
    "reservation-not-waited-for": "who finds a row reserved goes on without waiting",
    "index-built-beside-commits": "an index is filled while others commit",
    "index-unnoticed": "a commit does not notice that its table has got an index",
    "uniqueness-only-peeked-at": "that no other row has a unique key is not among the reads",
    "feed-unnoticed": "a commit does not notice that a feed has started",
    "commit-unannounced": "a commit does not announce itself to feeds before it reads the clock",
    "feed-unordered": "a feed delivers what it has, although something earlier may still come",
    "feed-unprotected": "a feed protects nothing that it has still to deliver",
    "peek-at-newest": "a peek reads the newest version, not the transaction's",
    "iterator-sees-later-writes": "an iterator yields what its transaction has written since it was made",
    "undone-write-is-held": "a write that is undone keeps its hold, so that its tuple is never removed",
};

/// Those of `tplock`. Nothing is built for them: a thread chooses what it explores.
pub const TPLOCK: &[Bug] = bugs! {
    // Locks.
    "upgrade-beside-readers": "a shared lock is raised to an exclusive one although others share it",
    "upgrade-behind-those-who-wait": "who raises a lock waits behind those who wait for that very lock",
    "younger-waits": "the younger waits for the older too",
    "new-age-after-death": "who dies is the youngest when it begins again",
    "sleepers-not-woken": "who sleeps is not told that a lock is free",
    "dead-tuple-is-locked": "a tuple that has left its index is locked as if it were there",
    // Transactions.
    "own-write-not-seen": "a transaction does not see its own writes",
    "locks-given-up-before-install": "the locks are given up before the writes are there",
    "locks-kept-after-a-panic": "a panic in a closure leaves its locks behind",
    // Tables.
    "tuple-inserted-twice": "two who miss a key make a tuple each",
    "iterations-not-respected": "a key is added to a hashed table although somebody has iterated over it",
    "gap-of-absent-key-not-shared": "who misses a key in an ordered table does not lock its absence",
    "gap-not-looked-up-again": "the gap that was locked may have been divided before",
    "gap-before-the-end-not-shared": "the gap behind the last row is not locked",
    "run-not-checked": "rows that were looked up ahead are taken for all there are",
};

/// The names that stand in the sources of a crate.
fn in_sources(crate_name: &str) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut directories = vec![workspace.join(crate_name).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(path)?;
            let starts = text.split("bug!(\"").skip(1);
            names.extend(starts.filter_map(|rest| Some(rest.split_once("\")")?.0.to_owned())));
        }
    }
    Ok(names)
}

/// What is wrong with a kill table, or with the lists of seeded bugs, in a line each. Nothing: each
/// bug in the sources is in both.
///
/// # Errors
/// If the sources cannot be read.
pub fn check(table: &str) -> io::Result<Vec<String>> {
    let (mut wrong, mut all) = (Vec::new(), BTreeSet::new());
    let subjects = SUBJECTS.iter().map(|it| (it.name, it.bugs));
    for (crate_name, bugs) in subjects.chain([("tplock", TPLOCK)]) {
        let sources = in_sources(crate_name)?;
        let listed: BTreeSet<_> = bugs.iter().map(|bug| bug.name.to_owned()).collect();
        let unlisted = sources.difference(&listed);
        wrong.extend(unlisted.map(|name| {
            format!(
                "{name} stands in the sources of {crate_name}, but not in shuttle-tests/src/bugs.rs"
            )
        }));
        let gone = listed.difference(&sources);
        wrong.extend(gone.map(|name| {
            format!("{name} is in shuttle-tests/src/bugs.rs, but stands nowhere in the sources of {crate_name}")
        }));
        all.extend(bugs.iter().map(|bug| bug.name));
    }
    let rows: BTreeSet<_> = rows(table).collect();
    let unproved = all.difference(&rows);
    wrong.extend(unproved.map(|name| format!("{name} has no row in shuttle-tests/KILLS.md")));
    let unknown = rows.difference(&all);
    wrong.extend(
        unknown.map(|name| {
            format!("{name} has a row in shuttle-tests/KILLS.md, but is no seeded bug")
        }),
    );
    Ok(wrong)
}

/// The heading of `tplock`'s kill table.
pub const LOCKING: &str = "Two-phase locking";

/// The bugs that a kill table has a row for: in the first of its sections, or in that of `tplock`.
fn rows(table: &str) -> impl Iterator<Item = &str> {
    let mut sections = table.split("\n## ");
    let first = sections.next();
    let locking = sections.filter(|section| section.starts_with(LOCKING));
    let lines = first.into_iter().chain(locking).flat_map(str::lines);
    lines.filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
}
