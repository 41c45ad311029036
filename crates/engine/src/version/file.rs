//! Files of a version: open, shared, and deleted when nobody uses them any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_base::{Error, FileNumber, Result, hash};

use super::edit::{BlobMeta, TableMeta};
use crate::blob::BlobFiles;
use crate::cache::BlockCache;
use crate::entry::RangeTombstone;
use crate::file_names;
use crate::table::Table;
use crate::vfs::Vfs;

/// Hands out file numbers. Shared by everybody who creates files; never gives a number twice.
#[derive(Debug)]
pub struct FileNumbers(AtomicU64);

impl FileNumbers {
    /// Numbers from `next` on.
    pub fn new(next: FileNumber) -> Self {
        Self(AtomicU64::new(next.max(1)))
    }

    /// A number nobody has.
    pub fn next(&self) -> FileNumber {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that comes next.
    pub fn peek(&self) -> FileNumber {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where the files of a database are and what opening them needs.
#[derive(Clone)]
pub struct FileContext {
    /// File system.
    pub vfs: Arc<dyn Vfs>,
    /// Database directory.
    pub dir: PathBuf,
    /// Identity of the database.
    pub uuid: [u8; 16],
    /// Cache of decompressed blocks.
    pub cache: Arc<BlockCache>,
}

impl FileContext {
    /// Identity of file `number`, bound into its checksums.
    pub fn uid(&self, number: FileNumber) -> u64 {
        hash::file_uid(&self.uuid, number)
    }

    /// Path of table `number`.
    pub fn table_path(&self, number: FileNumber) -> PathBuf {
        file_names::table(&self.dir, number)
    }

    /// Path of blob file `number`.
    pub fn blob_path(&self, number: FileNumber) -> PathBuf {
        file_names::blob(&self.dir, number)
    }
}

/// An open table of a version. When it is obsolete, the last user deletes the file.
pub struct TableFile {
    meta: Arc<TableMeta>,
    table: Arc<Table>,
    tombstones: Vec<RangeTombstone>,
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    is_obsolete: AtomicBool,
}

impl TableFile {
    /// Opens the table that `meta` describes.
    ///
    /// # Errors
    /// `Corruption` when the file is damaged, missing or another one.
    pub fn open(context: &FileContext, meta: Arc<TableMeta>) -> Result<Arc<Self>> {
        let path = context.table_path(meta.number);
        let uid = context.uid(meta.number);
        let table = Table::open(&*context.vfs, &path, uid, context.cache.clone())?;
        let properties = table.properties();
        if properties.bytes != meta.bytes || properties.entries != meta.entries {
            return Err(Error::corruption(
                &path,
                0,
                format_args!(
                    "the manifest knows {} bytes and {} entries, the file has {} and {}",
                    meta.bytes, meta.entries, properties.bytes, properties.entries
                ),
            ));
        }
        let tombstones =
            if meta.range_tombstones == 0 { Vec::new() } else { table.range_tombstones()? };
        let (vfs, is_obsolete) = (context.vfs.clone(), AtomicBool::new(false));
        Ok(Arc::new(Self { meta, table, tombstones, vfs, path, is_obsolete }))
    }

    /// File number.
    pub fn number(&self) -> FileNumber {
        self.meta.number
    }

    /// What the manifest knows of it.
    pub fn meta(&self) -> &Arc<TableMeta> {
        &self.meta
    }

    /// The table.
    #[inline]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Range tombstones it carries.
    pub fn tombstones(&self) -> &[RangeTombstone] {
        &self.tombstones
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has the file deleted when its last user lets go of it.
    pub fn mark_obsolete(&self) {
        self.is_obsolete.store(true, Ordering::Release);
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        if *self.is_obsolete.get_mut() {
            // A file that stays is an orphan, which the next open deletes.
            let _ = self.vfs.remove(&self.path);
        }
    }
}

/// A blob file that versions refer to. When it is obsolete, the last user deletes the file.
pub struct BlobPin {
    meta: BlobMeta,
    files: Arc<BlobFiles>,
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    is_obsolete: AtomicBool,
}

impl BlobPin {
    /// Pins the blob file that `meta` describes; it is opened by its first reader.
    pub fn new(context: &FileContext, files: &Arc<BlobFiles>, meta: BlobMeta) -> Arc<Self> {
        Arc::new(Self {
            meta,
            files: files.clone(),
            vfs: context.vfs.clone(),
            path: context.blob_path(meta.number),
            is_obsolete: AtomicBool::new(false),
        })
    }

    /// File number.
    pub fn number(&self) -> FileNumber {
        self.meta.number
    }

    /// What the manifest knows of it.
    pub fn meta(&self) -> &BlobMeta {
        &self.meta
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has the file deleted when its last user lets go of it.
    pub fn mark_obsolete(&self) {
        self.is_obsolete.store(true, Ordering::Release);
    }
}

impl Drop for BlobPin {
    fn drop(&mut self) {
        if *self.is_obsolete.get_mut() {
            self.files.forget(self.meta.number);
            // As above: an orphan goes at the next open.
            let _ = self.vfs.remove(&self.path);
        }
    }
}
