//! Property files of YCSB and of go-ycsb, as they are distributed and as Java reads them.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Waits for its end, but not for ever.
fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_mins(2);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

fn ycsb(folder: &Path, file: &[u8], arguments: &str) -> Output {
    let path = folder.join("workload");
    std::fs::write(&path, file).expect("there is room");
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command.arg("ycsb").arg("--workload").arg(path);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    end(child.expect("the command starts"))
}

/// Runs a file and returns its report and what was said besides.
fn run(file: &[u8], arguments: &str) -> (serde_json::Value, String) {
    let folder = tempfile::tempdir().expect("there is room");
    let json = folder.path().join("json");
    let arguments = format!("{arguments} --json {}", json.display());
    let output = ycsb(folder.path(), file, &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = std::fs::read_to_string(json).expect("the report is written");
    (serde_json::from_str(&text).expect("it is JSON"), said)
}

/// The settings of YCSB's `workload_template`. That of go-ycsb has another name for its workload.
fn template(workload: &str) -> String {
    format!(
        "# The name of the workload class to use\nworkload={workload}\n\nrecordcount=1000000\noperationcount=3000000\n#insertcount=\n\
         insertstart=0\nfieldcount=10\nfieldlength=100\nreadallfields=true\nwriteallfields=false\nfieldlengthdistribution=constant\n\
         readproportion=0.95\nupdateproportion=0.05\ninsertproportion=0\nreadmodifywriteproportion=0\nscanproportion=0\n\
         maxscanlength=1000\nscanlengthdistribution=uniform\ninsertorder=hashed\nrequestdistribution=zipfian\n\
         hotspotdatafraction=0.2\nhotspotopnfraction=0.8\n#maxexecutiontime= \ntable=usertable\n#columnfamily=\n\
         measurementtype=histogram\n# measurement.trackjvm = false\nhistogram.buckets=1000\ntimeseries.granularity=1000\n"
    )
}

#[test]
fn the_templates_run_with_one_warning() {
    for workload in [
        "com.yahoo.ycsb.workloads.CoreWorkload",
        "site.ycsb.workloads.CoreWorkload",
        "core",
    ] {
        let arguments = "--records 500 --operations 300 --threads 1";
        let (report, said) = run(template(workload).as_bytes(), arguments);
        assert_eq!(
            (&report["committed"], &report["records"]),
            (&300.into(), &500.into())
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        let ignored = [
            "measurementtype",
            "histogram.buckets",
            "timeseries.granularity",
        ];
        assert!(
            said.starts_with("warning: ") && said.ends_with(&format!(": {}\n", ignored.join(", "))),
            "{said}"
        );
    }
}

#[test]
fn every_distribution_runs() {
    for distribution in [
        "uniform",
        "zipfian",
        "latest",
        "hotspot",
        "exponential",
        "sequential",
    ] {
        let text = format!(
            "recordcount=300\noperationcount=500\nthreadcount=2\nfieldlength=5\nreadproportion=8\nupdateproportion=1\n\
             insertproportion=1\nzeropadding=12\nrequestdistribution={distribution}"
        );
        let (report, said) = run(text.as_bytes(), "");
        assert_eq!(report["committed"], 500, "{distribution}");
        assert!(
            report["distribution"]
                .as_str()
                .expect("text")
                .starts_with(distribution)
        );
        assert!(said.is_empty(), "{said}");
    }
}

#[test]
fn a_time_ends_a_run_with_or_without_a_number_of_operations() {
    for operations in ["0", "1000000000000"] {
        let text = format!("recordcount=100\noperationcount={operations}\nmaxexecutiontime=1");
        let (report, _) = run(text.as_bytes(), "--threads 1");
        assert!(report["seconds"].as_f64().expect("a number") >= 1.0);
    }
    let (report, _) = run(
        b"recordcount=100\noperationcount=70\nmaxexecutiontime=3600",
        "",
    );
    assert_eq!(report["committed"], 70);
    let (report, _) = run(b"recordcount=100\noperationcount=0", "--operations 60");
    assert_eq!(report["committed"], 60);
}

#[test]
fn files_are_read_as_java_does() {
    let text = "\u{feff}# C:\\users\\né\r\nrecordcount 120\r\noperation\\\r\n   count : 90\r\nread\\u0061llfields=FALSE\r\n";
    let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = text[3..]
        .chars()
        .map(|it| u8::try_from(it).expect("Latin-1"));
    for file in [text.as_bytes().to_vec(), utf16, latin1.collect()] {
        let (report, said) = run(&file, "--threads 1");
        assert_eq!(
            (&report["records"], &report["committed"]),
            (&120.into(), &90.into())
        );
        assert!(said.is_empty(), "{said}");
    }
}

#[test]
fn a_wrong_file_is_one_line_although_it_has_something_to_warn_of() {
    let folder = tempfile::tempdir().expect("there is room");
    for (text, part) in [
        (
            "measurementtype=raw\nrequestdistribution=hot",
            "requestdistribution=hot",
        ),
        ("measurementtype=raw\noperationcount=0", "operationcount=0"),
        ("measurementtype=raw\nrecordcount=\\u12", "line 2"),
    ] {
        let output = ycsb(folder.path(), text.as_bytes(), "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.lines().count() == 1 && said.contains(part), "{said}");
        assert!(output.stdout.is_empty());
    }
}
