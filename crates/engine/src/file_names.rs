//! Where the files of a database are, and what a name in its directory means.
//!
//! ```text
//! CURRENT                 names the manifest in use
//! CURRENT.tmp             its successor while it is being written
//! LOCK                    held by the process that has the database open
//! MANIFEST-0000000001     history of versions
//! wal/0000000002.log      log segment
//! sst/0000000003.sst      table
//! blob/0000000004.blob    large values
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use aidb_base::{FileNumber, Result};

use crate::vfs::Vfs;

/// Directory of log segments, below the database directory.
pub const WAL_DIR: &str = "wal";
/// Directory of tables, below the database directory.
pub const TABLE_DIR: &str = "sst";
/// Directory of blob files, below the database directory.
pub const BLOB_DIR: &str = "blob";

/// What a numbered file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A history of versions.
    Manifest,
    /// A log segment.
    Wal,
    /// A table.
    Table,
    /// Large values.
    Blob,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Manifest, Self::Wal, Self::Table, Self::Blob];

    /// Directory of files of this kind in the database at `dir`.
    pub fn dir(self, dir: &Path) -> PathBuf {
        match self {
            Self::Manifest => dir.to_owned(),
            Self::Wal => dir.join(WAL_DIR),
            Self::Table => dir.join(TABLE_DIR),
            Self::Blob => dir.join(BLOB_DIR),
        }
    }

    /// Path of file `number` of this kind in the database at `dir`.
    pub fn path(self, dir: &Path, number: FileNumber) -> PathBuf {
        let name = match self {
            Self::Manifest => format!("MANIFEST-{number:010}"),
            Self::Wal => format!("{number:010}.log"),
            Self::Table => format!("{number:010}.sst"),
            Self::Blob => format!("{number:010}.blob"),
        };
        self.dir(dir).join(name)
    }

    /// Number in a file name of this kind; `None` for any other name.
    pub fn parse(self, name: &OsStr) -> Option<FileNumber> {
        let name = name.to_str()?;
        let digits = match self {
            Self::Manifest => name.strip_prefix("MANIFEST-"),
            Self::Wal => name.strip_suffix(".log"),
            Self::Table => name.strip_suffix(".sst"),
            Self::Blob => name.strip_suffix(".blob"),
        }?;
        let plain = digits.len() >= 10 && digits.bytes().all(|b| b.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    }

    /// Numbers of all files of this kind in the database at `dir`, ascending.
    ///
    /// # Errors
    /// `Invalid` when the directory is missing, otherwise those of the file system.
    pub fn list(self, vfs: &dyn Vfs, dir: &Path) -> Result<Vec<FileNumber>> {
        let names = vfs.list_dir(&self.dir(dir))?;
        let mut numbers: Vec<_> =
            names.iter().filter_map(|name| self.parse(name.file_name()?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Path of the file that names the manifest in use.
pub fn current(dir: &Path) -> PathBuf {
    dir.join("CURRENT")
}

/// Path of the successor of `CURRENT` while it is being written.
pub fn current_tmp(dir: &Path) -> PathBuf {
    dir.join("CURRENT.tmp")
}

/// Path of the lock file.
pub fn lock(dir: &Path) -> PathBuf {
    dir.join("LOCK")
}

/// Path of manifest `number`.
pub fn manifest(dir: &Path, number: FileNumber) -> PathBuf {
    FileKind::Manifest.path(dir, number)
}

/// Path of log segment `number`.
pub fn wal(dir: &Path, number: FileNumber) -> PathBuf {
    FileKind::Wal.path(dir, number)
}

/// Path of table `number`.
pub fn table(dir: &Path, number: FileNumber) -> PathBuf {
    FileKind::Table.path(dir, number)
}

/// Path of blob file `number`.
pub fn blob(dir: &Path, number: FileNumber) -> PathBuf {
    FileKind::Blob.path(dir, number)
}
