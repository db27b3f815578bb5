//! How much memory there is, and what rows take of it.

use crate::measure::{kernel_bytes, rss_bytes};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The most memory that this process can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So much.
    pub bytes: u64,
    /// What has or allows no more.
    pub of: &'static str,
}

impl Limit {
    /// The smallest of what the machine has and what control groups and resource limits allow,
    /// where the operating system tells.
    pub fn find() -> Option<Self> {
        Self::under(Path::new("/"))
    }

    /// With the kernel's files under a folder, for tests.
    fn under(root: &Path) -> Option<Self> {
        let machine = kernel_bytes(root.join("proc/meminfo"), "MemTotal:");
        let machine = machine.map(|bytes| Self {
            bytes,
            of: "the machine",
        });
        let found = machine.into_iter().chain(resources(root));
        let found = found.chain(groups(root));
        found.min_by_key(|limit| limit.bytes)
    }
}

/// `ulimit -v` and `ulimit -d`.
fn resources(root: &Path) -> Vec<Limit> {
    let text = fs::read_to_string(root.join("proc/self/limits")).unwrap_or_default();
    let limit = |line: &str| {
        let names = ["Max address space", "Max data size"];
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        let bytes = rest.split_whitespace().next()?.parse().ok()?;
        let of = "the process's limit (ulimit)";
        Some(Limit { bytes, of })
    };
    text.lines().filter_map(limit).collect()
}

/// The limits of this process's control groups, and of those that these are in: of version 1 and of
/// version 2.
fn groups(root: &Path) -> Vec<Limit> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let mut limits = Vec::new();
    for mount in mounts.lines() {
        let Some((is_v2, top, place)) = memory_mount(mount) else {
            continue;
        };
        let group = groups.lines().find_map(|line| {
            let (_, line) = line.split_once(':')?;
            let (controllers, path) = line.split_once(':')?;
            let is_it = if is_v2 {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|it| it == "memory")
            };
            is_it.then_some(path)
        });
        let Some(group) = group else {
            continue;
        };
        // In a container the mount may begin at the container's own group.
        let within = Path::new(group).strip_prefix(top).unwrap_or(Path::new(""));
        let file = if is_v2 {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        let place = root.join(place.trim_start_matches('/'));
        for group in within.ancestors() {
            let text = fs::read_to_string(place.join(group).join(file)).unwrap_or_default();
            // `max` is no number.
            limits.extend(text.trim().parse().ok().map(|bytes| Limit {
                bytes,
                of: "the control group",
            }));
        }
    }
    limits
}

/// Of a line of `mountinfo` whose files limit memory: whether they are of version 2, the group that
/// the mount begins at, and where it is.
fn memory_mount(line: &str) -> Option<(bool, &str, &str)> {
    let (mount, system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (top, place) = (mount.next()?, mount.next()?);
    let mut system = system.split(' ');
    let is_v2 = match system.next()? {
        "cgroup2" => true,
        "cgroup" if system.nth(1)?.split(',').any(|it| it == "memory") => false,
        _ => return None,
    };
    Some((is_v2, top, place))
}

/// What an engine's rows take. Measured with the system's allocator on x86-64 as the process's peak
/// after loading: a million records of YCSB, four warehouses of TPC-C.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Bytes of a row besides its value.
    row: u64,
    /// More, if the value is boxed.
    boxed: u64,
    /// Bytes of a warehouse.
    warehouse: u64,
    /// Bytes of TPC-C's items and of the process itself.
    items: u64,
}

impl Cost {
    /// Of the engine of this name; of `mvcc` if there is none.
    pub fn of(engine: &str) -> Self {
        match engine {
            "tplock" => Self {
                row: 165,
                boxed: 25,
                warehouse: 163 << 20,
                items: 33 << 20,
            },
            _ => Self {
                row: 88,
                boxed: 40,
                warehouse: 121 << 20,
                items: 28 << 20,
            },
        }
    }

    /// Bytes of so many rows of YCSB, each with a value of this size on average, in one piece or in
    /// several boxes.
    pub(crate) fn rows(&self, rows: u64, value: u64, boxes: u64) -> u64 {
        let row = self.row.saturating_add(self.boxed.saturating_mul(boxes));
        rows.saturating_mul(row.saturating_add(value))
    }

    /// Bytes of so many warehouses as they are loaded.
    pub fn warehouses(&self, warehouses: u32) -> u64 {
        self.items + u64::from(warehouses) * self.warehouse
    }
}

/// How often a run looks at its memory.
const INTERVAL: Duration = Duration::from_millis(100);

