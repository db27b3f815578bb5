//! Comments and prose are at most 100 columns wide. Code is for `rustfmt` to break; tables, and
//! code in documents, are left alone.

use std::fs;
use std::path::{Path, PathBuf};

const COLUMNS: usize = 100;
const CRATES: [&str; 6] = [
    "journal",
    "mvcc",
    "tplock",
    "workloads",
    "shuttle-tests",
    "benches",
];

/// The files below a directory that end like this.
fn files(directory: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() && name != "target" {
            files(&path, extension, into);
        } else if path.extension().is_some_and(|its| its == extension) {
            into.push(path);
        }
    }
}

/// The numbers of prose lines that are too wide. `prose` takes off what stands before a line's
/// prose, if it has any.
fn too_wide(text: &str, prose: impl Fn(&str) -> Option<&str>) -> Vec<usize> {
    let mut is_code = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(prose) = prose(line).map(str::trim) else {
            is_code = false;
            continue;
        };
        if prose.starts_with("```") {
            is_code = !is_code;
        }
        let can_be_broken = prose.contains(' ') && !prose.starts_with('|');
        if !is_code && can_be_broken && line.chars().count() > COLUMNS {
            found.push(number + 1);
        }
    }
    found
}

fn comment(line: &str) -> Option<&str> {
    let comment = line.trim_start().strip_prefix("//")?;
    Some(comment.trim_start_matches(['/', '!']))
}

#[test]
fn prose_fits_the_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the packages are side by side");
    let (mut sources, mut documents) = (Vec::new(), Vec::new());
    for name in CRATES {
        files(&root.join(name), "rs", &mut sources);
        files(&root.join(name), "md", &mut documents);
    }
    files(&root.join("docs"), "md", &mut documents);
    documents.extend(["README.md", "CHANGELOG.md"].map(|name| root.join(name)));
    assert!(
        sources.len() > 200 && documents.len() > 6,
        "the tree is where it was"
    );
    let read = |path: &Path| fs::read_to_string(path).expect("it is readable");
    let mut found = Vec::new();
    for path in &sources {
        let lines = too_wide(&read(path), comment);
        found.extend(lines.into_iter().map(|line| (path, line)));
    }
    for path in &documents {
        let lines = too_wide(&read(path), |line| Some(line));
        found.extend(lines.into_iter().map(|line| (path, line)));
    }
    let list: Vec<_> = found
        .iter()
        .map(|(path, line)| format!("{}:{line}", path.display()))
        .collect();
    assert!(
        list.is_empty(),
        "wider than {COLUMNS} columns:\n{}",
        list.join("\n")
    );
}

#[test]
fn a_wide_line_is_found_and_code_is_not() {
    let wide = "word ".repeat(30);
    let text =
        format!("// {wide}\n/// ```\n/// {wide}\n/// ```\nlet x = 1;\n//! | {wide}\n//! {wide}");
    assert_eq!(too_wide(&text, comment), [1, 7]);
}
