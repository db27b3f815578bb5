//! `workloads journal`, as an operator calls it. What it is given is never changed.
#![cfg(unix)]

use journal::{Directory, Event, Opened, Options, open};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FRAMES: u64 = 30;
/// The frames that the checkpoint takes the place of, in as many blocks.
const CHECKPOINTED: u64 = 12;

/// One test at a time: a process that another one starts has all that is open here, the lock of a
/// journal too, until it runs its program.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn workloads(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
    command.arg("journal").args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for its end, but not for ever.
fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_mins(1);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("it has ended")
}

fn run(arguments: &[&str]) -> Output {
    end(workloads(arguments).spawn().expect("the command starts"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory, and in it a journal `j` and room for copies of it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("there is room"));
        let mut opened = place.open();
        for number in 1..=FRAMES {
            let reservation = opened.log.reserve(700).expect("there is room");
            let record = [u8::try_from(number).expect("few"); 700];
            let appended = opened.writer.append(&record, number, reservation);
            appended.expect("there is room");
            if number == CHECKPOINTED {
                let mut checkpoint = opened.log.checkpoint().expect("there is room");
                for number in 1..=CHECKPOINTED {
                    let block = [u8::try_from(number).expect("few"); 700];
                    checkpoint.block(&block).expect("there is room");
                }
                checkpoint.finish(CHECKPOINTED).expect("there is room");
            }
        }
        opened.writer.close().expect("it goes on");
        place
    }

    fn open(&self) -> Opened {
        let options = Options {
            segment_bytes: 8192,
            helper: false,
            ..Options::default()
        };
        let disk = Directory::create(self.path("j")).expect("there is room");
        open(Arc::new(disk), &options, &mut |_, _| Ok(())).expect("it is sound")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().expect("ours").to_owned()
    }

    /// The files of the journal whose names begin so.
    fn files(&self, begin: &str) -> Vec<PathBuf> {
        let all = contents(&self.path("j"));
        let names = all.into_keys().filter(|name| name.starts_with(begin));
        names.map(|name| self.path("j").join(name)).collect()
    }

    fn flip(path: &Path, at: usize) {
        let mut bytes = fs::read(path).expect("it is there");
        bytes[at] ^= 1;
        fs::write(path, bytes).expect("there is room");
    }

    /// Runs the command on the journal, which must be as it was then.
    fn run(&self, command: &str, more: &[&str]) -> Output {
        let before = contents(&self.path("j"));
        let journal = self.name("j");
        let output = run(&[&[command, &journal], more].concat());
        assert!(
            contents(&self.path("j")) == before,
            "{command} has changed it"
        );
        output
    }

    /// Runs `verify`, and returns the damaged files and offsets that it names.
    fn damages(&self) -> Vec<(String, u64)> {
        let output = self.run("verify", &[]);
        let text = stdout(&output);
        let damages: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("damaged      "))
            .map(|line| {
                assert!(
                    line.contains(": expected ") && line.contains(", found "),
                    "{line}"
                );
                let (file, rest) = line.split_once(" at byte ").expect("a place");
                let (offset, _) = rest.split_once(':').expect("a reason");
                (file.to_owned(), offset.parse().expect("a number"))
            })
            .collect();
        let status = i32::from(!damages.is_empty());
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert_eq!(
            stderr(&output).lines().count(),
            usize::from(!damages.is_empty())
        );
        damages
    }
}

fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("it is there");
    let read = entries.map(|entry| {
        let entry = entry.expect("it is there");
        let name = entry.file_name().into_string().expect("ours");
        (name, fs::read(entry.path()).expect("it is a file"))
    });
    read.collect()
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .expect("ours")
        .to_str()
        .expect("ours")
        .to_owned()
}

#[test]
fn a_sound_journal_is_summed_up_and_left_as_it_is() {
    let _alone = alone();
    let place = Place::new();
    let json = place.name("json");
    // Nothing that it needs is made: neither a lock nor anything else, in a directory to be read.
    fs::remove_file(place.path("j/lock")).expect("it is there");
    let file = |mode| fs::set_permissions(place.path("j"), Permissions::from_mode(mode));
    file(0o555).expect("ours");
    let output = place.run("verify", &["--json", &json]);
    file(0o755).expect("ours");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    let frames = FRAMES - CHECKPOINTED;
    for part in [
        "1 checkpoint,".to_owned(),
        format!("{frames} frames of the log, {CHECKPOINTED} blocks"),
        format!("{} bytes of records", FRAMES * 700),
        format!("durable cut  {FRAMES}\n"),
        "where it was closed".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(json).expect("written")).expect("JSON");
    assert_eq!(report["recovery"]["up_to"], FRAMES);
    assert_eq!(report["recovery"]["is_closed"], true);
    assert_eq!(report["damages"].as_array().map(Vec::len), Some(0));
    let bytes: usize = contents(&place.path("j")).values().map(Vec::len).sum();
    assert_eq!(report["bytes"], bytes);
}

