//! Opens a table and looks keys up in it.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Attempt, Error, Result};
use arc_swap::Guard;

use crate::block::{Block, Damaged};
use crate::cache::{BlockCache, CachedBlock, Slots};
use crate::compress;
use crate::entry::Entry;
use crate::file_header::{FILE_HEADER_BYTES, FileHeader};
use crate::filter::Filter;
use crate::index::{BlockPlace, Index, IndexTop, TRAILER_BYTES};
use crate::options::Codec;
use crate::vfs::{ReadFile, Vfs};

use super::format::{self, FOOTER_BYTES, Footer, PayloadKind};
use super::properties::TableProperties;
use super::section::{Access, Section, Source};

/// One in this many `try_get` calls asks the kernel whether a block seen before is still in memory.
const RESIDENCY_SAMPLE: u32 = 512;

/// After a block was found gone, so many calls ask.
const RESIDENCY_SUSPICION: u32 = 1024;

thread_local! {
    /// Counts this thread's `try_get` calls that found a raw block.
    static TICK: Cell<u32> = const { Cell::new(0) };
}

/// An open table. Safe to share between threads; reads take no lock.
pub struct Table {
    pub(super) source: Source,
    pub(super) properties: TableProperties,
    pub(super) filter: Option<Section>,
    pub(super) index: Section,
    pub(super) expiry: Option<Section>,
    pub(super) range_tombstones: Option<Section>,
    pub(super) blocks: OnceLock<Blocks>,
    cache: Arc<BlockCache>,
    /// `try_get` calls that still have to ask whether their block is in memory.
    suspicion: AtomicU32,
}

/// What is kept in memory per block, made on first use.
pub(super) struct Blocks {
    pub(super) top: IndexTop,
    /// A bit per block: used in place, and its checksum was found right.
    checked: Box<[AtomicU64]>,
    pub(super) slots: Arc<Slots>,
}

impl Blocks {
    #[inline]
    fn is_checked(&self, block: usize) -> bool {
        self.checked
            .get(block / 64)
            .is_some_and(|word| word.load(Ordering::Relaxed) >> (block % 64) & 1 == 1)
    }

    fn mark_checked(&self, block: usize) {
        if let Some(word) = self.checked.get(block / 64) {
            word.fetch_or(1 << (block % 64), Ordering::Relaxed);
        }
    }
}

/// A raw block, borrowed from the mapping, the cache, or just read.
pub(super) enum HeldBlock<'a> {
    Mapped(&'a [u8]),
    Cached(Guard<Option<Arc<CachedBlock>>>),
    Owned(Arc<CachedBlock>),
}

impl HeldBlock<'_> {
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Cached(guard) => guard.as_ref().map_or(&[], |block| block.bytes()),
            Self::Owned(block) => block.bytes(),
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("path", &self.source.path).finish_non_exhaustive()
    }
}

impl Table {
    /// Opens the table at `path`, which has identity `uid`. Reads header, footer and properties;
    /// filter and index are checked on first use.
    ///
    /// # Errors
    /// `Corruption` when the file is damaged or another one, `Invalid` when a newer program wrote
    /// it, those of the file system.
    pub fn open(vfs: &dyn Vfs, path: &Path, uid: u64, cache: Arc<BlockCache>) -> Result<Arc<Self>> {
        Self::open_file(vfs.open_read(path)?, path, uid, cache)
    }

    /// As [`Table::open`], of a file already open.
    ///
    /// # Errors
    /// Those of [`Table::open`].
    pub fn open_file(
        file: Arc<dyn ReadFile>,
        path: &Path,
        uid: u64,
        cache: Arc<BlockCache>,
    ) -> Result<Arc<Self>> {
        let source = Source { file, path: path.to_owned(), uid };
        let footer = read_ends(&source)?;
        let properties = Section::new(footer.properties, PayloadKind::Properties);
        let mut properties = TableProperties::decode(properties.load(&source)?)
            .ok_or_else(|| source.damaged(footer.properties.offset, "malformed properties"))?;
        properties.bytes = source.file.len();
        let optional =
            |handle: format::Handle, kind| handle.is_present().then(|| Section::new(handle, kind));
        Ok(Arc::new(Self {
            filter: optional(footer.filter, PayloadKind::Filter),
            index: Section::new(footer.index, PayloadKind::Index),
            expiry: optional(footer.expiry, PayloadKind::Expiry),
            range_tombstones: optional(footer.range_tombstones, PayloadKind::RangeTombstones),
            source,
            properties,
            blocks: OnceLock::new(),
            cache,
            suspicion: AtomicU32::new(0),
        }))
    }

    /// What the table says of itself; `digest` is unknown (0).
    pub fn properties(&self) -> &TableProperties {
        &self.properties
    }

