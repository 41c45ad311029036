//! Fuzz targets: each takes arbitrary bytes and must neither panic nor believe nonsense.
//!
//! A target has one body and two drivers: cargo-fuzz (`crates/engine/fuzz`, coverage-guided, with
//! checksums switched off by `cfg(fuzzing)`) and [`mutate`], which damages valid inputs by a seed
//! in the ordinary test run.

pub mod files;
pub mod mutate;

use std::path::Path;

use aidb_engine::version::{VersionEdit, manifest};
use aidb_engine::{Operation, WriteBatch};

/// A function that must survive any input.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 8] = [
    ("batch", batch),
    ("edit", edit),
    ("manifest", manifest),
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

#[cfg(test)]
mod tests;
