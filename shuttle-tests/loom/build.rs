//! Selects the model checker's primitives.

fn main() {
    println!("cargo::rustc-cfg=mvcc_loom");
}
