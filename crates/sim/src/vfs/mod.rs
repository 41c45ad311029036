//! A `Vfs` over a [`Disk`] that counts, records, fails and ends on order.

mod handles;
mod world;

use std::io::Error as IoError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Error, Result, Rng};
use aidb_engine::vfs::{AppendFile, FileLock, MappedFile, ReadFile, SyncFile, Vfs};
use parking_lot::Mutex;

use crate::disk::{Disk, Errno, InodeId, Loss};
use handles::{FaultAppendFile, FaultLock, FaultMappedFile, FaultReadFile, Handle};
pub use world::{CallKind, Fault, Moment};
use world::{Verdict, World};

/// A file system in memory whose failures a test orders. Clones share it.
#[derive(Clone)]
pub struct FaultVfs {
    world: Arc<Mutex<World>>,
    mappable: bool,
}

impl Default for FaultVfs {
    fn default() -> Self {
        Self::on(Disk::default())
    }
}

impl FaultVfs {
    /// A file system that finds `disk` when it starts.
    pub fn on(disk: Disk) -> Self {
        Self { world: Arc::new(Mutex::new(World::new(disk))), mappable: true }
    }

    /// The same without mappings: reads are positioned, logs appended.
    #[must_use]
    pub fn without_mappings(mut self) -> Self {
        self.mappable = false;
        self
    }

    /// Keeps the disk before every change from now on.
    pub fn record(&self) {
        self.world.lock().moments = Some(Vec::new());
    }

    /// The changes recorded so far, taken out.
    pub fn take_moments(&self) -> Vec<Moment> {
        self.world.lock().moments.take().unwrap_or_default()
    }

    /// How many changes were made so far.
    pub fn changes(&self) -> u64 {
        self.world.lock().changes
    }

    /// How many calls of a kind were made so far.
    pub fn calls(&self, kind: CallKind) -> u64 {
        self.world.lock().calls.get(&kind).copied().unwrap_or(0)
    }

    /// Ends the world at the change with this number (the first is 0): it and everything later fail.
    pub fn end_at(&self, change: u64) {
        self.world.lock().ends_at = Some(change);
    }

    /// Whether the world has ended.
    pub fn has_ended(&self) -> bool {
        self.world.lock().ended
    }

    /// Adds an order to fail.
    pub fn fail(&self, fault: Fault) {
        self.world.lock().faults.push(fault);
    }

    /// Withdraws all orders to fail.
    pub fn heal(&self) {
        let mut world = self.world.lock();
        world.faults.clear();
        world.capacity = None;
    }

    /// How many calls were failed on order.
    pub fn failures(&self) -> u64 {
        self.world.lock().failed
    }

    /// Limits the bytes of all files together; `None` = no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.lock().capacity = bytes;
    }

    /// Bytes of all files that have a name.
    pub fn used_bytes(&self) -> u64 {
        self.world.lock().disk.used_bytes()
    }

    /// The disk as it is now.
    pub fn disk(&self) -> Disk {
        self.world.lock().disk.clone()
    }

    /// The file system that a restart after `loss` finds.
    #[must_use]
    pub fn reboot(&self, loss: Loss, seed: u64) -> Self {
        let disk = self.disk().after(loss, &mut Rng::seeded(seed));
        Self { mappable: self.mappable, ..Self::on(disk) }
    }

    /// What the next process finds when this one dies: its page cache, its orders to fail and its
    /// counts live on. Every call through this handle and its clones fails from now on.
    #[must_use]
    pub fn kill(&self) -> Self {
        let next = self.world.lock().kill();
        Self { mappable: self.mappable, world: Arc::new(Mutex::new(next)) }
    }

    /// Makes a call that changes or reads the disk under the orders to fail.
    fn call<T>(
        &self,
        kind: CallKind,
        action: &str,
        path: &Path,
        act: impl FnOnce(&mut World) -> std::result::Result<T, Errno>,
    ) -> Result<T> {
        let mut world = self.world.lock();
        match world.enter(kind, path, None) {
            Verdict::Proceed => act(&mut world).map_err(|errno| failure(action, path, errno)),
            Verdict::Refuse(errno, _) => Err(failure(action, path, errno)),
            Verdict::Ended => Err(ended(action, path)),
        }
    }

    fn handle(&self, id: InodeId, path: &Path) -> Handle {
        Handle { world: self.world.clone(), id, path: path.to_owned() }
    }
}

