//! Property files as `java.util.Properties` reads them.

use crate::InputError;
use std::borrow::Cow;

/// What separates words, besides the ends of lines.
const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

/// A property, as its file has it.
#[derive(Debug, PartialEq)]
pub(super) struct Property {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) name: String,
    /// Empty if there is none.
    pub(super) value: String,
}

/// The text of a file: UTF-16 if it begins with a byte-order mark of that, UTF-8 if it is valid, or
/// else Latin-1.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks();
        let units: Vec<_> = pairs.iter().copied().map(unit).collect();
        String::from_utf16_lossy(&units).into()
    };
    match bytes {
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).map_or_else(
            |_| bytes.iter().copied().map(char::from).collect(),
            Cow::from,
        ),
    }
}

/// The properties of a text, in its order.
pub(super) fn properties(text: &str) -> Result<Vec<Property>, InputError> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut lines = (1..).zip(text.split(['\n', '\r']));
    let mut properties = Vec::new();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim_start_matches(BLANKS).to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&line) {
            line.pop();
            let Some((_, more)) = lines.next() else {
                break;
            };
            line.push_str(more.trim_start_matches(BLANKS));
        }
        let (name, value) = split(&line);
        let part = |text| unescape(text).ok_or_else(|| malformed(number));
        properties.push(Property {
            line: number,
            name: part(name)?,
            value: part(value)?.trim().to_owned(),
        });
    }
    Ok(properties)
}

/// Whether a line ends with a backslash that no other one escapes.
fn is_continued(line: &str) -> bool {
    let kept = line.trim_end_matches('\\').len();
    (line.len() - kept) % 2 == 1
}

/// The name ends before the first `=`, `:` or blank that is not escaped. Blanks may surround one
/// `=` or `:`.
fn split(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.find(|it: char| {
        let ends = !is_escaped && (BLANKS.contains(&it) || matches!(it, '=' | ':'));
        is_escaped = it == '\\' && !is_escaped;
        ends
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(BLANKS);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(BLANKS))
}

/// `None` if `\u` is not followed by four hexadecimal digits.
fn unescape(text: &str) -> Option<String> {
    // UTF-16, as Java has it: two escapes can make one character.
    let mut units = Vec::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        let meant = match next {
            '\\' => match rest.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    let (digits, after) = rest.as_str().split_at_checked(4)?;
                    let is_number = digits.chars().all(|digit| digit.is_ascii_hexdigit());
                    let unit = u16::from_str_radix(digits, 16).ok();
                    units.push(unit.filter(|_| is_number)?);
                    rest = after.chars();
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

fn malformed(line: usize) -> InputError {
    InputError::new(format!(
        "line {line} of the workload has \\u without four hexadecimal digits; write \\\\ for a backslash"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let found = properties(text).expect("it is well-formed").into_iter();
        found.map(|it| (it.name, it.value)).collect()
    }

    fn assert_reads(text: &str, expected: &[(&str, &str)]) {
        let found = read(text);
        let found = found.iter().map(|(name, value)| (&**name, &**value));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{text:?}");
    }

    /// The examples are those of the documentation of `java.util.Properties.load`.
    #[test]
    fn names_and_values_are_separated_as_java_does() {
        for line in ["Truth = Beauty", " Truth:Beauty", "Truth\t\t\t:Beauty"] {
            assert_reads(line, &[("Truth", "Beauty")]);
        }
        for line in ["Truth Beauty", "Truth\x0cBeauty", "Truth=Beauty  "] {
            assert_reads(line, &[("Truth", "Beauty")]);
        }
        assert_reads("cheeses", &[("cheeses", "")]);
        assert_reads("cheeses=", &[("cheeses", "")]);
        assert_reads("a==b", &[("a", "=b")]);
        assert_reads("a : = b", &[("a", "= b")]);
        assert_reads(r"\:\= \=x", &[(":=", "=x")]);
        assert_reads(r"a\ b c", &[("a b", "c")]);
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line() {
        let fruits = "fruits  apple, banana, \\\n    pear, \\\r\n\tmango\nnext=1";
        let expected = [("fruits", "apple, banana, pear, mango"), ("next", "1")];
        assert_reads(fruits, &expected);
        assert_reads("a=b\\\\\nc=d", &[("a", "b\\"), ("c", "d")]);
        assert_reads("a=b\\\\\\\nc=d", &[("a", "b\\c=d")]);
        assert_reads("a=\\\n#b", &[("a", "#b")]);
        assert_reads("a=b\\", &[("a", "b")]);
        assert_reads("a=b\\\n\nc=d", &[("a", "b"), ("c", "d")]);
    }

    #[test]
    fn comments_are_neither_continued_nor_unescaped() {
        assert_reads("# a\\\nb=1", &[("b", "1")]);
        assert_reads("  ! C:\\users\nb=1", &[("b", "1")]);
        assert_reads("#\r\r\nb=1\rc=2", &[("b", "1"), ("c", "2")]);
        assert_eq!(properties("# a\n\nb=1").expect("well-formed")[0].line, 3);
    }

    #[test]
    fn escapes_are_characters() {
        assert_reads(r"\u0061=\u00e9\u00E9", &[("a", "éé")]);
        assert_reads(r"a=\ud83d\ude00 \t\x", &[("a", "😀 \tx")]);
        for text in [r"a=\u", r"a=\u12", r"\u+123=1", r"a=\u12é", r"a=C:\users"] {
            let error = properties(&format!("b=1\n{text}")).expect_err(text);
            assert!(error.to_string().contains("line 2 "), "{error}");
        }
    }

    #[test]
    fn encodings_are_told_apart() {
        let text = "é=1";
        let bytes = |units: fn(u16) -> [u8; 2]| -> Vec<_> {
            let marked = format!("\u{feff}{text}");
            marked.encode_utf16().flat_map(units).collect()
        };
        for file in [
            text.as_bytes(),
            b"\xef\xbb\xbf\xc3\xa9=1",
            b"\xe9=1",
            &bytes(u16::to_le_bytes),
            &bytes(u16::to_be_bytes),
        ] {
            assert_reads(&decode(file), &[("é", "1")]);
        }
        assert_reads(&decode(b"\xef\xbb\xbf# a comment\na=1"), &[("a", "1")]);
        assert_reads(&decode(b""), &[]);
    }
}
