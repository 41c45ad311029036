//! Requests: RESP arrays of bulk strings, and inline commands.
//!
//! ```text
//! multibulk   * count CRLF ( $ length CRLF bytes CRLF ) × count
//! inline      words separated by blanks, quotes as in a shell, ended by LF or CRLF
//! ```
//!
//! The parser sees the bytes from the start of the current command and remembers how far it got,
//! so a command that arrives in many pieces is scanned once. Any way of cutting the same bytes
//! gives the same commands. The two bytes after a bulk are skipped unread, as Redis does.

use super::inline;

/// Longest inline command and longest length line.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Most arguments of one command.
pub const ARGUMENTS_MAX: i64 = 4 << 20;

/// What a client may send at most.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Longest bulk string in bytes.
    pub bulk_bytes_max: usize,
    /// The client has not given its password: little is read from it.
    pub is_stranger: bool,
}

/// Most arguments of a stranger's command.
const STRANGER_ARGUMENTS_MAX: i64 = 10;
/// Longest argument of a stranger.
const STRANGER_BULK_BYTES_MAX: usize = 16 << 10;

/// Place of an argument relative to the start of its command's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(super) fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }
}

/// The arguments of one command, its name first; borrowed from the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    data: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Arguments at `spans` of `data`. Spans outside of `data` read as empty.
    pub fn new(data: &'a [u8], spans: &'a [Span]) -> Self {
        Self { data, spans }
    }

    /// Number of arguments, the command's name among them.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `index`; empty when there are fewer.
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        let Some(span) = self.spans.get(index) else { return &[] };
        let start = span.start as usize;
        self.data.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// The arguments from `index` on.
    #[inline]
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let this = *self;
        (index.min(self.len())..self.len()).map(move |i| this.get(i))
    }

    /// The same arguments without the first `count`.
    pub fn skip(&self, count: usize) -> Args<'a> {
        Args { data: self.data, spans: self.spans.get(count..).unwrap_or_default() }
    }
}

/// Arguments of a command that no client sent.
#[derive(Debug, Default)]
pub struct ArgsBuffer {
    data: Vec<u8>,
    spans: Vec<Span>,
}

impl ArgsBuffer {
    /// Forgets all arguments.
    pub fn clear(&mut self) {
        self.data.clear();
        self.spans.clear();
    }

    /// Adds an argument.
    pub fn push(&mut self, argument: &[u8]) {
        self.spans.push(Span::new(self.data.len(), argument.len()));
        self.data.extend_from_slice(argument);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The arguments.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.data, &self.spans)
    }
}

/// How far parsing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A command of this many bytes is complete; see [`Parser::args`].
    Command(usize),
    /// This many bytes say nothing (an empty line or array): drop them.
    Nothing(usize),
    /// More bytes are needed.
    Incomplete,
}

/// A client that does not speak the protocol: answer with the message and close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError(pub String);

/// Incremental parser of one connection.
///
/// **Invariant**: `position` is at or behind the last byte seen; spans lie before `position`.
#[derive(Debug, Default)]
pub struct Parser {
    spans: Vec<Span>,
    inline: Vec<u8>,
    position: usize,
    remaining: i64,
    bulk: Option<usize>,
}

impl Parser {
    /// A parser at the start of a command.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues with `data`, the bytes from the start of the current command on.
    ///
    /// # Errors
    /// When the bytes cannot be a request; the connection must be closed.
    #[inline]
    pub fn parse(&mut self, data: &[u8], limits: RequestLimits) -> Result<Status, ProtocolError> {
        if self.position == 0 {
            self.spans.clear();
            self.inline.clear();
            match data.first() {
                None => return Ok(Status::Incomplete),
                Some(b'*') => {}
                Some(_) => return self.parse_inline(data),
            }
            match number_line(data, 1, "too big mbulk count string", "invalid multibulk length")? {
                None => return Ok(Status::Incomplete),
                Some((count, _)) if limits.is_stranger && count > STRANGER_ARGUMENTS_MAX => {
                    return Err(protocol("unauthenticated multibulk length"));
                }
                Some((count, _)) if count > ARGUMENTS_MAX => {
                    return Err(protocol("invalid multibulk length"));
                }
                Some((count, next)) if count <= 0 => return Ok(Status::Nothing(next)),
                Some((count, next)) => {
                    self.remaining = count;
                    self.position = next;
                }
            }
        }
        self.parse_bulks(data, limits)
    }

    /// The arguments of the command that [`Parser::parse`] completed in `data`.
    #[inline]
    pub fn args<'a>(&'a self, data: &'a [u8]) -> Args<'a> {
        let data = if data.first() == Some(&b'*') { data } else { &self.inline };
        Args { data, spans: &self.spans }
    }

    /// Bytes that the current bulk still needs beyond `available` ones; 0 when unknown.
    pub fn bytes_missing(&self, available: usize) -> usize {
        self.bulk.map_or(0, |len| (self.position + len + 2).saturating_sub(available))
    }

