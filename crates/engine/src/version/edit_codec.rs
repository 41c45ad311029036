//! The payload of a manifest record: fields by tag, as specified in [`super::format`].

use aidb_base::{KeyspaceId, Position};

use super::edit::{AddedTable, BlobMeta, KeyspaceMeta, RemovedTable, TableMeta, VersionEdit};
use super::format::LEVEL_MAX;
use super::wire::{Malformed, Reader, put_bytes, put_i64, put_u64};
use crate::options::{Codec, KeyspaceOptions};

const LOG_FLOOR: u8 = 1;
const LAST_SEQ: u8 = 2;
const EPOCH: u8 = 3;
const HISTORY: u8 = 4;
const NEXT_FILE_NUMBER: u8 = 5;
const NEXT_KEYSPACE: u8 = 6;
const HASH_SEED: u8 = 7;
const KEYSPACE: u8 = 8;
const KEYSPACE_DROPPED: u8 = 9;
const TABLE_REMOVED: u8 = 10;
const TABLE_ADDED: u8 = 11;
const BLOB_ADDED: u8 = 12;
const LIVE_KEY_DELTA: u8 = 13;
const IGNORABLE: u8 = 128;

impl VersionEdit {
    /// Encodes the payload of a record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_numbers(&mut out);
        for keyspace in &self.keyspaces {
            put_field(&mut out, KEYSPACE, |out| put_keyspace(out, keyspace));
        }
        for &id in &self.keyspaces_dropped {
            put_field(&mut out, KEYSPACE_DROPPED, |out| put_u64(out, id.into()));
        }
        for removed in &self.removed {
            put_field(&mut out, TABLE_REMOVED, |out| {
                put_u64(out, removed.keyspace.into());
                out.push(removed.level);
                put_u64(out, removed.number);
            });
        }
        for added in &self.added {
            put_field(&mut out, TABLE_ADDED, |out| put_added(out, added));
        }
        for blob in &self.blobs_added {
            put_field(&mut out, BLOB_ADDED, |out| {
                put_u64(out, blob.number);
                put_u64(out, blob.bytes);
                put_u64(out, blob.value_bytes);
                out.extend_from_slice(&blob.digest.to_le_bytes());
            });
        }
        for &(keyspace, delta) in &self.live_key_deltas {
            put_field(&mut out, LIVE_KEY_DELTA, |out| {
                put_u64(out, keyspace.into());
                put_i64(out, delta);
            });
        }
        out
    }

    fn encode_numbers(&self, out: &mut Vec<u8>) {
        let numbers = [
            (LOG_FLOOR, self.log_floor),
            (LAST_SEQ, self.last_seq),
            (EPOCH, self.epoch),
            (NEXT_FILE_NUMBER, self.next_file_number),
            (NEXT_KEYSPACE, self.next_keyspace.map(u64::from)),
        ];
        for (tag, number) in numbers {
            if let Some(number) = number {
                put_field(out, tag, |out| put_u64(out, number));
            }
        }
        for position in &self.history {
            put_field(out, HISTORY, |out| {
                put_u64(out, position.epoch);
                put_u64(out, position.seq);
            });
        }
        if let Some(seed) = self.hash_seed {
            put_field(out, HASH_SEED, |out| out.extend_from_slice(&seed.to_le_bytes()));
        }
    }

    /// Decodes the payload of a record.
    ///
    /// # Errors
    /// [`Malformed`] with the offset in the payload.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut edit = Self::default();
        let mut reader = Reader::new(payload);
        while !reader.is_at_end() {
            let tag = reader.u8()?;
            let mut field = reader.field()?;
            if tag >= IGNORABLE {
                continue;
            }
            edit.decode_field(tag, &mut field)?;
            if !field.is_at_end() {
                return Err(field.malformed(format!("field {tag} is longer than its content")));
            }
        }
        Ok(edit)
    }

    fn decode_field(&mut self, tag: u8, field: &mut Reader<'_>) -> Result<(), Malformed> {
        match tag {
            LOG_FLOOR => self.log_floor = Some(field.u64()?),
            LAST_SEQ => self.last_seq = Some(field.u64()?),
            EPOCH => self.epoch = Some(field.u64()?),
            HISTORY => self.history.push(Position { epoch: field.u64()?, seq: field.u64()? }),
            NEXT_FILE_NUMBER => self.next_file_number = Some(field.u64()?),
            NEXT_KEYSPACE => self.next_keyspace = Some(field.u32()?),
            HASH_SEED => self.hash_seed = Some(field.fixed_u64()?),
            KEYSPACE => self.keyspaces.push(read_keyspace(field)?),
            KEYSPACE_DROPPED => self.keyspaces_dropped.push(field.u32()?),
            TABLE_REMOVED => self.removed.push(RemovedTable {
                keyspace: field.u32()?,
                level: read_level(field)?,
                number: field.u64()?,
            }),
            TABLE_ADDED => self.added.push(read_added(field)?),
            BLOB_ADDED => self.blobs_added.push(BlobMeta {
                number: field.u64()?,
                bytes: field.u64()?,
                value_bytes: field.u64()?,
                digest: field.fixed_u64()?,
            }),
            LIVE_KEY_DELTA => self.live_key_deltas.push((field.u32()?, field.i64()?)),
            _ => {
                return Err(field.malformed(format!(
                    "field {tag} is unknown: the file was written by a newer aidb"
                )));
            }
        }
        Ok(())
    }
}

