//! Where results go: what is there is neither replaced by mistake nor lost, and a full or closed
//! output is no panic.
#![cfg(unix)]

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Something that is over at once.
const YCSB: &str = "ycsb --records 100 --operations 100 --threads 1";
const TPCC: &str = "tpcc --warehouses 1 --threads 1 --duration 0.1";

fn workloads(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

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

fn run(command: &mut Command) -> Output {
    end(command.spawn().expect("the command starts"))
}

fn succeeds(command: &mut Command) -> Output {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    output
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

fn is_report(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|json| json["committed"] == 100)
}

fn reported(path: &Path) -> bool {
    is_report(&fs::read_to_string(path).expect("it is there"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there");
    let names = entries.map(|entry| entry.expect("it is there").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("ours"))
        .collect();
    names.sort();
    names
}

/// It was replaced by a regular file. As root, `--json /dev/stdout` did that to the machine's.
#[test]
fn a_pipe_is_written_to() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let child = workloads(YCSB).arg("--json").arg(&pipe).spawn();
    let mut text = String::new();
    let mut reader = File::open(&pipe).expect("it is there");
    reader.read_to_string(&mut text).expect("it is text");
    assert!(end(child.expect("the command starts")).status.success());
    assert!(is_report(&text), "{text}");
    let kind = fs::symlink_metadata(&pipe)
        .expect("it is there")
        .file_type();
    assert!(kind.is_fifo());
}

#[test]
fn a_link_is_followed() {
    let folder = folder();
    fs::create_dir(folder.path().join("below")).expect("there is room");
    for (target, exists) in [("old.json", true), ("below/new.json", false)] {
        let target = folder.path().join(target);
        if exists {
            fs::write(&target, "old").expect("there is room");
        }
        let link = target.with_extension("link");
        symlink(target.file_name().expect("a name"), &link).expect("there is room");
        succeeds(workloads(YCSB).arg("--json").arg(&link));
        assert!(reported(&target));
        assert!(
            fs::symlink_metadata(&link)
                .expect("it is there")
                .is_symlink()
        );
    }
}

#[test]
fn a_file_keeps_its_permissions_and_others_stay_as_they_are() {
    let folder = folder();
    let file = folder.path().join("x.json");
    let other = folder.path().join("x.json.partial");
    fs::write(&file, "old").expect("there is room");
    fs::write(&other, "a user's own").expect("there is room");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("ours");
    succeeds(workloads(YCSB).arg("--json").arg(&file));
    assert!(reported(&file));
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        fs::read_to_string(&other).expect("it is there"),
        "a user's own"
    );
    assert_eq!(names(folder.path()), ["x.json", "x.json.partial"]);
}

/// Whoever redirects standard output to a file, and names that file through `/dev/stdout`, has it
/// open already.
#[test]
fn standard_output_stays_what_it_is() {
    let folder = folder();
    for (number, name) in ["-", "/dev/stdout", "/proc/self/fd/1"]
        .into_iter()
        .enumerate()
    {
        let file = folder.path().join(number.to_string());
        let mut command = workloads(YCSB);
        command
            .args(["--json", name])
            .stdout(File::create(&file).expect("there is room"));
        let before = fs::symlink_metadata("/dev/stdout")
            .expect("it is there")
            .is_symlink();
        let output = succeeds(&mut command);
        assert!(reported(&file), "{name}");
        // The table has gone where it is in no program's way.
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("throughput"),
            "{name}"
        );
        let after = fs::symlink_metadata("/dev/stdout")
            .expect("it is there")
            .is_symlink();
        assert_eq!(before, after);
    }
}

#[test]
fn a_workload_is_read_from_standard_input() {
    let folder = folder();
    let properties = folder.path().join("properties");
    fs::write(
        &properties,
        "recordcount=100\noperationcount=100\nreadproportion=1\nupdateproportion=0\n",
    )
    .expect("there is room");
    let mut command = workloads("ycsb --workload - --threads 1 --json -");
    command.stdin(File::open(&properties).expect("it is there"));
    let output = succeeds(&mut command);
    assert!(is_report(&String::from_utf8_lossy(&output.stdout)));
}

/// Every command panicked, and had not written its files yet.
#[test]
fn nobody_need_read_the_output() {
    let folder = folder();
    let file = folder.path().join("x.json");
    for (number, line) in [YCSB, TPCC, "clock", "--help"].into_iter().enumerate() {
        let mut command = workloads(line);
        if number < 2 {
            command.arg("--json").arg(&file);
        }
        let mut child = command.spawn().expect("the command starts");
        drop(child.stdout.take());
        let output = end(child);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        if number < 2 {
            fs::remove_file(&file).expect("it was written");
        }
    }
}

#[test]
fn a_full_disk_is_said_in_a_sentence() {
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it")
    };
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("x.json");
    let paper = format!(
        "paper gc --quick --duration 0.2 --out {}",
        folder.path().join("paper").display()
    );
    for line in [YCSB, TPCC, "clock", "--help", &paper] {
        let mut command = workloads(line);
        if line == YCSB {
            command.arg("--json").arg(&file);
        }
        let output = run(command.stdout(full()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("error: cannot write to standard output: No space left"),
            "{line}: {said}"
        );
    }
    assert!(reported(&file));
    assert!(folder.path().join("paper/gc.csv").exists());
    // Standard error is full: nothing can be said, but the exit status tells.
    assert!(run(workloads(YCSB).stderr(full())).status.success());
    let wrong = run(workloads("ycsb --threads 0").stderr(full()));
    assert_eq!(wrong.status.code(), Some(2));
    // The file is full: the table is there all the same.
    let output = run(workloads(YCSB).args(["--json", "/dev/full"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("throughput"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot write --json /dev/full: No space left"),
        "{said}"
    );
}
