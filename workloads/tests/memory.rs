//! What takes more memory than there is, is refused, or ended with a sentence.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Waits for its end, but not for ever.
fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_mins(5);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

/// Runs in a shell that has set a limit.
fn limited(limit: &str, arguments: &str) -> Output {
    let mut command = Command::new("sh");
    let line = format!("{limit} && exec \"$0\" {arguments}");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_workloads")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    end(child.expect("the shell starts"))
}

fn fails(code: i32, limit: &str, arguments: &str, parts: &[&str]) {
    let output = limited(limit, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments}: {said}");
    assert!(
        parts.iter().all(|part| said.contains(part)),
        "{arguments}: {said}"
    );
    assert!(output.stdout.is_empty(), "{arguments}");
}

/// 4 GiB of address space.
const LIMIT: &str = "ulimit -v 4194304";

#[test]
fn mail_and_a_large_file_are_in_memory() {
    let mail = "mail --profile realistic --users 100000";
    fails(2, LIMIT, mail, &["--users 100000", "GiB are needed"]);
    let file = "journal-bench . --pattern large-file --megabytes 9000";
    fails(2, LIMIT, file, &["--megabytes 9000", "GiB are needed"]);
}

#[test]
fn what_rows_take_besides_their_values_counts() {
    let parts = ["20000000000 records of up to 1 bytes", "GiB are needed"];
    fails(
        2,
        "true",
        "ycsb --records 20000000000 --value-size 1",
        &parts,
    );
    let parts = ["40000000 records", "about 4.8 GiB", "ulimit", "has 4.0 GiB"];
    fails(2, LIMIT, "ycsb --records 40000000 --value-size 1", &parts);
    // 26 million rows fit with the one engine and not with the other.
    let arguments = "ycsb --records 26000000 --value-size 1 --engine tplock";
    fails(2, LIMIT, arguments, &["about 4.6 GiB", "ulimit"]);
    let parts = ["--warehouses 40", "about 4.8 GiB", "ulimit"];
    fails(2, LIMIT, "tpcc --warehouses 40", &parts);
    let parts = ["--warehouses 26", "about 4.2 GiB", "ulimit"];
    fails(2, LIMIT, "tpcc --warehouses 26 --engine tplock", &parts);
    let arguments = "paper silo --quick --records 40000000 --value-size 1 --out none";
    fails(2, LIMIT, arguments, &["40000000 records", "ulimit"]);
    let output = limited(LIMIT, "ycsb --records 100 --operations 100 --threads 1");
    assert!(output.status.success());
}

#[test]
fn what_will_be_inserted_counts() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("inserts");
    let text =
        "recordcount=1000\nreadproportion=0\nupdateproportion=0\ninsertproportion=1\nfieldcount=1";
    std::fs::write(&path, text).expect("there is room");
    let arguments = format!("ycsb --workload {}", path.display());
    let parts = [
        "1000 records",
        "and 30000000 inserts",
        "about 5.3 GiB",
        "ulimit",
    ];
    fails(
        2,
        LIMIT,
        &format!("{arguments} --operations 30000000"),
        &parts,
    );
    // How many there will be in a time, nobody knows: the run sees it coming. 1 GiB of data.
    let parts = ["the run was ended", "of the 1.0 GiB", "ulimit"];
    let arguments = format!("{arguments} --duration 1000 --threads 1");
    fails(1, "ulimit -d 1048576", &arguments, &parts);
}
