//! Writes a blob file.

use std::path::{Path, PathBuf};

use aidb_base::{Error, FileNumber, Result, hash, limits};
use xxhash_rust::xxh3::Xxh3;

use crate::compress::Compressor;
use crate::file_header::FileHeader;
use crate::options::Codec;
use crate::vfs::{AppendFile, Vfs};

use super::format::{self, BlobFooter, BlobRef, RECORD_HEADER_BYTES};

/// Bytes collected before they are given to the file.
const WRITE_BYTES: usize = 1 << 20;

/// What became of a finished blob file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobSummary {
    /// File length.
    pub bytes: u64,
    /// Bytes of the records: what the references to the file add up to.
    pub value_bytes: u64,
    /// Values.
    pub records: u64,
    /// xxh3 of the whole file, for the manifest.
    pub digest: u64,
}

/// Writes one blob file. Dropped without [`BlobWriter::finish`] it leaves a file without footer,
/// which no reader accepts; the caller removes it.
pub struct BlobWriter {
    file: Box<dyn AppendFile>,
    path: PathBuf,
    number: FileNumber,
    uid: u64,
    codec: Codec,
    compressor: Compressor,
    buffer: Vec<u8>,
    digest: Xxh3,
    summary: BlobSummary,
}

impl BlobWriter {
    /// Creates blob file `number`, with identity `uid`, at `path`. Values are compressed with
    /// `codec` where that saves at least 12 %.
    pub fn create(
        vfs: &dyn Vfs,
        path: &Path,
        number: FileNumber,
        uid: u64,
        codec: Codec,
    ) -> Result<Self> {
        let header = FileHeader {
            magic: format::MAGIC,
            version: format::VERSION,
            required: 0,
            optional: 0,
            uid,
        };
        Ok(Self {
            file: vfs.create(path)?,
            path: path.to_owned(),
            number,
            uid,
            codec,
            compressor: Compressor::new(),
            buffer: header.encode().to_vec(),
            digest: Xxh3::new(),
            summary: BlobSummary::default(),
        })
    }

    /// Appends a value.
    ///
    /// # Errors
    /// `Invalid` over the size limit, those of the file.
    pub fn append(&mut self, value: &[u8]) -> Result<BlobRef> {
        if value.len() > limits::VALUE_BYTES_MAX {
            return Err(Error::invalid(format!(
                "value of {} bytes for {} is over the limit of {}; store less per key",
                value.len(),
                self.path.display(),
                limits::VALUE_BYTES_MAX
            )));
        }
        let (codec, stored) = match self.compressor.compress(self.codec, value) {
            Some(packed) => (self.codec, packed),
            None => (Codec::None, value),
        };
        let blob = BlobRef {
            file: self.number,
            offset: self.file.len() + self.buffer.len() as u64,
            len: stored.len() as u32,
            raw_len: value.len() as u32,
            codec,
        };
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&blob.record_header());
        self.buffer.extend_from_slice(stored);
        let sum = hash::checksum(&self.buffer[start + 4..], self.uid, blob.offset);
        self.buffer[start..start + 4].copy_from_slice(&sum.to_le_bytes());
        self.compressor.shrink(WRITE_BYTES);
        self.summary.records += 1;
        self.summary.value_bytes += (RECORD_HEADER_BYTES + blob.len as usize) as u64;
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(blob)
    }

    /// Bytes of the file so far.
    pub fn bytes(&self) -> u64 {
        self.file.len() + self.buffer.len() as u64
    }

    /// Number of the file.
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Writes the footer and syncs the file.
    ///
    /// # Errors
    /// Those of the file; it must then be removed.
    pub fn finish(mut self) -> Result<BlobSummary> {
        let footer = BlobFooter { records: self.summary.records };
        let footer = footer.encode(self.uid, self.bytes());
        self.buffer.extend_from_slice(&footer);
        self.flush()?;
        self.file.sync()?;
        self.summary.bytes = self.file.len();
        self.summary.digest = self.digest.digest();
        Ok(self.summary)
    }

    fn flush(&mut self) -> Result<()> {
        self.digest.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        self.buffer.shrink_to(2 * WRITE_BYTES);
        Ok(())
    }
}
