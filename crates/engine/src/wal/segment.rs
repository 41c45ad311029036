//! Writing one log segment: through memory where the file system can, else by appending.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{FileNumber, Result, Seq};

use super::format::{self, RecordType, SegmentHeader};
use crate::batch::PairBatch;
use crate::vfs::{AppendFile, MappedFile, SharedMapping, SyncFile, Vfs};

/// A file reserved for a segment whose header is not written yet.
pub struct Blank {
    number: FileNumber,
    path: PathBuf,
    body: Body,
    shared: Option<Arc<SharedMapping>>,
    syncer: Arc<dyn SyncFile>,
}

enum Body {
    Mapped(Box<dyn MappedFile>),
    Append { file: Box<dyn AppendFile>, scratch: Vec<u8> },
}

impl Blank {
    /// Reserves `bytes` at `path`; mapped if wanted and possible. The directory entry is not synced.
    ///
    /// # Errors
    /// `Exhausted` when the disk is full, others as the file system says.
    pub fn create(
        vfs: &dyn Vfs,
        path: &Path,
        number: FileNumber,
        bytes: usize,
        mapped: bool,
    ) -> Result<Self> {
        if mapped && let Some(file) = vfs.create_mapped(path, bytes as u64)? {
            let (syncer, shared) = (file.syncer(), file.shared());
            if let Some(shared) = &shared {
                shared.prepare((bytes / PREPARED_SHARE).max(PREPARED_BYTES_MIN));
            }
            let path = path.to_owned();
            return Ok(Self { number, path, body: Body::Mapped(file), shared, syncer });
        }
        let file = vfs.create(path)?;
        let syncer = file.syncer();
        let body = Body::Append { file, scratch: Vec::new() };
        Ok(Self { number, path: path.to_owned(), body, shared: None, syncer })
    }

    /// Bytes that fit; unbounded for an appended file.
    pub fn capacity(&self) -> usize {
        match &self.body {
            Body::Mapped(file) => file.capacity(),
            Body::Append { .. } => usize::MAX,
        }
    }

    /// Number of the file.
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The memory that the segment will be written through.
    pub fn shared(&self) -> Option<&Arc<SharedMapping>> {
        self.shared.as_ref()
    }

    /// Writes the header and starts the segment.
    ///
    /// # Errors
    /// As the file system says; the file is then of no use.
    pub fn start(self, header: &SegmentHeader, uid: u64) -> Result<Segment> {
        let capacity = self.capacity();
        let mut segment = Segment {
            number: self.number,
            path: self.path,
            uid,
            body: self.body,
            shared: self.shared,
            syncer: self.syncer,
            capacity,
            end: 0,
            payload_at: 0,
            first_seq: header.first_seq,
        };
        segment.put(&[&header.encode(uid)])?;
        Ok(segment)
    }
}

/// This part of a segment is prepared for writing at a time.
const PREPARED_SHARE: usize = 8;
const PREPARED_BYTES_MIN: usize = 256 << 10;

/// Prepares memory of a segment, from where its writer is, for twice the share that
/// [`Segment::is_short_of_memory`] asks for. For a thread beside the writer.
pub fn prepare_ahead(shared: &SharedMapping) {
    let share = (shared.capacity() / PREPARED_SHARE).max(PREPARED_BYTES_MIN);
    loop {
        let wanted = (shared.written() + 2 * share).min(shared.capacity());
        let prepared = shared.prepared();
        if prepared >= wanted {
            return;
        }
        shared.prepare(wanted.min(prepared + PREPARED_BYTES_MIN));
    }
}

/// A segment being written. One writer; syncing goes on beside it through [`Segment::syncer`].
pub struct Segment {
    number: FileNumber,
    path: PathBuf,
    uid: u64,
    body: Body,
    shared: Option<Arc<SharedMapping>>,
    syncer: Arc<dyn SyncFile>,
    capacity: usize,
    end: usize,
    payload_at: usize,
    first_seq: Seq,
}

impl Segment {
    /// Whether a record with `payload` bytes fits, leaving room for two sync markers and a seal.
    #[inline]
    pub fn fits(&self, payload: usize) -> bool {
        self.capacity - self.end >= format::record_bytes(payload) + 3 * format::record_bytes(8)
    }

    /// Appends a record. It survives the death of the process once this returns.
    ///
    /// # Errors
    /// As the file system says. The record is not there; if part of it was written, the caller must
    /// go on in a new segment.
    #[inline]
    pub fn append(
        &mut self,
        kind: RecordType,
        seq: Seq,
        payload: &[u8],
        digest: u64,
    ) -> Result<()> {
        let place = (self.uid, self.end);
        let header = format::encode_record_header(kind as u8, seq, payload.len(), digest, place);
        let padding = payload.len().next_multiple_of(8) - payload.len();
        self.payload_at = self.end + format::RECORD_HEADER_BYTES;
        self.put(&[&header, payload, &[0; 8][..padding]])
    }

    /// As [`Segment::append`] of a batch that comes in pieces.
    ///
    /// # Errors
    /// As [`Segment::append`].
    pub fn append_pairs(&mut self, seq: Seq, pairs: &PairBatch<'_>, digest: u64) -> Result<()> {
        if !self.is_mapped() {
            return self.append(RecordType::Batch, seq, &pairs.payload(), digest);
        }
        let place = (self.uid, self.end);
        let kind = RecordType::Batch as u8;
        let header = format::encode_record_header(kind, seq, pairs.bytes(), digest, place);
        self.put(&[&header])?;
        self.payload_at = self.end;
        let mut result = Ok(());
        pairs.encode(|piece| {
            if result.is_ok() {
                result = self.put(&[piece]);
            }
        });
        result?;
        let padding = pairs.bytes().next_multiple_of(8) - pairs.bytes();
        self.put(&[&[0; 8][..padding]])
    }

    #[inline]
    fn put(&mut self, parts: &[&[u8]]) -> Result<()> {
        let mut at = self.end;
        match &mut self.body {
            Body::Mapped(file) => {
                for part in parts {
                    file.write_at(at, part);
                    at += part.len();
                }
            }
            Body::Append { file, scratch } => {
                scratch.clear();
                for part in parts {
                    scratch.extend_from_slice(part);
                }
                at += scratch.len();
                file.append(scratch)?;
            }
        }
        self.end = at;
        Ok(())
    }

    /// The payload of the last record, of `len` bytes, in the memory of the file.
    #[inline]
    pub fn last_payload(&self, len: usize) -> Option<(&[u8], &Arc<SharedMapping>)> {
        let shared = self.shared.as_ref()?;
        Some((shared.bytes(self.payload_at..self.payload_at + len), shared))
    }

    /// Whether the writer will soon be where the memory was not prepared.
    #[inline]
    pub fn is_short_of_memory(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| {
            let prepared = shared.prepared();
            prepared < self.capacity && self.end + self.capacity / PREPARED_SHARE > prepared
        })
    }

    /// Whether stores go to memory and can therefore not fail.
    pub fn is_mapped(&self) -> bool {
        matches!(self.body, Body::Mapped(_))
    }

    /// Where the next record goes.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Number of the file.
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Sequence number of the first batch.
    pub fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A handle that makes everything appended so far durable.
    pub fn syncer(&self) -> Arc<dyn SyncFile> {
        self.syncer.clone()
    }
}
