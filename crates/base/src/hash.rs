//! The hashes of the formats: one 64-bit key hash and a checksum bound to place.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Hash of a key; serves memtable index, filters and block tags. Part of the table format.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// Hash of a key with a seed of its own, for structures that an attacker could aim at.
#[inline]
pub fn key_hash_seeded(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed)
}

/// Plain 64-bit digest of `bytes`; bind it to a place with [`bind`].
#[inline]
pub fn digest(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Binds a digest to a file identity and an offset, so that misplaced or stale bytes never match.
#[inline]
pub fn bind(digest: u64, file_uid: u64, offset: u64) -> u32 {
    if cfg!(fuzzing) {
        // A fuzzer cannot guess checksums; without them it reaches what they protect.
        return 0;
    }
    let mut x = digest ^ file_uid.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= offset.wrapping_add(0xD1B5_4A32_D192_ED03).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 31;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 32)) as u32
}

/// Checksum of `bytes` stored in file `file_uid` at `offset`.
#[inline]
pub fn checksum(bytes: &[u8], file_uid: u64, offset: u64) -> u32 {
    bind(digest(bytes), file_uid, offset)
}

/// Identity of a file: database uuid and file number mixed.
pub fn file_uid(database_uuid: &[u8; 16], number: u64) -> u64 {
    xxh3_64_with_seed(database_uuid, number)
}
