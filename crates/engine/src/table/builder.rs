//! Writes a table from entries in key order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Error, FileNumber, KeyspaceId, Result, Seq, limits};
use xxhash_rust::xxh3::Xxh3;

use crate::blob::BlobRef;
use crate::block::BlockBuilder;
use crate::compress::Compressor;
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::file_header::FileHeader;
use crate::filter;
use crate::index::IndexBuilder;
use crate::options::Codec;
use crate::planted::{Bug, is_planted};
use crate::vfs::{AppendFile, Vfs};

use super::expiry::{self, ExpiryEntry};
use super::format::{self, Footer, Handle, PayloadKind};
use super::properties::TableProperties;

/// Bytes collected before they are given to the file.
const WRITE_BYTES: usize = 1 << 20;

/// Bytes given to the file before the system is asked to write them to the disk.
const WRITE_BACK_BYTES: u64 = 4 << 20;

/// Filter and index start at multiples of this, so that their words and lines are aligned.
const SECTION_ALIGNMENT: u64 = 64;

/// How to write a table.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Uncompressed bytes of a data block.
    pub block_bytes: usize,
    /// Filter bits per key; 0 = no filter.
    pub filter_bits_per_key: u8,
    /// Block compression.
    pub codec: Codec,
    /// Keyspace of every key.
    pub keyspace: KeyspaceId,
    /// Level the table is for.
    pub level: u8,
    /// Seed of the key hashes in filter and tags.
    pub hash_seed: u64,
    /// Identity of the file, bound into every checksum.
    pub uid: u64,
    /// Range tombstones up to this one have been applied to the entries.
    pub rt_applied_seq: Seq,
    /// Now, in milliseconds since the epoch.
    pub created_ms: u64,
}

/// Writes one table. Dropped without [`TableBuilder::finish`] it leaves a file without footer,
/// which no reader accepts; the caller removes it.
pub struct TableBuilder {
    options: TableOptions,
    sink: Sink,
    block: BlockBuilder,
    /// First key of the block being filled.
    block_first: Vec<u8>,
    /// Last key of the block before it.
    block_before: Vec<u8>,
    last_key: Vec<u8>,
    index: IndexBuilder,
    hashes: filter::Hashes,
    expiring: Vec<ExpiryEntry>,
    blob_refs: BTreeMap<FileNumber, u64>,
    tombstones: Vec<RangeTombstone>,
    compressor: Compressor,
    properties: TableProperties,
}

impl TableBuilder {
    /// Creates the file at `path`.
    ///
    /// # Errors
    /// Those of [`Vfs::create`]: the file exists, the disk is full.
    pub fn create(vfs: &dyn Vfs, path: &Path, options: TableOptions) -> Result<Self> {
        let header = FileHeader {
            magic: format::MAGIC,
            version: format::VERSION,
            required: format::SPLIT_KEYS,
            optional: 0,
            uid: options.uid,
        };
        let mut sink = Sink::new(vfs.create(path)?, path);
        sink.buffer.extend_from_slice(&header.encode());
        let properties = TableProperties {
            keyspace: options.keyspace,
            level: options.level,
            rt_applied_seq: options.rt_applied_seq,
            created_ms: options.created_ms,
            hash_seed: options.hash_seed,
            filter_bits_per_key: options.filter_bits_per_key,
            codec: options.codec,
            ..TableProperties::default()
        };
        Ok(Self {
            options,
            sink,
            block: BlockBuilder::new(),
            block_first: Vec::new(),
            block_before: Vec::new(),
            last_key: Vec::new(),
            index: IndexBuilder::default(),
            hashes: filter::Hashes::default(),
            expiring: Vec::new(),
            blob_refs: BTreeMap::new(),
            tombstones: Vec::new(),
            compressor: Compressor::new(),
            properties,
        })
    }