fn put_field(out: &mut Vec<u8>, tag: u8, value: impl FnOnce(&mut Vec<u8>)) {
    let mut field = Vec::new();
    value(&mut field);
    out.push(tag);
    put_bytes(out, &field);
}

fn put_keyspace(out: &mut Vec<u8>, keyspace: &KeyspaceMeta) {
    let KeyspaceOptions { compression, ttl_ms, blob_bytes_min } = &keyspace.options;
    put_u64(out, keyspace.id.into());
    put_bytes(out, keyspace.name.as_bytes());
    let bits = [compression.is_some(), ttl_ms.is_some(), blob_bytes_min.is_some()];
    out.push(bits.iter().rev().fold(0, |set, &bit| set << 1 | u8::from(bit)));
    if let Some(codec) = compression {
        out.push(*codec as u8);
    }
    for number in [ttl_ms, blob_bytes_min].into_iter().flatten() {
        put_u64(out, *number);
    }
}

fn read_keyspace(field: &mut Reader<'_>) -> Result<KeyspaceMeta, Malformed> {
    let id: KeyspaceId = field.u32()?;
    let name = field.bytes()?;
    let name = std::str::from_utf8(name)
        .map_err(|_| field.malformed("name of a keyspace is not UTF-8"))?
        .to_owned();
    let bits = field.u8()?;
    if bits > 7 {
        return Err(field.malformed("unknown keyspace options"));
    }
    let compression = if bits & 1 != 0 { Some(read_codec(field)?) } else { None };
    let ttl_ms = if bits & 2 != 0 { Some(field.u64()?) } else { None };
    let blob_bytes_min = if bits & 4 != 0 { Some(field.u64()?) } else { None };
    Ok(KeyspaceMeta { id, name, options: KeyspaceOptions { compression, ttl_ms, blob_bytes_min } })
}

fn put_added(out: &mut Vec<u8>, added: &AddedTable) {
    let meta = &added.meta;
    put_u64(out, added.keyspace.into());
    out.push(added.level);
    put_u64(out, added.run);
    put_u64(out, meta.number);
    put_u64(out, meta.bytes);
    out.extend_from_slice(&meta.digest.to_le_bytes());
    out.push(meta.codec as u8);
    put_bytes(out, &meta.smallest);
    put_bytes(out, &meta.largest);
    let numbers = [
        meta.min_seq,
        meta.max_seq,
        meta.entries,
        meta.deletes,
        meta.expiring,
        meta.min_expire_ms,
        meta.max_expire_ms,
        meta.raw_key_bytes,
        meta.raw_value_bytes,
        meta.range_tombstones,
        meta.rt_applied_seq,
        meta.created_ms,
    ];
    numbers.into_iter().for_each(|number| put_u64(out, number));
    put_u64(out, meta.blob_refs.len() as u64);
    for &(number, bytes) in &meta.blob_refs {
        put_u64(out, number);
        put_u64(out, bytes);
    }
}

fn read_added(field: &mut Reader<'_>) -> Result<AddedTable, Malformed> {
    let keyspace = field.u32()?;
    let level = read_level(field)?;
    let run = field.u64()?;
    let mut meta = TableMeta {
        number: field.u64()?,
        bytes: field.u64()?,
        digest: field.fixed_u64()?,
        codec: read_codec(field)?,
        smallest: field.bytes()?.to_vec(),
        largest: field.bytes()?.to_vec(),
        min_seq: field.u64()?,
        max_seq: field.u64()?,
        entries: field.u64()?,
        deletes: field.u64()?,
        expiring: field.u64()?,
        min_expire_ms: field.u64()?,
        max_expire_ms: field.u64()?,
        raw_key_bytes: field.u64()?,
        raw_value_bytes: field.u64()?,
        range_tombstones: field.u64()?,
        rt_applied_seq: field.u64()?,
        created_ms: field.u64()?,
        blob_refs: Vec::new(),
    };
    for _ in 0..field.u64()? {
        meta.blob_refs.push((field.u64()?, field.u64()?));
    }
    Ok(AddedTable { keyspace, level, run, meta })
}

fn read_level(field: &mut Reader<'_>) -> Result<u8, Malformed> {
    match field.u8()? {
        level @ 0..=LEVEL_MAX => Ok(level),
        level => Err(field.malformed(format!("level {level} does not exist"))),
    }
}

fn read_codec(field: &mut Reader<'_>) -> Result<Codec, Malformed> {
    match field.u8()? {
        0 => Ok(Codec::None),
        1 => Ok(Codec::Lz4),
        2 => Ok(Codec::Snappy),
        3 => Ok(Codec::Zstd),
        codec => Err(field.malformed(format!("codec {codec} is unknown"))),
    }
}
