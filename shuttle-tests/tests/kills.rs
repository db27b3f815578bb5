//! A signal ends the command `kills` early, with what it has started. What is built and searched
//! here are scripts in the place of cargo and of the variants.
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A variant without a bug ends well at once; one with a bug is searched without an end.
const BUILDS: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --target-dir ] && target=$2; shift; done
mkdir -p "$target/kills"
cat > "$target/kills/kills" <<'END'
#!/bin/sh
case $0 in */right) echo 1000000; exit;; esac
echo $$ > "$0.pid"
echo 0
exec sleep 600
END
chmod +x "$target/kills/kills"
"#;

const NEVER_BUILDS: &str = r#"#!/bin/sh
echo $$ > "${0%/*}/cargo.pid"
exec sleep 600
"#;

struct Run {
    folder: PathBuf,
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Run {
    /// Starts the command with a script in the place of cargo, in a folder of its own.
    fn start(name: &str, cargo: &str, bugs: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("target/debug")).expect("there is room");
        let program = folder.join("target/debug/kills");
        fs::hard_link(env!("CARGO_BIN_EXE_kills"), &program).expect("it was built");
        let script = folder.join("cargo");
        fs::write(&script, cargo).expect("there is room");
        fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("ours");
        let mut command = Command::new(program);
        command
            .env("CARGO", script)
            .args(bugs)
            .stdout(Stdio::piped());
        let table = folder.join("table");
        let mut child = command
            .arg("--output")
            .arg(table)
            .spawn()
            .expect("it was built");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { folder, child, out }
    }

    /// Waits for a line of this.
    fn wait_for_line(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let read = self.out.read_line(&mut line).expect("it is text");
            assert!(read > 0, "it has ended before {part:?}");
        }
    }

    /// Waits for a process that it starts, and returns where that one is seen.
    fn wait_for_process(&mut self, file: &str) -> PathBuf {
        let file = self.folder.join(file);
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some(id) = text.strip_suffix('\n') {
                let process = Path::new("/proc").join(id);
                assert!(process.exists());
                return process;
            }
            assert!(Instant::now() < deadline, "it does not come so far");
            assert!(
                self.child.try_wait().expect("it is ours").is_none(),
                "it ended"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal, waits for the end, but not for ever, and returns the status and the rest of
    /// what it says.
    fn signal(mut self, name: &str) -> (Option<i32>, String) {
        let mut kill = Command::new("kill");
        let sent = kill
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
        let deadline = Instant::now() + Duration::from_mins(1);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().expect("it is ours");
                panic!("it goes on after SIG{name}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut text = String::new();
        self.out.read_to_string(&mut text).expect("it is text");
        assert!(!self.folder.join("table").exists(), "it would not be whole");
        (status.code(), text)
    }
}

#[test]
fn a_signal_ends_the_searches() {
    for (name, status) in [("INT", 130), ("HUP", 129)] {
        let bugs = ["no-settling", "settling-too-short"];
        let mut run = Run::start(&format!("searches-{name}"), BUILDS, &bugs);
        run.wait_for_line("(no bug)");
        let search = run.wait_for_process("target/seeded-bugs/no-settling.pid");
        let (code, text) = run.signal(name);
        assert_eq!(code, Some(status), "{text}");
        let said =
            format!("interrupted by SIG{name} after 0 of 2 bugs, 0 results not as they should be");
        assert!(text.contains(&said), "{text}");
        assert!(!text.contains("SURVIVES"), "{text}");
        assert!(!search.exists(), "it has ended too");
    }
}

#[test]
fn a_signal_ends_a_build() {
    let mut run = Run::start("builds", NEVER_BUILDS, &["no-settling"]);
    let build = run.wait_for_process("cargo.pid");
    let (code, text) = run.signal("TERM");
    assert_eq!(code, Some(143), "{text}");
    assert!(
        text.contains("interrupted by SIGTERM after 0 of 1 bugs"),
        "{text}"
    );
    assert!(!build.exists(), "it has ended too");
}