impl Vfs for FaultVfs {
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>> {
        let open = |world: &mut World| {
            let id = world.disk.find(path)?;
            Ok((id, world.disk.contents(id)?.len() as u64))
        };
        let (id, len) = self.call(CallKind::Open, "open", path, open)?;
        Ok(Arc::new(FaultReadFile::new(self.handle(id, path), len, self.mappable)))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        let create = |world: &mut World| match world.free_bytes() {
            0 => Err(libc::ENOSPC),
            _ => world.disk.create(path),
        };
        let id = self.call(CallKind::Create, "create", path, create)?;
        Ok(Box::new(FaultAppendFile::new(self.handle(id, path))))
    }

    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>> {
        if !self.mappable {
            return Ok(None);
        }
        let create = |world: &mut World| {
            if world.free_bytes() < bytes {
                return Err(libc::ENOSPC);
            }
            let id = world.disk.create(path)?;
            world.disk.reserve(id, bytes as usize)?;
            Ok(id)
        };
        let id = self.call(CallKind::CreateMapped, "reserve space for", path, create)?;
        Ok(Some(Box::new(FaultMappedFile::new(self.handle(id, path), bytes as usize))))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call(CallKind::Rename, "rename", from, |world| world.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call(CallKind::Remove, "remove", path, |world| match world.disk.remove(path) {
            Err(libc::ENOENT) => Ok(()),
            other => other,
        })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.call(CallKind::Link, "link", from, |world| world.disk.link(from, to))
    }

    fn truncate(&self, path: &Path, bytes: u64) -> Result<()> {
        self.call(CallKind::Truncate, "truncate", path, |world| {
            let id = world.disk.find(path)?;
            world.disk.truncate(id, bytes as usize)
        })
    }

    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>> {
        let id = self.call(CallKind::Open, "open", path, |world| world.disk.find(path))?;
        Ok(Arc::new(self.handle(id, path)))
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        for dir in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if self.world.lock().disk.list(dir).is_ok() {
                continue;
            }
            let create = |world: &mut World| world.disk.create_dir(dir);
            self.call(CallKind::CreateDir, "create directory", dir, create)?;
        }
        Ok(())
    }

    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.call(CallKind::Examine, "list", path, |world| world.disk.list(path))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.call(CallKind::SyncDir, "sync directory", path, |world| world.disk.sync_dir(path))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.call(CallKind::Examine, "examine", path, |world| Ok(world.disk.find(path).is_ok()))
    }

    fn file_len(&self, path: &Path) -> Result<u64> {
        self.call(CallKind::Examine, "examine", path, |world| {
            let id = world.disk.find(path)?;
            Ok(world.disk.contents(id)?.len() as u64)
        })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        let taken = self.call(CallKind::Lock, "open lock file", path, |world| {
            if world.disk.find(path).is_err() {
                world.disk.create(path)?;
            }
            Ok(world.locks.insert(path.to_owned()))
        })?;
        if !taken {
            return Err(Error::unavailable(format!(
                "{} is held by process {}: the database is already open",
                path.display(),
                std::process::id()
            )));
        }
        Ok(Box::new(FaultLock { world: self.world.clone(), path: path.to_owned() }))
    }

    fn free_bytes(&self, _path: &Path) -> Result<u64> {
        Ok(self.world.lock().free_bytes())
    }

    fn boot_id(&self) -> u64 {
        self.world.lock().disk.boot_id
    }
}

fn failure(action: &str, path: &Path, errno: Errno) -> Error {
    Error::io(action, path, &IoError::from_raw_os_error(errno))
}

fn ended(action: &str, path: &Path) -> Error {
    Error::unavailable(format!("cannot {action} {}: the world has ended", path.display()))
}

#[cfg(test)]
mod tests;