    /// Bytes of memory held for spans and inline text.
    pub fn capacity_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.inline.capacity()
    }

    /// Gives back memory; only between commands.
    pub fn shrink(&mut self) {
        if self.position == 0 {
            self.spans = Vec::new();
            self.inline = Vec::new();
        }
    }

    #[inline]
    fn parse_bulks(&mut self, data: &[u8], limits: RequestLimits) -> Result<Status, ProtocolError> {
        while self.remaining > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match bulk_header(data, self.position, limits)? {
                    None => return Ok(Status::Incomplete),
                    Some((len, _)) if limits.is_stranger && len > STRANGER_BULK_BYTES_MAX => {
                        return Err(protocol("unauthenticated bulk length"));
                    }
                    Some((len, next)) => {
                        self.position = next;
                        self.bulk = Some(len);
                        len
                    }
                },
            };
            let end = self.position + len + 2;
            if data.len() < end {
                return Ok(Status::Incomplete);
            }
            self.spans.push(Span::new(self.position, len));
            self.position = end;
            self.bulk = None;
            self.remaining -= 1;
        }
        Ok(Status::Command(std::mem::take(&mut self.position)))
    }

    fn parse_inline(&mut self, data: &[u8]) -> Result<Status, ProtocolError> {
        let Some(end) = memchr::memchr(b'\n', data) else {
            if data.len() > LINE_BYTES_MAX {
                return Err(protocol("too big inline request"));
            }
            return Ok(Status::Incomplete);
        };
        if end > LINE_BYTES_MAX {
            return Err(protocol("too big inline request"));
        }
        let line = data[..end].strip_suffix(b"\r").unwrap_or(&data[..end]);
        inline::split(line, &mut self.inline, &mut self.spans)
            .ok_or_else(|| protocol("unbalanced quotes in request"))?;
        if self.spans.is_empty() {
            return Ok(Status::Nothing(end + 1));
        }
        Ok(Status::Command(end + 1))
    }
}

#[cold]
fn protocol(what: &str) -> ProtocolError {
    ProtocolError(format!("Protocol error: {what}"))
}

#[inline]
fn bulk_header(
    data: &[u8],
    position: usize,
    limits: RequestLimits,
) -> Result<Option<(usize, usize)>, ProtocolError> {
    // Short lengths are nearly all there are.
    match data.get(position..) {
        Some([b'$', a @ b'0'..=b'9', b'\r', _, ..]) => {
            return Ok(Some((usize::from(a - b'0'), position + 4)));
        }
        Some([b'$', a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..]) => {
            let len = usize::from(a - b'0') * 10 + usize::from(b - b'0');
            return Ok(Some((len, position + 5)));
        }
        _ => {}
    }
    match data.get(position) {
        None => return Ok(None),
        Some(b'$') => {}
        Some(&other) => {
            let shown = if other.is_ascii_graphic() || other == b' ' { other as char } else { '?' };
            return Err(protocol(&format!("expected '$', got '{shown}'")));
        }
    }
    match number_line(data, position + 1, "too big bulk count string", "invalid bulk length")? {
        None => Ok(None),
        Some((len, _)) if len < 0 || len as u64 > limits.bulk_bytes_max as u64 => {
            Err(protocol("invalid bulk length"))
        }
        Some((len, next)) => Ok(Some((len as usize, next))),
    }
}

/// Reads a canonical decimal number from `start` up to CR LF; gives it and the place behind.
#[inline]
fn number_line(
    data: &[u8],
    start: usize,
    too_big: &str,
    invalid: &str,
) -> Result<Option<(i64, usize)>, ProtocolError> {
    let mut value = 0i64;
    let mut at = start;
    while let Some(&byte) = data.get(at) {
        if byte.is_ascii_digit() && at - start < 10 {
            value = value * 10 + i64::from(byte - b'0');
            at += 1;
            continue;
        }
        let digits = at - start;
        if byte == b'\r' && digits > 0 && (data[start] != b'0' || digits == 1) {
            return Ok((data.len() > at + 1).then_some((value, at + 2)));
        }
        break;
    }
    odd_number_line(data, start, too_big, invalid)
}

/// The rare rest of [`number_line`]: negative, overlong, malformed or incomplete numbers.
#[cold]
fn odd_number_line(
    data: &[u8],
    start: usize,
    too_big: &str,
    invalid: &str,
) -> Result<Option<(i64, usize)>, ProtocolError> {
    let line = data.get(start..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\r', line) else {
        if line.len() > LINE_BYTES_MAX {
            return Err(protocol(too_big));
        }
        return Ok(None);
    };
    if end > LINE_BYTES_MAX {
        return Err(protocol(too_big));
    }
    if line.len() < end + 2 {
        return Ok(None);
    }
    match crate::number::parse_integer(&line[..end]) {
        Some(value) => Ok(Some((value, start + end + 2))),
        None => Err(protocol(invalid)),
    }
}
