//! `workloads paper`, as a user calls it: small runs of every experiment, and what they write.

use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn paper(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    let arguments = arguments.split_whitespace();
    let output = command.arg("paper").args(arguments).output();
    output.expect("the command starts")
}

/// A folder for results that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("workloads-paper-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Runs with small tables, for a short time.
    fn run(&self, arguments: &str) {
        self.run_as_it_is(&format!("{arguments} --records 2000"));
    }

    fn run_as_it_is(&self, arguments: &str) {
        let out = self.0.display();
        let output = paper(&format!("{arguments} --quick --out {out}"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {error}");
    }

    fn read(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.0.join(name));
        text.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(&format!("{name}.json"))).expect("it is JSON")
    }

    fn csv(&self, name: &str) -> Vec<Line> {
        let text = self.read(&format!("{name}.csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().expect("names").clone();
        let lines = reader.records().map(|line| {
            let line = line.expect("as many cells as names");
            let cells = head.iter().zip(line.iter());
            cells
                .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
                .collect()
        });
        lines.collect()
    }

    /// The report, and that it is whole: figures with lines, numbers that are numbers, nothing from
    /// elsewhere.
    fn report(&self, name: &str, figures: usize) -> String {
        let page = self.read(&format!("{name}.html"));
        assert_eq!(page.matches("<svg ").count(), figures, "{name}");
        for figure in page.split("<svg ").skip(1) {
            let (figure, _) = figure.split_once("</svg>").expect("it ends");
            assert!(
                figure.contains("<circle ") || figure.contains("<polyline "),
                "{figure}"
            );
        }
        for wrong in ["NaN", "inf\"", "src=", "href=\"http", "@import", "url("] {
            assert!(!page.contains(wrong), "{name}: {wrong}");
        }
        for part in ["Machine and clock", "processor", "clock of mvcc", "mvcc"] {
            assert!(page.contains(part), "{name}: {part}");
        }
        page
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A line of a CSV, by column.
type Line = HashMap<String, String>;

fn cell<'l>(line: &'l Line, name: &str) -> &'l str {
    let found = line.get(name);
    found.unwrap_or_else(|| panic!("no column {name}"))
}

fn number(line: &Line, name: &str) -> f64 {
    cell(line, name).parse().expect("a number")
}

/// What every experiment but `gc` has in every line.
fn check_rows(lines: &[Line], json: &Value, repeats: usize) {
    let rows = json["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), lines.len());
    for (line, row) in lines.iter().zip(rows) {
        assert_eq!(row["engine"], cell(line, "engine"));
        let committed = number(line, "committed");
        let aborted = number(line, "aborted");
        let rolled_back = number(line, "rolled_back");
        assert!(committed > 0.0 && number(line, "throughput_tps") > 0.0);
        assert!(number(line, "throughput_min_tps") <= number(line, "throughput_max_tps"));
        let rate = aborted / (committed + aborted + rolled_back);
        assert!((number(line, "abort_rate") - rate).abs() < 1e-9);
        let runs = row["measured"].as_array().expect("runs");
        assert_eq!(
            (runs.len(), cell(line, "runs")),
            (repeats, &*repeats.to_string())
        );
        let sum: u64 = runs
            .iter()
            .filter_map(|run| run["committed"].as_u64())
            .sum();
        assert_eq!(Some(sum), row["committed"].as_u64());
    }
}

#[test]
fn silo_has_both_workloads_on_both_engines() {
    let folder = Folder::new("silo");
    folder.run(
        "silo --threads 2 --duration 0.1 --repeats 1 --tpcc-duration 0.1 --warehouses 1 --scan-length 10 --read-ratios 100,0",
    );
    let (lines, json) = (folder.csv("silo"), folder.json("silo"));
    // Two ratios, scans, and TPC-C, on two engines.
    assert_eq!(lines.len(), 8);
    check_rows(&lines, &json, 1);
    let is_scan = |line: &&Line| cell(line, "scan_length") == "10";
    assert_eq!(lines.iter().filter(is_scan).count(), 2);
    let tpcc = lines.iter().filter(|line| cell(line, "workload") == "tpcc");
    assert!(tpcc.clone().all(|line| cell(line, "warehouses") == "1"));
    assert_eq!(
        tpcc.filter(|line| cell(line, "engine") == "tplock").count(),
        1
    );
    assert_eq!(json["experiment"], "silo");
    assert_eq!(
        json["parameters"]["read-ratios"],
        serde_json::json!([100.0, 0.0])
    );
    assert!(json["parameters"]["thetas"].is_null(), "it has none");
    assert!(json["machine"]["processor"].is_string());
    assert_eq!(json["machine"]["clock"]["kind"], cell(&lines[0], "clock"));
    folder.report("silo", 4);
}

#[test]
fn long_readers_come_beside_their_stand_ins() {
    let folder = Folder::new("long-readers");
    folder.run("long-readers --engines mvcc --threads 2 --duration 0.5 --repeats 1 --warehouses 1 --tpcc-duration 0.5 --read-ratios 50 --long-readers 2 --scan-intervals 0.02");
    let (lines, json) = (folder.csv("long-readers"), folder.json("long-readers"));
    check_rows(&lines, &json, 1);
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                cell(line, "workload"),
                cell(line, "besides"),
                cell(line, "long_readers"),
            )
        })
        .collect();
    let expected = [
        ("ycsb", "nothing", "0"),
        ("ycsb", "stand-ins", "2"),
        ("ycsb", "readers", "2"),
        ("tpcc", "stand-ins", "1"),
        ("tpcc", "readers", "1"),
    ];
    assert_eq!(seen, expected);
    for line in &lines {
        let (readers, reads) = (number(line, "long_readers"), number(line, "long_reads"));
        assert_eq!(readers > 0.0, reads > 0.0, "{line:?}");
        assert_eq!(
            cell(line, "besides") == "readers",
            !cell(line, "kept").is_empty()
        );
    }
    folder.report("long-readers", 5);
}

