//! Selects the scheduler's primitives.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
}
