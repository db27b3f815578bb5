//! What was measured on.

use mvcc::{Audit, Clock};
use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine, the program, and the clock.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    /// Those that this process may use.
    pub(super) cores: usize,
    pub(super) memory_bytes: Option<u64>,
    pub(super) system: String,
    pub(super) program: String,
    pub(super) clock: ClockFacts,
}

/// The clock of engine `mvcc`.
#[derive(Debug, Serialize)]
pub(super) struct ClockFacts {
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) frequency_hz: Option<u64>,
    /// Of a reading, back to back on one thread.
    pub(super) reading_ns: f64,
    /// The cores, by the operating system's numbers, and below, from core to core, the smallest
    /// (receiver's reading - sender's reading) over hand-overs of a cache line, in ticks.
    pub(super) cores: Vec<usize>,
    pub(super) smallest: Vec<Vec<Option<i64>>>,
    /// Why the latter is not known.
    pub(super) not_audited: Option<String>,
}

impl Machine {
    /// Looks around. The cores' clocks are compared pairwise, which takes a millisecond for each
    /// pair.
    pub(super) fn new(clock: &Clock) -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what);
        let system = system.ok();
        let cpu = system.as_ref().and_then(|system| system.cpus().first());
        let processor = cpu.map(|cpu| cpu.brand().trim().to_owned());
        let build = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.as_ref().map(System::total_memory),
            system: format!(
                "{} {}, {}",
                std::env::consts::OS,
                System::kernel_version().unwrap_or_default(),
                std::env::consts::ARCH
            ),
            program: format!(
                "commit {}, {}, {build} build, the system's allocator",
                env!("COMMIT"),
                env!("RUSTC_VERSION")
            ),
            clock: ClockFacts::new(clock),
        }
    }
}

impl ClockFacts {
    fn new(clock: &Clock) -> Self {
        let (audit, not_audited) = match clock.audit() {
            Ok(audit) => (Some(audit), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (cores, smallest) = audit.map_or_else(
            Default::default,
            |Audit {
                 cores, smallest, ..
             }| (cores, smallest),
        );
        Self {
            kind: clock.kind().to_string(),
            reason: clock.reason().to_owned(),
            frequency_hz: clock.frequency_hz(),
            reading_ns: clock.cost_ns(),
            cores,
            smallest,
            not_audited,
        }
    }
}