#[test]
fn factors_are_clocks_and_ways_to_read() {
    let folder = Folder::new("factors");
    folder.run("factors --threads 2 --duration 0.1 --repeats 1");
    let (lines, json) = (folder.csv("factors"), folder.json("factors"));
    check_rows(&lines, &json, 1);
    let variants: Vec<_> = lines.iter().map(|line| cell(line, "variant")).collect();
    assert_eq!(variants.len(), 6);
    for part in [
        "view without",
        "transaction without",
        "from counter",
        "from locked-counter",
        "snapshot",
    ] {
        assert!(
            variants.iter().any(|variant| variant.contains(part)),
            "{part}"
        );
    }
    assert!(lines.iter().all(|line| cell(line, "aborted") == "0"));
    folder.report("factors", 1);
}

#[test]
fn scalability_varies_threads_and_skew() {
    let folder = Folder::new("scalability");
    folder.run(
        "scalability --threads 2,1 --duration 0.1 --repeats 2 --thetas 0.5,0.9 --engines mvcc",
    );
    let (lines, json) = (folder.csv("scalability"), folder.json("scalability"));
    check_rows(&lines, &json, 2);
    assert_eq!(lines.len(), 8);
    assert!(
        lines
            .iter()
            .all(|line| cell(line, "engine") == "mvcc" && cell(line, "ops_per_txn") == "4")
    );
    // Four combinations, and the aborts.
    folder.report("scalability", 5);
}

#[test]
fn gc_goes_over_time() {
    let folder = Folder::new("gc");
    folder.run("gc --threads 1 --duration 1 --hold 0.2 --pause 0.2 --long-readers 2");
    let lines = folder.csv("gc");
    for engine in ["mvcc", "tplock"] {
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| cell(line, "engine") == engine)
            .collect();
        assert!(lines.len() >= 5, "{engine}: {} samples", lines.len());
        assert!(lines.is_sorted_by(|a, b| number(a, "seconds") < number(b, "seconds")));
        assert!(
            lines.iter().any(|line| number(line, "snapshots") > 0.0),
            "{engine}"
        );
        assert!(
            lines
                .iter()
                .any(|line| number(line, "throughput_tps") > 0.0),
            "{engine}"
        );
        let has_versions = |line: &Line| !cell(line, "live_versions").is_empty();
        assert!(
            lines
                .iter()
                .all(|line| has_versions(line) == (engine == "mvcc"))
        );
        if cfg!(target_os = "linux") {
            assert!(
                lines
                    .iter()
                    .all(|line| number(line, "resident_bytes") > 1e6)
            );
        }
    }
    let rows = folder.json("gc")["rows"].as_array().map(Vec::len);
    assert_eq!(rows, Some(lines.len()));
    folder.report("gc", 4);
}