#[test]
fn each_damage_is_a_line_with_its_place() {
    let _alone = alone();
    let place = Place::new();
    assert_eq!(place.damages(), []);
    let checkpoint = place.files("checkpoint-").remove(0);
    Place::flip(&checkpoint, 512 + 100);
    let in_checkpoint = (name_of(&checkpoint), 512);
    assert_eq!(place.damages(), std::slice::from_ref(&in_checkpoint));
    // Both frames have others behind them that say that they were synced.
    let segments = place.files("log-");
    for segment in &segments[1..3] {
        Place::flip(segment, 512 + 1024 + 100);
    }
    let in_log = segments[1..3]
        .iter()
        .map(|segment| (name_of(segment), 512 + 1024));
    let all: Vec<_> = [in_checkpoint].into_iter().chain(in_log).collect();
    assert_eq!(place.damages(), all);
}

#[test]
fn what_is_cut_or_gone_is_damage() {
    let _alone = alone();
    for cut in [true, false] {
        let place = Place::new();
        let segments = place.files("log-");
        let segment = &segments[segments.len() - 2];
        if cut {
            let file = File::options()
                .write(true)
                .open(segment)
                .expect("it is there");
            file.set_len(512 + 1024).expect("ours");
        } else {
            fs::remove_file(segment).expect("it is there");
        }
        let damages = place.damages();
        assert!(!damages.is_empty());
        let copy = place.name("copy");
        let output = place.run("salvage", &[&copy]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains("left out     the log from its damage on"));
        assert_eq!(run(&["verify", &copy]).status.code(), Some(0));
    }
    let place = Place::new();
    fs::remove_file(place.path("j/journal")).expect("it is there");
    let output = place.run("verify", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("no file `journal`"),
        "{}",
        stderr(&output)
    );
    // What is left of it can be listed and copied.
    assert_eq!(place.run("dump", &[]).status.code(), Some(0));
    let copy = place.name("copy");
    assert_eq!(place.run("salvage", &[&copy]).status.code(), Some(0));
    assert_eq!(run(&["verify", &copy]).status.code(), Some(0));
}

#[test]
fn a_dump_has_a_line_for_each_frame_and_each_damage() {
    let _alone = alone();
    let place = Place::new();
    let json = place.name("json");
    let checkpoint = place.files("checkpoint-").remove(0);
    Place::flip(&checkpoint, 512 + 100);
    let output = place.run("dump", &[]);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let text = stdout(&output);
    let name = name_of(&checkpoint);
    let last = FRAMES;
    for part in [
        format!("{name}        512 a frame whose payload has another checksum\n"),
        format!("{name}       1536 Block 2, "),
        format!(", up to {last}, synced to "),
        "Footer 13, ".to_owned(),
        "Close ".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    let output = place.run("dump", &["--json", &json]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), String::new())
    );
    let lines = fs::read_to_string(json).expect("it is written");
    assert_eq!(lines.lines().count(), text.lines().count());
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<serde_json::Value> = lines.collect();
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;
    assert_eq!(of_kind("Block"), CHECKPOINTED - 1);
    assert!(of_kind("Data") >= FRAMES - CHECKPOINTED);
    for field in [
        "sequence",
        "incarnation",
        "up_to",
        "synced_to",
        "length",
        "offset",
    ] {
        let frame = lines
            .iter()
            .find(|line| line["kind"] == "Data")
            .expect("there are");
        assert!(frame[field].is_u64(), "{frame}");
    }
    assert!(lines.iter().any(|line| line["found"].is_string()));
}

#[test]
fn what_is_whole_is_salvaged_and_the_rest_is_said() {
    let _alone = alone();
    let place = Place::new();
    let copy = place.name("copy");
    let output = place.run("salvage", &[&copy]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("left out     nothing"),
        "{}",
        stdout(&output)
    );
    // The log no longer begins at its first segment, so blocks are all that there is.
    let checkpoint = place.files("checkpoint-").remove(0);
    Place::flip(&checkpoint, 512 + 100);
    let (copy, json) = (place.path("other"), place.name("json"));
    let output = place.run("salvage", &[copy.to_str().expect("ours"), "--json", &json]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("1 block of the checkpoint at least"),
        "{}",
        stdout(&output)
    );
    assert_eq!(stderr(&output).lines().count(), 1);
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(json).expect("written")).expect("JSON");
    assert_eq!(
        (&report["blocks_left_out"], &report["up_to"]),
        (&1.into(), &FRAMES.into())
    );
    let mut found = Vec::new();
    let disk = Arc::new(Directory::open(copy).expect("it is there"));
    open(disk, &Options::default(), &mut |event, _| {
        if let Event::Block(record)
        | Event::Frame {
            payload: record, ..
        } = event
        {
            found.push(u64::from(record[0]));
        }
        Ok(())
    })
    .expect("it is sound");
    assert_eq!(found, (2..=FRAMES).collect::<Vec<_>>());
}

