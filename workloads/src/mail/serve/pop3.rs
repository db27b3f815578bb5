//! How mail is picked up: POP3 (RFC 1939), with `CAPA` and response codes.

use super::Rules;
use super::boxes::{Boxes, Mail, Refusal};
use super::lines::Line;
use super::protocol::{MISTAKES, Protocol};
use super::report::Tally;
use std::sync::atomic::Ordering::Relaxed;

/// The most bytes of a command, its end included.
const COMMAND: usize = 255;

/// A session.
pub(super) struct Pop3<'s, B: Boxes> {
    boxes: &'s B,
    rules: &'s Rules,
    tally: &'s Tally,
    /// What `USER` has said.
    name: Option<Vec<u8>>,
    opened: Option<Opened<'s, B>>,
    mistakes: u32,
}

/// A mailbox that no other session has, as it was when this one opened it.
struct Opened<'s, B: Boxes> {
    boxes: &'s B,
    user: u32,
    mail: Vec<Entry>,
}

struct Entry {
    mail: Mail,
    is_deleted: bool,
}

impl<B: Boxes> Drop for Opened<'_, B> {
    fn drop(&mut self) {
        self.boxes.unlock(self.user);
    }
}

/// Why a command was not done.
type No = &'static str;

const NO_MESSAGE: No = "no such message";
const NOT_NOW: No = "not now";
const STORE: No = "[SYS/TEMP] the store has stopped or is full";

impl<'s, B: Boxes> Opened<'s, B> {
    fn new(boxes: &'s B, user: u32) -> Result<Self, No> {
        if !boxes.lock(user) {
            return Err("[IN-USE] another session has this mailbox");
        }
        // Whatever comes now, it is unlocked.
        let mut opened = Self {
            boxes,
            user,
            mail: Vec::new(),
        };
        let mail = boxes.read(user).map_err(|_| STORE)?;
        let entry = |mail| Entry {
            mail,
            is_deleted: false,
        };
        opened.mail = mail.into_iter().map(entry).collect();
        Ok(opened)
    }

    /// What is not deleted, with its numbers.
    fn left(&self) -> impl Iterator<Item = (usize, &Mail)> {
        let left = (1..).zip(&self.mail).filter(|(_, it)| !it.is_deleted);
        left.map(|(number, entry)| (number, &entry.mail))
    }

    fn count(&self) -> (usize, usize) {
        let bytes = self.left().map(|(_, mail)| mail.message.len());
        (self.left().count(), bytes.sum())
    }

    fn entry(&mut self, number: &str) -> Result<&mut Entry, No> {
        let number: usize = number.parse().map_err(|_| NO_MESSAGE)?;
        let entry = number.checked_sub(1).and_then(|at| self.mail.get_mut(at));
        entry.filter(|it| !it.is_deleted).ok_or(NO_MESSAGE)
    }

    fn delete(&self) -> Result<u64, Refusal> {
        let deleted = self.mail.iter().filter(|it| it.is_deleted);
        let arrivals: Vec<_> = deleted.map(|it| it.mail.arrival).collect();
        if !arrivals.is_empty() {
            self.boxes.delete(self.user, &arrivals)?;
        }
        Ok(arrivals.len() as u64)
    }
}

impl<'s, B: Boxes> Pop3<'s, B> {
    pub(super) fn new(boxes: &'s B, rules: &'s Rules, tally: &'s Tally) -> Self {
        Self {
            boxes,
            rules,
            tally,
            name: None,
            opened: None,
            mistakes: 0,
        }
    }

    /// Adds the answer. `true` if it was the last one.
    fn command(&mut self, line: &Line, answer: &mut Vec<u8>) -> Result<bool, No> {
        let text = str::from_utf8(&line.text).ok().filter(|_| line.is_proper);
        let text = text.ok_or("a command is a line of text that ends with CRLF")?;
        let (keyword, rest) = text.split_once(' ').unwrap_or((text, ""));
        let keyword = keyword.to_ascii_uppercase();
        let words: Vec<_> = rest.split_ascii_whitespace().collect();
        match (&*keyword, &words[..]) {
            ("CAPA", []) => {
                ok(answer, "");
                answer
                    .extend_from_slice(b"USER\r\nUIDL\r\nTOP\r\nRESP-CODES\r\nPIPELINING\r\n.\r\n");
            }
            ("QUIT", []) => {
                if let Some(opened) = self.opened.take() {
                    // What is said to be deleted does not come back.
                    let deleted = opened.delete().map_err(|_| STORE)?;
                    self.tally.deleted.fetch_add(deleted, Relaxed);
                }
                ok(answer, "bye");
                return Ok(true);
            }
            ("USER", [name]) if self.opened.is_none() => {
                self.name = Some(name.as_bytes().to_vec());
                ok(answer, "");
            }
            // A password may have spaces.
            ("PASS", _) if self.opened.is_none() => {
                let name = self.name.take().ok_or("say USER first")?;
                let wanted = self.rules.password.as_deref();
                let user = self.boxes.user(&name);
                let user = user.filter(|_| wanted.is_none_or(|wanted| wanted == rest));
                let user = user.ok_or("[AUTH] no such user with this password")?;
                let opened = Opened::new(self.boxes, user)?;
                let (count, bytes) = opened.count();
                self.opened = Some(opened);
                self.tally.pickups.fetch_add(1, Relaxed);
                ok(answer, &format!("{count} messages ({bytes} octets)"));
            }
            (_, words) => match &mut self.opened {
                Some(opened) => opened_command(opened, &keyword, words, self.tally, answer)?,
                None => return Err(NOT_NOW),
            },
        }
        Ok(false)
    }
}

