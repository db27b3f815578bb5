//! The parts of `mvcc`, one at a time, through its public API.
//!
//! ```text
//! cargo bench -p benches                     # all of them
//! cargo bench -p benches -- commit           # those with this in their name
//! cargo bench -p benches -- --test           # each once, to see that it works
//! cargo bench -p benches -- --save-baseline before
//! cargo bench -p benches -- --baseline before
//! ```

mod bounds;
mod clock;
mod commit;
mod extras;
mod garbage;
mod insert;
mod read;
mod tables;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;

criterion_group!(
    name = parts;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets =
        clock::readings,
        bounds::empty,
        read::gets,
        read::scans,
        insert::new_keys,
        commit::updates,
        extras::updates,
        extras::one_row,
        garbage::collecting
);
criterion_main!(parts);
