//! Selects the scheduler's primitives, and the seeded bug that `MVCC_BUG` names.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-env-changed=MVCC_BUG");
    if let Ok(bug) = std::env::var("MVCC_BUG") {
        println!("cargo::rustc-cfg=mvcc_bug={bug:?}");
    }
}
