//! Verifies every file of a version while the database is in use: silent damage is found before it
//! is needed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::{Error, ErrorKind, Result};

use crate::blob::BlobFiles;
use crate::version::{TableMeta, Version};

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Tables read.
    pub tables: u64,
    /// Blob files read.
    pub blobs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files that are damaged, and how.
    pub damaged: Vec<(PathBuf, Error)>,
}

impl ScrubReport {
    /// Files damage, passes other errors on.
    fn note(&mut self, path: &Path, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::Corruption => {
                self.damaged.push((path.to_owned(), error));
                Ok(())
            }
            other => other,
        }
    }
}

/// Reads all tables and blob files of `version`: checksums, order, counts, and size and digest as
/// the manifest knows them. Files that compaction replaces meanwhile stay until it is done.
///
/// # Errors
/// `Closed` when cancelled; those of the file system. Damage is no error but in the report.
pub fn scrub(version: &Version, files: &BlobFiles, cancel: &AtomicBool) -> Result<ScrubReport> {
    let mut report = ScrubReport::default();
    let check_cancel = || match cancel.load(Ordering::Relaxed) {
        true => Err(Error::closed("the scrub was cancelled")),
        false => Ok(()),
    };
    for file in version.trees().flat_map(|tree| tree.tables()) {
        check_cancel()?;
        let table = file.table();
        let verified = table.verify(Some(file.meta().digest)).and_then(|()| {
            let claims = TableMeta { digest: file.meta().digest, ..claims(file) };
            if claims == **file.meta() {
                return Ok(());
            }
            Err(Error::corruption(file.path(), 0, "the table is not the one the manifest knows"))
        });
        report.note(file.path(), verified)?;
        report.tables += 1;
        report.bytes += file.meta().bytes;
    }
    for blob in version.blobs() {
        check_cancel()?;
        let verified =
            files.file(blob.number()).and_then(|file| file.verify(Some(blob.meta().digest)));
        report.note(blob.path(), verified)?;
        report.blobs += 1;
        report.bytes += blob.meta().bytes;
    }
    Ok(report)
}

/// What the table says of itself.
fn claims(file: &crate::version::TableFile) -> TableMeta {
    TableMeta::new(file.number(), file.table().properties())
}

#[cfg(test)]
mod tests;
