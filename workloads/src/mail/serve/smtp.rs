//! How mail comes in: SMTP (RFC 5321), as a server that mail ends at.

use super::Rules;
use super::boxes::{Boxes, Refusal};
use super::lines::Line;
use super::protocol::{MISTAKES, Protocol};
use super::report::Tally;
use smtp_proto::{Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MailFrom, RcptTo, Request};
use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

/// The most bytes of a line, its end included: of a command, with room for the parameters of
/// extensions, and of a message.
const COMMAND: usize = 1024;
const TEXT: usize = 1000;
/// The most recipients of a message.
const RECIPIENTS: usize = 100;
/// So many bytes beyond the largest message are read until its sender notices.
const SWALLOWED: usize = 16 << 20;

/// A session.
pub(super) struct Smtp<'s, B> {
    boxes: &'s B,
    rules: &'s Rules,
    tally: &'s Tally,
    is_greeted: bool,
    /// Of the message that has begun.
    sender: Option<String>,
    recipients: Vec<u32>,
    /// While it is sent.
    data: Option<Data>,
    mistakes: u32,
}

/// A message that is being sent.
struct Data {
    /// Without the dots that lines were stuffed with.
    message: Vec<u8>,
    bytes: usize,
    /// Why it will be refused.
    refusal: Option<&'static str>,
    /// Whether the line before ended with CRLF.
    follows_crlf: bool,
}

const TOO_LARGE: &str = "552 5.3.4 the message is too large";

impl<'s, B: Boxes> Smtp<'s, B> {
    pub(super) fn new(boxes: &'s B, rules: &'s Rules, tally: &'s Tally) -> Self {
        Self {
            boxes,
            rules,
            tally,
            is_greeted: false,
            sender: None,
            recipients: Vec::new(),
            data: None,
            mistakes: 0,
        }
    }

    /// Forgets the message that has begun.
    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
        self.data = None;
    }

    fn command(&mut self, line: &Line) -> Cow<'static, str> {
        if line.is_too_long {
            return "500 5.5.2 the line is too long".into();
        }
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        if !line.is_proper || !line.text.iter().all(is_text) {
            return "500 5.5.2 a command is a line of ASCII that ends with CRLF".into();
        }
        let mut text = line.text.clone();
        text.extend_from_slice(b"\r\n");
        let request = match Request::parse(&mut text.iter()) {
            Ok(request) => request,
            Err(error) => return syntax(&error),
        };
        let takes_nothing = matches!(request, Request::Data | Request::Rset | Request::Quit);
        if takes_nothing && line.text.trim_ascii().len() != request.name().len() {
            return "501 5.5.4 it takes no parameters".into();
        }
        match request {
            Request::Ehlo { .. } => {
                self.greet();
                let Rules { domain, .. } = self.rules;
                let size = self.rules.max_message;
                format!("250-{domain}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {size}").into()
            }
            Request::Helo { .. } => {
                self.greet();
                format!("250 {}", self.rules.domain).into()
            }
            Request::Mail { from } => self.mail(from).into(),
            Request::Rcpt { to } => self.recipient(&to).into(),
            Request::Data if self.recipients.is_empty() => "503 5.5.1 there is no recipient".into(),
            Request::Data => {
                self.data = Some(Data {
                    message: Vec::new(),
                    bytes: 0,
                    refusal: None,
                    follows_crlf: true,
                });
                "354 end it with <CRLF>.<CRLF>".into()
            }
            Request::Rset => {
                self.reset();
                "250 2.0.0 ok".into()
            }
            Request::Noop { .. } => "250 2.0.0 ok".into(),
            Request::Vrfy { .. } => "252 2.5.0 send mail, and it will be seen".into(),
            Request::Help { .. } => "214 2.0.0 see RFC 5321".into(),
            Request::Quit => "221 2.0.0 bye".into(),
            Request::Lhlo { .. } => "500 5.5.1 this is no LMTP".into(),
            _ => "502 5.5.1 not here".into(),
        }
    }

    fn greet(&mut self) {
        self.is_greeted = true;
        self.reset();
    }

    fn mail(&mut self, from: MailFrom<Cow<'_, str>>) -> &'static str {
        if !self.is_greeted {
            return "503 5.5.1 say EHLO first";
        }
        if self.sender.is_some() {
            return "503 5.5.1 a message has begun already";
        }
        if from.flags & !(MAIL_BODY_7BIT | MAIL_BODY_8BITMIME) != 0 {
            return "555 5.5.4 a parameter is unknown here";
        }
        if from.size > self.rules.max_message {
            return TOO_LARGE;
        }
        self.sender = Some(from.address.into_owned());
        "250 2.1.0 ok"
    }

    fn recipient(&mut self, to: &RcptTo<Cow<'_, str>>) -> &'static str {
        if self.sender.is_none() {
            return "503 5.5.1 say MAIL first";
        }
        if to.flags != 0 {
            return "555 5.5.4 a parameter is unknown here";
        }
        let local = to.address.rsplit_once('@');
        let Some((name, _)) =
            local.filter(|(_, domain)| domain.eq_ignore_ascii_case(&self.rules.domain))
        else {
            return "550 5.7.1 no relay";
        };
        let Some(user) = self.boxes.user(name.as_bytes()) else {
            return "550 5.1.1 no such user";
        };
        // Twice the same is one.
        if !self.recipients.contains(&user) {
            if self.recipients.len() == RECIPIENTS {
                return "452 4.5.3 too many recipients";
            }
            self.recipients.push(user);
        }
        "250 2.1.5 ok"
    }

    /// A message is there. What this answers 250 to survives.
    fn deliver(&mut self, data: &Data) -> &'static str {
        let sender = self.sender.take().unwrap_or_default();
        let recipients = std::mem::take(&mut self.recipients);
        if let Some(refusal) = data.refusal {
            return refusal;
        }
        let mut message = format!("Return-Path: <{sender}>\r\n").into_bytes();
        message.extend_from_slice(&data.message);
        match self.boxes.deliver(&recipients, &message.into()) {
            Ok(()) => {
                self.tally.messages.fetch_add(1, Relaxed);
                let copies = recipients.len() as u64;
                self.tally.delivered.fetch_add(copies, Relaxed);
                "250 2.0.0 delivered"
            }
            Err(Refusal::Full) => "452 4.3.1 there is no room",
            Err(Refusal::TooLarge) => "552 5.3.4 too large for so many recipients",
            Err(Refusal::Stopped) => "451 4.3.0 the store has stopped",
        }
    }
}

