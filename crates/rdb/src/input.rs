//! Where bytes come from: memory, or a stream that is read as it comes.

use std::io::Read;
use std::path::Path;

use aidb_base::{Error, Result};

use crate::crc64;
use crate::format::damaged;

/// Bytes to decode, in order.
pub trait Input {
    /// The next `count` bytes, valid until the next call. Memory grows with what is there, not with
    /// what is asked for.
    ///
    /// # Errors
    /// `Corruption` when the bytes end before; those of the stream.
    fn take(&mut self, count: u64) -> Result<&[u8]>;

    /// Bytes taken so far.
    fn position(&self) -> u64;
}

/// Bytes in memory.
#[derive(Clone, Debug)]
pub struct Slice<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Slice<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
}

impl Input for Slice<'_> {
    #[inline]
    fn take(&mut self, count: u64) -> Result<&[u8]> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let Some(taken) = taken else { return Err(damaged("they end early", self.position())) };
        self.at += taken.len();
        Ok(taken)
    }

    fn position(&self) -> u64 {
        self.at as u64
    }
}

/// Bytes read at a time.
const STEP_BYTES: usize = 256 << 10;
/// A buffer that grew above this for one string is given back.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Bytes that are read as they are needed, with the checksum of what was taken.
#[derive(Debug)]
pub struct Stream<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
    taken: u64,
    crc: u64,
}

impl<R: Read> Stream<R> {
    /// All that `source` will give.
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), at: 0, taken: 0, crc: 0 }
    }

    /// Checksum of everything taken.
    pub(crate) fn crc(&self) -> u64 {
        self.crc
    }

    fn fill(&mut self, count: usize) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        if self.buffer.capacity() > KEPT_BYTES_MAX.max(count) {
            self.buffer.shrink_to(STEP_BYTES);
        }
        while self.buffer.len() < count {
            let mut step = (&mut self.source).take(STEP_BYTES as u64);
            let read = step.read_to_end(&mut self.buffer);
            let read =
                read.map_err(|error| Error::io("read", Path::new("the RDB bytes"), &error))?;
            if read == 0 {
                return Err(damaged("they end early", self.taken + self.buffer.len() as u64));
            }
        }
        Ok(())
    }
}

impl<R: Read> Input for Stream<R> {
    #[inline]
    fn take(&mut self, count: u64) -> Result<&[u8]> {
        let Ok(count) = usize::try_from(count) else {
            return Err(damaged("a length is too large", self.taken));
        };
        if self.buffer.len() - self.at < count {
            self.fill(count)?;
        }
        let taken = &self.buffer[self.at..self.at + count];
        self.at += count;
        self.taken += count as u64;
        self.crc = crc64::update(self.crc, taken);
        Ok(taken)
    }

    fn position(&self) -> u64 {
        self.taken
    }
}

/// Keeps a copy of what is taken from another input.
#[derive(Debug)]
pub struct Recording<'a, I> {
    input: &'a mut I,
    copy: &'a mut Vec<u8>,
}

impl<'a, I: Input> Recording<'a, I> {
    /// Appends to `copy` whatever is taken.
    pub fn new(input: &'a mut I, copy: &'a mut Vec<u8>) -> Self {
        Self { input, copy }
    }
}

impl<I: Input> Input for Recording<'_, I> {
    fn take(&mut self, count: u64) -> Result<&[u8]> {
        let taken = self.input.take(count)?;
        self.copy.extend_from_slice(taken);
        Ok(taken)
    }

    fn position(&self) -> u64 {
        self.input.position()
    }
}
