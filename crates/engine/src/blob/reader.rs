//! Reads values of a blob file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Attempt, Error, FileNumber, Result};

use crate::compress;
use crate::file_header::{FILE_HEADER_BYTES, FileHeader, verify_digest};
use crate::options::Codec;
use crate::vfs::{ReadFile, Vfs, prefetch_pages};

use super::format::{self, BlobFooter, BlobRef, FOOTER_BYTES, RECORD_HEADER_BYTES};

/// Raw values of at least this size are checked once; no two of them start in one such stretch.
const CHECKED_ONCE_BYTES: u64 = 4096;

/// One in this many reads of a value seen before asks the kernel whether it is still in memory.
const RESIDENCY_SAMPLE: u64 = 64;

/// An open blob file. Safe to share between threads.
pub struct BlobFile {
    file: Arc<dyn ReadFile>,
    path: PathBuf,
    number: FileNumber,
    uid: u64,
    data_end: u64,
    records: u64,
    /// A bit per stretch of the file: the large raw value that starts in it has been checked.
    checked: Box<[AtomicU64]>,
    /// Calls that had to decide whether to ask the kernel.
    asked: AtomicU64,
}

impl std::fmt::Debug for BlobFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl BlobFile {
    /// Opens blob file `number` at `path`, which has identity `uid`; reads header and footer.
    ///
    /// # Errors
    /// `Corruption` when the file is damaged or another one, `Invalid` when a newer program wrote
    /// it, those of the file system.
    pub fn open(vfs: &dyn Vfs, path: &Path, number: FileNumber, uid: u64) -> Result<Arc<Self>> {
        let file = vfs.open_read(path)?;
        let len = file.len();
        let Some(data_end) =
            len.checked_sub(FOOTER_BYTES as u64).filter(|&end| end >= FILE_HEADER_BYTES as u64)
        else {
            return Err(Error::corruption(path, 0, format_args!("blob file of only {len} bytes")));
        };
        let mut header = [0; FILE_HEADER_BYTES];
        file.read_exact_at(0, &mut header)?;
        let header = FileHeader::decode(
            &header,
            path,
            format::MAGIC,
            format::VERSION,
            format::REQUIRED_KNOWN,
        )?;
        if header.uid != uid {
            return Err(Error::corruption(
                path,
                0,
                "the file belongs to another database or number",
            ));
        }
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(data_end, &mut footer)?;
        let footer = BlobFooter::decode(&footer, path, uid, data_end)?;
        let words =
            if file.map().is_some() { (len / CHECKED_ONCE_BYTES / 64 + 1) as usize } else { 0 };
        Ok(Arc::new(Self {
            file,
            path: path.to_owned(),
            number,
            uid,
            data_end,
            records: footer.records,
            checked: (0..words).map(|_| AtomicU64::new(0)).collect(),
            asked: AtomicU64::new(0),
        }))
    }

    /// File length.
    pub fn bytes(&self) -> u64 {
        self.data_end + FOOTER_BYTES as u64
    }

    /// Values in the file, live or not.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The value of `blob`.
    ///
    /// # Errors
    /// `Corruption` when the record is damaged or `blob` does not refer to one.
    pub fn read(&self, blob: &BlobRef) -> Result<Vec<u8>> {
        self.read_with(blob, <[u8]>::to_vec)
    }

    /// Calls `f` with the value of `blob`, in place where possible.
    pub fn read_with<R>(&self, blob: &BlobRef, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let (start, end) = self.bounds(blob)?;
        let buffer;
        let stored = match self.mapped(start, end) {
            Some(record) => self.check_mapped(blob, record)?,
            None => {
                let mut record = vec![0; (end - start) as usize];
                self.file.read_exact_at(start, &mut record)?;
                buffer = record;
                blob.check(&buffer, &self.path, self.uid)?
            }
        };
        self.unpack(blob, stored, f)
    }

