//! How Bloom filters are stored. Part of the storage format.
//!
//! ```text
//! metadata   byte 0: type 7, flag SPREAD     at the key itself
//!            id                              slot u16 BE, version u64 BE
//!            expansion u32 LE                0: the chain has one filter for ever
//!            spacing u8                      0 growing, 1 even
//!            per filter: capacity u64 LE, items u64 LE, error rate f64 LE
//!
//! in the keyspace of members:
//! segment    id 71 filter u32 BE, segment u32 BE -> 256 bytes of the bits, the last one less
//! ```
//!
//! A segment without a bit has no record. Bit n of a filter is bit n % 8 of byte n / 8. An item's bits are
//! anywhere, so adding one writes about as many segments as it has bits: some 3 KiB, whatever the
//! size of the filter.

use std::collections::HashMap;

use aidb_base::Error;

use crate::bloom::{Filter, Hashed, Spacing};
use crate::collection::{Id, MemberKey, SPREAD, header};
use crate::commands::Call;
use crate::key::{MetaKey, tag};
use crate::stop::{Outcome, Stop, WRONG_TYPE};
use crate::value::Type;

/// Bytes of a segment.
pub(super) const SEGMENT_BYTES: u64 = 256;
const ID_BYTES: usize = 10;
const FILTER_BYTES: usize = 24;

/// A chain of filters as a command sees it; what it changes is kept until [`Chain::stage`].
pub(super) struct Chain {
    pub(super) filters: Vec<Filter>,
    /// How much larger the next filter is; 0: there is none.
    pub(super) expansion: u32,
    pub(super) spacing: Spacing,
    id: Id,
    expire_at_ms: u64,
    segments: HashMap<(u32, u32), Segment>,
    is_fresh: bool,
}

#[derive(Default)]
struct Segment {
    bytes: Vec<u8>,
    is_changed: bool,
}

#[cold]
fn damaged() -> Stop {
    Error::internal("the metadata of a Bloom filter is too short; run `aidb check`").into()
}

/// Reads a chain; its segments are read when they are needed.
///
/// # Errors
/// When the key holds something else; those of the store.
pub(super) fn load(call: &Call<'_>, key: &MetaKey) -> Result<Option<Chain>, Stop> {
    let found = call.read(key, |value, expire_at_ms| -> Result<Chain, Stop> {
        if value.kind != Type::Bloom {
            return Err(WRONG_TYPE);
        }
        decode(value.bytes, expire_at_ms).ok_or_else(damaged)
    })?;
    found.transpose()
}

fn decode(bytes: &[u8], expire_at_ms: u64) -> Option<Chain> {
    let id = Id::of(bytes)?;
    let rest = bytes.get(ID_BYTES..)?;
    let expansion = u32::from_le_bytes(*rest.first_chunk()?);
    let spacing = match rest.get(4)? {
        0 => Spacing::Growing,
        _ => Spacing::Even,
    };
    let mut filters = Vec::new();
    for filter in rest.get(5..)?.chunks(FILTER_BYTES) {
        filters.push(Filter {
            capacity: u64::from_le_bytes(*filter.first_chunk()?),
            items: u64::from_le_bytes(*filter.get(8..)?.first_chunk()?),
            error_rate: f64::from_le_bytes(*filter.get(16..)?.first_chunk()?),
        });
    }
    let (segments, is_fresh) = (HashMap::new(), false);
    Some(Chain { filters, expansion, spacing, id, expire_at_ms, segments, is_fresh })
}

impl Chain {
    /// A chain that is not stored yet.
    pub(super) fn new(
        call: &Call<'_>,
        key: &MetaKey,
        filters: Vec<Filter>,
        (expansion, spacing): (u32, Spacing),
    ) -> Result<Self, Stop> {
        Ok(Self {
            filters,
            expansion,
            spacing,
            id: Id::new(key.slot(), call.store.versions().next(call.store.db())?),
            expire_at_ms: 0,
            segments: HashMap::new(),
            is_fresh: true,
        })
    }

    /// Items in all filters.
    pub(super) fn items(&self) -> u64 {
        self.filters.iter().map(|filter| filter.items).sum()
    }

