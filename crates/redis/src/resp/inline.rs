//! Words of an inline command, with the quoting rules of redis-cli and Redis.

use super::request::{Args, Span};

/// Splits `line` into words appended to `text`, their places to `spans`.
///
/// Double quotes know `\n \r \t \b \a \\ \" \xHH`; single quotes know `\'` only. A closing quote
/// must be followed by a blank or the end. `None`: quotes do not match.
pub(super) fn split(line: &[u8], text: &mut Vec<u8>, spans: &mut Vec<Span>) -> Option<()> {
    let mut rest = line;
    loop {
        let blank = rest.iter().take_while(|b| is_blank(**b)).count();
        rest = &rest[blank..];
        // Redis keeps lines as C strings: a NUL ends them.
        if rest.first().is_none_or(|&b| b == 0) {
            return Some(());
        }
        let start = text.len();
        rest = word(rest, text)?;
        spans.push(Span::new(start, text.len() - start));
    }
}

/// The words of `line`, quoted as [`split`] says; `None`: quotes do not match.
pub fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut text, mut spans) = (Vec::new(), Vec::new());
    split(line, &mut text, &mut spans)?;
    Some(Args::new(&text, &spans).from(0).map(<[u8]>::to_vec).collect())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn word<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest.first() {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | 0) => return Some(rest),
            Some(b'"') => return after_quote(double_quoted(&rest[1..], text)?),
            Some(b'\'') => return after_quote(single_quoted(&rest[1..], text)?),
            Some(&byte) => {
                text.push(byte);
                rest = &rest[1..];
            }
        }
    }
}

fn after_quote(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|&b| is_blank(b) || b == 0).then_some(rest)
}

fn double_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                text.push(hex(*high) << 4 | hex(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                text.push(unescape(*escaped));
                rest = tail;
            }
            [b'"', tail @ ..] => return Some(tail),
            [] | [0, ..] => return None,
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return Some(tail),
            [] | [0, ..] => return None,
            [byte, tail @ ..] => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}
