//! The durable rows: what their clients do, and how many there are.

/// Clients of the rows with many of them.
pub(super) const CLIENTS: usize = 64;

/// What the clients do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Each transaction writes a row of its client's, and is waited for.
    One,
    /// Each overwrites one byte in each of 16 rows of its client's, and is waited for.
    Sixteen,
    /// As `One`, but a client goes on until 64 transactions of its own are not durable yet.
    Tickets,
    /// As `One`, but nobody waits until the end of the sample.
    Nobody,
}

/// A row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) work: Work,
    /// So many, or as many as `--threads` says.
    pub(super) clients: Option<usize>,
}

pub(super) const ROWS: [Row; 5] = [
    Row {
        name: "durable-1",
        title: "one update of 100 bytes, waited for, one client",
        work: Work::One,
        clients: Some(1),
    },
    Row {
        name: "durable-64",
        title: "the same, 64 clients",
        work: Work::One,
        clients: Some(CLIENTS),
    },
    Row {
        name: "durable-tickets",
        title: "the same, one client that waits for 64 at once",
        work: Work::Tickets,
        clients: Some(1),
    },
    Row {
        name: "durable-gotxn",
        title: "one byte in each of 16 rows of its own, waited for, as in GoTxn's benchmark",
        work: Work::Sixteen,
        clients: None,
    },
    Row {
        name: "durable-none",
        title: "one update of 100 bytes; nobody waits but at the end of the sample",
        work: Work::Nobody,
        clients: None,
    },
];
