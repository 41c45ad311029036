//! Verifying files completely, and the manifest against what is there.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{FileNumber, Result};

use super::known::Known;
use super::{Subject, is_finding, subject};
use crate::blob::BlobFile;
use crate::cache::BlockCache;
use crate::file_names::{self, FileKind};
use crate::table::Table;
use crate::vfs::Vfs;
use crate::wal::format::SegmentHeader;

/// Verifies everything in the file at `path` of the database at `dir`: checksums, order, counts,
/// and size and digest where the manifest knows them. Returns what is wrong; what a process left
/// unfinished when it was killed is not.
///
/// # Errors
/// As [`super::file`]; damage is no error.
pub fn check(vfs: &dyn Vfs, dir: &Path, path: &Path) -> Result<Vec<String>> {
    let known = Known::of(vfs, dir);
    let subject = subject(path)?;
    let verified = match subject {
        Subject::Numbered(FileKind::Table, number) => check_table(&known, vfs, path, number),
        Subject::Numbered(FileKind::Blob, number) => check_blob(&known, vfs, path, number),
        Subject::Current | Subject::Numbered(FileKind::Manifest | FileKind::Wal, _) => {
            return Ok(super::file(vfs, path, 0)?.problems);
        }
    };
    match verified {
        Ok(()) => Ok(Vec::new()),
        Err(error) if is_finding(&error) && known.is_leftover(subject) => Ok(Vec::new()),
        Err(error) if is_finding(&error) => Ok(vec![error.message().to_owned()]),
        Err(error) => Err(error),
    }
}

fn check_table(known: &Known, vfs: &dyn Vfs, path: &Path, number: FileNumber) -> Result<()> {
    let uid = known.uid_or_claimed(vfs, path, number)?;
    let table = Table::open(vfs, path, uid, Arc::new(BlockCache::new(0)))?;
    table.verify(known.table_digest(number))
}

fn check_blob(known: &Known, vfs: &dyn Vfs, path: &Path, number: FileNumber) -> Result<()> {
    let uid = known.uid_or_claimed(vfs, path, number)?;
    BlobFile::open(vfs, path, number, uid)?.verify(known.blob_digest(number))
}

/// Compares the manifest in use with the files beside it: tables and blob files that are missing or
/// of another size, and gaps in the chain of log segments. Returns what is wrong.
///
/// # Errors
/// Those of the file system; damage is no error.
pub fn check_references(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let known = Known::of(vfs, dir);
    let Some(state) = known.state() else {
        problems.push("no manifest can be read, so files cannot be compared with it".to_owned());
        return Ok(problems);
    };
    for (id, tree) in &state.trees {
        for table in tree.tables.values() {
            let path = file_names::table(dir, table.meta.number);
            let owner = format!("keyspace {id} level {}", table.level);
            compare(vfs, &path, table.meta.bytes, &owner, &mut problems)?;
            for (blob, _) in &table.meta.blob_refs {
                if !state.blobs.contains_key(blob) {
                    problems.push(format!(
                        "table {} refers to blob file {blob}, which the manifest does not know",
                        table.meta.number
                    ));
                }
            }
        }
    }
    for blob in state.blobs.values() {
        let path = file_names::blob(dir, blob.meta.number);
        compare(vfs, &path, blob.meta.bytes, "blob file", &mut problems)?;
    }
    check_log_chain(vfs, dir, state.log_floor, &mut problems)?;
    Ok(problems)
}

fn compare(
    vfs: &dyn Vfs,
    path: &Path,
    bytes: u64,
    owner: &str,
    problems: &mut Vec<String>,
) -> Result<()> {
    if !vfs.exists(path)? {
        problems.push(format!("{} ({owner}) is missing", path.display()));
        return Ok(());
    }
    let found = vfs.file_len(path)?;
    if found != bytes {
        problems.push(format!(
            "{} ({owner}) has {found} bytes, the manifest says {bytes}",
            path.display()
        ));
    }
    Ok(())
}

/// Segments that are still needed must link to each other.
fn check_log_chain(
    vfs: &dyn Vfs,
    dir: &Path,
    floor: FileNumber,
    problems: &mut Vec<String>,
) -> Result<()> {
    if !vfs.exists(&FileKind::Wal.dir(dir))? {
        return Ok(());
    }
    let mut before: Option<FileNumber> = None;
    for number in FileKind::Wal.list(vfs, dir)? {
        let bytes = super::read(vfs, &file_names::wal(dir, number))?;
        let Ok(header) = SegmentHeader::decode(&bytes, super::log::own_uid(&bytes)) else {
            before = None;
            continue;
        };
        let expected = before.unwrap_or(header.predecessor);
        if number > floor && header.predecessor != expected {
            problems.push(format!(
                "log segment {number} follows segment {}, which is missing (found {expected})",
                header.predecessor
            ));
        }
        before = Some(number);
    }
    Ok(())
}
