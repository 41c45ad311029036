//! The file system as the engine sees it. No other module of the engine touches `std::fs`.
//!
//! Implementations: [`OsVfs`] (the real one), [`MemVfs`] (in-memory mode and fast tests) and, in
//! `aidb-sim`, a recording one that loses, tears and reorders what was not synced.

mod mapping;
mod mem;
mod os;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Attempt, Result};

pub use mapping::SharedMapping;
pub(crate) use mapping::{prefetch, prefetch_pages};
pub use mem::MemVfs;
pub use os::OsVfs;

/// Every call the engine makes on a file system. Errors carry the path and a remedy.
pub trait Vfs: Send + Sync + 'static {
    /// Opens an existing file for positioned reads.
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>>;
    /// Creates a file for appending; fails when it exists.
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>>;
    /// Creates a log segment of `bytes` zeroes with its blocks reserved, written through memory.
    /// `Ok(None)`: not supported here, use [`Vfs::create`].
    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>>;
    /// Renames atomically, replacing `to`. Durable only after [`Vfs::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file; absence is not an error.
    fn remove(&self, path: &Path) -> Result<()>;
    /// A second name for a file; falls back to a synced copy across file systems.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()>;
    /// Cuts a file to `bytes`.
    fn truncate(&self, path: &Path, bytes: u64) -> Result<()>;
    /// A handle that makes the contents of an existing file durable, whoever wrote them.
    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>>;
    /// Creates a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> Result<()>;
    /// Names (not paths) in a directory, unordered. A missing directory is an `Invalid` error.
    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Size of a file in bytes.
    fn file_len(&self, path: &Path) -> Result<u64>;
    /// Takes an exclusive lock; `Unavailable` naming the holder's pid when somebody has it.
    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>>;
    /// Free bytes of the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> Result<u64>;
    /// Changes with every start of the machine: unsynced data of another boot may be lost or
    /// reordered, that of this boot is as it was written.
    fn boot_id(&self) -> u64;
    /// Lets the calling thread give way to others, the more the larger `niceness` is (0 = not).
    fn give_way(&self, niceness: i32) {
        let _ = niceness;
    }
}

/// A file open for positioned reads. Safe to share between threads.
pub trait ReadFile: Send + Sync {
    /// Size in bytes when it was opened.
    fn len(&self) -> u64;
    /// Whether the file was empty when it was opened.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills `buf` from `offset`; a short file is `Corruption`.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;
    /// The whole file as memory, if this file system can map it. Files are immutable once mapped.
    fn map(&self) -> Option<&[u8]>;
    /// Whether `offset..offset+len` of the mapping can be touched without waiting for the disk.
    fn is_resident(&self, offset: u64, len: usize) -> bool;
    /// Fills `buf` if that needs no disk access.
    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>>;
    /// Says that a range will be needed soon, so that the system may read it ahead.
    fn will_need(&self, _offset: u64, _len: u64) {}
    /// Says that a range will not be needed again soon (page cache only).
    fn drop_cache(&self, offset: u64, len: u64);
}

/// A file being written from start to end.
pub trait AppendFile: Send {
    /// Appends all of `bytes`, large ones in several system calls.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Asks the system to begin writing what was appended to the disk, so that a later sync has
    /// less to wait for.
    fn write_back(&mut self) {}
    /// Makes what was appended durable. Never call again after an error.
    fn sync(&mut self) -> Result<()>;
    /// Bytes appended so far.
    fn len(&self) -> u64;
    /// Whether nothing was appended.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// A handle that another thread can sync with while this one appends.
    fn syncer(&self) -> Arc<dyn SyncFile>;
}

/// A preallocated file written through memory; survives the death of the process, not of the machine.
pub trait MappedFile: Send {
    /// Capacity in bytes.
    fn capacity(&self) -> usize;
    /// Copies `bytes` to `offset`, behind everything written before; the caller keeps inside the
    /// capacity.
    fn write_at(&mut self, offset: usize, bytes: &[u8]);
    /// The memory itself, for reading what was written; `None` where there is none to share.
    fn shared(&self) -> Option<Arc<SharedMapping>> {
        None
    }
    /// A handle that another thread can sync with while this one writes.
    fn syncer(&self) -> Arc<dyn SyncFile>;
}

/// The durable half of a file being written.
pub trait SyncFile: Send + Sync {
    /// Makes everything written before the call durable. Never call again after an error.
    fn sync_data(&self) -> Result<()>;
}

/// An exclusive lock, released on drop.
pub trait FileLock: Send + Sync {}
