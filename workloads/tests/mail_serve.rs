//! `workloads mail serve`, as clients see it.
#![cfg(unix)]

#[path = "mail_serve/client.rs"]
mod client;

use client::{Client, Server, deliver, pick_up};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::thread::{scope, sleep, spawn};
use std::time::Duration;

#[test]
fn mail_that_is_sent_is_fetched_and_gone_once_it_was_deleted() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "");
    let mut smtp = server.smtp();
    smtp.says("220 example.test");
    // PIPELINING: all at once.
    smtp.send("EHLO there\r\nMAIL FROM:<ann@there.test>\r\nRCPT TO:<user3@example.test>\r\nRCPT TO:<user4@example.test>\r\nDATA\r\n");
    for wanted in [
        "250-", "250-", "250-", "250-", "250 ", "250", "250", "250", "354",
    ] {
        smtp.says(wanted);
    }
    smtp.send("Subject: x\r\n\r\n..dot\r\n.");
    smtp.send("\r\nQUIT\r\n");
    smtp.says("250");
    smtp.says("221");
    assert!(smtp.has_ended());

    let text = "Return-Path: <ann@there.test>\r\nSubject: x\r\n\r\n..dot\r\n.\r\n";
    for user in [3, 4] {
        let mut pop3 = server.enter(user);
        pop3.says("+OK 1 messages");
        pop3.send("RETR 1\r\n");
        pop3.says("+OK");
        assert_eq!(pop3.lines(5).concat(), text);
        pop3.send("DELE 1\r\nQUIT\r\n");
        pop3.says("+OK");
        pop3.says("+OK bye");
        assert!(pop3.has_ended());
    }
    // It is gone after a kill as well, and numbers are not used again.
    server.kill();
    let server = Server::start(place.path(), "");
    deliver(&server, 3, "again").expect("it is accepted");
    let mut pop3 = server.enter(3);
    pop3.says("+OK 1 messages");
    pop3.send("UIDL 1\r\n");
    pop3.says("+OK 1 1");
    let report = server.end();
    for line in [
        "delivered                    1 copies",
        "picked up                    1 times",
    ] {
        assert!(report.contains(line), "{report}");
    }
}

#[test]
fn clients_that_are_too_many_or_gone_hold_up_nobody() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "--connections 2");
    let (mut smtp, mut pop3) = (server.smtp(), server.pop3());
    smtp.says("220");
    pop3.says("+OK");
    for (mut more, wanted) in [
        (server.smtp(), "421 4.3.2 too many"),
        (server.pop3(), "-ERR"),
    ] {
        more.says(wanted);
        assert!(more.has_ended());
    }
    // Half a line, and half a message, and the clients are gone: nothing was acknowledged, and
    // nothing is there.
    pop3.send("USER us");
    smtp.send("EHLO there\r\nMAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\nhalf a li");
    drop((smtp, pop3));
    let mut pop3 = server.admitted(Server::pop3);
    pop3.send("USER user1\r\nPASS x\r\n");
    pop3.says("+OK");
    pop3.says("+OK 0 messages");
    server.end();
}

#[test]
fn clients_that_are_late_are_told_so() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "--timeout 0.5");
    let (mut slow, mut half) = (server.smtp(), server.pop3());
    half.send("USER us");
    // Each byte in time, and the line not.
    let mut other = slow.another();
    let sender = spawn(move || {
        while other.try_send("N").is_some() {
            sleep(Duration::from_millis(50));
        }
    });
    slow.says("220");
    slow.says("421 4.4.2 this takes too long");
    half.says("+OK");
    half.says("-ERR this takes too long");
    assert!(half.has_ended());
    drop((slow, half));
    sender.join().expect("it ends with its session");
    server.end();
}

#[test]
fn what_is_no_end_is_not_taken_for_one() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "--max-message 1000");
    for not_the_end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r\r\n",
        "\r\n\0.\r\n",
    ] {
        let mut smtp = server.smtp();
        smtp.send("EHLO there\r\nMAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n");
        (0..8).for_each(|_| smtp.says("2"));
        smtp.says("354");
        let smuggled = "MAIL FROM:<m@x.test>\r\nRCPT TO:<user2@example.test>\r\nDATA\r\nx";
        smtp.send(&format!("a{not_the_end}{smuggled}\r\n.\r\nNOOP\r\n"));
        let wanted = if not_the_end.contains('\0') {
            "250"
        } else {
            "554"
        };
        smtp.says(wanted);
        smtp.says("250");
    }
    let mut smtp = server.smtp();
    smtp.send("EHLO there\r\nMAIL FROM:<> SIZE=1001\r\nMAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n");
    (0..6).for_each(|_| smtp.says("2"));
    for wanted in ["552", "250", "250", "354"] {
        smtp.says(wanted);
    }
    smtp.send(&("x\r\n".repeat(400) + ".\r\nNOOP\r\nQUIT\n"));
    for wanted in ["552", "250", "500"] {
        smtp.says(wanted);
    }
    assert_eq!(pick_up(&server, 2), Vec::<String>::new());
    server.end();
}

