//! Selects the scheduler's primitives, and the seeded bug that `TPLOCK_BUG` names.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-env-changed=TPLOCK_BUG");
    if let Ok(bug) = std::env::var("TPLOCK_BUG") {
        println!("cargo::rustc-cfg=tplock_bug={bug:?}");
    }
}
