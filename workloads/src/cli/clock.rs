//! `workloads clock`.

use super::Failure;

pub(super) fn describe(clock: &mvcc::Clock) -> Result<(), Failure> {
    println!("clock       {}", clock.kind());
    println!("reason      {}", clock.reason());
    match clock.frequency_hz() {
        Some(hz) => println!("frequency   {:.1} MHz", hz as f64 / 1e6),
        None => println!("frequency   none: it counts readings"),
    }
    println!(
        "reading     {:.1} ns, back to back on one thread",
        clock.cost_ns()
    );
    let audit = clock
        .audit()
        .map_err(|error| Failure::Run(error.to_string()))?;
    println!(
        "\nsmallest (receiver's reading - sender's) over hand-overs between each two cores, ticks:\n{audit}"
    );
    match audit.skew() {
        0 => println!("strictly monotone along coherence: no allowance for skew is needed"),
        skew => println!("not clearly positive: build the database with clock_skew({skew})"),
    }
    Ok(())
}
