//! What the manifest in use says about the other files of its directory.

use std::path::Path;

use aidb_base::{FileNumber, Result, hash};

use super::{Subject, own_uid};
use crate::file_names::FileKind;
use crate::version::{State, manifest};
use crate::vfs::Vfs;

/// The manifest in use, if it can be read: damage in it is a finding of its own file.
pub struct Known {
    manifest: Option<Manifest>,
}

struct Manifest {
    number: FileNumber,
    uuid: [u8; 16],
    state: State,
}

impl Known {
    /// Reads the manifest that `CURRENT` of `dir` names.
    pub fn of(vfs: &dyn Vfs, dir: &Path) -> Self {
        let read = || -> Result<Option<Manifest>> {
            let Some(number) = manifest::read_current(vfs, dir)? else { return Ok(None) };
            let replayed = manifest::read(vfs, dir, number)?;
            Ok(Some(Manifest { number, uuid: replayed.uuid, state: replayed.state }))
        };
        Self { manifest: read().ok().flatten() }
    }

    /// As [`Known::of`], for the database that the file at `path` belongs to by its place.
    pub fn around(vfs: &dyn Vfs, path: &Path, kind: FileKind) -> Self {
        let parents = path.ancestors().skip(1).take(2);
        match parents.into_iter().find(|dir| kind.dir(dir) == path.parent().unwrap_or(dir)) {
            Some(dir) => Self::of(vfs, dir),
            None => Self { manifest: None },
        }
    }

    /// The state of the database.
    pub fn state(&self) -> Option<&State> {
        self.manifest.as_ref().map(|it| &it.state)
    }

    /// Identity that file `number` has in this database.
    pub fn uid(&self, number: FileNumber) -> Option<u64> {
        self.manifest.as_ref().map(|it| hash::file_uid(&it.uuid, number))
    }

    /// Identity that a table or blob file must have; without a manifest, the one it claims.
    pub fn uid_or_claimed(&self, vfs: &dyn Vfs, path: &Path, number: FileNumber) -> Result<u64> {
        self.uid(number).map_or_else(|| own_uid(vfs, path), Ok)
    }

    /// The digest recorded of table `number`.
    pub fn table_digest(&self, number: FileNumber) -> Option<u64> {
        let table = self.state()?.trees.values().find_map(|tree| tree.tables.get(&number))?;
        Some(table.meta.digest)
    }

    /// The digest recorded of blob file `number`.
    pub fn blob_digest(&self, number: FileNumber) -> Option<u64> {
        Some(self.state()?.blobs.get(&number)?.meta.digest)
    }

    /// Whether the file was left behind by a job that did not finish, or outlived its use: nothing
    /// names it, and the next open removes it. Log segments are judged by what is in them instead.
    pub fn is_leftover(&self, subject: Subject) -> bool {
        let Some(Manifest { number: manifest, state, .. }) = &self.manifest else { return false };
        match subject {
            Subject::Numbered(FileKind::Table, number) => {
                !state.trees.values().any(|tree| tree.tables.contains_key(&number))
            }
            Subject::Numbered(FileKind::Blob, number) => !state.blobs.contains_key(&number),
            Subject::Numbered(FileKind::Manifest, number) => number != *manifest,
            Subject::Numbered(FileKind::Wal, _) | Subject::Current => false,
        }
    }
}
