//! The processor's counter: whether it can be trusted, and how it is read.

use super::ClockKind;

/// Reads the processor's counter. Ordered after every earlier load and locked instruction, before
/// every later load.
///
/// `rdtscp` waits until all earlier instructions have executed and all earlier loads are globally
/// visible, on Intel and AMD alike; a locked instruction is globally visible once it has executed.
/// The `lfence` after it keeps later loads from starting before the counter was read: on Intel by
/// definition, on AMD because `lfence` is dispatch-serialising there under every operating system
/// that mitigates Spectre.
#[cfg(all(target_arch = "x86_64", not(shuttle)))]
#[inline]
pub(super) fn read() -> u64 {
    use core::arch::x86_64::{__rdtscp, _mm_lfence};
    let mut processor = 0;
    // SAFETY: `hardware` offers this clock only where the processor has `rdtscp`; SSE2, and with it
    // `lfence`, is part of x86-64. `processor` is a valid place for the processor's number.
    unsafe {
        let ticks = __rdtscp(&raw mut processor);
        _mm_lfence();
        ticks
    }
}

/// Whether the time-stamp counter can be used, and why or why not.
#[cfg(all(target_arch = "x86_64", not(shuttle)))]
pub(super) fn hardware() -> Result<(ClockKind, String), String> {
    let cpuid = raw_cpuid::CpuId::new();
    let invariant = cpuid
        .get_advanced_power_mgmt_info()
        .is_some_and(|info| info.has_invariant_tsc());
    if !invariant {
        return Err("CPUID reports no invariant time-stamp counter".to_owned());
    }
    let rdtscp = cpuid
        .get_extended_processor_and_feature_identifiers()
        .is_some_and(|info| info.has_rdtscp());
    if !rdtscp {
        return Err("the processor has no rdtscp instruction".to_owned());
    }
    kernel_trusts_tsc()?;
    Ok((
        ClockKind::Tsc,
        "CPUID reports an invariant time-stamp counter and the kernel trusts it".to_owned(),
    ))
}

/// Linux checks the counters of all cores against each other at boot and drops the clock source
/// `tsc` if they differ.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(shuttle)))]
fn kernel_trusts_tsc() -> Result<(), String> {
    const SOURCES: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    let sources = std::fs::read_to_string(SOURCES)
        .map_err(|error| format!("cannot read the kernel's clock sources in {SOURCES}: {error}"))?;
    if sources.split_whitespace().any(|source| source == "tsc") {
        Ok(())
    } else {
        Err(format!(
            "the kernel does not offer the time-stamp counter as a clock source, only {}",
            sources.trim()
        ))
    }
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux"), not(shuttle)))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
fn kernel_trusts_tsc() -> Result<(), String> {
    Ok(())
}

/// Reads the generic timer.
///
/// A reading must not be taken before the stores of locks are visible to all cores: a reader that
/// still found a tuple unlocked could have a later timestamp than the commit (I2). `dmb` orders
/// memory accesses among each other only, and the counter is a register, so nothing would keep the
/// `mrs` from passing it. `dsb ish` does not complete until all earlier accesses have, and no later
/// instruction executes before it completes; the `isb` behind it keeps the `mrs` from having been
/// executed ahead (Arm Architecture Reference Manual, "Generic Timer": counter reads may be
/// speculative unless an `isb` stands before). The last `isb` holds later loads back until the
/// reading is there.
#[cfg(all(target_arch = "aarch64", not(shuttle)))]
#[inline]
pub(super) fn read() -> u64 {
    let ticks: u64;
    // SAFETY: reads a counter that every aarch64 operating system lets user code read; touches
    // nothing else. Without `nomem` the compiler moves no memory access across.
    unsafe {
        core::arch::asm!("dsb ish", "isb", "mrs {}, cntvct_el0", "isb", out(reg) ticks, options(nostack));
    }
    ticks
}

/// The generic timer is one for all cores by the architecture.
#[cfg(all(target_arch = "aarch64", not(shuttle)))]
pub(super) fn hardware() -> Result<(ClockKind, String), String> {
    Ok((
        ClockKind::GenericTimer,
        "the generic timer is the same on all cores".to_owned(),
    ))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", shuttle)))]
pub(super) fn read() -> u64 {
    unreachable!("`hardware` offers no such clock here")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", shuttle)))]
pub(super) fn hardware() -> Result<(ClockKind, String), String> {
    Err("no trusted processor counter is known for this architecture".to_owned())
}

/// The clock of a world under the scheduler, as bad as `settle` has to make up for: four readings
/// in a row are equal, and every other task is ahead by as much as is allowed.
#[cfg(shuttle)]
pub(super) fn read(ticks: &crate::sync::AtomicU64, skew: u64) -> u64 {
    let ahead = usize::from(shuttle::current::me()) % 2 == 1;
    ticks.fetch_add(1, crate::sync::Ordering::SeqCst) / 4 + if ahead { skew } else { 0 }
}

#[cfg(shuttle)]
#[expect(clippy::unnecessary_wraps, reason = "as elsewhere, where it can fail")]
pub(super) fn hardware() -> Result<(ClockKind, String), String> {
    let reason = "it is made up by the scheduler".to_owned();
    Ok((ClockKind::GenericTimer, reason))
}
