//! Mailboxes for the tests of the protocols: they can be told to refuse.

use super::Rules;
use super::boxes::{Boxes, Mail, Refusal};
use super::lines::Line;
use super::protocol::Protocol;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// The users `user0` and `user1`.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) refusal: Mutex<Option<Refusal>>,
    pub(super) mail: Mutex<Vec<(u32, Mail)>>,
    pub(super) locked: Mutex<HashSet<u32>>,
}

pub(super) fn rules() -> Rules {
    Rules {
        domain: "example.test".into(),
        max_message: 2000,
        password: None,
    }
}

/// What is answered to lines that are as they should be, without the last CRLF.
pub(super) fn say(protocol: &mut impl Protocol, lines: &[&str]) -> String {
    let mut answer = Vec::new();
    for line in lines {
        protocol.take(Line::from(*line), &mut answer);
    }
    let answer = String::from_utf8(answer).expect("it is text");
    answer.trim_end_matches("\r\n").to_owned()
}

impl Fake {
    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().expect("no panic") = refusal;
    }

    /// What the users have.
    pub(super) fn all(&self) -> Vec<(u32, String)> {
        let mail = self.mail.lock().expect("no panic");
        let text = |mail: &Mail| String::from_utf8_lossy(&mail.message).into_owned();
        mail.iter()
            .map(|(user, mail)| (*user, text(mail)))
            .collect()
    }

    fn check(&self) -> Result<(), Refusal> {
        self.refusal.lock().expect("no panic").map_or(Ok(()), Err)
    }
}

impl Boxes for Fake {
    fn user(&self, name: &[u8]) -> Option<u32> {
        let names: [&[u8]; 2] = [b"user0", b"user1"];
        (0..)
            .zip(names)
            .find(|(_, it)| *it == name)
            .map(|(at, _)| at)
    }

    fn deliver(&self, users: &[u32], message: &Arc<[u8]>) -> Result<(), Refusal> {
        self.check()?;
        let mut mail = self.mail.lock().expect("no panic");
        for &user in users {
            let arrival = mail.len() as u64;
            let message = message.clone();
            mail.push((user, Mail { arrival, message }));
        }
        Ok(())
    }

    fn lock(&self, user: u32) -> bool {
        self.locked.lock().expect("no panic").insert(user)
    }

    fn unlock(&self, user: u32) {
        self.locked.lock().expect("no panic").remove(&user);
    }

    fn read(&self, user: u32) -> Result<Vec<Mail>, Refusal> {
        self.check()?;
        let mail = self.mail.lock().expect("no panic");
        let of_user = mail.iter().filter(|(it, _)| *it == user);
        Ok(of_user.map(|(_, mail)| mail.clone()).collect())
    }

    fn delete(&self, user: u32, arrivals: &[u64]) -> Result<(), Refusal> {
        self.check()?;
        let mut mail = self.mail.lock().expect("no panic");
        mail.retain(|(it, mail)| *it != user || !arrivals.contains(&mail.arrival));
        Ok(())
    }
}
