//! `workloads clock`.

use super::Failure;
use workloads::output::print;

pub(super) fn describe(clock: &mvcc::Clock) -> Result<(), Failure> {
    print(format_args!("clock       {}", clock.kind()))?;
    print(format_args!("reason      {}", clock.reason()))?;
    match clock.frequency_hz() {
        Some(hz) => print(format_args!("frequency   {:.1} MHz", hz as f64 / 1e6)),
        None => print("frequency   none: it counts readings"),
    }?;
    print(format_args!(
        "reading     {:.1} ns, back to back on one thread",
        clock.cost_ns()
    ))?;
    let audit = clock
        .audit()
        .map_err(|error| Failure::Run(error.to_string()))?;
    print(format_args!(
        "\nsmallest (receiver's reading - sender's) over hand-overs between each two cores, ticks:\n{audit}"
    ))?;
    match audit.skew() {
        0 => print("strictly monotone along coherence: no allowance for skew is needed"),
        skew => print(format_args!(
            "not clearly positive: build the database with clock_skew({skew})"
        )),
    }?;
    Ok(())
}
