//! The open blob files of a database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use aidb_base::{Attempt, FileNumber, Result, hash};
use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::file_names::FileKind;
use crate::vfs::Vfs;

use super::{BlobFile, BlobRef};

type Open = BTreeMap<FileNumber, Arc<BlobFile>>;

/// Opens blob files on first use and keeps them open. A read takes no lock.
///
/// The registry knows nothing of obsolescence: whoever removes a file calls
/// [`BlobFiles::forget`] first.
pub struct BlobFiles {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    database_uuid: [u8; 16],
    open: ArcSwap<Open>,
    opening: Mutex<()>,
}

impl BlobFiles {
    /// A registry of the blob files of database `database_uuid` in directory `dir`.
    pub fn new(vfs: Arc<dyn Vfs>, dir: PathBuf, database_uuid: [u8; 16]) -> Self {
        Self {
            vfs,
            dir,
            database_uuid,
            open: ArcSwap::from_pointee(Open::new()),
            opening: Mutex::new(()),
        }
    }

    /// Where blob file `number` lies.
    pub fn path(&self, number: FileNumber) -> PathBuf {
        FileKind::Blob.path(&self.dir, number)
    }

    /// Identity of blob file `number`.
    pub fn uid(&self, number: FileNumber) -> u64 {
        hash::file_uid(&self.database_uuid, number)
    }

    /// Blob file `number`, opened if it was not.
    ///
    /// # Errors
    /// Those of [`BlobFile::open`].
    pub fn file(&self, number: FileNumber) -> Result<Arc<BlobFile>> {
        if let Some(file) = self.open.load().get(&number) {
            return Ok(file.clone());
        }
        let _opening = self.opening.lock();
        let open = self.open.load_full();
        if let Some(file) = open.get(&number) {
            return Ok(file.clone());
        }
        let file = BlobFile::open(&*self.vfs, &self.path(number), number, self.uid(number))?;
        let mut open = Open::clone(&open);
        open.insert(number, file.clone());
        self.open.store(Arc::new(open));
        Ok(file)
    }

    /// Calls `f` with the value of `blob`.
    ///
    /// # Errors
    /// Those of [`BlobFile::open`] and [`BlobFile::read_with`].
    pub fn read_with<R>(&self, blob: &BlobRef, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let open = self.open.load();
        match open.get(&blob.file) {
            Some(file) => file.read_with(blob, f),
            None => {
                drop(open);
                self.file(blob.file)?.read_with(blob, f)
            }
        }
    }

    /// As [`BlobFiles::read_with`], if the file is open and the value needs no disk access.
    pub fn try_read_with<R>(
        &self,
        blob: &BlobRef,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Attempt<R>> {
        match self.open.load().get(&blob.file) {
            Some(file) => file.try_read_with(blob, f),
            None => Ok(Attempt::WouldBlock),
        }
    }

    /// Closes file `number` once its readers are done with it.
    pub fn forget(&self, number: FileNumber) {
        let _opening = self.opening.lock();
        let mut open = Open::clone(&self.open.load());
        if open.remove(&number).is_some() {
            self.open.store(Arc::new(open));
        }
    }
}