#[test]
fn many_deliver_and_pick_up_at_once() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "");
    let fetched = Mutex::new(Vec::new());
    scope(|scope| {
        for sender in 0..3 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..20 {
                    deliver(server, number % 2, &format!("{sender}.{number}")).expect("accepted");
                }
            });
        }
        for user in [0, 0, 1] {
            let (server, fetched) = (&server, &fetched);
            scope.spawn(move || {
                for _ in 0..10 {
                    let mail = pick_up(server, user);
                    fetched.lock().expect("no panic").extend(mail);
                }
            });
        }
    });
    let mut fetched = fetched.into_inner().expect("no panic");
    fetched.extend((0..2).flat_map(|user| pick_up(&server, user)));
    let distinct: BTreeSet<_> = fetched.iter().collect();
    assert_eq!((fetched.len(), distinct.len()), (60, 60), "each once");
    server.end();
}

#[test]
fn a_signal_ends_the_sessions_too() {
    let place = tempfile::tempdir().expect("there is room");
    let server = Server::start(place.path(), "");
    let (mut smtp, mut pop3) = (server.smtp(), server.enter(1));
    smtp.says("220");
    pop3.says("+OK 0");
    deliver(&server, 1, "kept").expect("it is accepted");
    let report = server.end();
    assert!(
        report.contains("accepted                     1 messages"),
        "{report}"
    );
    smtp.says("421 4.3.2 the server ends");
    pop3.says("-ERR [SYS/TEMP] the server ends");
    let server = Server::start(place.path(), "--users 2");
    assert_eq!(pick_up(&server, 1), ["kept"]);
    server.end();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let place = tempfile::tempdir().expect("there is room");
    let directory = place.path().join("mail");
    let refused = |arguments: &str, words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
        command.args(["mail", "serve"]).arg(&directory);
        let output = command.args(arguments.split_whitespace()).output();
        let output = output.expect("the command starts");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(words), "{words} in {error}");
    };
    refused("--smtp 0.0.0.0:0", "--exposed");
    refused("--pop3 192.0.2.1:0 --exposed", "cannot listen");
    refused("--smtp somewhere", "--smtp");
    refused("--users 0", "--users 0");
    refused("--connections 0", "--connections 0");
    refused("--timeout 0", "--timeout 0");
    refused("--max-message 9000000", "--max-message 9000000");
    refused("--domain exa_mple", "--domain exa_mple");
    assert!(!directory.exists());
    let server = Server::start(&directory, "");
    let any = "--smtp 127.0.0.1:0 --pop3 127.0.0.1:0";
    refused(any, "in use");
    refused(
        &format!("--pop3 127.0.0.1:0 --smtp {}", server.smtp),
        "cannot listen",
    );
    server.end();
    refused(
        &format!("{any} --domain other.test"),
        "a server for example.test",
    );
}

/// Senders that are killed with the server: what was answered 250 is there, once and whole, and
/// what was deleted is not.
fn survives(kills: u32, pause: impl Fn(u32) -> Duration) {
    let place = tempfile::tempdir().expect("there is room");
    let mut acknowledged = BTreeSet::new();
    let (mut fetched, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for kill in 0..kills {
        let server = Server::start(place.path(), "--users 4");
        let said = Mutex::new((Vec::new(), Vec::new(), Vec::new()));
        scope(|scope| {
            for sender in 0..3 {
                let (server, said) = (&server, &said);
                scope.spawn(move || {
                    for number in 0.. {
                        let text = format!("{kill}.{sender}.{number}");
                        if deliver(server, sender, &text).is_none() {
                            break;
                        }
                        said.lock().expect("no panic").0.push((sender, text));
                    }
                });
            }
            let (server, said) = (&server, &said);
            scope.spawn(move || {
                while let Some((mail, is_gone)) = Client::try_pick_up(server, 2) {
                    let mail = mail.into_iter().map(|text| (2, text));
                    let mut said = said.lock().expect("no panic");
                    said.1.extend(mail.clone());
                    said.2.extend(mail.filter(|_| is_gone));
                }
            });
            sleep(pause(kill));
            server.kill_now();
        });
        let (new, read, deleted) = said.into_inner().expect("no panic");
        acknowledged.extend(new);
        fetched.extend(read);
        gone.extend(deleted);
        drop(server);
        let server = Server::start(place.path(), "--users 4");
        let mut there = BTreeSet::new();
        for user in 0..4 {
            for text in client::peek(&server, user) {
                assert!(there.insert((user, text.clone())), "{text} is there twice");
            }
        }
        let back: Vec<_> = gone.intersection(&there).collect();
        assert!(back.is_empty(), "kill {kill}: {back:?} have come back");
        // A QUIT that was not answered has deleted, or not.
        let lost = acknowledged.difference(&fetched);
        let lost: Vec<_> = lost.filter(|it| !there.contains(*it)).collect();
        assert!(lost.is_empty(), "kill {kill}: {lost:?} are lost");
        server.end();
    }
    assert!(acknowledged.len() > kills as usize, "it was acknowledged");
    println!(
        "{kills} kills, {} acknowledged, {} deleted",
        acknowledged.len(),
        gone.len()
    );
}

#[test]
fn a_killed_server_loses_nothing_that_it_has_acknowledged() {
    survives(4, |kill| Duration::from_millis(u64::from(40 + 50 * kill)));
}

#[test]
#[ignore = "takes minutes: it is run by hand"]
fn a_hundred_kills_lose_nothing() {
    survives(100, |kill| {
        Duration::from_millis(u64::from(kill) * 37 % 400)
    });
}