impl Data {
    fn take(&mut self, line: &Line, largest: usize) {
        let text = match line.text.split_first() {
            Some((b'.', rest)) => rest,
            _ => &line.text[..],
        };
        self.follows_crlf = line.ends_with_crlf;
        self.bytes += text.len() + 2;
        let refusal = if line.is_too_long {
            Some("554 5.6.0 a line is longer than 998 bytes")
        } else if !line.is_proper {
            Some("554 5.6.0 a CR or an LF stands by itself")
        } else if self.bytes > largest {
            Some(TOO_LARGE)
        } else {
            None
        };
        self.refusal = self.refusal.or(refusal);
        if self.refusal.is_some() {
            self.message = Vec::new();
            // Of a line that was too long, nothing is known but that.
            self.bytes += if line.is_too_long { TEXT } else { 0 };
            return;
        }
        self.message.extend_from_slice(text);
        self.message.extend_from_slice(b"\r\n");
    }
}

fn syntax(error: &Error) -> Cow<'static, str> {
    match error {
        Error::UnknownCommand => "500 5.5.1 unknown".into(),
        Error::InvalidSenderAddress => "501 5.1.7 bad address".into(),
        Error::InvalidRecipientAddress => "501 5.1.3 bad address".into(),
        Error::SyntaxError { syntax } => format!("501 5.5.4 expected {syntax}").into(),
        Error::UnsupportedParameter { .. } => "555 5.5.4 a parameter is unknown here".into(),
        _ => "501 5.5.4 bad parameters".into(),
    }
}

impl<B: Boxes> Protocol for Smtp<'_, B> {
    fn greeting(&self) -> String {
        format!("220 {} ESMTP\r\n", self.rules.domain)
    }

    fn longest(&self) -> usize {
        match self.data {
            Some(_) => TEXT,
            None => COMMAND,
        }
    }

    fn is_within(&self) -> bool {
        self.data.is_some()
    }

    fn take(&mut self, line: Line, answer: &mut Vec<u8>) -> bool {
        let reply = match self.data.take() {
            None => self.command(&line),
            // Only CRLF.CRLF is the end: other ends, taken for one by some, smuggle messages.
            Some(data) if data.follows_crlf && line.ends_with_crlf && line.text == b"." => {
                self.deliver(&data).into()
            }
            Some(mut data) => {
                data.take(&line, self.rules.max_message);
                if data.bytes > self.rules.max_message + SWALLOWED {
                    answer.extend_from_slice(b"421 4.3.0 the message has no end\r\n");
                    return false;
                }
                self.data = Some(data);
                return true;
            }
        };
        let is_mistake = reply.starts_with('5');
        self.mistakes += u32::from(is_mistake);
        self.tally.refused.fetch_add(u64::from(is_mistake), Relaxed);
        answer.extend_from_slice(reply.as_bytes());
        answer.extend_from_slice(b"\r\n");
        if self.mistakes >= MISTAKES {
            answer.extend_from_slice(b"421 4.7.0 too many errors\r\n");
            return false;
        }
        !reply.starts_with("221")
    }

    fn late(&self) -> &'static str {
        "421 4.4.2 this takes too long\r\n"
    }

    fn ends(&self) -> &'static str {
        "421 4.3.2 the server ends\r\n"
    }
}

#[cfg(test)]
mod tests;
