//! Open files of a `FaultVfs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aidb_base::{Attempt, Error, Result};
use aidb_engine::vfs::{AppendFile, FileLock, MappedFile, ReadFile, SyncFile};
use parking_lot::Mutex;

use super::world::{CallKind, Verdict, World};
use super::{ended, failure};
use crate::disk::InodeId;

/// A file by its inode: it outlives its name.
#[derive(Clone)]
pub(super) struct Handle {
    pub world: Arc<Mutex<World>>,
    pub id: InodeId,
    pub path: PathBuf,
}

impl Handle {
    fn fail(&self, action: &str, errno: i32) -> Error {
        failure(action, &self.path, errno)
    }

    /// Appends what fits; the bytes written and what stopped them.
    fn append(&self, offset: usize, bytes: &[u8]) -> (usize, Result<()>) {
        let mut world = self.world.lock();
        let write = Some((self.id, offset, bytes));
        let (len, errno) = match world.enter(CallKind::Append, &self.path, write) {
            Verdict::Ended => return (0, Err(ended("write", &self.path))),
            Verdict::Refuse(errno, percent) => {
                (bytes.len() * usize::from(percent) / 100, Some(errno))
            }
            Verdict::Proceed => match world.free_bytes() {
                free if free < bytes.len() as u64 => (free as usize, Some(libc::ENOSPC)),
                _ => (bytes.len(), None),
            },
        };
        let mut outcome = errno.map_or(Ok(()), |errno| Err(self.fail("write", errno)));
        if len > 0 {
            let written = world.disk.write(self.id, offset, &bytes[..len]);
            outcome = outcome.and(written.map_err(|errno| self.fail("write", errno)));
        }
        (len, outcome)
    }
}

impl SyncFile for Handle {
    fn sync_data(&self) -> Result<()> {
        let mut world = self.world.lock();
        match world.enter(CallKind::Sync, &self.path, None) {
            Verdict::Ended => Err(ended("sync", &self.path)),
            Verdict::Proceed => world.disk.sync(self.id).map_err(|e| self.fail("sync", e)),
            Verdict::Refuse(errno, _) => {
                let _ = world.disk.forget_pending(self.id);
                Err(self.fail("sync", errno))
            }
        }
    }
}

pub(super) struct FaultReadFile {
    handle: Handle,
    len: u64,
    mappable: bool,
    frozen: OnceLock<Arc<Vec<u8>>>,
}

impl FaultReadFile {
    pub(super) fn new(handle: Handle, len: u64, mappable: bool) -> Self {
        Self { handle, len, mappable, frozen: OnceLock::new() }
    }

    fn path(&self) -> &Path {
        &self.handle.path
    }
}

impl ReadFile for FaultReadFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut world = self.handle.world.lock();
        match world.enter(CallKind::Read, self.path(), None) {
            Verdict::Proceed => {}
            Verdict::Refuse(errno, _) => return Err(self.handle.fail("read", errno)),
            Verdict::Ended => return Err(ended("read", self.path())),
        }
        let contents =
            world.disk.contents(self.handle.id).map_err(|e| self.handle.fail("read", e))?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match contents.get(start..start.saturating_add(buf.len())) {
            Some(source) => {
                buf.copy_from_slice(source);
                Ok(())
            }
            None => Err(Error::corruption(
                self.path(),
                offset,
                format_args!("{} bytes expected, the file is shorter", buf.len()),
            )),
        }
    }

    fn map(&self) -> Option<&[u8]> {
        if self.len == 0 || !self.mappable {
            return None;
        }
        let contents = self.frozen.get_or_init(|| {
            let world = self.handle.world.lock();
            world.disk.contents(self.handle.id).cloned().unwrap_or_default()
        });
        contents.get(..self.len as usize)
    }

    fn is_resident(&self, _offset: u64, _len: usize) -> bool {
        true
    }

    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        self.read_exact_at(offset, buf).map(Attempt::Done)
    }

    fn drop_cache(&self, _offset: u64, _len: u64) {}
}

pub(super) struct FaultAppendFile {
    handle: Handle,
    len: usize,
}

impl FaultAppendFile {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, len: 0 }
    }
}

impl AppendFile for FaultAppendFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let (written, outcome) = self.handle.append(self.len, bytes);
        self.len += written;
        outcome
    }

    fn sync(&mut self) -> Result<()> {
        self.handle.sync_data()
    }

    fn len(&self) -> u64 {
        self.len as u64
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        Arc::new(self.handle.clone())
    }
}

pub(super) struct FaultMappedFile {
    handle: Handle,
    capacity: usize,
}

impl FaultMappedFile {
    pub(super) fn new(handle: Handle, capacity: usize) -> Self {
        Self { handle, capacity }
    }
}

impl MappedFile for FaultMappedFile {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.capacity, "a store past the end of a mapping");
        let mut world = self.handle.world.lock();
        let write = Some((self.handle.id, offset, bytes));
        if matches!(world.enter(CallKind::Store, &self.handle.path, write), Verdict::Ended) {
            return;
        }
        let len = world.disk.contents(self.handle.id).map_or(0, |contents| contents.len());
        // Truncated below by a close: the store is past the end and lost, as in a real mapping.
        let kept = bytes.len().min(len.saturating_sub(offset));
        let _ = world.disk.write(self.handle.id, offset, &bytes[..kept]);
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        Arc::new(self.handle.clone())
    }
}

pub(super) struct FaultLock {
    pub world: Arc<Mutex<World>>,
    pub path: PathBuf,
}

impl FileLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        self.world.lock().locks.remove(&self.path);
    }
}
