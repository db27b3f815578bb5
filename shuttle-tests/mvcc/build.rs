//! Selects the scheduler's primitives, and the seeded bug that `MVCC_BUG` names.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-env-changed=MVCC_BUG");
    match std::env::var("MVCC_BUG") {
        Ok(bug) if !bug.is_empty() => println!("cargo::rustc-cfg=mvcc_bug={bug:?}"),
        _ => {}
    }
}
