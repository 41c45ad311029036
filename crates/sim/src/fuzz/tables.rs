//! Tables, blocks and blob files on their own, reached without a database around them.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Result, hash};
use aidb_engine::blob::{BlobFile, BlobRef};
use aidb_engine::block::Block;
use aidb_engine::cache::BlockCache;
use aidb_engine::iterator::Cursor;
use aidb_engine::table::{Table, TableProperties};
use aidb_engine::vfs::{MemVfs, Vfs};

/// Identity of the files that the targets read.
pub const UID: u64 = 77;

/// A raw data block.
pub fn block(data: &[u8]) {
    let Ok(block) = Block::parse(data) else { return };
    let is_sound = block.verify().is_ok();
    for index in 0..block.count() {
        let _ = (block.record(index), block.value(index));
        let Ok(key) = block.key(index) else { continue };
        let found = block.seek(&key);
        assert!(!is_sound || found == Ok(index), "a sound block does not find its own key");
        let _ = block.find(&key, hash::key_hash(&key));
    }
}

/// The properties of a table. What decodes must encode to the same.
pub fn properties(data: &[u8]) {
    let Some(properties) = TableProperties::decode(data) else { return };
    assert_eq!(TableProperties::decode(&properties.encode()), Some(properties));
}

/// A whole table.
pub fn table(data: &[u8]) {
    let _ = visit_table(data);
}

/// A whole blob file, read at a place that the first bytes choose.
pub fn blob(data: &[u8]) {
    let Some((place, bytes)) = data.split_at_checked(aidb_engine::blob::format::BLOB_REF_BYTES)
    else {
        return;
    };
    let vfs = stored(bytes);
    let Ok(file) = BlobFile::open(&vfs, Path::new("/file"), 1, UID) else { return };
    let _ = file.verify(None);
    if let Ok(reference) = BlobRef::decode(place) {
        let _ = file.read(&reference);
    }
}

/// Entries of a table as (key, value), if nothing is found wrong on the way.
///
/// # Errors
/// What is found wrong.
pub fn visit_table(data: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let vfs = stored(data);
    let table = Table::open(&vfs, Path::new("/file"), UID, Arc::new(BlockCache::new(1 << 20)))?;
    let verified = table.verify(None);
    let _ = (table.range_tombstones(), table.due(0, u64::MAX, 10));
    let mut entries = Vec::new();
    let mut cursor = table.cursor(true);
    cursor.seek_to_first()?;
    while let Some(entry) = cursor.entry() {
        entries.push((entry.key.to_vec(), entry.value.to_vec()));
        cursor.next()?;
    }
    let _ = cursor.seek_to_last().and_then(|()| cursor.prev());
    for (key, _) in &entries {
        let _ = cursor.seek(key).and_then(|()| cursor.seek_before(key));
        let _ = table.get(key, hash::key_hash_seeded(key, 1), 1, |entry| entry.seq);
        let _ = table.approximate_offset(key);
    }
    verified.map(|()| entries)
}

fn stored(bytes: &[u8]) -> MemVfs {
    let vfs = MemVfs::new();
    let written = vfs.create(Path::new("/file")).and_then(|mut file| file.append(bytes));
    written.unwrap_or_else(|e| panic!("{e}"));
    vfs
}
