//! The figures that the commands print.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Waits for its end, but not for ever. What it prints is less than a pipe holds.
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

fn printed(arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let output = end(child.expect("the command starts"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
#[cfg(target_os = "linux")]
fn each_command_of_the_main_job_reports_its_own_memory() {
    let text = printed("");
    let heads: Vec<_> = text.lines().filter(|it| it.starts_with("$ ")).collect();
    assert!(
        heads[0].contains(" tpcc ") && heads[1].contains(" ycsb "),
        "{text}"
    );
    let peaks = text.lines().filter_map(|it| it.strip_prefix("peak memory"));
    let peaks: Vec<f64> = peaks
        .map(|it| {
            it.trim()
                .trim_end_matches(" MiB")
                .parse()
                .expect("a number")
        })
        .collect();
    // Two warehouses take more than 100 MB of records. As the peak of one process, the second could
    // not be below the first.
    assert!(peaks.len() == 2 && peaks[1] < peaks[0], "{text}");
}

#[test]
fn one_is_no_plural() {
    let text = printed(
        "ycsb --read-ratio 50 --records 1 --value-size 1 --operations 1 --threads 1 --held-snapshots 1 --long-readers 1 \
         --distribution uniform",
    );
    for part in [
        " 1 record of 1 byte, uniform, 1 operation per transaction, 1 thread, ",
        " 1 snapshot\n",
        " by 1 thread, ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_check_of_tpcc_says_what_is_out_of_bounds() {
    let folder = tempfile::tempdir().expect("there is room");
    let json = folder.path().join("json");
    let text = printed(&format!(
        "tpcc --warehouses 1 --threads 2 --duration 1 --check --mix 20,40,40,0,0 --profile vmvcc --json {}",
        json.display()
    ));
    let figure = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.expect("it is shown")
    };
    // The reduced profile names no customers and rolls nothing back; one warehouse has no other.
    assert!(
        figure("payments by last name").contains("OUT OF BOUNDS"),
        "{text}"
    );
    assert!(
        figure("new-orders rolled back").contains("OUT OF BOUNDS"),
        "{text}"
    );
    assert!(
        !figure("remote payments").contains("OUT OF BOUNDS"),
        "{text}"
    );
    let report = std::fs::read_to_string(json).expect("the report is written");
    let report: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
    let names = &report["sanity"][4];
    assert_eq!(
        (&names["value"], &names["least"], &names["most"]),
        (&0.0.into(), &57.0.into(), &63.0.into())
    );
    assert_eq!(
        (&names["samples"], &names["by_chance"]),
        (&report["transactions"]["payment"]["count"], &false.into())
    );
    assert!(report["sanity"][3]["value"].is_null());
}
