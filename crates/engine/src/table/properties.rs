//! What a table says of itself: stored in the table and, with size and digest, in the manifest.
//!
//! Stored form, little endian: the numbers below in the order of [`TableProperties::encode`]
//! (8 bytes each), then smallest and largest key, each as a 4-byte length and its bytes, then a
//! 4-byte count of blob files and for each its number and bytes (8 + 8). Bytes that follow belong
//! to later versions and are ignored.
//!
//! `keyspace, level, entries, deletes, expiring, min_seq, max_seq, min_expire_ms, max_expire_ms,
//! raw_key_bytes, raw_value_bytes, data_bytes, blocks, range_tombstones, range_tombstone_max_seq,
//! rt_applied_seq, created_ms, hash_seed, filter_bits_per_key, codec, bytes, digest`

use aidb_base::{FileNumber, KeyspaceId, Seq};

use crate::compress::codec_from_u8;
use crate::options::Codec;

/// Counts, bounds and origin of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableProperties {
    /// Keyspace of every key.
    pub keyspace: KeyspaceId,
    /// Level the table was written for; a trivial move may have taken it further down.
    pub level: u8,
    /// First key; empty without entries.
    pub smallest: Vec<u8>,
    /// Last key; empty without entries.
    pub largest: Vec<u8>,
    /// Smallest sequence number of an entry; 0 without entries.
    pub min_seq: Seq,
    /// Largest sequence number of an entry; 0 without entries.
    pub max_seq: Seq,
    /// Entries, tombstones of keys included.
    pub entries: u64,
    /// Entries that are tombstones.
    pub deletes: u64,
    /// Entries that expire.
    pub expiring: u64,
    /// Earliest expiry; 0 when none expires.
    pub min_expire_ms: u64,
    /// Latest expiry; 0 when none expires.
    pub max_expire_ms: u64,
    /// Stored bytes referenced in each blob file, by file number.
    pub blob_refs: Vec<(FileNumber, u64)>,
    /// Bytes of all keys.
    pub raw_key_bytes: u64,
    /// Bytes of all values in the table.
    pub raw_value_bytes: u64,
    /// Bytes of the data blocks as stored.
    pub data_bytes: u64,
    /// Data blocks.
    pub blocks: u64,
    /// Range tombstones carried.
    pub range_tombstones: u64,
    /// Largest sequence number of a range tombstone carried; 0 when there is none.
    pub range_tombstone_max_seq: Seq,
    /// Range tombstones up to this one were applied when the table was written.
    pub rt_applied_seq: Seq,
    /// When it was written, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Seed of the key hashes in filter and tags.
    pub hash_seed: u64,
    /// Filter bits per key; 0 = no filter.
    pub filter_bits_per_key: u8,
    /// Codec asked for; single blocks may be raw.
    pub codec: Codec,
    /// File length. Not in the file's own copy: taken from the file.
    pub bytes: u64,
    /// xxh3 of the whole file; 0 = unknown. Only in the manifest's copy.
    pub digest: u64,
}

const NUMBERS: usize = 22;

impl TableProperties {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(NUMBERS * 8 + self.smallest.len() + self.largest.len() + 64);
        for number in self.numbers() {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for key in [&self.smallest, &self.largest] {
            out.extend_from_slice(&(key.len() as u32).to_le_bytes());
            out.extend_from_slice(key);
        }
        out.extend_from_slice(&(self.blob_refs.len() as u32).to_le_bytes());
        for (file, bytes) in &self.blob_refs {
            out.extend_from_slice(&file.to_le_bytes());
            out.extend_from_slice(&bytes.to_le_bytes());
        }
        out
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        [
            u64::from(self.keyspace),
            u64::from(self.level),
            self.entries,
            self.deletes,
            self.expiring,
            self.min_seq,
            self.max_seq,
            self.min_expire_ms,
            self.max_expire_ms,
            self.raw_key_bytes,
            self.raw_value_bytes,
            self.data_bytes,
            self.blocks,
            self.range_tombstones,
            self.range_tombstone_max_seq,
            self.rt_applied_seq,
            self.created_ms,
            self.hash_seed,
            u64::from(self.filter_bits_per_key),
            self.codec as u64,
            self.bytes,
            self.digest,
        ]
    }

    /// Decodes the stored form; `None` when the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut numbers = [0; NUMBERS];
        for number in &mut numbers {
            *number = reader.u64()?;
        }
        let smallest = reader.key()?;
        let largest = reader.key()?;
        let mut blob_refs = Vec::new();
        for _ in 0..reader.u32()? {
            blob_refs.push((reader.u64()?, reader.u64()?));
        }
        Some(Self {
            keyspace: numbers[0].try_into().ok()?,
            level: numbers[1].try_into().ok()?,
            entries: numbers[2],
            deletes: numbers[3],
            expiring: numbers[4],
            min_seq: numbers[5],
            max_seq: numbers[6],
            min_expire_ms: numbers[7],
            max_expire_ms: numbers[8],
            raw_key_bytes: numbers[9],
            raw_value_bytes: numbers[10],
            data_bytes: numbers[11],
            blocks: numbers[12],
            range_tombstones: numbers[13],
            range_tombstone_max_seq: numbers[14],
            rt_applied_seq: numbers[15],
            created_ms: numbers[16],
            hash_seed: numbers[17],
            filter_bits_per_key: numbers[18].try_into().ok()?,
            codec: codec_from_u8(numbers[19].try_into().ok()?)?,
            bytes: numbers[20],
            digest: numbers[21],
            smallest,
            largest,
            blob_refs,
        })
    }

    /// Whether `key` lies between the first and the last key.
    pub fn may_hold(&self, key: &[u8]) -> bool {
        self.entries > 0 && self.smallest.as_slice() <= key && key <= self.largest.as_slice()
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn key(&mut self) -> Option<Vec<u8>> {
        let len = self.u32()? as usize;
        let (key, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(key.to_vec())
    }
}
