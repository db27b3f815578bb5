//! Where a `Directory` is, once the process goes elsewhere. Alone in its program: all threads of
//! one have the same working directory.

mod support;

use journal::{Directory, Disk, Options};
use std::sync::Arc;
use std::{env, fs};
use support::temporary::Temporary;
use support::{open_orders, put};

#[test]
fn a_relative_path_stays_where_it_was() {
    let directory = Temporary::new("place");
    let [here, there] = ["here", "there"].map(|name| directory.0.join(name));
    fs::create_dir_all(&here).unwrap();
    fs::create_dir_all(there.join("db")).unwrap();
    let options = Options {
        segment_bytes: 4096,
        helper: false,
        ..Options::default()
    };
    env::set_current_dir(&here).unwrap();
    let disk = Arc::new(Directory::create("db").unwrap());
    assert_eq!(
        disk.place(),
        env::current_dir().unwrap().join("db").display().to_string()
    );
    let (mut opened, _) = open_orders(disk, &options).unwrap();
    env::set_current_dir(&there).unwrap();
    for number in 1..=12 {
        put(&mut opened, number, 100).unwrap();
    }
    opened.writer.close().unwrap();
    drop(opened.log);
    assert_eq!(fs::read_dir(there.join("db")).unwrap().count(), 0);
    let disk = Arc::new(Directory::open(here.join("db")).unwrap());
    let (_, found) = open_orders(disk, &options).unwrap();
    assert_eq!(found, (1..=12).collect::<Vec<_>>());
}
