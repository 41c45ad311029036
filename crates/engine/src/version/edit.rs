//! Changes from one version to the next: what a flush, a compaction or a keyspace call did.

use aidb_base::{Epoch, FileNumber, KeyspaceId, Position, Seq};

use crate::blob::BlobSummary;
use crate::options::{Codec, KeyspaceOptions};
use crate::table::TableProperties;

/// What the manifest knows of a table, enough to plan without opening it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableMeta {
    /// File number.
    pub number: FileNumber,
    /// Size of the file.
    pub bytes: u64,
    /// Digest of the whole file.
    pub digest: u64,
    /// Codec asked for when it was written.
    pub codec: Codec,
    /// First key; empty when there are no entries.
    pub smallest: Vec<u8>,
    /// Last key; empty when there are no entries.
    pub largest: Vec<u8>,
    /// Lowest sequence number of an entry.
    pub min_seq: Seq,
    /// Highest sequence number of an entry.
    pub max_seq: Seq,
    /// Entries.
    pub entries: u64,
    /// Entries that are deletes.
    pub deletes: u64,
    /// Entries with an expiry time.
    pub expiring: u64,
    /// Earliest expiry time; 0 without expiring entries.
    pub min_expire_ms: u64,
    /// Latest expiry time; 0 without expiring entries.
    pub max_expire_ms: u64,
    /// Bytes of keys.
    pub raw_key_bytes: u64,
    /// Bytes of values.
    pub raw_value_bytes: u64,
    /// Range tombstones carried for the keyspace.
    pub range_tombstones: u64,
    /// Range tombstones up to this sequence number were applied when it was written.
    pub rt_applied_seq: Seq,
    /// When it was written.
    pub created_ms: u64,
    /// Bytes of each blob file that its entries refer to, by file number.
    pub blob_refs: Vec<(FileNumber, u64)>,
}

impl TableMeta {
    /// What the manifest is to know of table `number`.
    pub fn new(number: FileNumber, properties: &TableProperties) -> Self {
        Self {
            number,
            bytes: properties.bytes,
            digest: properties.digest,
            codec: properties.codec,
            smallest: properties.smallest.clone(),
            largest: properties.largest.clone(),
            min_seq: properties.min_seq,
            max_seq: properties.max_seq,
            entries: properties.entries,
            deletes: properties.deletes,
            expiring: properties.expiring,
            min_expire_ms: properties.min_expire_ms,
            max_expire_ms: properties.max_expire_ms,
            raw_key_bytes: properties.raw_key_bytes,
            raw_value_bytes: properties.raw_value_bytes,
            range_tombstones: properties.range_tombstones,
            rt_applied_seq: properties.rt_applied_seq,
            created_ms: properties.created_ms,
            blob_refs: properties.blob_refs.clone(),
        }
    }

    /// Whether an entry of the table can lie in `smallest..=largest`.
    pub fn overlaps(&self, smallest: &[u8], largest: &[u8]) -> bool {
        self.entries > 0
            && self.smallest.as_slice() <= largest
            && smallest <= self.largest.as_slice()
    }
}

/// A table that enters a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedTable {
    /// Keyspace of all its entries.
    pub keyspace: KeyspaceId,
    /// Level, 0..=6.
    pub level: u8,
    /// Run within level 0, higher = newer; 0 = a new run, newer than every other one (all tables
    /// that one edit adds so to a keyspace form one run). Not used below level 0.
    pub run: u64,
    /// Everything else.
    pub meta: TableMeta,
}

impl AddedTable {
    /// Table `number` as part of a new run of level 0, what a flush adds.
    pub fn flushed(number: FileNumber, properties: &TableProperties) -> Self {
        let keyspace = properties.keyspace;
        Self { keyspace, level: 0, run: 0, meta: TableMeta::new(number, properties) }
    }
}

/// A table that leaves a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedTable {
    /// Keyspace of its entries.
    pub keyspace: KeyspaceId,
    /// Level it was in.
    pub level: u8,
    /// File number.
    pub number: FileNumber,
}

/// What the manifest knows of a blob file. It is live while a table of the version refers to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobMeta {
    /// File number.
    pub number: FileNumber,
    /// Size of the file.
    pub bytes: u64,
    /// What references to all its values add up to.
    pub value_bytes: u64,
    /// Digest of the whole file.
    pub digest: u64,
}

impl BlobMeta {
    /// What the manifest is to know of blob file `number`.
    pub fn new(number: FileNumber, summary: &BlobSummary) -> Self {
        let BlobSummary { bytes, value_bytes, digest, .. } = *summary;
        Self { number, bytes, value_bytes, digest }
    }
}

/// A keyspace that comes into being or gets another name or options.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyspaceMeta {
    /// Its number, never reused.
    pub id: KeyspaceId,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub options: KeyspaceOptions,
}

/// An atomic change of version: one manifest record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionEdit {
    /// Log segments with lower numbers are flushed.
    pub log_floor: Option<FileNumber>,
    /// Every batch up to here is in tables.
    pub last_seq: Option<Seq>,
    /// Ownership epoch from now on.
    pub epoch: Option<Epoch>,
    /// First positions of epochs, appended to the history.
    pub history: Vec<Position>,
    /// File numbers below this one may be in use; set by [`super::VersionSet`].
    pub next_file_number: Option<FileNumber>,
    /// Keyspace numbers below this one may have been used; set by [`super::VersionSet`].
    pub next_keyspace: Option<KeyspaceId>,
    /// Seed of key hashes; only in the first record of a manifest.
    pub hash_seed: Option<u64>,
    /// New keyspaces, and new names or options of existing ones.
    pub keyspaces: Vec<KeyspaceMeta>,
    /// Keyspaces that end; their tables leave with them.
    pub keyspaces_dropped: Vec<KeyspaceId>,
    /// Tables that leave; applied before `added`, so that a table can change its level.
    pub removed: Vec<RemovedTable>,
    /// Tables that enter.
    pub added: Vec<AddedTable>,
    /// Blob files that enter.
    pub blobs_added: Vec<BlobMeta>,
    /// Change of the number of live keys.
    pub live_key_deltas: Vec<(KeyspaceId, i64)>,
}
