//! The files of a database directory.

use std::path::{Path, PathBuf};

use aidb_base::{Error, Result};

use super::Subject;
use crate::file_names::{self, FileKind};
use crate::vfs::Vfs;

/// One file of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFile {
    /// Path below the database directory.
    pub name: PathBuf,
    /// What it is.
    pub subject: Subject,
    /// Size.
    pub bytes: u64,
}

/// Files of the database at `dir`: `CURRENT`, then manifests, logs, tables, blob files by number.
///
/// # Errors
/// `Invalid` when there is no such directory or nothing of a database in it; those of the file
/// system.
pub fn files(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<DatabaseFile>> {
    let mut found = Vec::new();
    let current = file_names::current(dir);
    // Listing first turns a missing directory into its error.
    vfs.list_dir(dir)?;
    if vfs.exists(&current)? {
        found.push(entry(vfs, dir, current, Subject::Current)?);
    }
    for kind in FileKind::ALL {
        if !vfs.exists(&kind.dir(dir))? {
            continue;
        }
        for number in kind.list(vfs, dir)? {
            found.push(entry(vfs, dir, kind.path(dir, number), Subject::Numbered(kind, number))?);
        }
    }
    if found.is_empty() {
        return Err(Error::invalid(format!(
            "{} holds no file of a database; check the path",
            dir.display()
        )));
    }
    Ok(found)
}

fn entry(vfs: &dyn Vfs, dir: &Path, path: PathBuf, subject: Subject) -> Result<DatabaseFile> {
    let bytes = vfs.file_len(&path)?;
    let name = path.strip_prefix(dir).unwrap_or(&path).to_owned();
    Ok(DatabaseFile { name, subject, bytes })
}
