//! What else a table can tell: due records, range tombstones, sizes, and whether it is sound.

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Error, Result, Seq};

use crate::block::{Block, tag_of};
use crate::entry::{Kind, RangeTombstone};
use crate::file_header::verify_digest;
use crate::filter::Filter;
use crate::index::Index;
use crate::options::Codec;

use super::expiry::{ExpiryEntry, ExpiryIndex};
use super::format;
use super::reader::Table;
use super::section::Access;

/// A record whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRecord {
    /// User key.
    pub key: Vec<u8>,
    /// Batch that wrote it.
    pub seq: Seq,
    /// When it expired, in milliseconds since the epoch.
    pub expire_at_ms: u64,
}

/// Records that are due, earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// At most as many as were asked for.
    pub records: Vec<DueRecord>,
    /// Where to go on: the ordinal after the last record returned.
    pub next: u64,
    /// Expiry of the record at `next`; `None` at the end of the table's expiry index.
    pub next_expire_at_ms: Option<u64>,
}

impl Table {
    /// The records that expire at or before `now_ms`, from ordinal `from` (0 = the earliest) on, at
    /// most `limit`. The order never changes, so a sweeper keeps `next` as its position.
    ///
    /// # Errors
    /// `Corruption` when bytes needed for the answer are damaged, those of the file.
    pub fn due(&self, from: u64, now_ms: u64, limit: usize) -> Result<Due> {
        let mut due = Due { next: from, ..Due::default() };
        let Some(section) = &self.expiry else { return Ok(due) };
        let map = self.source.file.map();
        let bytes = section.bytes(&self.source, map, Access::Wait)?.unwrap_or_default();
        let expiries = ExpiryIndex::parse(bytes).ok_or_else(|| self.malformed(section))?;
        let (index, _) = self.index()?;
        while let Some(entry) = expiries.get(due.next as usize) {
            if entry.expire_at_ms > now_ms || due.records.len() >= limit {
                due.next_expire_at_ms = Some(entry.expire_at_ms);
                break;
            }
            due.records.push(self.due_record(&index, entry)?);
            due.next += 1;
        }
        Ok(due)
    }

    fn due_record(&self, index: &Index<'_>, entry: ExpiryEntry) -> Result<DueRecord> {
        let (number, at) = (entry.block as usize, usize::from(entry.index));
        if number >= index.count() {
            return Err(self.malformed(&self.index));
        }
        let place = self.place(index, number)?;
        let damaged = |what: &str| self.source.damaged(place.offset, what);
        let held = self
            .hold(self.source.file.map(), number, place, Access::Wait)?
            .ok_or_else(|| Error::internal("a waiting block access refused to wait"))?;
        let block = Block::parse(held.bytes()).map_err(|what| damaged(what.0))?;
        if at >= block.count() {
            return Err(damaged("expiry index points outside the block"));
        }
        let record = block.record(at).map_err(|what| damaged(what.0))?;
        if record.expire_at_ms != entry.expire_at_ms {
            return Err(damaged("expiry index disagrees with the record"));
        }
        let key = block.key(at).map_err(|what| damaged(what.0))?;
        Ok(DueRecord { key, seq: record.seq, expire_at_ms: record.expire_at_ms })
    }

    /// The range tombstones the table carries.
    ///
    /// # Errors
    /// `Corruption` when they are damaged, those of the file.
    pub fn range_tombstones(&self) -> Result<Vec<RangeTombstone>> {
        let Some(section) = &self.range_tombstones else { return Ok(Vec::new()) };
        let bytes = section.bytes(&self.source, self.source.file.map(), Access::Wait)?;
        format::decode_range_tombstones(bytes.unwrap_or_default())
            .ok_or_else(|| self.malformed(section))
    }

    /// Bytes of data blocks before the one that would hold `key`.
    ///
    /// # Errors
    /// `Corruption` when the index is damaged, those of the file.
    pub fn approximate_offset(&self, key: &[u8]) -> Result<u64> {
        let (index, blocks) = self.index()?;
        let start = index.offset(0);
        let past_the_end = key > self.properties.largest.as_slice();
        let offset = match index.find(&blocks.top, key) {
            None => start,
            Some(_) if past_the_end => index.data_end(),
            Some(block) => index.offset(block),
        };
        Ok(offset.saturating_sub(start))
    }