#[test]
fn durability_has_each_way_by_clients() {
    let folder = Folder::new("durability");
    folder.run("durability --clients 4,1 --duration 0.1 --repeats 2 --value-size 50");
    let (lines, json) = (folder.csv("durability"), folder.json("durability"));
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (cell(line, "way"), cell(line, "clients")))
        .collect();
    let expected = [
        ("raw loop", "1"),
        ("memory only", "1"),
        ("no wait", "1"),
        ("tickets", "1"),
        ("wait", "1"),
        ("memory only", "4"),
        ("no wait", "4"),
        ("tickets", "4"),
        ("wait", "4"),
    ];
    assert_eq!(seen, expected);
    for (line, row) in lines.iter().zip(json["rows"].as_array().expect("rows")) {
        let runs = row["measured"].as_array().expect("runs");
        let committed = runs.iter().filter_map(|run| run["committed"].as_u64());
        assert_eq!(committed.sum::<u64>().to_string(), cell(line, "committed"));
        assert!(number(line, "throughput_tps") > 0.0);
        let syncs = cell(line, "commits_per_sync");
        match cell(line, "way") {
            "memory only" => assert!(syncs.is_empty(), "it syncs nothing: {syncs}"),
            "raw loop" => assert_eq!(cell(line, "commits_per_sync"), "1.0"),
            "wait" => assert!(number(line, "p99_us") >= number(line, "p50_us")),
            _ => assert!(number(line, "commits_per_sync") >= 1.0),
        }
    }
    folder.report("durability", 2);
}

#[test]
fn recovery_opens_logs_and_checkpoints() {
    let folder = Folder::new("recovery");
    folder.run_as_it_is("recovery --rows 1000,3000 --repeats 2");
    let lines = folder.csv("recovery");
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (cell(line, "rows"), cell(line, "form")))
        .collect();
    let expected = [
        ("1000", "log"),
        ("1000", "checkpoint"),
        ("3000", "log"),
        ("3000", "checkpoint"),
    ];
    assert_eq!(seen, expected);
    for line in &lines {
        // Each row has 108 bytes.
        assert!(number(line, "bytes") > 108.0 * number(line, "rows"));
        let rate = number(line, "rows") / number(line, "open_s");
        assert!((number(line, "rows_per_second") / rate - 1.0).abs() < 1e-9);
        assert_eq!(cell(line, "runs"), "2");
    }
    folder.report("recovery", 2);
}

#[test]
fn a_checkpoint_is_seen_over_time() {
    let folder = Folder::new("checkpoint");
    folder.run("checkpoint --threads 1 --duration 1.5");
    let lines = folder.csv("checkpoint");
    assert!(lines.len() >= 5, "{} samples", lines.len());
    assert!(lines.is_sorted_by(|a, b| number(a, "seconds") < number(b, "seconds")));
    assert!(
        lines
            .iter()
            .any(|line| number(line, "throughput_tps") > 0.0)
    );
    let waits = lines
        .iter()
        .filter(|line| !cell(line, "longest_wait_ms").is_empty());
    assert!(waits.count() > 0);
    let rows = folder.json("checkpoint")["rows"].as_array().map(Vec::len);
    assert_eq!(rows, Some(lines.len()));
    folder.report("checkpoint", 4);
}

#[test]
fn mail_is_beside_a_maildir() {
    let folder = Folder::new("mail");
    folder.run_as_it_is("mail --mail-threads 1,2 --users 5 --duration 0.1 --repeats 1");
    let lines = folder.csv("mail");
    let ways = [
        ("store", "true"),
        ("maildir", "true"),
        ("memory only", "false"),
        ("maildir without syncs", "false"),
    ];
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (cell(line, "way"), cell(line, "durable")))
        .collect();
    assert_eq!(seen, [ways, ways].concat());
    for line in &lines {
        assert_eq!(cell(line, "users"), "5");
        assert!(number(line, "delivered") > 0.0 && number(line, "throughput_rps") > 0.0);
    }
    folder.report("mail", 2);
}

