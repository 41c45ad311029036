//! A disk with a page cache in front of it: what a program sees, and what a power cut leaves.
//!
//! Every file and directory is an inode with two states: *cached*, which every reader sees, and
//! *durable*, which only `sync` (of the file) and `sync_dir` (of the directory) bring up to date.
//! The pending operations between the two are kept in order, so that a power cut can apply any
//! part of them: none, all, a prefix, or an arbitrary subset of sectors and directory entries.
//! That is weaker than what any real file system promises, and exactly what POSIX promises.
//!
//! A disk is a value: cloning is cheap (inodes are shared, copied on write), so a test keeps one
//! for every moment of a history.

mod directory;
mod file;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use aidb_base::Rng;

use directory::DirState;
use file::FileState;

/// Index of an inode; 0 is the root directory.
pub type InodeId = usize;

/// The kernel's error number of a refused call.
pub type Errno = i32;

/// What happens to data that was not synced when the world ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: only the process died.
    ProcessCrash,
    /// Power cut after everything happened to reach the disk.
    PowerKept,
    /// Power cut; nothing unsynced reached the disk.
    PowerDropped,
    /// Power cut; of every inode a prefix of the unsynced operations, cut at a sector.
    PowerTorn,
    /// Power cut; of every inode an arbitrary subset of unsynced sectors and directory entries.
    PowerScrambled,
}

impl Loss {
    /// Every policy.
    pub const ALL: [Self; 5] = [
        Self::ProcessCrash,
        Self::PowerKept,
        Self::PowerDropped,
        Self::PowerTorn,
        Self::PowerScrambled,
    ];

    /// Whether the machine went down, so that unsynced data may be lost.
    pub fn is_power_cut(self) -> bool {
        self != Self::ProcessCrash
    }
}

/// The state of a disk and its page cache.
#[derive(Clone)]
pub struct Disk {
    inodes: Vec<Arc<Inode>>,
    /// Changes with every power cut.
    pub boot_id: u64,
}

#[derive(Clone)]
enum Inode {
    Dir(DirState),
    File(FileState),
}

impl Default for Disk {
    fn default() -> Self {
        Self { inodes: vec![Arc::new(Inode::Dir(DirState::default()))], boot_id: 1 }
    }
}

impl Disk {
    /// The disk that the next start of the machine (or process) finds.
    pub fn after(&self, loss: Loss, rng: &mut Rng) -> Self {
        let sector = if rng.below(2) == 0 { 512 } else { 4096 };
        let boot_id = self.boot_id + u64::from(loss.is_power_cut());
        let survive = |inode: &Arc<Inode>| match inode.as_ref() {
            Inode::Dir(dir) => Arc::new(Inode::Dir(dir.after(loss, rng))),
            Inode::File(file) if file.is_clean() => inode.clone(),
            Inode::File(file) => Arc::new(Inode::File(file.after(loss, sector, rng))),
        };
        Self { inodes: self.inodes.iter().map(survive).collect(), boot_id }
    }

    /// The inode that `path` names.
    pub fn find(&self, path: &Path) -> Result<InodeId, Errno> {
        let mut id = 0;
        for name in components(path) {
            id = *self.dir(id)?.cached().get(&name).ok_or(libc::ENOENT)?;
        }
        Ok(id)
    }

    /// The directory that holds `path`, and the name in it.
    pub fn find_parent(&self, path: &Path) -> Result<(InodeId, OsString), Errno> {
        let mut names = components(path);
        let name = names.pop().ok_or(libc::EEXIST)?;
        let parent = self.find(&names.iter().collect::<PathBuf>())?;
        self.dir(parent)?;
        Ok((parent, name))
    }

    /// Names in a directory.
    pub fn list(&self, path: &Path) -> Result<Vec<PathBuf>, Errno> {
        let id = self.find(path)?;
        Ok(self.dir(id)?.cached().keys().map(PathBuf::from).collect())
    }

    /// Creates an empty file.
    pub fn create(&mut self, path: &Path) -> Result<InodeId, Errno> {
        let (parent, name) = self.find_parent(path)?;
        if self.dir(parent)?.cached().contains_key(&name) {
            return Err(libc::EEXIST);
        }
        Ok(self.add(parent, name, Inode::File(FileState::default())))
    }

    /// Creates one directory.
    pub fn create_dir(&mut self, path: &Path) -> Result<(), Errno> {
        let (parent, name) = self.find_parent(path)?;
        if self.dir(parent)?.cached().contains_key(&name) {
            return Err(libc::EEXIST);
        }
        self.add(parent, name, Inode::Dir(DirState::default()));
        Ok(())
    }

    fn add(&mut self, parent: InodeId, name: OsString, inode: Inode) -> InodeId {
        let id = self.inodes.len();
        self.inodes.push(Arc::new(inode));
        if let Ok(dir) = self.dir_mut(parent) {
            dir.link(name, id);
        }
        id
    }

