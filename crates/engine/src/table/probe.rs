//! Many sorted keys at once: which of them a table holds, and as what.
//!
//! Neighbouring keys share index lines and blocks, nothing enters the cache, and of a compressed
//! block only the columns in front of the values are unpacked.

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Error, Result, Seq};

use crate::block::{Block, Damaged, columns_bytes};
use crate::compress;
use crate::entry::Kind;
use crate::filter::Filter;
use crate::index::{BlockPlace, TRAILER_BYTES};
use crate::options::Codec;

use super::format::PayloadKind;
use super::reader::Table;
use super::section::Access;

/// Keys in ascending order and their hashes.
#[derive(Default)]
pub struct SortedKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<u64>,
}

impl SortedKeys {
    /// Adds a key after the last one.
    pub fn push(&mut self, key: &[u8], hash: u64) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Key `index`.
    #[inline]
    pub fn key(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.hashes.clear();
    }
}

/// The block that the last key was looked up in.
#[derive(Default)]
struct Open {
    block: Option<usize>,
    bytes: Vec<u8>,
}

impl Table {
    /// Calls `f` with each key out of `wanted`, ascending indexes into `keys`, that the table holds,
    /// with its sequence number and kind. Hashes are those under `hash_seed`.
    ///
    /// # Errors
    /// `Corruption` when bytes needed for the answer are damaged, those of the file.
    pub fn probe(
        &self,
        keys: &SortedKeys,
        wanted: &[usize],
        hash_seed: u64,
        f: &mut dyn FnMut(usize, Seq, Kind),
    ) -> Result<()> {
        let hash = |index: usize| match hash_seed == self.properties.hash_seed {
            true => keys.hashes[index],
            false => key_hash_seeded(keys.key(index), self.properties.hash_seed),
        };
        let possible = self.filtered(wanted, hash)?;
        if possible.is_empty() {
            return Ok(());
        }
        let (index, blocks) = self.index()?;
        let mut open = Open::default();
        for at in possible {
            let key = keys.key(at);
            let Some(number) = index.find(&blocks.top, key) else { continue };
            let place = self.place(&index, number)?;
            self.open_columns(number, place, &mut open)?;
            let found = find(&open.bytes, key, hash(at));
            let found = found.map_err(|what| self.source.damaged(place.offset, what.0))?;
            if let Some((seq, kind)) = found {
                f(at, seq, kind);
            }
        }
        Ok(())
    }

    /// Those of `wanted` that the filter does not rule out.
    fn filtered(&self, wanted: &[usize], hash: impl Fn(usize) -> u64) -> Result<Vec<usize>> {
        let Some(section) = &self.filter else { return Ok(wanted.to_vec()) };
        let map = self.source.file.map();
        let bytes = section
            .bytes(&self.source, map, Access::Wait)?
            .ok_or_else(|| Error::internal("a waiting filter access refused to wait"))?;
        let filter = Filter::parse(bytes).ok_or_else(|| self.malformed(section))?;
        Ok(wanted.iter().copied().filter(|&at| filter.may_contain(hash(at))).collect())
    }

    /// Makes `open` hold the columns of block `number`.
    fn open_columns(&self, number: usize, place: BlockPlace, open: &mut Open) -> Result<()> {
        if open.block == Some(number) {
            return Ok(());
        }
        open.block = None;
        let whole = place.len + TRAILER_BYTES;
        let read;
        let stored = match self.source.file.map() {
            Some(map) => self.source.mapped(map, place.offset, whole)?,
            None => {
                read = self.source.read(place.offset, whole)?;
                &read
            }
        };
        let payload = self.source.check(stored, place.offset, place.codec, PayloadKind::Data)?;
        if place.codec == Codec::None {
            open.bytes.clear();
            open.bytes.extend_from_slice(payload);
        } else {
            compress::decompress_start(place.codec, payload, columns_bytes, &mut open.bytes)
                .ok_or_else(|| self.source.damaged(place.offset, "block does not unpack"))?;
        }
        open.block = Some(number);
        Ok(())
    }
}

fn find(bytes: &[u8], key: &[u8], hash: u64) -> std::result::Result<Option<(Seq, Kind)>, Damaged> {
    let block = Block::parse(bytes)?;
    let Some(at) = block.find(key, hash)? else { return Ok(None) };
    let record = block.record(at)?;
    Ok(Some((record.seq, record.kind)))
}
