//! Lines, as they come in over a socket.

/// Cuts what comes in into lines, and keeps no more of a line than it may have.
pub(super) struct Lines {
    /// Of a line that has not ended.
    begun: Vec<u8>,
    is_too_long: bool,
    /// The byte that came last.
    last: u8,
}

/// A line. Only CRLF ends one properly: what a sender and a receiver take differently for an end
/// lets one message be smuggled in as two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Without its end; empty if it was too long.
    pub(super) text: Vec<u8>,
    /// Whether it ended with CRLF.
    pub(super) ends_with_crlf: bool,
    /// Whether it has no CR and no LF but in that end.
    pub(super) is_proper: bool,
    /// Whether it was longer than it may be.
    pub(super) is_too_long: bool,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            begun: Vec::new(),
            is_too_long: false,
            last: 0,
        }
    }

    /// Takes the first line out of `bytes`, with what has come before. `None`: it has not ended,
    /// and all is taken. A line has at most `longest` bytes, its end included.
    pub(super) fn next(&mut self, bytes: &mut &[u8], longest: usize) -> Option<Line> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        if self.begun.len() + part.len() > longest {
            self.is_too_long = true;
            self.begun.clear();
        }
        if !self.is_too_long {
            self.begun.extend_from_slice(part);
        }
        let before = match part {
            [.., before, _] => *before,
            _ => self.last,
        };
        self.last = part.last().copied().unwrap_or(self.last);
        end?;
        let mut text = std::mem::take(&mut self.begun);
        let ends_with_crlf = before == b'\r';
        let end = if ends_with_crlf { 2 } else { 1 };
        text.truncate(text.len().saturating_sub(end));
        Some(Line {
            ends_with_crlf,
            is_proper: ends_with_crlf && !text.contains(&b'\r'),
            is_too_long: std::mem::take(&mut self.is_too_long),
            text,
        })
    }
}

#[cfg(test)]
impl From<&str> for Line {
    /// A line that is as it should be.
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            ends_with_crlf: true,
            is_proper: true,
            is_too_long: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parts: &[&str]) -> Vec<(String, bool, bool)> {
        let mut lines = Lines::new();
        let mut all = Vec::new();
        for mut part in parts.iter().map(|part| part.as_bytes()) {
            while let Some(line) = lines.next(&mut part, 8) {
                let text = String::from_utf8(line.text).expect("it is text");
                all.push((text, line.is_proper, line.is_too_long));
            }
        }
        all
    }

    fn line(text: &str) -> (String, bool, bool) {
        (text.into(), true, false)
    }

    #[test]
    fn lines_are_cut_wherever_they_are_torn() {
        let lines = [line("ab"), line(""), line("cdefgh")];
        let text = "ab\r\n\r\ncdefgh\r\nij";
        for at in 0..text.len() {
            assert_eq!(all(&[&text[..at], &text[at..]]), lines, "{at}");
        }
    }

    #[test]
    fn what_ends_otherwise_is_told() {
        let improper = |text: &str| (text.to_owned(), false, false);
        assert_eq!(all(&["ab\n.\r\n"]), [improper("ab"), line(".")]);
        assert_eq!(all(&["a\rb\r\n"]), [improper("a\rb")]);
        assert_eq!(all(&["a\r\r\n"]), [improper("a\r")]);
        let mut lines = Lines::new();
        let mut crlf = |mut text: &[u8]| lines.next(&mut text, 4).map(|line| line.ends_with_crlf);
        assert_eq!(crlf(b"a\rb\r\n"), Some(true));
        assert_eq!(crlf(b"too long\n"), Some(false));
        assert_eq!(crlf(b"too long\r"), None);
        assert_eq!(crlf(b"\n"), Some(true));
        assert_eq!(crlf(b"\n"), Some(false));
    }

    #[test]
    fn of_a_line_that_is_too_long_nothing_is_kept() {
        let long = (String::new(), true, true);
        assert_eq!(all(&["1234567\r\na\r\n"]), [long.clone(), line("a")]);
        assert_eq!(all(&["1234567", "89", "\r", "\na\r\n"]), [long, line("a")]);
        let mut lines = Lines::new();
        for _ in 0..100 {
            assert_eq!(lines.next(&mut &b"1234567"[..], 8), None);
            assert!(lines.begun.len() <= 8);
        }
    }
}
