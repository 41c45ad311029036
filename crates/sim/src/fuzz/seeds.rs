//! Valid inputs that drivers start from.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Result, hash};
use aidb_engine::blob::BlobWriter;
use aidb_engine::block::BlockBuilder;
use aidb_engine::file_names::FileKind;
use aidb_engine::table::{TableBuilder, TableOptions, TableProperties};
use aidb_engine::version::manifest::ManifestWriter;
use aidb_engine::version::{AddedTable, BlobMeta, KeyspaceMeta, State, TableMeta, VersionEdit};
use aidb_engine::vfs::{MemVfs, Vfs};
use aidb_engine::wal::log::{Log, LogEnv};
use aidb_engine::{Codec, Entry, KeyspaceOptions, Kind, RangeTombstone, WriteBatch};

use super::tables::UID;

/// Valid inputs of a target; none for those that patch a database of their own.
///
/// # Errors
/// None on a healthy file system in memory.
pub fn seeds(target: &str) -> Result<Vec<Vec<u8>>> {
    Ok(match target {
        "batch" => vec![batch()?],
        "edit" => vec![edit().encode(), VersionEdit::default().encode()],
        "manifest" => vec![manifest()?],
        "segment" => vec![segment(true)?, segment(false)?],
        "block" => vec![block()],
        "properties" => vec![properties()],
        "table" => vec![table(Codec::None)?.0, table(Codec::Lz4)?.0, table(Codec::Zstd)?.0],
        "blob" => vec![blob()?],
        _ => vec![vec![0; 5], vec![2; 10]],
    })
}

fn batch() -> Result<Vec<u8>> {
    let mut batch = WriteBatch::new();
    batch.put(0, b"key", b"value", 0)?;
    batch.put(70_000, b"", &[7; 300], 1_700_000_000_000)?;
    batch.delete(1, &[b'k'; 200])?;
    batch.delete_range(0, b"a", Some(b"b"))?;
    batch.delete_range(3, b"", None)?;
    batch.annotate(b"note")?;
    Ok(batch.payload().to_vec())
}

fn edit() -> VersionEdit {
    let meta = TableMeta {
        number: 9,
        bytes: 5000,
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        min_seq: 3,
        max_seq: 70,
        entries: 40,
        blob_refs: vec![(4, 100), (5, 1 << 40)],
        ..TableMeta::default()
    };
    VersionEdit {
        log_floor: Some(7),
        last_seq: Some(70),
        epoch: Some(2),
        next_file_number: Some(300),
        next_keyspace: Some(9),
        hash_seed: Some(u64::MAX),
        keyspaces: vec![KeyspaceMeta {
            id: 8,
            name: "people".to_owned(),
            options: KeyspaceOptions { ttl_ms: Some(60_000), ..KeyspaceOptions::default() },
        }],
        added: vec![AddedTable { keyspace: 8, level: 0, run: 0, meta }],
        blobs_added: vec![BlobMeta { number: 4, bytes: 100, value_bytes: 90, digest: 5 }],
        live_key_deltas: vec![(8, 40)],
        ..VersionEdit::default()
    }
}

fn manifest() -> Result<Vec<u8>> {
    let (vfs, dir) = (MemVfs::new(), Path::new("/"));
    let mut writer = ManifestWriter::create(&vfs, dir, &[3; 16], 1, &State::default())?;
    for _ in 0..3 {
        let edit = VersionEdit { last_seq: Some(9), ..edit() };
        writer.append(&vfs, &edit).map_err(|failure| failure.error)?;
    }
    contents(&vfs, &FileKind::Manifest.path(dir, 1))
}

fn segment(mapped: bool) -> Result<Vec<u8>> {
    let (vfs, dir) = (MemVfs::new(), Path::new("/"));
    vfs.create_dir_all(&FileKind::Wal.dir(dir))?;
    let env = LogEnv {
        vfs: Arc::new(vfs.clone()),
        dir: dir.to_owned(),
        uuid: [5; 16],
        mapped,
        segment_bytes_max: 4096,
        next_number: Box::new(|| 1),
    };
    let mut log = Log::new(env, Vec::new(), 0, 1);
    let payload = batch()?;
    for seq in 1..=3 {
        log.append_batch(seq, &payload, hash::digest(&payload))?;
        let plan = log.sync_plan();
        log.note_synced(&plan);
    }
    log.close()?;
    let bytes = contents(&vfs, &FileKind::Wal.path(dir, 1))?;
    Ok([&[5; 16], &bytes[..]].concat())
}

/// Keys and values in order.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A table of a few blocks, some values large, one record expiring; and its entries.
///
/// # Errors
/// None on a healthy file system in memory.
pub fn table(codec: Codec) -> Result<(Vec<u8>, Pairs)> {
    let (vfs, path) = (MemVfs::new(), Path::new("/t"));
    let options = TableOptions {
        block_bytes: 256,
        filter_bits_per_key: 10,
        codec,
        hash_seed: 1,
        uid: UID,
        ..TableOptions::default()
    };
    let mut builder = TableBuilder::create(&vfs, path, options)?;
    let mut pairs = Vec::new();
    for number in 0..40u64 {
        let key = format!("key{:04}", number * 3).into_bytes();
        let value = vec![number as u8; [0, 5, 40, 300][number as usize % 4]];
        let kind = if value.is_empty() { Kind::Delete } else { Kind::Put };
        let expire_at_ms = if number == 7 { 99 } else { 0 };
        let seq = 100 + number;
        builder.add(&Entry { key: &key, seq, kind, expire_at_ms, value: &value })?;
        pairs.push((key, value));
    }
    let (start, end) = (b"a".to_vec(), Some(b"b".to_vec()));
    builder.add_range_tombstone(&RangeTombstone { start, end, seq: 90 });
    builder.finish()?;
    Ok((contents(&vfs, path)?, pairs))
}

fn block() -> Vec<u8> {
    let mut builder = BlockBuilder::new();
    for number in 0..20u64 {
        let (key, value) = (format!("key{number:03}").into_bytes(), vec![1; number as usize]);
        let expire_at_ms = if number % 5 == 0 { number } else { 0 };
        let entry = Entry { key: &key, seq: number, kind: Kind::Put, expire_at_ms, value: &value };
        builder.add(&entry, hash::key_hash(&key));
    }
    builder.finish().to_vec()
}

fn properties() -> Vec<u8> {
    let properties = TableProperties {
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        blob_refs: vec![(1, 2), (3, 4)],
        ..TableProperties::default()
    };
    properties.encode()
}

fn blob() -> Result<Vec<u8>> {
    let (vfs, path) = (MemVfs::new(), Path::new("/b"));
    let mut writer = BlobWriter::create(&vfs, path, 1, UID, Codec::Lz4)?;
    let reference = writer.append(&[9; 500])?;
    writer.append(b"small")?;
    writer.finish()?;
    Ok([&reference.encode()[..], &contents(&vfs, path)?].concat())
}

fn contents(vfs: &MemVfs, path: &Path) -> Result<Vec<u8>> {
    let file = vfs.open_read(path)?;
    Ok(file.map().unwrap_or_default().to_vec())
}