/// Looks whether memory runs out, which the kernel would end the process for without a word.
pub(crate) struct Watch {
    limit: Option<Limit>,
    looked: Instant,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            limit: Limit::find(),
            looked: Instant::now(),
        }
    }

    /// # Errors
    /// A message once there is hardly any left.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        if self.looked.elapsed() < INTERVAL {
            return Ok(());
        }
        self.looked = Instant::now();
        match (self.limit, rss_bytes()) {
            (Some(limit), Some(taken)) => room(limit, taken),
            _ => Ok(()),
        }
    }
}

/// An error if more than 15 of 16 parts are taken.
fn room(Limit { bytes, of }: Limit, taken: u64) -> Result<(), String> {
    if taken <= bytes - bytes / 16 {
        return Ok(());
    }
    Err(format!(
        "the run was ended, for it has taken {:.1} of the {:.1} GiB of {of}; ask for less, or for a shorter run",
        gibibytes(taken),
        gibibytes(bytes)
    ))
}

/// A number of bytes for a message.
pub fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in these files.
    fn limit(files: &[(&str, &str)]) -> Option<Limit> {
        let root = tempfile::tempdir().expect("there is room");
        for (name, text) in files {
            let path = root.path().join(name);
            let folder = path.parent().expect("it is in a folder");
            fs::create_dir_all(folder).expect("there is room");
            fs::write(path, text).expect("there is room");
        }
        Limit::under(root.path())
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:        8192 kB\nMemFree: 1 kB\n");
    const V1: &str = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 25 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n";
    const V2: &str = "31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

    fn assert_limit(files: &[(&str, &str)], bytes: u64, of: &'static str) {
        let all = [&[MACHINE], files].concat();
        assert_eq!(limit(&all), Some(Limit { bytes, of }), "{files:?}");
    }

    #[test]
    fn the_smallest_limit_applies() {
        assert_eq!(limit(&[]), None);
        assert_limit(&[], 8 << 20, "the machine");
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax data size  unlimited unlimited bytes\n\
                      Max address space   4096  unlimited  bytes\n";
        let of = "the process's limit (ulimit)";
        assert_limit(&[("proc/self/limits", limits)], 4096, of);
    }

    #[test]
    fn control_groups_of_both_versions_apply_and_those_that_they_are_in() {
        let group = "the control group";
        let v1 = [
            ("proc/self/mountinfo", V1),
            (
                "proc/self/cgroup",
                "5:cpu:/else\n4:memory,x:/a/b\n0::/other\n",
            ),
        ];
        let file = |name, text| [&v1[..], &[(name, text)]].concat();
        let own = "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes";
        assert_limit(&file(own, "5000\n"), 5000, group);
        let above = "sys/fs/cgroup/memory/a/memory.limit_in_bytes";
        assert_limit(&file(above, "6000\n"), 6000, group);
        assert_limit(&file(own, "9223372036854771712\n"), 8 << 20, "the machine");
        let other = "sys/fs/cgroup/memory/else/memory.limit_in_bytes";
        assert_limit(&file(other, "5000\n"), 8 << 20, "the machine");
        let v2 = [
            ("proc/self/mountinfo", V2),
            ("proc/self/cgroup", "0::/a/b\n"),
        ];
        let file = |name, text| [&v2[..], &[(name, text)]].concat();
        assert_limit(&file("sys/fs/cgroup/a/b/memory.max", "7000\n"), 7000, group);
        assert_limit(&file("sys/fs/cgroup/a/memory.max", "7001\n"), 7001, group);
        assert_limit(
            &file("sys/fs/cgroup/a/memory.max", "max\n"),
            8 << 20,
            "the machine",
        );
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_top() {
        let mounts = V1.replace("0:27 / ", "0:27 /docker/x ");
        let file = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000");
        for path in ["4:memory:/docker/x", "4:memory:/", "4:memory:/elsewhere"] {
            let files = [
                ("proc/self/mountinfo", &*mounts),
                ("proc/self/cgroup", path),
                file,
            ];
            assert_limit(&files, 5000, "the control group");
        }
    }

    #[test]
    fn a_run_ends_before_the_memory_does() {
        let limit = Limit {
            bytes: 16 << 30,
            of: "the control group",
        };
        assert_eq!(room(limit, 15 << 30), Ok(()));
        let error = room(limit, (15 << 30) + 1).expect_err("hardly any is left");
        assert!(
            error.contains("15.0 of the 16.0 GiB of the control group"),
            "{error}"
        );
    }
}