    /// Bytes of memory the open table holds outside the block cache and the mapping.
    pub fn memory_bytes(&self) -> usize {
        let sections = [Some(&self.index), self.filter.as_ref(), self.expiry.as_ref()];
        let sections = sections.into_iter().flatten().map(|section| section.memory_bytes());
        sections.sum::<usize>() + self.properties.smallest.len() + self.properties.largest.len()
    }

    /// Reads everything: checksums, order, bounds, counts, filter, tags, expiry index, and the
    /// digest of the file unless `digest` is `None`.
    ///
    /// # Errors
    /// `Corruption` naming the first contradiction.
    pub fn verify(&self, digest: Option<u64>) -> Result<()> {
        let (index, _) = self.index()?;
        if !index.is_sound() || index.count() as u64 != self.properties.blocks {
            return Err(self.malformed(&self.index));
        }
        let mut seen = Seen::default();
        let mut packed = Vec::new();
        let mut raw = Vec::new();
        for number in 0..index.count() {
            let place = self.place(&index, number)?;
            packed.resize(place.len + crate::index::TRAILER_BYTES, 0);
            self.source.file.read_exact_at(place.offset, &mut packed)?;
            self.unpack_into(&packed, place, &mut raw)?;
            self.verify_block(&raw, &mut seen)
                .map_err(|what| self.source.damaged(place.offset, what))?;
        }
        self.verify_counts(&seen)?;
        self.range_tombstones()?;
        self.due(0, u64::MAX, usize::MAX)?;
        match digest {
            Some(digest) => verify_digest(&*self.source.file, &self.source.path, digest),
            None => Ok(()),
        }
    }

    /// Checks what readers use in place, so that the first of them need not: for a table that was
    /// just written and is in memory still.
    ///
    /// # Errors
    /// `Corruption` naming the first damage; what was found right until then stays so.
    pub fn check_ahead(&self) -> Result<()> {
        let map = self.source.file.map();
        if let Some(filter) = &self.filter {
            filter.bytes(&self.source, map, Access::Wait)?;
        }
        let (index, _) = self.index()?;
        for block in 0..index.count() {
            let place = self.place(&index, block)?;
            if map.is_some() && place.codec == Codec::None {
                self.hold(map, block, place, Access::Wait)?;
            }
        }
        Ok(())
    }

    fn verify_block(&self, raw: &[u8], seen: &mut Seen) -> std::result::Result<(), &'static str> {
        let block = Block::parse(raw).map_err(|what| what.0)?;
        block.verify().map_err(|what| what.0)?;
        let filter = match &self.filter {
            None => None,
            Some(section) => section
                .bytes(&self.source, self.source.file.map(), Access::Wait)
                .map_err(|_| "the filter is damaged")?
                .and_then(Filter::parse),
        };
        for (at, &tag) in block.tags().iter().enumerate() {
            let key = block.key(at).map_err(|what| what.0)?;
            let hash = key_hash_seeded(&key, self.properties.hash_seed);
            if tag != tag_of(hash) {
                return Err("tag does not match its key");
            }
            if filter.is_some_and(|filter| !filter.may_contain(hash)) {
                return Err("the filter does not know a key of the table");
            }
            if seen.entries > 0 && key <= seen.last_key {
                return Err("keys out of order");
            }
            if key < self.properties.smallest || key > self.properties.largest {
                return Err("key outside the bounds of the table");
            }
            let record = block.record(at).map_err(|what| what.0)?;
            seen.entries += 1;
            seen.deletes += u64::from(record.kind == Kind::Delete);
            seen.expiring += u64::from(record.expire_at_ms != 0);
            seen.last_key = key;
        }
        Ok(())
    }

    fn verify_counts(&self, seen: &Seen) -> Result<()> {
        let properties = &self.properties;
        let due = self.due(0, u64::MAX, usize::MAX)?.next;
        let is_right = seen.entries == properties.entries
            && seen.deletes == properties.deletes
            && seen.expiring == properties.expiring
            && seen.expiring == due
            && seen.last_key == properties.largest;
        match is_right {
            true => Ok(()),
            false => Err(self.source.damaged(0, "counts of the table are not those it claims")),
        }
    }
}

/// What `verify` counted.
#[derive(Default)]
struct Seen {
    entries: u64,
    deletes: u64,
    expiring: u64,
    last_key: Vec<u8>,
}