    /// Whether an item may be there.
    pub(super) fn contains(&mut self, call: &Call<'_>, item: Hashed) -> Result<bool, Stop> {
        // Most items are in the last and largest filter.
        for number in (0..self.filters.len()).rev() {
            if self.is_in(call, number, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in(&mut self, call: &Call<'_>, number: usize, item: Hashed) -> Result<bool, Stop> {
        for bit in self.filters[number].places(item, self.spacing) {
            let (segment, byte, mask) = place(bit);
            let bytes = &self.segment(call, number as u32, segment)?.bytes;
            if bytes.get(byte).is_none_or(|byte| byte & mask == 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds an item; whether it was not there.
    ///
    /// # Errors
    /// When the last filter is full and there will be no other; those of the store.
    pub(super) fn add(&mut self, call: &Call<'_>, item: &[u8]) -> Result<bool, Stop> {
        let item = Hashed::new(item);
        if self.contains(call, item)? {
            return Ok(false);
        }
        let last = self.filters.last().copied().ok_or_else(damaged)?;
        if last.is_full() {
            if self.expansion == 0 {
                return Err(Stop::fail(FULL));
            }
            let next = last.next(self.expansion);
            self.filters.push(next.ok_or_else(|| Stop::fail("ERR could not create filter"))?);
        }
        let number = self.filters.len() - 1;
        for bit in self.filters[number].places(item, self.spacing) {
            let (segment, byte, mask) = place(bit);
            let segment = self.segment(call, number as u32, segment)?;
            if segment.bytes.len() <= byte {
                segment.bytes.resize(byte + 1, 0);
            }
            segment.bytes[byte] |= mask;
            segment.is_changed = true;
        }
        self.filters[number].items += 1;
        Ok(true)
    }

    fn segment(
        &mut self,
        call: &Call<'_>,
        filter: u32,
        segment: u32,
    ) -> Result<&mut Segment, Stop> {
        use std::collections::hash_map::Entry;
        Ok(match self.segments.entry((filter, segment)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut loaded = Segment::default();
                if !self.is_fresh {
                    let members = call.store.keyspaces(call.session.database).members;
                    let key = segment_key(&self.id, filter, segment);
                    call.store.read_record(call.mode, members, &key, |bytes, _| {
                        loaded.bytes.extend_from_slice(bytes);
                    })?;
                }
                entry.insert(loaded)
            }
        })
    }

    /// The bytes of a filter from one place on, for as long as they are asked for.
    pub(super) fn read(
        &mut self,
        call: &Call<'_>,
        filter: usize,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        for segment in range.start / SEGMENT_BYTES..range.end.div_ceil(SEGMENT_BYTES) {
            let start = segment * SEGMENT_BYTES;
            let from = range.start.max(start) - start;
            let to = range.end.min(start + SEGMENT_BYTES) - start;
            let stored = &self.segment(call, filter as u32, segment as u32)?.bytes;
            bytes.extend((from..to).map(|at| stored.get(at as usize).copied().unwrap_or(0)));
            self.segments.clear();
        }
        Ok(bytes)
    }

    /// Puts bytes into a filter.
    pub(super) fn write(
        &mut self,
        call: &Call<'_>,
        filter: usize,
        start: u64,
        bytes: &[u8],
    ) -> Outcome {
        for (at, byte) in (start..).zip(bytes) {
            let segment = (at / SEGMENT_BYTES) as u32;
            let at = (at % SEGMENT_BYTES) as usize;
            let segment = self.segment(call, filter as u32, segment)?;
            if segment.bytes.len() <= at {
                segment.bytes.resize(at + 1, 0);
            }
            segment.bytes[at] = *byte;
            segment.is_changed = true;
        }
        Ok(())
    }

    /// Adds what changed to the call's batch. The caller holds the key's lock.
    pub(super) fn stage(&self, call: &mut Call<'_>, key: &MetaKey) -> Outcome {
        let pair = call.store.keyspaces(call.session.database);
        let batch = &mut call.scratch.batch;
        for ((filter, segment), content) in &self.segments {
            if content.is_changed {
                let place = segment_key(&self.id, *filter, *segment);
                batch.put(pair.members, &place, &content.bytes, 0)?;
            }
        }
        if self.is_fresh {
            batch.put(pair.members, &self.id.owner(), key.bytes(), 0)?;
        }
        let mut record = vec![header(Type::Bloom, SPREAD)];
        record.extend_from_slice(self.id.bytes());
        record.extend_from_slice(&self.expansion.to_le_bytes());
        record.push(u8::from(self.spacing == Spacing::Even));
        for filter in &self.filters {
            record.extend_from_slice(&filter.capacity.to_le_bytes());
            record.extend_from_slice(&filter.items.to_le_bytes());
            record.extend_from_slice(&filter.error_rate.to_le_bytes());
        }
        Ok(batch.put(pair.keys, key.bytes(), &record, self.expire_at_ms)?)
    }
}

/// The answer when nothing more fits.
pub(super) const FULL: &str = "ERR non scaling filter is full";

/// Segment, byte in it and bit in that.
fn place(bit: u64) -> (u32, usize, u8) {
    let byte = bit / 8;
    ((byte / SEGMENT_BYTES) as u32, (byte % SEGMENT_BYTES) as usize, 1 << (bit % 8))
}

fn segment_key(id: &Id, filter: u32, segment: u32) -> MemberKey {
    id.key(tag::BLOOM_SEGMENT, &[&filter.to_be_bytes(), &segment.to_be_bytes()])
}