/// A command on a mailbox.
fn opened_command<B: Boxes>(
    opened: &mut Opened<'_, B>,
    keyword: &str,
    words: &[&str],
    tally: &Tally,
    answer: &mut Vec<u8>,
) -> Result<(), No> {
    match (keyword, words) {
        ("NOOP", []) => ok(answer, ""),
        ("STAT", []) => {
            let (count, bytes) = opened.count();
            ok(answer, &format!("{count} {bytes}"));
        }
        ("LIST", []) => {
            let (count, bytes) = opened.count();
            let sizes = opened
                .left()
                .map(|(number, mail)| (number, mail.message.len() as u64));
            list(answer, &format!("{count} messages ({bytes} octets)"), sizes);
        }
        ("UIDL", []) => {
            let arrivals = opened.left().map(|(number, mail)| (number, mail.arrival));
            list(answer, "", arrivals);
        }
        ("LIST", [number]) => {
            let size = opened.entry(number)?.mail.message.len();
            ok(answer, &format!("{number} {size}"));
        }
        ("UIDL", [number]) => {
            let arrival = opened.entry(number)?.mail.arrival;
            ok(answer, &format!("{number} {arrival}"));
        }
        ("RETR", [number]) => {
            let message = &opened.entry(number)?.mail.message;
            ok(answer, &format!("{} octets", message.len()));
            send(answer, message, usize::MAX);
            tally.retrieved.fetch_add(1, Relaxed);
        }
        ("TOP", [number, lines]) => {
            let lines = lines.parse().map_err(|_| "expected TOP message lines")?;
            let message = &opened.entry(number)?.mail.message;
            ok(answer, "");
            send(answer, message, lines);
        }
        ("DELE", [number]) => {
            opened.entry(number)?.is_deleted = true;
            ok(answer, "");
        }
        ("RSET", []) => {
            for entry in &mut opened.mail {
                entry.is_deleted = false;
            }
            ok(answer, "");
        }
        ("USER" | "PASS", _) => return Err(NOT_NOW),
        _ => return Err("unknown"),
    }
    Ok(())
}

fn ok(answer: &mut Vec<u8>, text: &str) {
    answer.extend_from_slice(format!("+OK {text}").trim_end().as_bytes());
    answer.extend_from_slice(b"\r\n");
}

fn list(answer: &mut Vec<u8>, text: &str, lines: impl Iterator<Item = (usize, u64)>) {
    ok(answer, text);
    for (number, value) in lines {
        answer.extend_from_slice(format!("{number} {value}\r\n").as_bytes());
    }
    answer.extend_from_slice(b".\r\n");
}

/// A message with dots stuffed: its head, and so many lines of what follows.
fn send(answer: &mut Vec<u8>, message: &[u8], lines: usize) {
    let mut left = None;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if line == b"\r\n" => left = Some(lines),
            None => {}
        }
        if line.starts_with(b".") {
            answer.push(b'.');
        }
        answer.extend_from_slice(line);
    }
    answer.extend_from_slice(b".\r\n");
}

impl<B: Boxes> Protocol for Pop3<'_, B> {
    fn greeting(&self) -> String {
        format!("+OK {}\r\n", self.rules.domain)
    }

    fn longest(&self) -> usize {
        COMMAND
    }

    fn is_within(&self) -> bool {
        false
    }

    fn take(&mut self, line: Line, answer: &mut Vec<u8>) -> bool {
        let done = if line.is_too_long {
            Err("the line is too long")
        } else {
            self.command(&line, answer)
        };
        let no = match done {
            Ok(is_last) => return !is_last,
            Err(no) => no,
        };
        self.mistakes += 1;
        self.tally.refused.fetch_add(1, Relaxed);
        answer.extend_from_slice(format!("-ERR {no}\r\n").as_bytes());
        // QUIT ends the session also where nothing could be deleted.
        let is_quit = line.text.to_ascii_uppercase().starts_with(b"QUIT");
        !is_quit && self.mistakes < MISTAKES
    }

    fn late(&self) -> &'static str {
        "-ERR this takes too long\r\n"
    }

    fn ends(&self) -> &'static str {
        "-ERR [SYS/TEMP] the server ends\r\n"
    }
}

#[cfg(test)]
mod tests;