    /// Path it was opened at.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// Calls `f` with the entry of `key`, whatever its kind, borrowed from the block.
    ///
    /// **args**: `hash` is `key_hash_seeded(key, hash_seed)`; it is computed again only if the
    /// table was written with another seed.
    ///
    /// # Errors
    /// `Corruption` when bytes needed for the answer are damaged, those of the file.
    #[inline]
    pub fn get<R>(
        &self,
        key: &[u8],
        hash: u64,
        hash_seed: u64,
        f: impl FnOnce(Entry<'_>) -> R,
    ) -> Result<Option<R>> {
        match self.lookup(key, self.own_hash(key, hash, hash_seed), Access::Wait, f)? {
            Attempt::Done(found) => Ok(found),
            Attempt::WouldBlock => Err(Error::internal("a waiting lookup refused to wait")),
        }
    }

    /// As [`Table::get`], if that needs no disk access.
    ///
    /// A raw block that was used before counts as being in memory; the kernel is asked only now and
    /// then, and always for a while once it had given a block back.
    #[inline]
    pub fn try_get<R>(
        &self,
        key: &[u8],
        hash: u64,
        hash_seed: u64,
        f: impl FnOnce(Entry<'_>) -> R,
    ) -> Result<Attempt<Option<R>>> {
        self.lookup(key, self.own_hash(key, hash, hash_seed), Access::Try, f)
    }

    #[inline]
    pub(super) fn own_hash(&self, key: &[u8], hash: u64, hash_seed: u64) -> u64 {
        match hash_seed == self.properties.hash_seed {
            true => hash,
            false => key_hash_seeded(key, self.properties.hash_seed),
        }
    }

    #[inline]
    fn lookup<R>(
        &self,
        key: &[u8],
        hash: u64,
        access: Access,
        f: impl FnOnce(Entry<'_>) -> R,
    ) -> Result<Attempt<Option<R>>> {
        let map = self.source.file.map();
        if let Some(section) = &self.filter {
            let Some(bytes) = section.bytes(&self.source, map, access)? else {
                return Ok(Attempt::WouldBlock);
            };
            let filter = Filter::parse(bytes).ok_or_else(|| self.malformed(section))?;
            if !filter.may_contain(hash) {
                return Ok(Attempt::Done(None));
            }
        }
        let Some((index, blocks)) = self.index_with(map, access)? else {
            return Ok(Attempt::WouldBlock);
        };
        let Some(block) = index.find(&blocks.top, key) else { return Ok(Attempt::Done(None)) };
        let place = self.place(&index, block)?;
        let Some(held) = self.hold(map, block, place, access)? else {
            return Ok(Attempt::WouldBlock);
        };
        let found = find_in(held.bytes(), key, hash, f);
        found.map(Attempt::Done).map_err(|what| self.source.damaged(place.offset, what.0))
    }

    pub(super) fn malformed(&self, section: &Section) -> Error {
        self.source.damaged(section.offset(), "malformed section in spite of a right checksum")
    }

    /// The index and what is kept per block; `None` when that would wait in spite of `access`.
    #[inline]
    pub(super) fn index_with<'a>(
        &'a self,
        map: Option<&'a [u8]>,
        access: Access,
    ) -> Result<Option<(Index<'a>, &'a Blocks)>> {
        let Some(bytes) = self.index.bytes(&self.source, map, access)? else { return Ok(None) };
        let index = Index::parse(bytes).ok_or_else(|| self.malformed(&self.index))?;
        let blocks = self.blocks.get_or_init(|| self.make_blocks(&index, map.is_some()));
        Ok(Some((index, blocks)))
    }

    /// The index; waits for it.
    pub(super) fn index(&self) -> Result<(Index<'_>, &Blocks)> {
        self.index_with(self.source.file.map(), Access::Wait)?
            .ok_or_else(|| Error::internal("a waiting index access refused to wait"))
    }

    #[cold]
    fn make_blocks(&self, index: &Index<'_>, is_mapped: bool) -> Blocks {
        let uses_cache = !is_mapped || self.properties.codec != Codec::None;
        let words = if is_mapped { index.count().div_ceil(64) } else { 0 };
        Blocks {
            top: index.top(),
            checked: (0..words).map(|_| AtomicU64::new(0)).collect(),
            slots: self.cache.slots(if uses_cache { index.count() } else { 0 }),
        }
    }

    #[inline]
    pub(super) fn place(&self, index: &Index<'_>, block: usize) -> Result<BlockPlace> {
        index.place(block).ok_or_else(|| self.malformed(&self.index))
    }

    /// A raw block, checked; `None` when that would wait in spite of `access`.
    #[inline]
    pub(super) fn hold<'a>(
        &'a self,
        map: Option<&'a [u8]>,
        block: usize,
        place: BlockPlace,
        access: Access,
    ) -> Result<Option<HeldBlock<'a>>> {
        let Some(blocks) = self.blocks.get() else { return Ok(None) };
        if let (Some(map), Codec::None) = (map, place.codec) {
            let bytes = self.source.mapped(map, place.offset, place.len + TRAILER_BYTES)?;
            if access == Access::Try && !self.is_likely_resident(blocks, block, place) {
                return Ok(None);
            }
            if !blocks.is_checked(block) {
                self.source.check(bytes, place.offset, Codec::None, PayloadKind::Data)?;
                blocks.mark_checked(block);
            }
            return Ok(Some(HeldBlock::Mapped(&bytes[..place.len])));
        }
        if let Some(guard) = blocks.slots.get(block) {
            return Ok(Some(HeldBlock::Cached(guard)));
        }
        let Some(raw) = self.read_block(map, place, access)? else { return Ok(None) };
        Ok(Some(HeldBlock::Owned(blocks.slots.insert(block, raw))))
    }

