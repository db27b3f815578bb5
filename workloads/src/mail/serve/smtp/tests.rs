use super::super::boxes::Mail;
use super::super::fake::{Fake, rules, say};
use super::*;
use std::sync::Arc;

/// Says lines to a new session, one after the other, and compares the begin of each answer.
#[track_caller]
fn talk(fake: &Fake, script: &[(&str, &str)]) {
    let (rules, tally) = (rules(), Tally::default());
    let mut smtp = Smtp::new(fake, &rules, &tally);
    for (line, wanted) in script {
        let said = say(&mut smtp, &[line]);
        assert!(
            said.starts_with(wanted) && said.is_empty() == wanted.is_empty(),
            "{line}: {said}"
        );
    }
}

const BEGUN: [(&str, &str); 4] = [
    (
        "EHLO there",
        "250-example.test\r\n250-PIPELINING\r\n250-8BITMIME",
    ),
    ("MAIL FROM:<ann@there.test>", "250"),
    ("RCPT TO:<user1@example.test>", "250"),
    ("DATA", "354"),
];

#[test]
fn mail_goes_to_all_its_recipients_without_its_dots() {
    let fake = Fake::default();
    talk(
        &fake,
        &[
            ("helo there", "250 example.test"),
            ("mail from:<> BODY=8BITMIME SIZE=30", "250"),
            ("rcpt to:<user1@EXAMPLE.test>", "250"),
            ("rcpt to:<user0@example.test>", "250"),
            ("rcpt to:<user1@example.test>", "250"),
            ("data", "354"),
            ("Subject: x", ""),
            ("", ""),
            ("..", ""),
            (".a", ""),
            (".", "250"),
            (".", "500"),
            ("DATA", "503"),
            ("QUIT", "221"),
        ],
    );
    let text = "Return-Path: <>\r\nSubject: x\r\n\r\n.\r\na\r\n";
    assert_eq!(fake.all(), [(1, text.to_owned()), (0, text.to_owned())]);
}

#[test]
fn what_is_out_of_order_or_wrong_is_refused() {
    talk(
        &Fake::default(),
        &[
            ("MAIL FROM:<a@b.test>", "503"),
            ("EHLO", "501"),
            ("EHLO there", "250"),
            ("RCPT TO:<user0@example.test>", "503"),
            ("DATA", "503"),
            ("MAIL FROM:<a@b.test> SIZE=2001", "552"),
            ("MAIL FROM:<a@b.test> BODY=BINARYMIME", "555"),
            ("MAIL FROM:<a@b.test> COLOUR=RED", "555"),
            ("MAIL FROM: a@b.test", "501"),
            ("MAIL TO:<a@b.test>", "501"),
            ("MAIL FROM:<a@b.test>", "250"),
            ("MAIL FROM:<a@b.test>", "503"),
            ("RCPT TO:<user0@elsewhere.test>", "550 5.7.1 no relay"),
            ("RCPT TO:<user0@example.test@elsewhere.test>", "5"),
            ("RCPT TO:<user2@example.test>", "550 5.1.1"),
            ("RCPT TO:<user0>", "5"),
            ("DATA", "503"),
            ("RCPT TO:<user0@example.test>", "250"),
            ("RSET", "250"),
            ("DATA", "503"),
            ("RSET now", "501"),
        ],
    );
    talk(
        &Fake::default(),
        &[
            ("VRFY user0", "252"),
            ("NOOP", "250"),
            ("HELP", "214"),
            ("XYZZY", "500"),
            ("", "500"),
            ("STARTTLS", "502"),
            ("EXPN all", "502"),
            ("BDAT 3 LAST", "502"),
            ("MAIL FROM:<ä@b.test>", "500"),
            ("QUIT now", "501"),
        ],
    );
}

#[test]
fn each_refusal_of_the_store_has_its_code() {
    for (refusal, code) in [
        (Refusal::Full, "452"),
        (Refusal::Stopped, "451"),
        (Refusal::TooLarge, "552"),
    ] {
        let fake = Fake::default();
        fake.refuse(Some(refusal));
        talk(
            &fake,
            &[&BEGUN[..], &[(".", code), ("DATA", "503")]].concat(),
        );
        assert_eq!(fake.all(), []);
    }
}

