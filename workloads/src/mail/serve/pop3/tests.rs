use super::super::fake::{Fake, rules, say};
use super::*;

const MAIL: [&str; 2] = ["A: 1\r\n\r\n.\r\nb\r\n", "A: 2\r\n\r\n"];

fn fake() -> Fake {
    let fake = Fake::default();
    for message in MAIL {
        let message = message.as_bytes().into();
        fake.deliver(&[1], &message).expect("it refuses nothing");
    }
    fake
}

/// Compares what is answered to each line of a new session.
#[track_caller]
fn talk(fake: &Fake, script: &[(&str, &str)]) {
    let (rules, tally) = (rules(), Tally::default());
    let mut pop3 = Pop3::new(fake, &rules, &tally);
    for (line, wanted) in script {
        assert_eq!(say(&mut pop3, &[line]), *wanted, "{line}");
    }
}

const IN: [(&str, &str); 2] = [
    ("USER user1", "+OK"),
    ("PASS x", "+OK 2 messages (22 octets)"),
];

#[test]
fn a_mailbox_is_listed_and_read() {
    let fake = fake();
    let script = [
        ("STAT", "+OK 2 22"),
        ("LIST", "+OK 2 messages (22 octets)\r\n1 14\r\n2 8\r\n."),
        ("LIST 2", "+OK 2 8"),
        ("UIDL", "+OK\r\n1 0\r\n2 1\r\n."),
        ("UIDL 2", "+OK 2 1"),
        ("RETR 1", "+OK 14 octets\r\nA: 1\r\n\r\n..\r\nb\r\n."),
        ("TOP 1 0", "+OK\r\nA: 1\r\n\r\n."),
        ("TOP 1 1", "+OK\r\nA: 1\r\n\r\n..\r\n."),
        ("TOP 1 9", "+OK\r\nA: 1\r\n\r\n..\r\nb\r\n."),
        ("NOOP", "+OK"),
        ("RETR 0", "-ERR no such message"),
        ("RETR 3", "-ERR no such message"),
        ("RETR x", "-ERR no such message"),
        ("TOP 1 x", "-ERR expected TOP message lines"),
        ("XYZZY", "-ERR unknown"),
        ("RETR", "-ERR unknown"),
        ("USER user0", "-ERR not now"),
        ("PASS x", "-ERR not now"),
        ("quit", "+OK bye"),
    ];
    talk(&fake, &[&IN[..], &script].concat());
    assert_eq!(fake.all().len(), 2);
    assert!(fake.locked.lock().expect("no panic").is_empty());
}

#[test]
fn what_is_deleted_goes_with_quit_and_not_before() {
    let fake = fake();
    let dele = [
        ("DELE 1", "+OK"),
        ("DELE 1", "-ERR no such message"),
        ("RETR 1", "-ERR no such message"),
        ("STAT", "+OK 1 8"),
        ("LIST", "+OK 1 messages (8 octets)\r\n2 8\r\n."),
    ];
    // The connection is lost.
    talk(&fake, &[&IN[..], &dele].concat());
    let back = [("RSET", "+OK"), ("STAT", "+OK 2 22"), ("QUIT", "+OK bye")];
    talk(&fake, &[&IN[..], &dele, &back].concat());
    assert_eq!(fake.all().len(), 2);
    talk(&fake, &[&IN[..], &dele, &[("QUIT", "+OK bye")]].concat());
    assert_eq!(fake.all(), [(1, MAIL[1].to_owned())]);
}

#[test]
fn what_could_not_be_deleted_is_told() {
    let fake = fake();
    let (rules, tally) = (rules(), Tally::default());
    let mut pop3 = Pop3::new(&fake, &rules, &tally);
    say(&mut pop3, &["USER user1", "PASS x", "DELE 1"]);
    fake.refuse(Some(Refusal::Full));
    let mut answer = Vec::new();
    assert!(!pop3.take("QUIT".into(), &mut answer), "it ends");
    assert!(answer.starts_with(b"-ERR [SYS/TEMP]"));
    assert!(fake.locked.lock().expect("no panic").is_empty());

    talk(
        &fake,
        &[("USER user1", "+OK"), ("PASS x", &format!("-ERR {STORE}"))],
    );
    assert!(fake.locked.lock().expect("no panic").is_empty());
}

#[test]
fn one_session_has_a_mailbox() {
    let fake = fake();
    let (rules, tally) = (rules(), Tally::default());
    let mut first = Pop3::new(&fake, &rules, &tally);
    say(&mut first, &["USER user1", "PASS x"]);
    let in_use = "-ERR [IN-USE] another session has this mailbox";
    talk(&fake, &[("USER user1", "+OK"), ("PASS x", in_use)]);
    talk(
        &fake,
        &[
            ("USER user0", "+OK"),
            ("PASS x", "+OK 0 messages (0 octets)"),
        ],
    );
    drop(first);
    talk(&fake, &IN);
}

#[test]
fn nobody_gets_in_who_should_not() {
    let fake = fake();
    let auth = "-ERR [AUTH] no such user with this password";
    talk(
        &fake,
        &[
            ("STAT", "-ERR not now"),
            ("PASS x", "-ERR say USER first"),
            ("USER user7", "+OK"),
            ("PASS x", auth),
            ("PASS x", "-ERR say USER first"),
            (
                "CAPA",
                "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nRESP-CODES\r\nPIPELINING\r\n.",
            ),
            ("QUIT", "+OK bye"),
        ],
    );
    let rules = Rules {
        password: Some("open  sesame".into()),
        ..rules()
    };
    for (password, wanted) in [
        ("x", auth),
        ("", auth),
        ("open sesame", auth),
        ("open  sesame", "+OK 2 messages (22 octets)"),
    ] {
        let tally = Tally::default();
        let mut pop3 = Pop3::new(&fake, &rules, &tally);
        say(&mut pop3, &["USER user1"]);
        assert_eq!(say(&mut pop3, &[&format!("PASS {password}")]), wanted);
    }
    let (rules, tally) = (super::super::fake::rules(), Tally::default());
    let mut pop3 = Pop3::new(&fake, &rules, &tally);
    let mistakes = (1..).take_while(|_| pop3.take("XYZZY".into(), &mut Vec::new()));
    assert_eq!(mistakes.count(), MISTAKES as usize - 1);
}
