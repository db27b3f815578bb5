//! Hands the compiler's version and the commit to the crate, for reports.

use std::ffi::OsStr;
use std::process::Command;

fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn main() {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets it");
    let version = output(rustc, &["--version"]).expect("rustc runs");
    println!("cargo::rustc-env=RUSTC_VERSION={version}");
    let commit = output("git", &["rev-parse", "--short", "HEAD"]);
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=COMMIT={commit}");
    println!("cargo::rerun-if-changed=build.rs");
    // Git writes a line there for each commit.
    if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
}