    /// Appends an entry; keys must be strictly ascending.
    ///
    /// # Errors
    /// `Internal` when keys do not ascend, `Invalid` over a size limit, those of the file.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.check(entry)?;
        if self.block.is_full_for(entry, self.options.block_bytes) {
            self.finish_block()?;
        }
        if self.block.count() == 0 {
            self.block_first.clear();
            self.block_first.extend_from_slice(entry.key);
        }
        if entry.expire_at_ms != 0 {
            self.expiring.push(ExpiryEntry {
                expire_at_ms: entry.expire_at_ms,
                block: self.properties.blocks as u32,
                index: self.block.count() as u16,
            });
        }
        let hash = key_hash_seeded(entry.key, self.options.hash_seed);
        self.block.add(entry, hash);
        if self.options.filter_bits_per_key > 0 {
            self.hashes.push(hash);
        }
        self.count(entry)?;
        self.last_key.clear();
        self.last_key.extend_from_slice(entry.key);
        Ok(())
    }

    fn check(&self, entry: &Entry<'_>) -> Result<()> {
        if self.properties.entries > 0 && entry.key <= self.last_key.as_slice() {
            return Err(Error::internal(format!(
                "keys given to table {} do not ascend (entry {}); report this as a bug",
                self.sink.path.display(),
                self.properties.entries
            )));
        }
        if entry.key.len() > limits::KEY_BYTES_MAX || entry.value.len() > limits::VALUE_BYTES_MAX {
            return Err(Error::invalid(format!(
                "key of {} or value of {} bytes is over the limit of {} and {}; store less per key",
                entry.key.len(),
                entry.value.len(),
                limits::KEY_BYTES_MAX,
                limits::VALUE_BYTES_MAX
            )));
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry<'_>) -> Result<()> {
        let properties = &mut self.properties;
        if properties.entries == 0 {
            properties.smallest = entry.key.to_vec();
            properties.min_seq = entry.seq;
        }
        properties.entries += 1;
        properties.min_seq = properties.min_seq.min(entry.seq);
        properties.max_seq = properties.max_seq.max(entry.seq);
        properties.raw_key_bytes += entry.key.len() as u64;
        properties.raw_value_bytes += entry.value.len() as u64;
        match entry.kind {
            Kind::Delete => properties.deletes += 1,
            Kind::Put => {}
            Kind::Blob => {
                let blob = BlobRef::decode(entry.value)?;
                *self.blob_refs.entry(blob.file).or_default() += blob.stored_bytes();
            }
        }
        Ok(())
    }

    /// Adds a tombstone over a range of the keyspace; in any order, before `finish`.
    pub fn add_range_tombstone(&mut self, tombstone: &RangeTombstone) {
        self.tombstones.push(tombstone.clone());
    }

    /// Bytes of the file so far, about.
    pub fn bytes(&self) -> u64 {
        self.sink.offset() + self.block.bytes() as u64
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.properties.entries
    }

    /// Whether neither an entry nor a range tombstone was added.
    pub fn is_empty(&self) -> bool {
        self.properties.entries == 0 && self.tombstones.is_empty()
    }

    fn finish_block(&mut self) -> Result<()> {
        let offset = self.sink.offset();
        let raw = self.block.finish();
        let (codec, payload) = match self.compressor.compress(self.options.codec, raw) {
            Some(packed) => (self.options.codec, packed),
            None => (Codec::None, raw),
        };
        let place = (self.options.uid, offset);
        self.sink.payload(payload, codec, PayloadKind::Data, place)?;
        self.compressor.shrink(WRITE_BYTES);
        self.block.shrink();
        let before = (self.properties.blocks > 0).then_some(self.block_before.as_slice());
        self.index.add(offset, codec, before, &self.block_first);
        self.block_before.clone_from(&self.last_key);
        self.properties.blocks += 1;
        Ok(())
    }

    /// Writes what is left, syncs the file and closes it.
    ///
    /// # Errors
    /// Those of the file; it must then be removed.
    pub fn finish(mut self) -> Result<TableProperties> {
        if self.block.count() > 0 {
            self.finish_block()?;
        }
        let data_end = self.sink.offset();
        self.complete_properties(data_end);
        let mut footer = Footer { required: format::SPLIT_KEYS, ..Footer::default() };
        if !self.hashes.is_empty() {
            let filter = filter::build(&self.hashes, self.options.filter_bits_per_key);
            footer.filter = self.section(&filter, PayloadKind::Filter)?;
        }
        let properties = &self.properties;
        let index = self.index.finish(data_end, &properties.smallest, &properties.largest);
        footer.index = self.section(&index, PayloadKind::Index)?;
        if !self.expiring.is_empty() {
            let expiry = expiry::encode(&mut self.expiring);
            footer.expiry = self.section(&expiry, PayloadKind::Expiry)?;
        }
        if !self.tombstones.is_empty() {
            let tombstones = format::encode_range_tombstones(&self.tombstones);
            footer.range_tombstones = self.section(&tombstones, PayloadKind::RangeTombstones)?;
        }
        let properties = self.properties.encode();
        footer.properties = self.section(&properties, PayloadKind::Properties)?;
        let footer = footer.encode(self.options.uid, self.sink.offset());
        self.sink.buffer.extend_from_slice(&footer);
        (self.properties.bytes, self.properties.digest) = self.sink.finish()?;
        Ok(self.properties)
    }

    fn complete_properties(&mut self, data_end: u64) {
        let properties = &mut self.properties;
        properties.largest = std::mem::take(&mut self.last_key);
        properties.data_bytes = data_end - crate::file_header::FILE_HEADER_BYTES as u64;
        properties.expiring = self.expiring.len() as u64;
        let expiries = self.expiring.iter().map(|entry| entry.expire_at_ms);
        properties.min_expire_ms = expiries.clone().min().unwrap_or(0);
        properties.max_expire_ms = expiries.max().unwrap_or(0);
        properties.range_tombstones = self.tombstones.len() as u64;
        let seqs = self.tombstones.iter().map(|tombstone| tombstone.seq);
        properties.range_tombstone_max_seq = seqs.max().unwrap_or(0);
        properties.blob_refs = std::mem::take(&mut self.blob_refs).into_iter().collect();
    }

    fn section(&mut self, payload: &[u8], kind: PayloadKind) -> Result<Handle> {
        let padding = self.sink.offset().wrapping_neg() % SECTION_ALIGNMENT;
        self.sink.buffer.resize(self.sink.buffer.len() + padding as usize, 0);
        let offset = self.sink.offset();
        self.sink.payload(payload, Codec::None, kind, (self.options.uid, offset))?;
        Ok(Handle { offset, len: payload.len() as u64 })
    }
}