    /// Whether touching a mapped block will not wait for the disk, as far as is worth knowing.
    #[inline]
    fn is_likely_resident(&self, blocks: &Blocks, block: usize, place: BlockPlace) -> bool {
        let suspicion = self.suspicion.load(Ordering::Relaxed);
        let tick = TICK.get().wrapping_add(1);
        TICK.set(tick);
        let is_sample = tick % RESIDENCY_SAMPLE == 0;
        if blocks.is_checked(block) && suspicion == 0 && !is_sample {
            return true;
        }
        let is_resident = self.source.file.is_resident(place.offset, place.len + TRAILER_BYTES);
        let suspicion = match is_resident {
            true => suspicion.saturating_sub(1),
            false => RESIDENCY_SUSPICION,
        };
        if suspicion != self.suspicion.load(Ordering::Relaxed) {
            self.suspicion.store(suspicion, Ordering::Relaxed);
        }
        is_resident
    }

    /// Reads, checks and unpacks a block.
    #[cold]
    fn read_block(
        &self,
        map: Option<&[u8]>,
        place: BlockPlace,
        access: Access,
    ) -> Result<Option<Vec<u8>>> {
        let whole = place.len + TRAILER_BYTES;
        let file = &self.source.file;
        if let Some(map) = map {
            if access == Access::Try && !file.is_resident(place.offset, whole) {
                return Ok(None);
            }
            let bytes = self.source.mapped(map, place.offset, whole)?;
            return self.unpack(bytes, place).map(Some);
        }
        let bytes = match access {
            Access::Wait => self.source.read(place.offset, whole)?,
            Access::Try => {
                let mut bytes = vec![0; whole];
                match file.try_read_exact_at(place.offset, &mut bytes)? {
                    Attempt::Done(()) => bytes,
                    Attempt::WouldBlock => return Ok(None),
                }
            }
        };
        self.unpack(&bytes, place).map(Some)
    }

    fn unpack(&self, bytes: &[u8], place: BlockPlace) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.unpack_into(bytes, place, &mut out)?;
        Ok(out)
    }

    /// Checks the stored block in `bytes` and unpacks it into `out`.
    pub(super) fn unpack_into(
        &self,
        bytes: &[u8],
        place: BlockPlace,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let payload = self.source.check(bytes, place.offset, place.codec, PayloadKind::Data)?;
        if place.codec == Codec::None {
            out.clear();
            out.extend_from_slice(payload);
            return Ok(());
        }
        compress::decompress_into(place.codec, payload, out)
            .ok_or_else(|| self.source.damaged(place.offset, "block does not unpack"))
    }
}

/// Checks header and footer.
fn read_ends(source: &Source) -> Result<Footer> {
    let len = source.file.len();
    let minimum = (FILE_HEADER_BYTES + FOOTER_BYTES) as u64;
    if len < minimum {
        return Err(source.damaged(0, format_args!("table file of only {len} bytes")));
    }
    let mut header = [0; FILE_HEADER_BYTES];
    source.file.read_exact_at(0, &mut header)?;
    let header = FileHeader::decode(
        &header,
        &source.path,
        format::MAGIC,
        format::VERSION,
        format::REQUIRED_KNOWN,
    )?;
    if header.required & format::SPLIT_KEYS == 0 {
        return Err(Error::invalid(format!(
            "{} was written before the format of tables was settled; copy its database with the \
             version that wrote it",
            source.path.display()
        )));
    }
    if header.uid != source.uid {
        return Err(source.damaged(0, "the file belongs to another database or number"));
    }
    let offset = len - FOOTER_BYTES as u64;
    let mut footer = [0; FOOTER_BYTES];
    source.file.read_exact_at(offset, &mut footer)?;
    Footer::decode(&footer, &source.path, source.uid, offset)
}

/// Calls `f` with the entry of `key` in a raw block.
#[inline]
fn find_in<R>(
    bytes: &[u8],
    key: &[u8],
    hash: u64,
    f: impl FnOnce(Entry<'_>) -> R,
) -> std::result::Result<Option<R>, Damaged> {
    let block = Block::parse(bytes)?;
    let Some(at) = block.find(key, hash)? else { return Ok(None) };
    let record = block.record(at)?;
    Ok(Some(f(Entry {
        key,
        seq: record.seq,
        kind: record.kind,
        expire_at_ms: record.expire_at_ms,
        value: block.value(at)?,
    })))
}
