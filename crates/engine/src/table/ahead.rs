//! Loading ahead what a lookup is going to read.

use crate::filter::Filter;
use crate::index::Index;
use crate::options::Codec;
use crate::vfs::prefetch;

use super::reader::Table;

/// Bytes at the start of a block: what a lookup reads of it before the value.
const BLOCK_BYTES_AHEAD: usize = 512;

impl Table {
    /// Starts loading the block that a lookup of `key` will search, as far as that can be told from
    /// memory; whether the table may hold the key.
    ///
    /// **args**: as [`Table::get`].
    #[inline]
    pub fn prefetch(&self, key: &[u8], hash: u64, hash_seed: u64) -> bool {
        let map = self.source.file.map();
        if let Some(section) = &self.filter {
            let hash = self.own_hash(key, hash, hash_seed);
            let filter = section.ready(map).and_then(Filter::parse);
            if !filter.is_some_and(|filter| filter.may_contain(hash)) {
                return false;
            }
        }
        let index = self.index.ready(map).and_then(Index::parse);
        let (Some(index), Some(blocks)) = (index, self.blocks.get()) else { return false };
        let Some(block) = index.find(&blocks.top, key) else { return false };
        let Some(place) = index.place(block) else { return false };
        if let (Some(map), Codec::None) = (map, place.codec) {
            let start = place.offset as usize;
            let end = start + place.len.min(BLOCK_BYTES_AHEAD);
            prefetch(map.get(start..end).unwrap_or_default());
        } else if let Some(held) = blocks.slots.peek(block)
            && let Some(cached) = &*held
        {
            let bytes = cached.bytes();
            prefetch(&bytes[..bytes.len().min(BLOCK_BYTES_AHEAD)]);
        }
        true
    }
}