/// Buffers writes and digests them.
struct Sink {
    file: Box<dyn AppendFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes appended since the last write-back.
    appended: u64,
    digest: Xxh3,
}

impl Sink {
    fn new(file: Box<dyn AppendFile>, path: &Path) -> Self {
        Self { file, path: path.to_owned(), buffer: Vec::new(), appended: 0, digest: Xxh3::new() }
    }

    fn offset(&self) -> u64 {
        self.file.len() + self.buffer.len() as u64
    }

    fn payload(
        &mut self,
        payload: &[u8],
        codec: Codec,
        kind: PayloadKind,
        place: (u64, u64),
    ) -> Result<()> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(payload);
        format::push_trailer(&mut self.buffer, start, codec, kind, place);
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.digest.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.appended += self.buffer.len() as u64;
        if self.appended >= WRITE_BACK_BYTES {
            self.appended = 0;
            self.file.write_back();
        }
        self.buffer.clear();
        self.buffer.shrink_to(2 * WRITE_BYTES);
        Ok(())
    }

    /// Length and digest of the finished, durable file.
    fn finish(&mut self) -> Result<(u64, u64)> {
        self.flush()?;
        if !is_planted(Bug::TableNotSynced) {
            self.file.sync()?;
        }
        Ok((self.file.len(), self.digest.digest()))
    }
}
