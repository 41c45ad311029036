//! Reading the records of one segment, and judging where they end.

use std::path::Path;

use aidb_base::Seq;

use super::format::{self, HEADER_BYTES, Record, RecordType};

/// Records of a segment from its start to the first invalid place.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    uid: u64,
    at: usize,
    base: usize,
}

impl<'a> Records<'a> {
    /// The records of a segment's `bytes`, header included.
    pub fn new(bytes: &'a [u8], uid: u64) -> Self {
        Self { bytes, uid, at: HEADER_BYTES, base: 0 }
    }

    /// The records in a piece of a segment that starts at offset `base`, where a record starts.
    pub fn of_piece(bytes: &'a [u8], uid: u64, base: usize) -> Self {
        Self { bytes, uid, at: 0, base }
    }

    /// Where the next record would start.
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let record = format::decode_record(self.bytes, self.at, self.uid, self.base)?;
        self.at = record.end;
        Some(record)
    }
}

/// What stands after the last valid record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or zeroes.
    Clean,
    /// Bytes that are no record, and nothing valid after them.
    Torn {
        /// Bytes up to the last one that is not zero.
        bytes: u64,
    },
    /// A valid record after an invalid place.
    Broken {
        /// Where the valid record starts.
        valid_at: usize,
        /// The highest end that a later sync marker declared durable (0 = none did).
        durable_end: u64,
    },
}

/// Looks at what follows the last valid record, which ended at `end` with sequence number `last`.
pub fn assess_tail(bytes: &[u8], uid: u64, end: usize, last: Seq) -> Tail {
    let rest = bytes.get(end..).unwrap_or_default();
    let Some(last_used) = rest.iter().rposition(|&byte| byte != 0) else { return Tail::Clean };
    let limit = end + last_used + 1;
    let mut first_valid = None;
    let mut durable_end = 0;
    let mut at = end;
    while at < limit {
        match format::decode_record(bytes, at, uid, 0) {
            Some(record) if record.seq >= last => {
                first_valid.get_or_insert(at);
                durable_end = durable_end.max(promised_end(&record));
                at = record.end;
            }
            _ => at += 8,
        }
    }
    match first_valid {
        None => Tail::Torn { bytes: (limit - end) as u64 },
        Some(valid_at) => Tail::Broken { valid_at, durable_end },
    }
}

/// What a segment without a valid header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headless {
    /// Room reserved for a segment that was never begun: nothing, or zeroes.
    Reserved,
    /// No valid record, or such as nobody was promised: the header never reached the disk.
    Unfinished {
        /// Bytes up to the last one that is not zero.
        bytes: u64,
    },
    /// There was a header, and records that may have been promised are without it now.
    Damaged,
}

/// Judges a segment whose header is not valid. Without its identity, `None`, its records cannot be
/// told from other bytes.
pub fn assess_headless(bytes: &[u8], uid: Option<u64>) -> Headless {
    let Some(last_used) = bytes.iter().rposition(|&byte| byte != 0) else {
        return Headless::Reserved;
    };
    let never_written = bytes.iter().take(HEADER_BYTES).all(|&byte| byte == 0);
    let unfinished = Headless::Unfinished { bytes: last_used as u64 + 1 };
    match uid.map(|uid| assess_tail(bytes, uid, HEADER_BYTES, 0)) {
        Some(Tail::Clean | Tail::Torn { .. }) => unfinished,
        Some(Tail::Broken { durable_end: 0, .. }) if never_written => unfinished,
        Some(Tail::Broken { .. }) | None => Headless::Damaged,
    }
}

/// The durable end that a record declares for its own segment; 0 = none.
pub fn promised_end(record: &Record<'_>) -> u64 {
    let is_marker = record.kind == RecordType::SyncMarker as u8;
    match record.payload.try_into() {
        Ok(word) if is_marker => u64::from_le_bytes(word),
        _ => 0,
    }
}

/// Corruption of a log file, worded for the operator.
pub fn corruption(path: &Path, offset: usize, what: impl std::fmt::Display) -> aidb_base::Error {
    aidb_base::Error::corruption(path, offset as u64, what)
        .context("the log is damaged before its end")
}
