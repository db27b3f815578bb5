//! Hands the compiler's version, and those of the peers of `compare`, to the crate.

use std::path::Path;
use std::process::Command;

const PEERS: [&str; 9] = [
    "dashmap",
    "fjall",
    "heed",
    "mvcc-core",
    "redb",
    "rusqlite",
    "skipdb",
    "stm",
    "surrealmx",
];

fn main() {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets it");
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs");
    let version = String::from_utf8(output.stdout).expect("UTF-8");
    println!("cargo::rustc-env=RUSTC_VERSION={}", version.trim());

    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let locked = std::fs::read_to_string(&lock).expect("the workspace has a Cargo.lock");
    for peer in PEERS {
        let version = locked
            .split(&format!("name = \"{peer}\"\nversion = \""))
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a dependency is in Cargo.lock");
        println!("cargo::rustc-env=VERSION_OF_{peer}={version}");
    }
    println!("cargo::rerun-if-changed={}", lock.display());
    println!("cargo::rerun-if-changed=build.rs");
}
