//! Fuzz targets: each takes arbitrary bytes and must neither panic nor believe nonsense.
//!
//! A target has one body and two drivers: cargo-fuzz (`crates/engine/fuzz`, coverage-guided, with
//! checksums switched off by `cfg(fuzzing)`) and [`mutate`], which damages valid inputs by a seed
//! in the ordinary test run.

pub mod files;
pub mod mutate;
pub mod seeds;
pub mod tables;

use std::path::Path;

use aidb_engine::file_names::FileKind;
use aidb_engine::version::{VersionEdit, manifest};
use aidb_engine::vfs::{MemVfs, Vfs};
use aidb_engine::wal::recovery::{Scope, recover};
use aidb_engine::{Operation, WriteBatch};

/// A function that must survive any input.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 13] = [
    ("batch", batch),
    ("edit", edit),
    ("manifest", manifest),
    ("segment", segment),
    ("block", tables::block),
    ("properties", tables::properties),
    ("table", tables::table),
    ("blob", tables::blob),
    ("current_file", files::current),
    ("manifest_file", files::manifest),
    ("log_file", files::log),
    ("table_file", files::table),
    ("blob_file", files::blob),
];

/// The payload of a log record. What decodes must encode to the same operations.
pub fn batch(data: &[u8]) {
    let Ok(batch) = WriteBatch::decode(data) else { return };
    let mut copy = WriteBatch::new();
    for operation in batch.operations() {
        let Ok(operation) = operation else { panic!("a decoded batch holds a bad operation") };
        if !matches!(operation, Operation::DeleteRange { .. }) {
            copy.push(&operation).unwrap_or_else(|e| panic!("a decoded operation is refused: {e}"));
        }
    }
    assert!(copy.len() <= batch.len());
}

/// The payload of a manifest record. What decodes must encode to an equal edit.
pub fn edit(data: &[u8]) {
    let Ok(edit) = VersionEdit::decode(data) else { return };
    let again = VersionEdit::decode(&edit.encode());
    assert!(again.is_ok_and(|again| again == edit), "an edit changed by encoding it");
}

/// A whole manifest.
pub fn manifest(data: &[u8]) {
    let _ = manifest::replay(data, Path::new("MANIFEST-0000000001"), 1);
}

/// A log segment on its own: a 16-byte database uuid, then the file. Batches come in order.
pub fn segment(data: &[u8]) {
    let _ = replayed(data);
}

/// Batches of a segment as for [`segment`]; `None` when recovery refuses it.
fn replayed(data: &[u8]) -> Option<u64> {
    let (uuid, bytes) = data.split_first_chunk::<16>()?;
    let (vfs, dir) = (MemVfs::new(), Path::new("/"));
    let path = FileKind::Wal.path(dir, 1);
    let stored = vfs
        .create_dir_all(&FileKind::Wal.dir(dir))
        .and_then(|()| vfs.create(&path))
        .and_then(|mut file| file.append(bytes));
    stored.unwrap_or_else(|e| panic!("{e}"));
    let scope = |salvage| Scope {
        progress: &|_, _| {},
        dir,
        uuid,
        floor: 0,
        flushed_seq: 0,
        kept_seq: None,
        distrust: salvage,
        salvage,
    };
    let _ = recover(&vfs, scope(true), &mut |_, payload| WriteBatch::decode(payload).map(drop));
    let mut last = 0;
    let recovered = recover(&vfs, scope(false), &mut |seq, payload| {
        assert!(last == 0 || seq == last + 1, "batch {seq} follows batch {last}");
        last = seq;
        WriteBatch::decode(payload).map(drop)
    });
    recovered.ok().map(|recovered| recovered.batches_replayed)
}

#[cfg(test)]
mod tests;
