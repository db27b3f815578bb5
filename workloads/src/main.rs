//! The command `workloads`.

mod cli;

use std::process::ExitCode;

// Measured against the system's allocator and mimalloc; see docs/performance.md. The library itself prescribes none.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Huge pages: a random read of a large table misses the translation buffer otherwise.
// SAFETY: jemalloc reads its options from a symbol of this name: the first word is a pointer to a terminated string.
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_OPTIONS: &[u8] = b"thp:always\0";

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cli::Failure::Input(error)) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        Err(cli::Failure::Run(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
