//! What the files of a database say, without opening it: for `aidb inspect` and `aidb check`.
//!
//! [`file`] prints one file as a [`Report`], damaged or not: what can be read before the damage is
//! printed, and the damage is listed. [`files`] finds the files of a directory, [`check`] verifies
//! one of them completely, [`check_references`] compares the manifest with what is there.
//!
//! Nothing here writes, takes the lock or trusts a byte. One module per kind of file.

mod blob;
mod check;
mod current;
mod directory;
mod known;
mod log;
mod manifest;
mod report;
mod table;

use std::path::Path;

use aidb_base::{Error, Result};

use crate::file_names::FileKind;
use crate::vfs::Vfs;

use known::Known;

pub(crate) use log::own_uid as segment_uid;

pub use check::{check, check_references};
pub use directory::{DatabaseFile, files};
pub use report::{Cell, Report, Row, Section};

/// What a file of a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `CURRENT`.
    Current,
    /// A numbered file.
    Numbered(FileKind, u64),
}

impl Subject {
    /// What the file at `path` is, by its name.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?;
        if name == "CURRENT" {
            return Some(Self::Current);
        }
        FileKind::ALL.into_iter().find_map(|kind| Some(Self::Numbered(kind, kind.parse(name)?)))
    }

    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Numbered(FileKind::Manifest, _) => "manifest",
            Self::Numbered(FileKind::Wal, _) => "log",
            Self::Numbered(FileKind::Table, _) => "table",
            Self::Numbered(FileKind::Blob, _) => "blob",
        }
    }
}

/// Reads the file at `path` and reports what it says, with at most `rows_max` rows of detail.
///
/// # Errors
/// `Invalid` when it has no name of a database file or a newer aidb wrote it; those of the file
/// system. Damage is no error: it is in the report.
pub fn file(vfs: &dyn Vfs, path: &Path, rows_max: usize) -> Result<Report> {
    let subject = subject(path)?;
    let mut report = Report::new(subject.name(), rows_max);
    match subject {
        Subject::Current => current::describe(&read(vfs, path)?, &mut report),
        Subject::Numbered(FileKind::Manifest, number) => {
            manifest::describe(&read(vfs, path)?, path, number, &mut report)?;
        }
        Subject::Numbered(FileKind::Wal, number) => {
            let uid = || Known::around(vfs, path, FileKind::Wal).uid(number);
            log::describe(&read(vfs, path)?, path, (vfs.boot_id(), &uid), &mut report)?;
        }
        Subject::Numbered(FileKind::Table, number) => {
            table::describe(vfs, path, number, &mut report)?;
        }
        Subject::Numbered(FileKind::Blob, number) => {
            blob::describe(vfs, path, number, &mut report)?;
        }
    }
    excuse_leftover(vfs, path, subject, &mut report);
    Ok(report)
}

/// A file that no manifest names yet, or any more, may be incomplete without harm.
fn excuse_leftover(vfs: &dyn Vfs, path: &Path, subject: Subject, report: &mut Report) {
    let Subject::Numbered(kind, _) = subject else { return };
    if !report.problems.is_empty() && Known::around(vfs, path, kind).is_leftover(subject) {
        report.summary = "left behind by an unfinished job; the next open removes it".to_owned();
        for problem in std::mem::take(&mut report.problems) {
            report.fact("unfinished", problem);
        }
    }
}

fn subject(path: &Path) -> Result<Subject> {
    Subject::of(path).ok_or_else(|| {
        Error::invalid(format!(
            "{} is no file of a database; name CURRENT, a MANIFEST-*, *.log, *.sst or *.blob file",
            path.display()
        ))
    })
}

pub(crate) fn read(vfs: &dyn Vfs, path: &Path) -> Result<Vec<u8>> {
    let file = vfs.open_read(path)?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Identity that a table or blob file claims in its header.
pub(crate) fn own_uid(vfs: &dyn Vfs, path: &Path) -> Result<u64> {
    const UID_AT: u64 = 20;
    let mut uid = [0; 8];
    vfs.open_read(path)?.read_exact_at(UID_AT, &mut uid)?;
    Ok(u64::from_le_bytes(uid))
}

/// Whether `error` is a finding about the bytes, to be reported, rather than a reason to stop.
pub(crate) fn is_finding(error: &Error) -> bool {
    error.kind() == aidb_base::ErrorKind::Corruption
}

#[cfg(test)]
pub(crate) mod tests;