    /// As [`BlobFile::read_with`], if that needs no disk access.
    pub fn try_read_with<R>(
        &self,
        blob: &BlobRef,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Attempt<R>> {
        let (start, end) = self.bounds(blob)?;
        let len = (end - start) as usize;
        if self.file.map().is_some() {
            return match self.is_warm(blob) || self.file.is_resident(start, len) {
                true => self.read_with(blob, f).map(Attempt::Done),
                false => Ok(Attempt::WouldBlock),
            };
        }
        let mut record = vec![0; len];
        match self.file.try_read_exact_at(start, &mut record)? {
            Attempt::WouldBlock => Ok(Attempt::WouldBlock),
            Attempt::Done(()) => {
                let stored = blob.check(&record, &self.path, self.uid)?;
                self.unpack(blob, stored, f).map(Attempt::Done)
            }
        }
    }

    /// Checks that `blob` lies inside the records of this file.
    fn bounds(&self, blob: &BlobRef) -> Result<(u64, u64)> {
        let end = blob.offset.checked_add(blob.stored_bytes());
        match end {
            Some(end)
                if end <= self.data_end
                    && blob.offset >= FILE_HEADER_BYTES as u64
                    && blob.file == self.number =>
            {
                Ok((blob.offset, end))
            }
            _ => Err(Error::corruption(
                &self.path,
                blob.offset,
                format_args!("reference to blob file {} points outside its values", blob.file),
            )),
        }
    }

    fn mapped(&self, start: u64, end: u64) -> Option<&[u8]> {
        self.file.map()?.get(start as usize..end as usize)
    }

    /// The stored value in a mapped record; its checksum is computed once if it is large and raw.
    fn check_mapped<'a>(&self, blob: &BlobRef, record: &'a [u8]) -> Result<&'a [u8]> {
        let is_once = blob.codec == Codec::None && u64::from(blob.len) >= CHECKED_ONCE_BYTES;
        let stretch = blob.offset / CHECKED_ONCE_BYTES;
        let bit = 1u64 << (stretch % 64);
        let word = self.checked.get((stretch / 64) as usize).filter(|_| is_once);
        let is_checked = word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0);
        if is_checked {
            prefetch_pages(record);
        }
        // The header still tells whether this is the record that was checked.
        if is_checked && record[4..RECORD_HEADER_BYTES] == blob.record_header()[4..] {
            return Ok(&record[RECORD_HEADER_BYTES..]);
        }
        let value = blob.check(record, &self.path, self.uid)?;
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(value)
    }

    /// Whether a large raw value was read before, so that asking the kernel for it each time is not
    /// worth a system call. One call in `RESIDENCY_SAMPLE` asks all the same.
    fn is_warm(&self, blob: &BlobRef) -> bool {
        let stretch = blob.offset / CHECKED_ONCE_BYTES;
        let Some(word) = self.checked.get((stretch / 64) as usize) else { return false };
        word.load(Ordering::Relaxed) >> (stretch % 64) & 1 == 1
            && self.asked.fetch_add(1, Ordering::Relaxed) % RESIDENCY_SAMPLE != 0
    }

    fn unpack<R>(&self, blob: &BlobRef, stored: &[u8], f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let damaged = || Error::corruption(&self.path, blob.offset, "blob value does not unpack");
        if blob.codec == Codec::None {
            return if blob.len == blob.raw_len { Ok(f(stored)) } else { Err(damaged()) };
        }
        let value = compress::decompress(blob.codec, stored).ok_or_else(damaged)?;
        if value.len() as u64 != u64::from(blob.raw_len) {
            return Err(damaged());
        }
        Ok(f(&value))
    }

    /// Reads the whole file: every record's checksum, their number, and the digest of the file
    /// unless `digest` is `None`.
    ///
    /// # Errors
    /// `Corruption` naming the first damaged record.
    pub fn verify(&self, digest: Option<u64>) -> Result<()> {
        let (mut offset, mut records) = (FILE_HEADER_BYTES as u64, 0);
        while offset < self.data_end {
            let blob = self.blob_at(offset)?;
            self.read_with(&blob, |_| ())?;
            offset += blob.stored_bytes();
            records += 1;
        }
        if records != self.records {
            return Err(Error::corruption(
                &self.path,
                self.data_end,
                "wrong number of blob records",
            ));
        }
        match digest {
            Some(digest) => verify_digest(&*self.file, &self.path, digest),
            None => Ok(()),
        }
    }

    /// The reference to the record at `offset`, as the record itself tells it.
    ///
    /// # Errors
    /// `Corruption` when there is no record header, those of the file.
    pub fn blob_at(&self, offset: u64) -> Result<BlobRef> {
        let mut header = [0; RECORD_HEADER_BYTES];
        self.file.read_exact_at(offset, &mut header)?;
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let codec = compress::codec_from_u8(header[12]).ok_or_else(|| {
            Error::corruption(&self.path, offset, "unknown codec in a blob record")
        })?;
        Ok(BlobRef { file: self.number, offset, len: number(4), raw_len: number(8), codec })
    }
}
