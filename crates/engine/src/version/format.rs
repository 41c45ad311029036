//! Bytes of `CURRENT` and of a manifest. All integers are little endian.
//!
//! ```text
//! CURRENT, 38 bytes, replaced by rename
//!   0   8  magic "AIDBCURR"
//!   8   2  format version, 1
//!  10   4  required features     a reader refuses bits it does not know
//!  14   4  optional features     a reader ignores bits it does not know
//!  18   8  number of the manifest in use
//!  26   8  0
//!  34   4  checksum(bytes 0..34, uid 0, offset 0)
//!
//! MANIFEST-n: header, 50 bytes
//!   0   8  magic "AIDBMANI"
//!   8   2  format version, 1
//!  10   4  required features
//!  14   4  optional features
//!  18  16  database uuid
//!  34   8  file number n
//!  42   4  0
//!  46   4  checksum(bytes 0..46, uid, offset 0); uid = file_uid(uuid, n)
//!
//! MANIFEST-n: record at offset o, one per atomic change; the first one is the whole state
//!   0   4  payload length
//!   4   4  checksum(bytes 0..4, uid, o)
//!   8   4  checksum(payload, uid, o + 12)
//!  12   …  payload
//!   …   4  end mark, AD AD AD AD
//!
//! payload: fields in any order, each: tag (1 byte), length (varint), value
//!   1  log_floor            varint
//!   2  last_seq             varint
//!   3  epoch                varint
//!   4  history position     epoch varint, seq varint
//!   5  next_file_number     varint
//!   6  next_keyspace        varint
//!   7  hash_seed            8 bytes
//!   8  keyspace             id varint, name bytes, options
//!   9  keyspace dropped     id varint
//!  10  table removed        keyspace varint, level u8, number varint
//!  11  table added          keyspace varint, level u8, run varint, meta
//!  12  blob file added      number, bytes, value_bytes varints, digest 8 bytes
//!  13  live key delta       keyspace varint, zigzag varint
//!  tags >= 128 are ignored by readers that do not know them; others are refused
//!
//! bytes     length varint, the bytes
//! options   bit set u8 (1 compression, 2 ttl, 4 blob_bytes_min), then for each bit in that order:
//!           codec u8; ttl_ms varint; blob_bytes_min varint
//! meta      number, bytes varints; digest 8 bytes; codec u8; smallest, largest bytes; min_seq,
//!           max_seq, entries, deletes, expiring, min_expire_ms, max_expire_ms, raw_key_bytes,
//!           raw_value_bytes, range_tombstones, rt_applied_seq, created_ms varints;
//!           blob count varint, then number and bytes varints of each
//! ```
//!
//! A record is synced before the next one is written, so only the last one can be torn. It is
//! taken as torn when the file ends inside it, or when part of it was never written: nothing but
//! zeros from its checksums on; zeros from its start, or from a boundary inside its header, to the
//! next multiple of 512 (and no sound record after it); a 512-byte sector of zeros in its payload;
//! a zero as last byte of its end mark. Any other mismatch is corruption.

use aidb_base::{FileNumber, hash};

use super::wire::Malformed;

/// First bytes of `CURRENT`.
pub const CURRENT_MAGIC: &[u8; 8] = b"AIDBCURR";
/// First bytes of a manifest.
pub const MANIFEST_MAGIC: &[u8; 8] = b"AIDBMANI";
/// Format version written, and the highest one read.
pub const VERSION: u16 = 1;
/// Required features that this reader knows.
pub const REQUIRED_KNOWN: u32 = 0;
/// Bytes of `CURRENT`.
pub const CURRENT_BYTES: usize = 38;
/// Bytes of a manifest header.
pub const HEADER_BYTES: usize = 50;
/// Bytes of a record before its payload.
pub const RECORD_HEADER_BYTES: usize = 12;
/// Bytes of a record after its payload.
pub const RECORD_END_BYTES: usize = 4;
/// Deepest level.
pub const LEVEL_MAX: u8 = 6;

/// Encodes `CURRENT` naming manifest `number`.
pub fn encode_current(number: FileNumber) -> Vec<u8> {
    let mut out = preamble(CURRENT_MAGIC);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    seal(&mut out, 0);
    out
}

/// Decodes `CURRENT` into the number of the manifest in use.
pub fn decode_current(bytes: &[u8]) -> Result<FileNumber, Malformed> {
    check_preamble(bytes, CURRENT_MAGIC, CURRENT_BYTES)?;
    check_seal(bytes, CURRENT_BYTES, 0)?;
    Ok(u64_at(bytes, 18))
}

/// Encodes the header of manifest `number` of the database `uuid`.
pub fn encode_header(uuid: &[u8; 16], number: FileNumber) -> Vec<u8> {
    let mut out = preamble(MANIFEST_MAGIC);
    out.extend_from_slice(uuid);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    seal(&mut out, hash::file_uid(uuid, number));
    out
}

/// Decodes the header of manifest `number` into the uuid of its database.
pub fn decode_header(bytes: &[u8], number: FileNumber) -> Result<[u8; 16], Malformed> {
    check_preamble(bytes, MANIFEST_MAGIC, HEADER_BYTES)?;
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&bytes[18..34]);
    check_seal(bytes, HEADER_BYTES, hash::file_uid(&uuid, number))?;
    if u64_at(bytes, 34) != number {
        return Err(Malformed { at: 34, what: format!("manifest is not number {number}") });
    }
    Ok(uuid)
}