    /// Renames a file or directory, replacing a file.
    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        let (from_dir, from_name) = self.find_parent(from)?;
        let (to_dir, to_name) = self.find_parent(to)?;
        let id = *self.dir(from_dir)?.cached().get(&from_name).ok_or(libc::ENOENT)?;
        if let Some(&target) = self.dir(to_dir)?.cached().get(&to_name) {
            match (self.inodes[id].as_ref(), self.inodes[target].as_ref()) {
                (Inode::File(_), Inode::Dir(_)) => return Err(libc::EISDIR),
                (Inode::Dir(_), Inode::File(_)) => return Err(libc::ENOTDIR),
                (Inode::Dir(_), Inode::Dir(dir)) if !dir.cached().is_empty() => {
                    return Err(libc::ENOTEMPTY);
                }
                _ => {}
            }
        }
        if from_dir == to_dir {
            self.dir_mut(from_dir)?.rename(from_name, to_name, id);
        } else {
            self.dir_mut(to_dir)?.link(to_name, id);
            self.dir_mut(from_dir)?.unlink(from_name);
        }
        Ok(())
    }

    /// Removes a file's name.
    pub fn remove(&mut self, path: &Path) -> Result<(), Errno> {
        let (parent, name) = self.find_parent(path)?;
        let id = *self.dir(parent)?.cached().get(&name).ok_or(libc::ENOENT)?;
        self.file(id)?;
        self.dir_mut(parent)?.unlink(name);
        Ok(())
    }

    /// Gives a file a second name.
    pub fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        let id = self.find(from)?;
        self.file(id)?;
        let (parent, name) = self.find_parent(to)?;
        if self.dir(parent)?.cached().contains_key(&name) {
            return Err(libc::EEXIST);
        }
        self.dir_mut(parent)?.link(name, id);
        Ok(())
    }

    /// Contents of a file as every reader sees them.
    pub fn contents(&self, id: InodeId) -> Result<&Arc<Vec<u8>>, Errno> {
        Ok(self.file(id)?.cached())
    }

    /// Writes into the page cache, growing the file as needed.
    pub fn write(&mut self, id: InodeId, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        self.file_mut(id)?.write(offset, bytes);
        Ok(())
    }

    /// Grows a file with zeroes, not durably.
    pub fn reserve(&mut self, id: InodeId, bytes: usize) -> Result<(), Errno> {
        self.file_mut(id)?.reserve(bytes);
        Ok(())
    }

    /// Cuts or grows a file durably (the real file system syncs it at once).
    pub fn truncate(&mut self, id: InodeId, bytes: usize) -> Result<(), Errno> {
        self.file_mut(id)?.truncate(bytes);
        Ok(())
    }

    /// Makes a file's contents durable.
    pub fn sync(&mut self, id: InodeId) -> Result<(), Errno> {
        self.file_mut(id)?.sync();
        Ok(())
    }

    /// Forgets that a file has unsynced data, as Linux does after a failed fsync: readers still see
    /// it, no later sync writes it.
    pub fn forget_pending(&mut self, id: InodeId) -> Result<(), Errno> {
        self.file_mut(id)?.forget_pending();
        Ok(())
    }

    /// Makes a directory's entries durable.
    pub fn sync_dir(&mut self, path: &Path) -> Result<(), Errno> {
        let id = self.find(path)?;
        self.dir_mut(id)?.sync();
        Ok(())
    }

    /// Bytes of all files that have a name.
    pub fn used_bytes(&self) -> u64 {
        let mut named = vec![false; self.inodes.len()];
        for inode in &self.inodes {
            if let Inode::Dir(dir) = inode.as_ref() {
                dir.cached().values().for_each(|&id| named[id] = true);
            }
        }
        let size = |id: usize| self.file(id).map_or(0, |file| file.cached().len() as u64);
        (0..self.inodes.len()).filter(|&id| named[id]).map(size).sum()
    }

    /// Flips bits of a stored byte, durably: a disk that lies.
    pub fn corrupt(&mut self, path: &Path, offset: usize, mask: u8) -> Result<(), Errno> {
        let id = self.find(path)?;
        self.file_mut(id)?.corrupt(offset, mask);
        Ok(())
    }

    fn dir(&self, id: InodeId) -> Result<&DirState, Errno> {
        match self.inodes[id].as_ref() {
            Inode::Dir(dir) => Ok(dir),
            Inode::File(_) => Err(libc::ENOTDIR),
        }
    }

    fn dir_mut(&mut self, id: InodeId) -> Result<&mut DirState, Errno> {
        match Arc::make_mut(&mut self.inodes[id]) {
            Inode::Dir(dir) => Ok(dir),
            Inode::File(_) => Err(libc::ENOTDIR),
        }
    }

    fn file(&self, id: InodeId) -> Result<&FileState, Errno> {
        match self.inodes[id].as_ref() {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => Err(libc::EISDIR),
        }
    }

    fn file_mut(&mut self, id: InodeId) -> Result<&mut FileState, Errno> {
        match Arc::make_mut(&mut self.inodes[id]) {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => Err(libc::EISDIR),
        }
    }
}

/// The names on the way from the root to `path`.
fn components(path: &Path) -> Vec<OsString> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::ParentDir => {
                names.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    names
}

#[cfg(test)]
mod tests;