#[test]
fn all_is_one_report() {
    let folder = Folder::new("all");
    folder.run(
        "all --threads 1 --duration 0.1 --repeats 1 --engines mvcc --tpcc-duration 0.1 --scan-intervals off --read-ratios 50 --thetas 0.9 --pause 0.02 --hold 0.02 --clients 2 --rows 1000 --mail-threads 1 --users 5",
    );
    let names = [
        "silo",
        "long-readers",
        "factors",
        "scalability",
        "gc",
        "durability",
        "recovery",
        "checkpoint",
        "mail",
    ];
    for name in names {
        assert!(!folder.csv(name).is_empty());
        assert_eq!(folder.json(name)["experiment"], name);
    }
    let page = folder.report("all", 3 + 4 + 1 + 2 + 4 + 2 + 2 + 4 + 2);
    let headings = names.map(|name| {
        let heading = format!("<h2 id=\"{name}\">");
        page.find(&heading).unwrap_or_else(|| panic!("{name}"))
    });
    assert!(headings.is_sorted());
}

#[test]
fn results_are_in_the_named_folder_only_when_all_is_done() {
    let folder = Folder::new("partial");
    std::fs::write(&folder.0, "a file").expect("the folder for temporary files is writable");
    refused(
        &format!("silo --out {}", folder.0.display()),
        &["--out", "writable"],
    );
    std::fs::remove_file(&folder.0).expect("it is still there");
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    for (arguments, parts) in [
        (
            "silo --engines mvcc,oracle",
            vec!["--engines oracle", "mvcc and tplock"],
        ),
        ("silo --threads 0", vec!["--threads 0", "1 to 1024"]),
        ("silo --repeats 0", vec!["--repeats 0", "above 0"]),
        ("silo --records 0", vec!["--records 0", "above 0"]),
        ("silo --value-size 0", vec!["--value-size 0", "above 0"]),
        (
            "silo --read-ratios 50,120",
            vec!["--read-ratios 120", "0 to 100"],
        ),
        ("silo --duration never", vec!["--duration never", "seconds"]),
        (
            "silo --tpcc-duration=-1",
            vec!["--tpcc-duration -1", "seconds"],
        ),
        ("silo --warehouses 0", vec!["--warehouses 0", "1 to 65535"]),
        ("silo --mix 50,50", vec!["--mix 50,50", "2 numbers"]),
        ("silo --thetas 0.9", vec!["--thetas", "silo", "scalability"]),
        (
            "silo --theta 0.9",
            vec!["--theta ", "silo", "long-readers, factors, gc"],
        ),
        ("factors --theta 1", vec!["--theta 1", "below 1"]),
        ("scalability --thetas 0.5,2", vec!["--thetas 2", "below 1"]),
        (
            "long-readers --scan-intervals off,0",
            vec!["--scan-intervals", "0", "off or seconds"],
        ),
        (
            "long-readers --long-readers 0",
            vec!["--long-readers 0", "1 to 1024"],
        ),
        ("gc --hold 0", vec!["--hold 0", "seconds"]),
        ("gc --repeats 3", vec!["--repeats", "gc", "silo"]),
        ("gc --read-ratio NaN", vec!["--read-ratio NaN", "0 to 100"]),
        ("durability --clients 0", vec!["--clients 0", "1 to 1024"]),
        ("recovery --rows 0", vec!["--rows 0", "above 0"]),
        ("mail --users 0", vec!["--users 0", "1 to 1000000"]),
        ("mail --threads 1", vec!["--threads", "mail", "silo"]),
        ("silo --out /proc/x", vec!["--out /proc/x", "writable"]),
    ] {
        refused(arguments, &parts);
    }
}

fn refused(arguments: &str, parts: &[&str]) {
    let output = paper(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
    assert_eq!(error.lines().count(), 1, "{arguments}: {error}");
    assert!(error.starts_with("error: "), "{error}");
    for part in parts {
        assert!(error.contains(part), "{arguments}: {error}");
    }
    assert!(output.stdout.is_empty(), "{arguments}: something was run");
}

#[test]
fn the_folder_is_the_only_thing_that_is_written() {
    let folder = Folder::new("names");
    folder.run("factors --threads 1 --duration 0.1 --repeats 1");
    let mut names: Vec<_> = std::fs::read_dir(Path::new(&folder.0))
        .expect("it is there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["factors.csv", "factors.html", "factors.json"]);
}