#[test]
fn a_copy_goes_to_a_new_place_only() {
    let _alone = alone();
    let place = Place::new();
    fs::create_dir(place.path("used")).expect("there is room");
    fs::write(place.path("used/photo.jpg"), "a cat").expect("there is room");
    for target in ["used", "used/photo.jpg", "j", "j/in", "no/such"] {
        let output = place.run("salvage", &[&place.name(target)]);
        assert_eq!(output.status.code(), Some(2), "{target}");
        assert_eq!(stderr(&output).lines().count(), 1, "{target}");
        assert!(
            stderr(&output).starts_with("error: cannot copy to "),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(contents(&place.path("used")).len(), 1);
    // What cannot be read leaves nothing behind, and an empty directory will do.
    for file in [place.files("log-"), place.files("checkpoint-")].concat() {
        fs::write(file, "").expect("there is room");
    }
    let output = place.run("salvage", &[&place.name("new")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!place.path("new").exists());
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("there is room");
    assert!(
        place
            .run("salvage", &[&place.name("empty")])
            .status
            .success()
    );
}

#[test]
fn what_is_no_journal_is_one_line() {
    let _alone = alone();
    let place = Place::new();
    fs::create_dir(place.path("empty")).expect("there is room");
    fs::create_dir(place.path("other")).expect("there is room");
    fs::write(place.path("other/photo.jpg"), "a cat").expect("there is room");
    let refused = |name: &str, says: &str| {
        for command in ["verify", "dump", "salvage"] {
            let (directory, to) = (place.name(name), place.name("to"));
            let mut arguments = vec![command, &directory];
            arguments.extend((command == "salvage").then_some(&*to));
            let output = run(&arguments);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{command} {name}: {said}");
            assert_eq!(stdout(&output), "", "{command} {name}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.starts_with("error: ") && said.contains(says), "{said}");
            assert!(said.contains(&directory), "{said}");
            assert!(!place.path("to").exists());
        }
    };
    refused("nothing", "No such file");
    refused("other/photo.jpg", "not a directory");
    refused("empty", "is not a journal: it is empty");
    refused("other", "is not a journal: it has the file photo.jpg");
    let opened = place.open();
    refused("j", "is in use");
    drop(opened);
    let mut bytes = fs::read(place.path("j/journal")).expect("it is there");
    bytes[4] = 2;
    fs::write(place.path("j/journal"), bytes).expect("there is room");
    refused("j", "is of format 2");
}

#[test]
fn nobody_need_read_the_output() {
    let _alone = alone();
    let place = Place::new();
    let journal = place.name("j");
    let closed = |arguments: &[&str]| {
        let mut child = workloads(arguments).spawn().expect("the command starts");
        drop(child.stdout.take());
        end(child)
    };
    let copy = place.name("copy");
    let commands: [&[&str]; 3] = [
        &["verify", &journal],
        &["dump", &journal],
        &["salvage", &journal, &copy],
    ];
    for command in commands {
        let output = closed(command);
        assert_eq!(
            (output.status.code(), stderr(&output)),
            (Some(0), String::new())
        );
    }
    assert!(place.path("copy/journal").exists());
    // What was found out counts for more than that nobody reads it.
    Place::flip(&place.files("log-")[1], 512 + 100);
    assert_eq!(closed(&["verify", &journal]).status.code(), Some(1));
    if !Path::new("/dev/full").exists() {
        return;
    }
    let place = Place::new();
    let (journal, copy) = (place.name("j"), place.name("copy"));
    let commands: [&[&str]; 4] = [
        &["verify", &journal],
        &["dump", &journal],
        &["salvage", &journal, &copy],
        &["dump", &journal, "--json", "/dev/full"],
    ];
    for command in commands {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there");
        let child = workloads(command).stdout(full).spawn();
        let output = end(child.expect("the command starts"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("error: cannot write "), "{said}");
        assert!(said.contains("No space left"), "{said}");
    }
    assert!(place.path("copy/journal").exists());
}

/// It would read on to the end of a large journal.
#[test]
fn a_signal_ends_a_dump() {
    let _alone = alone();
    let place = Place::new();
    let opened = place.open();
    let mut checkpoint = opened.log.checkpoint().expect("there is room");
    // So many that their lines fit into no pipe.
    for _ in 0..5000 {
        checkpoint.block(b"x").expect("there is room");
    }
    checkpoint.finish(FRAMES).expect("there is room");
    opened.writer.close().expect("it goes on");
    drop(opened.log);
    let list = File::create(place.path("list")).expect("there is room");
    let child = workloads(&["dump", &place.name("j")]).stdout(list).spawn();
    assert!(end(child.expect("the command starts")).status.success());
    let whole = fs::metadata(place.path("list"))
        .expect("it is written")
        .len();
    let child = workloads(&["dump", &place.name("j")]).spawn();
    let mut child = child.expect("the command starts");
    let mut pipe = child.stdout.take().expect("it is piped");
    // It is at work.
    pipe.read_exact(&mut [0]).expect("there are lines");
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", "INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
    let mut rest = String::new();
    pipe.read_to_string(&mut rest).expect("it is text");
    assert!((rest.len() as u64) + 1 < whole);
    let output = end(child);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("ended by SIGINT"),
        "{}",
        stderr(&output)
    );
}