#[test]
fn a_message_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let fake = Fake::default();
    let long = "x".repeat(997);
    let line = (&*long, "");
    talk(&fake, &[&BEGUN[..], &[line, line, (".", "250")]].concat());
    assert_eq!(fake.all().len(), 1);
    talk(
        &fake,
        &[
            &BEGUN[..],
            &[line, line, ("", ""), ("", ""), (".", "552")],
            &BEGUN,
        ]
        .concat(),
    );
    assert_eq!(fake.all().len(), 1);
}

fn improper(text: &str, ends_with_crlf: bool) -> Line {
    Line {
        text: text.into(),
        ends_with_crlf,
        is_proper: false,
        is_too_long: false,
    }
}

/// What is answered to lines while a message is sent.
fn data(fake: &Fake, lines: Vec<Line>) -> String {
    let (rules, tally) = (rules(), Tally::default());
    let mut smtp = Smtp::new(fake, &rules, &tally);
    say(&mut smtp, &BEGUN.map(|(line, _)| line));
    let mut answer = Vec::new();
    for line in lines {
        smtp.take(line, &mut answer);
    }
    String::from_utf8(answer).expect("it is text")
}

#[test]
fn only_crlf_dot_crlf_is_the_end() {
    let smuggled = || Line::from("MAIL FROM:<mallory@there.test>");
    let fake = Fake::default();
    for not_the_end in [
        vec![improper("a", false), ".".into()],
        vec!["a".into(), improper(".", false)],
        vec!["a".into(), improper(".\r", true)],
        vec!["a".into(), improper("\r.", true)],
    ] {
        let lines = [&not_the_end[..], &[smuggled()]].concat();
        assert_eq!(data(&fake, lines.clone()), "", "{not_the_end:?}");
        let whole = [&lines[..], &[".".into()]].concat();
        assert!(data(&fake, whole).starts_with("554 5.6.0 a CR"));
    }
    // This is one, and yet it is refused.
    let lines = vec![improper("a\rb", true), ".".into()];
    assert!(data(&fake, lines).starts_with("554 5.6.0 a CR"));
    let long = Line {
        is_too_long: true,
        ..Line::from("")
    };
    assert!(data(&fake, vec![long, ".".into()]).starts_with("554 5.6.0 a line"));
    assert_eq!(fake.all(), []);
}

#[test]
fn what_never_ends_is_ended() {
    let fake = Fake::default();
    let (rules, tally) = (rules(), Tally::default());
    let mut smtp = Smtp::new(&fake, &rules, &tally);
    say(&mut smtp, &BEGUN.map(|(line, _)| line));
    let line = Line::from(&*"x".repeat(998));
    let lines = (0_usize..).take_while(|_| smtp.take(line.clone(), &mut Vec::new()));
    assert!((SWALLOWED / 1000..SWALLOWED / 900).contains(&lines.count()));

    let mut smtp = Smtp::new(&fake, &rules, &tally);
    let mistakes = (1..).take_while(|_| smtp.take("XYZZY".into(), &mut Vec::new()));
    assert_eq!(mistakes.count(), MISTAKES as usize - 1);
}

#[test]
fn too_many_recipients_are_told_to_come_again() {
    struct Everybody;
    impl Boxes for Everybody {
        fn user(&self, name: &[u8]) -> Option<u32> {
            str::from_utf8(name)
                .ok()?
                .strip_prefix("user")?
                .parse()
                .ok()
        }
        fn deliver(&self, users: &[u32], _: &Arc<[u8]>) -> Result<(), Refusal> {
            assert_eq!(users.len(), RECIPIENTS);
            Ok(())
        }
        fn lock(&self, _: u32) -> bool {
            false
        }
        fn unlock(&self, _: u32) {}
        fn read(&self, _: u32) -> Result<Vec<Mail>, Refusal> {
            Ok(Vec::new())
        }
        fn delete(&self, _: u32, _: &[u64]) -> Result<(), Refusal> {
            Ok(())
        }
    }
    let (rules, tally) = (rules(), Tally::default());
    let mut smtp = Smtp::new(&Everybody, &rules, &tally);
    say(&mut smtp, &["HELO there", "MAIL FROM:<>"]);
    for user in 0..RECIPIENTS {
        let said = say(&mut smtp, &[&format!("RCPT TO:<user{user}@example.test>")]);
        assert!(said.starts_with("250"), "{said}");
    }
    let said = say(&mut smtp, &["RCPT TO:<user1000@example.test>"]);
    assert!(said.starts_with("452"), "{said}");
    assert!(say(&mut smtp, &["DATA", "."]).contains("\r\n250 2.0.0 delivered"));
}
