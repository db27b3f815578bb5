//! A real directory: threads, the lock, the limit of the log, and what is refused.

mod support;

use journal::sim::SimDisk;
use journal::{Directory, Disk, LogError, OpenError, Options, ReadError, open};
use std::sync::{Arc, Mutex, mpsc};
use std::{fs, thread};
use support::hooked::Hooked;
use support::take;
use support::temporary::Temporary;

fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        ..Options::default()
    }
}

/// Many threads reserve and hand over, one appends what has gathered, a helper makes segments, and
/// checkpoints keep the log short.
#[test]
fn threads_append_through_one() {
    const THREADS: u64 = 4;
    const EACH: u64 = 300;
    let directory = Temporary::new("threads");
    let limits = Options {
        log_bytes: 0,
        ..options()
    };
    let opened = open(directory.disk(), &limits, &mut |_, _| Ok(())).unwrap();
    let (log, mut writer) = (opened.log, opened.writer);
    let (send, receive) = mpsc::channel();
    let mut records: Vec<Vec<u8>> = Vec::new();
    let mut last = 0;
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (log, send) = (log.clone(), send.clone());
            scope.spawn(move || {
                for each in 0..EACH {
                    let record =
                        vec![u8::try_from(number).unwrap(); usize::try_from(each).unwrap()];
                    let reservation = loop {
                        match log.reserve(record.len() + 8) {
                            Ok(reservation) => break reservation,
                            // A checkpoint makes room.
                            Err(LogError::Full(_)) => thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    };
                    send.send((record, reservation)).unwrap();
                }
            });
        }
        drop(send);
        while let Ok((record, mut reservation)) = receive.recv() {
            let mut group = vec![record];
            for (record, other) in receive.try_iter().take(7) {
                group.push(record);
                reservation.merge(other);
            }
            last += group.len() as u64;
            writer
                .append(&support::block(&group), last, reservation)
                .unwrap();
            assert_eq!(log.durable(), last);
            records.extend(group);
            if records.len() % 20 < 8 {
                let mut checkpoint = log.checkpoint().unwrap();
                checkpoint.block(&support::block(&records)).unwrap();
                checkpoint.finish(last).unwrap();
            }
        }
    });
    assert_eq!(last, THREADS * EACH);
    assert!(log.bytes() <= 4 * (16 << 10));
    writer.close().unwrap();
    assert!(matches!(log.reserve(1), Err(LogError::Stopped(stopped)) if stopped.fault.is_none()));
    drop(log);

    let (mut found, mut covered) = (Vec::new(), 0);
    let opened = open(directory.disk(), &limits, &mut |event, progress| {
        assert!(progress.read <= progress.total);
        match event {
            journal::Event::Frame { up_to, payload } if up_to > covered => {
                // A frame has the form of a block here.
                take(&mut found, &mut covered, &journal::Event::Block(payload));
            }
            journal::Event::Frame { .. } => {}
            event => take(&mut found, &mut covered, &event),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!((found, opened.summary.up_to), (records, last));
}

#[test]
fn a_directory_is_open_once() {
    let directory = Temporary::new("lock");
    let opened = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap();
    let error = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(
        error
            .to_string()
            .contains(&directory.0.display().to_string()),
        "{error}"
    );
    let log = opened.log.clone();
    let checkpoint = log.checkpoint().unwrap();
    drop(opened);
    open(directory.disk(), &options(), &mut |_, _| Ok(())).expect_err("it is being written to");
    drop(checkpoint);
    let again = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap();
    // The old handle can do nothing any more.
    assert!(log.check().is_err() && log.checkpoint().is_err());
    let copy = Temporary::new("lock-copy");
    let copied = log.backup(Arc::new(Directory::create(&copy.0).unwrap()));
    assert!(matches!(copied, Err(journal::CopyError::Closed)));
    drop(again);
    assert!(directory.0.join(journal::LOCK).exists());
}

#[test]
fn what_is_opened_to_be_read_is_not_changed() {
    let directory = Temporary::new("read-only");
    let opened = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap();
    let reader = Directory::read_only(&directory.0).unwrap();
    assert!(reader.lock().unwrap().is_none(), "it is in use");
    drop((opened.log, opened.writer));
    let lock = reader.lock().unwrap().expect("it is not");
    let other = Directory::read_only(&directory.0).unwrap();
    assert!(other.lock().unwrap().is_some(), "both only read");
    open(directory.disk(), &options(), &mut |_, _| Ok(())).expect_err("it is being read");
    drop(lock);
    fs::remove_file(directory.0.join(journal::LOCK)).unwrap();
    assert!(reader.lock().unwrap().is_some());
    assert!(!directory.0.join(journal::LOCK).exists());
    for done in [
        reader.create("new"),
        reader.write_at("journal", 0, b"x"),
        reader.set_len("journal", 0),
        reader.rename("journal", "new"),
        reader.remove("journal"),
    ] {
        assert!(done.unwrap_err().to_string().contains("opened to be read"));
    }
    journal::verify(Arc::new(reader), &mut |_, _| Ok(())).unwrap();
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let directory = Temporary::new("other");
    fs::create_dir(&directory.0).unwrap();
    fs::write(directory.0.join("photo.jpg"), b"a cat").unwrap();
    let error = open(directory.disk(), &options(), &mut |_, _| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is not a journal: it has the file photo.jpg"),
        "{error}"
    );
    assert_eq!(fs::read(directory.0.join("photo.jpg")).unwrap(), b"a cat");
    assert!(!directory.0.join(journal::LOCK).exists());
    assert!(Directory::open(directory.0.join("photo.jpg")).is_err());
    assert!(Directory::open(directory.0.join("nothing")).is_err());
}

#[test]
fn what_fits_in_no_segment_is_refused() {
    let directory = Temporary::new("large");
    let opened = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap();
    let limit = match opened.log.reserve(1 << 20) {
        Err(LogError::TooLarge { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let mut reservation = opened.log.reserve(limit).unwrap();
    assert_eq!(reservation.bytes(), limit);
    let part = reservation.split(1000).unwrap();
    assert!(part.bytes() >= 1000 && reservation.split(limit).is_none());
    reservation.merge(part);
    assert_eq!(reservation.bytes(), limit);
    drop(reservation);
    let mut writer = opened.writer;
    let reservation = opened.log.reserve(limit).unwrap();
    writer.append(&vec![1; limit], 1, reservation).unwrap();
}

#[test]
fn one_checkpoint_at_a_time_and_none_ahead_of_the_log() {
    let directory = Temporary::new("checkpoints");
    let opened = open(directory.disk(), &options(), &mut |_, _| Ok(())).unwrap();
    let (log, mut writer) = (opened.log, opened.writer);
    writer.append(b"a", 5, log.reserve(1).unwrap()).unwrap();
    let first = log.checkpoint().unwrap();
    assert!(matches!(log.checkpoint(), Err(LogError::Busy)));
    let ahead = first.finish(6).unwrap_err();
    assert!(
        matches!(
            ahead,
            LogError::Ahead {
                up_to: 6,
                durable: 5
            }
        ),
        "{ahead}"
    );
    // It was given up, and has left nothing.
    let left = fs::read_dir(&directory.0).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.any(|name| name.starts_with("checkpoint-")));
    log.checkpoint().unwrap().finish(5).unwrap();
}

/// Another program's file that has the name of ours.
#[test]
fn a_file_that_only_has_the_name_is_not_called_damaged() {
    let directory = Temporary::new("foreign");
    let disk = directory.disk();
    fs::write(directory.0.join("journal"), b"Dear diary, ").unwrap();
    let error = open(disk, &options(), &mut |_, _| Ok(())).unwrap_err();
    assert!(
        matches!(error, OpenError::Read(ReadError::NoJournal { .. })),
        "{error}"
    );
    let error = error.to_string();
    assert!(
        error.contains("is not a journal: its file `journal` is another's"),
        "{error}"
    );
    assert!(!directory.0.join(journal::LOCK).exists());
    let file = directory.0.join("journal");
    for error in [Directory::open(&file), Directory::create(&file)] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotADirectory);
        let path = file.display().to_string();
        assert!(error.to_string().contains(&path), "{error}");
    }
}

/// Closing does not wait until a whole segment is filled with zeros.
#[test]
fn a_segment_in_the_making_is_given_up_when_the_log_stops() {
    let (begin, begun) = mpsc::channel();
    let (stop, is_stopped) = mpsc::channel::<()>();
    let is_stopped = Mutex::new(is_stopped);
    let (write, written) = mpsc::channel();
    let disk = Hooked::new(SimDisk::new(), move |operation, name, offset| {
        if operation == "write" && name.starts_with("log-00000002") {
            let _ = write.send(offset);
            if offset == 0 {
                begin.send(()).unwrap();
                // Until the other end is gone.
                let _ = is_stopped.lock().unwrap().recv();
            }
        }
        Ok(())
    });
    let limits = Options {
        segment_bytes: 4 << 20,
        ..Options::default()
    };
    let opened = open(disk.clone(), &limits, &mut |_, _| Ok(())).unwrap();
    begun.recv().unwrap();
    let log = opened.log;
    thread::scope(|scope| {
        scope.spawn(|| opened.writer.close().unwrap());
        while log.check().is_ok() {
            thread::yield_now();
        }
        drop(stop);
    });
    assert_eq!(written.try_iter().collect::<Vec<_>>(), [0]);
    let names = journal::Disk::list(&*disk).unwrap();
    assert!(!names.iter().any(|name| name.contains(".tmp")), "{names:?}");
}
