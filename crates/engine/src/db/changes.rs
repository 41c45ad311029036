//! The change feed: committed batches after a position, read from the log.

use std::sync::Arc;

use aidb_base::{Error, Result, Seq, hash};

use super::{Db, Inner};
use crate::batch::WriteBatch;
use crate::file_names::FileKind;
use crate::wal::format::{HEADER_BYTES, RECORD_HEADER_BYTES, RecordType, record_bytes};
use crate::wal::log::Retired;
use crate::wal::reader::Records;

const PIECE_BYTES: usize = 1 << 20;

/// A committed batch.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its sequence number.
    pub seq: Seq,
    /// Its operations, with absolute expiry times.
    pub batch: WriteBatch,
}

/// Reads batches in order, without gaps, up to the newest one; goes on when more were committed.
///
/// The log behind it may be removed after a flush unless it is pinned ([`Db::pin_log`]).
pub struct Changes {
    inner: Arc<Inner>,
    next_seq: Seq,
    segment: u64,
    offset: usize,
    piece: Vec<u8>,
    piece_at: usize,
}

impl Db {
    /// The batches after `since` (0 = all that the log still has).
    ///
    /// # Errors
    /// `Invalid` when batches after `since` are no longer in the log, naming the oldest that is.
    pub fn changes(&self, since: Seq) -> Result<Changes> {
        self.inner.state.check_open()?;
        let mut changes = Changes {
            inner: self.inner.clone(),
            next_seq: since + 1,
            segment: 0,
            offset: HEADER_BYTES,
            piece: Vec::new(),
            piece_at: HEADER_BYTES,
        };
        if since == 0 {
            changes.next_seq = changes.oldest().max(1);
        }
        changes.locate()?;
        Ok(changes)
    }

    /// Keeps the batches after `seq` in the log under a name, also across restarts. Pinning the
    /// same name again moves the pin.
    ///
    /// # Errors
    /// `Invalid` when batches after `seq` are gone already, others as the file system says.
    pub fn pin_log(&self, name: &str, seq: Seq) -> Result<()> {
        self.inner.state.check_writable()?;
        let _no_release = self.inner.flush_lock.lock();
        self.changes(seq)?;
        self.inner.pins.set(self.inner.vfs(), name, Some(seq))
    }

    /// Removes a pin; its absence is fine.
    ///
    /// # Errors
    /// As the file system says.
    pub fn unpin_log(&self, name: &str) -> Result<()> {
        self.inner.state.check_writable()?;
        self.inner.pins.set(self.inner.vfs(), name, None)?;
        let _one_at_a_time = self.inner.flush_lock.lock();
        self.inner.release_log()
    }
}

impl Changes {
    /// The next committed batch; `None` when the feed has caught up (ask again later).
    ///
    /// # Errors
    /// `Invalid` when the log was removed under the reader, `Corruption` when it is damaged.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Change>> {
        self.inner.state.check_open()?;
        if self.next_seq > self.inner.visible_seq() {
            return Ok(None);
        }
        loop {
            if let Some(change) = self.next_in_piece()? {
                return Ok(Some(change));
            }
            if !self.load_piece()? {
                self.locate()?;
            }
        }
    }

    fn next_in_piece(&mut self) -> Result<Option<Change>> {
        let uid = hash::file_uid(&self.inner.uuid, self.segment);
        let Some(rest) = self.piece.get(self.offset - self.piece_at..) else { return Ok(None) };
        let start = self.offset;
        for record in Records::of_piece(rest, uid, self.offset) {
            self.offset = start + record.end;
            if record.kind == RecordType::Batch as u8 && record.seq >= self.next_seq {
                self.next_seq = record.seq + 1;
                return Ok(Some(Change {
                    seq: record.seq,
                    batch: WriteBatch::decode(record.payload)?,
                }));
            }
        }
        Ok(None)
    }

    /// Reads the piece of the segment at `offset`; false when the segment has no more records.
    fn load_piece(&mut self) -> Result<bool> {
        let segments = self.segments();
        let Some(segment) = segments.iter().find(|segment| segment.number == self.segment) else {
            return Ok(false);
        };
        if self.offset >= segment.end {
            return Ok(false);
        }
        let path = FileKind::Wal.path(&self.inner.dir, self.segment);
        let file = self.inner.vfs().open_read(&path)?;
        let mut header = [0; RECORD_HEADER_BYTES];
        file.read_exact_at(self.offset as u64, &mut header)?;
        let payload = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let wanted = PIECE_BYTES.max(record_bytes(payload)).min(segment.end - self.offset);
        let was_at = (self.piece_at, self.piece.len());
        self.piece.resize(wanted, 0);
        file.read_exact_at(self.offset as u64, &mut self.piece)?;
        self.piece_at = self.offset;
        if was_at == (self.piece_at, wanted) {
            return Err(Error::corruption(&path, self.offset as u64, "no valid record in the log"));
        }
        Ok(true)
    }

    /// Finds the segment that holds `next_seq`.
    fn locate(&mut self) -> Result<()> {
        let oldest = self.oldest();
        if self.next_seq < oldest {
            return Err(Error::invalid(format!(
                "the log no longer has batch {}; the oldest it has is {oldest}: start from a \
                 checkpoint, and pin the log to keep it",
                self.next_seq
            )));
        }
        let segments = self.segments();
        let holder = segments.iter().rev().find(|segment| segment.first_seq <= self.next_seq);
        self.segment = holder.map_or(0, |segment| segment.number);
        self.offset = HEADER_BYTES;
        self.piece.clear();
        self.piece_at = HEADER_BYTES;
        Ok(())
    }

    fn segments(&self) -> Vec<Retired> {
        self.inner.writer.lock().log.segments()
    }

    fn oldest(&self) -> Seq {
        let next = self.inner.visible_seq() + 1;
        self.segments().first().map_or(next, |oldest| oldest.first_seq)
    }
}