/// Encodes a record around `payload` for offset `offset` of the file `uid`.
pub fn encode_record(payload: &[u8], uid: u64, offset: u64) -> Vec<u8> {
    let len = (payload.len() as u32).to_le_bytes();
    let mut out = Vec::with_capacity(RECORD_HEADER_BYTES + payload.len() + RECORD_END_BYTES);
    out.extend_from_slice(&len);
    out.extend_from_slice(&hash::checksum(&len, uid, offset).to_le_bytes());
    let place = offset + RECORD_HEADER_BYTES as u64;
    out.extend_from_slice(&hash::checksum(payload, uid, place).to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&END_MARK);
    out
}

/// Bytes of a record around a payload of `payload_len` bytes.
pub const fn record_bytes(payload_len: usize) -> usize {
    RECORD_HEADER_BYTES + payload_len + RECORD_END_BYTES
}

const END_MARK: [u8; RECORD_END_BYTES] = [0xAD; RECORD_END_BYTES];

/// What is at an offset of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A sound record.
    Payload(&'a [u8]),
    /// The end of the file.
    End,
    /// A record that was being written when the machine stopped.
    Torn,
    /// Damage.
    Damaged(&'static str),
}

/// Reads the record at `offset` of the file `uid` whose whole content is `file`.
pub fn read_record(file: &[u8], uid: u64, offset: usize) -> Record<'_> {
    let rest = file.get(offset..).unwrap_or_default();
    if rest.is_empty() {
        return Record::End;
    }
    let Some((header, body)) = rest.split_at_checked(RECORD_HEADER_BYTES) else {
        return Record::Torn;
    };
    if hash::checksum(&header[..4], uid, offset as u64) != u32_at(header, 4) {
        let unwritten = header[8..].iter().all(|&b| b == 0) && body.iter().all(|&b| b == 0);
        let is_torn = unwritten
            || lost_a_sector_of_header(file, offset) && !holds_record(file, uid, offset + 1);
        return if is_torn { Record::Torn } else { Record::Damaged("record header is damaged") };
    }
    let len = u32_at(header, 0) as usize;
    let Some((payload, mark)) = split_payload(body, len) else {
        return Record::Torn;
    };
    let place = offset + RECORD_HEADER_BYTES;
    if hash::checksum(payload, uid, place as u64) == u32_at(header, 8) {
        return Record::Payload(payload);
    }
    let is_last = body.len() == len + RECORD_END_BYTES;
    if is_last && (mark.ends_with(&[0]) || has_zero_sector(payload, place)) {
        return Record::Torn;
    }
    Record::Damaged("record does not match its checksum")
}

fn split_payload(body: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (payload, rest) = body.split_at_checked(len)?;
    Some((payload, rest.get(..RECORD_END_BYTES)?))
}

/// Whether the header at `offset` lies, in part at least, in a sector that was not written since the
/// record before: zeroes from there to the sector's end or the file's.
fn lost_a_sector_of_header(file: &[u8], offset: usize) -> bool {
    let boundary = (offset + 1).next_multiple_of(SECTOR);
    let is_zero = |from: usize| {
        let end = (from + 1).next_multiple_of(SECTOR).min(file.len());
        from < end && file[from..end].iter().all(|&b| b == 0)
    };
    is_zero(offset) || (boundary < offset + RECORD_HEADER_BYTES && is_zero(boundary))
}

/// Whether a sound record starts anywhere from `start` on.
fn holds_record(file: &[u8], uid: u64, start: usize) -> bool {
    let is_sound = |at: &usize| {
        let Some((header, body)) = file[*at..].split_at_checked(RECORD_HEADER_BYTES) else {
            return false;
        };
        hash::checksum(&header[..4], uid, *at as u64) == u32_at(header, 4)
            && split_payload(body, u32_at(header, 0) as usize).is_some_and(|(payload, _)| {
                let place = (*at + RECORD_HEADER_BYTES) as u64;
                hash::checksum(payload, uid, place) == u32_at(header, 8)
            })
    };
    (start..file.len()).any(|at| is_sound(&at))
}

const SECTOR: usize = 512;

fn has_zero_sector(payload: &[u8], place: usize) -> bool {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|&b| b == 0);
    let first = place.next_multiple_of(SECTOR) - place;
    match payload.split_at_checked(first) {
        Some((head, rest)) => {
            (first >= 4 && is_zero(head)) || rest.chunks_exact(SECTOR).any(is_zero)
        }
        None => false,
    }
}

fn preamble(magic: &[u8; 8]) -> Vec<u8> {
    let mut out = magic.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out
}

fn seal(out: &mut Vec<u8>, uid: u64) {
    let checksum = hash::checksum(out, uid, 0);
    out.extend_from_slice(&checksum.to_le_bytes());
}

fn check_preamble(bytes: &[u8], magic: &[u8; 8], len: usize) -> Result<(), Malformed> {
    if bytes.len() < len {
        return Err(Malformed { at: bytes.len(), what: "file ends early".into() });
    }
    if &bytes[..8] != magic {
        return Err(Malformed { at: 0, what: "magic bytes are wrong".into() });
    }
    Ok(())
}

fn check_seal(bytes: &[u8], len: usize, uid: u64) -> Result<(), Malformed> {
    if hash::checksum(&bytes[..len - 4], uid, 0) != u32_at(bytes, len - 4) {
        return Err(Malformed { at: 0, what: "header does not match its checksum".into() });
    }
    Ok(())
}

/// Whether a sound header asks for something this reader does not know.
pub fn newer_features(bytes: &[u8]) -> Option<String> {
    let version = bytes.get(8..10).map(|b| u16::from_le_bytes([b[0], b[1]]))?;
    let required = bytes.get(10..14).map(|_| u32_at(bytes, 10))?;
    if version > VERSION {
        return Some(format!("format version {version}"));
    }
    let unknown = required & !REQUIRED_KNOWN;
    (unknown != 0).then(|| format!("required features {unknown:#x}"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
