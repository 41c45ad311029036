//! A file system in memory: the in-memory mode of the database, and fast tests.
//!
//! Everything written is durable at once and forever, as long as the process lives. Contents are
//! copy on write: a mapping is a frozen view, a later writer pays one copy and the view stays.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error as IoError, Result as IoResult};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aidb_base::{Attempt, Error, Result};
use parking_lot::Mutex;

use super::{AppendFile, FileLock, MappedFile, ReadFile, SyncFile, Vfs};

/// What an in-memory file system reports as free.
const FREE_BYTES: u64 = 1 << 40;

/// A file system in memory. Clones share it; it has one root directory, `/`, to which relative
/// paths are relative.
#[derive(Clone, Default)]
pub struct MemVfs {
    tree: Arc<Mutex<Tree>>,
}

/// Names: every directory but the root, every file, every path locked now.
#[derive(Default)]
struct Tree {
    dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Arc<Node>>,
    locks: BTreeSet<PathBuf>,
}

/// Contents of a file; names come and go, an open handle keeps the node.
#[derive(Default)]
struct Node {
    bytes: Mutex<Arc<Vec<u8>>>,
}

impl MemVfs {
    /// An empty file system.
    pub fn new() -> Self {
        Self::default()
    }

    fn node(&self, action: &str, path: &Path) -> Result<Arc<Node>> {
        let name = normal(path);
        let tree = self.tree.lock();
        match tree.files.get(&name) {
            Some(node) => Ok(node.clone()),
            None if tree.is_dir(&name) => Err(failure(action, path, libc::EISDIR)),
            None => Err(failure(action, path, libc::ENOENT)),
        }
    }

    fn create_node(&self, path: &Path) -> Result<Arc<Node>> {
        let name = normal(path);
        let mut tree = self.tree.lock();
        tree.admit_new(&name).map_err(|e| Error::io("create", path, &e))?;
        let node = Arc::new(Node::default());
        tree.files.insert(name, node.clone());
        Ok(node)
    }
}

impl Tree {
    fn is_dir(&self, name: &Path) -> bool {
        name == Path::new("/") || self.dirs.contains(name)
    }

    fn exists(&self, name: &Path) -> bool {
        self.is_dir(name) || self.files.contains_key(name)
    }

    /// Whether the directory that would hold `name` exists.
    fn admit_parent(&self, name: &Path) -> IoResult<()> {
        match name.parent() {
            Some(parent) if self.is_dir(parent) => Ok(()),
            Some(parent) if self.files.contains_key(parent) => Err(code(libc::ENOTDIR)),
            _ => Err(code(libc::ENOENT)),
        }
    }

    /// Whether `name` can be created.
    fn admit_new(&self, name: &Path) -> IoResult<()> {
        if self.exists(name) { Err(code(libc::EEXIST)) } else { self.admit_parent(name) }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> IoResult<()> {
        self.admit_parent(to)?;
        if self.is_dir(from) {
            return self.rename_dir(from, to);
        }
        if self.is_dir(to) {
            return Err(code(libc::EISDIR));
        }
        let node = self.files.remove(from).ok_or_else(|| code(libc::ENOENT))?;
        self.files.insert(to.to_owned(), node);
        Ok(())
    }

    fn rename_dir(&mut self, from: &Path, to: &Path) -> IoResult<()> {
        if self.files.contains_key(to) {
            return Err(code(libc::ENOTDIR));
        }
        if from == to {
            return Ok(());
        }
        if to.starts_with(from) || from == Path::new("/") {
            return Err(code(libc::EINVAL));
        }
        let below = |name: &Path| name != to && name.starts_with(to);
        if self.dirs.iter().any(|d| below(d)) || self.files.keys().any(|f| below(f)) {
            return Err(code(libc::ENOTEMPTY));
        }
        let moved = |name: &Path| name.strip_prefix(from).map(|rest| join(to, rest)).ok();
        self.dirs = self.dirs.iter().map(|d| moved(d).unwrap_or_else(|| d.clone())).collect();
        self.files = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(f, node)| (moved(&f).unwrap_or(f), node))
            .collect();
        Ok(())
    }
}

impl Vfs for MemVfs {
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>> {
        let node = self.node("open", path)?;
        let len = node.bytes.lock().len() as u64;
        Ok(Arc::new(MemReadFile { node, len, frozen: OnceLock::new(), path: path.to_owned() }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        Ok(Box::new(MemAppendFile { node: self.create_node(path)?, len: 0 }))
    }

    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>> {
        let node = self.create_node(path)?;
        *node.bytes.lock() = Arc::new(vec![0; bytes as usize]);
        Ok(Some(Box::new(MemMappedFile { node, capacity: bytes as usize })))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let renamed = self.tree.lock().rename(&normal(from), &normal(to));
        renamed.map_err(|e| Error::io("rename", from, &e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let name = normal(path);
        let mut tree = self.tree.lock();
        if tree.is_dir(&name) {
            return Err(failure("remove", path, libc::EISDIR));
        }
        tree.files.remove(&name);
        Ok(())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        let node = self.node("link", from)?;
        let name = normal(to);
        let mut tree = self.tree.lock();
        tree.admit_new(&name).map_err(|e| Error::io("link", from, &e))?;
        tree.files.insert(name, node);
        Ok(())
    }

    fn truncate(&self, path: &Path, bytes: u64) -> Result<()> {
        let node = self.node("open for writing", path)?;
        Arc::make_mut(&mut node.bytes.lock()).resize(bytes as usize, 0);
        Ok(())
    }

    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>> {
        self.node("open", path)?;
        Ok(Arc::new(MemSync))
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        let name = normal(path);
        let mut tree = self.tree.lock();
        if name.ancestors().any(|dir| tree.files.contains_key(dir)) {
            return Err(failure("create directory", path, libc::ENOTDIR));
        }
        let dirs = name.ancestors().filter(|dir| *dir != Path::new("/"));
        tree.dirs.extend(dirs.map(Path::to_owned));
        Ok(())
    }

    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let name = normal(path);
        let tree = self.tree.lock();
        if !tree.is_dir(&name) {
            let errno = if tree.files.contains_key(&name) { libc::ENOTDIR } else { libc::ENOENT };
            return Err(failure("list", path, errno));
        }
        let all = tree.files.keys().chain(&tree.dirs);
        let inside = all.filter(|entry| entry.parent() == Some(&name));
        Ok(inside.filter_map(|entry| entry.file_name()).map(PathBuf::from).collect())
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        match self.tree.lock().is_dir(&normal(path)) {
            true => Ok(()),
            false => Err(failure("open directory", path, libc::ENOENT)),
        }
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.tree.lock().exists(&normal(path)))
    }

    fn file_len(&self, path: &Path) -> Result<u64> {
        Ok(self.node("examine", path)?.bytes.lock().len() as u64)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        let name = normal(path);
        let mut tree = self.tree.lock();
        tree.admit_parent(&name).map_err(|e| Error::io("open lock file", path, &e))?;
        if tree.is_dir(&name) {
            return Err(failure("open lock file", path, libc::EISDIR));
        }
        if !tree.locks.insert(name.clone()) {
            return Err(Error::unavailable(format!(
                "{} is held by process {}: the database is already open; close it there, or open \
                 it read-only",
                path.display(),
                std::process::id()
            )));
        }
        let node = tree.files.entry(name.clone()).or_default();
        *node.bytes.lock() = Arc::new(std::process::id().to_string().into_bytes());
        Ok(Box::new(MemLock { tree: self.tree.clone(), name }))
    }

    fn free_bytes(&self, _path: &Path) -> Result<u64> {
        Ok(FREE_BYTES)
    }

    fn boot_id(&self) -> u64 {
        1
    }
}

/// The one name of a path: absolute, without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut name = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(part) => name.push(part),
            Component::ParentDir => {
                name.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    name
}

/// `dir` itself for an empty `rest`: `Path::join` would add a trailing slash.
fn join(dir: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { dir.to_owned() } else { dir.join(rest) }
}

fn code(errno: i32) -> IoError {
    IoError::from_raw_os_error(errno)
}

fn failure(action: &str, path: &Path, errno: i32) -> Error {
    Error::io(action, path, &code(errno))
}

struct MemLock {
    tree: Arc<Mutex<Tree>>,
    name: PathBuf,
}

impl FileLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.tree.lock().locks.remove(&self.name);
    }
}

struct MemReadFile {
    node: Arc<Node>,
    len: u64,
    frozen: OnceLock<Arc<Vec<u8>>>,
    path: PathBuf,
}

impl ReadFile for MemReadFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let bytes = self.node.bytes.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buf.len());
        match bytes.get(start..end) {
            Some(source) => buf.copy_from_slice(source),
            None => {
                return Err(Error::corruption(
                    &self.path,
                    offset,
                    format_args!("{} bytes expected, the file is shorter", buf.len()),
                ));
            }
        }
        Ok(())
    }

    fn map(&self) -> Option<&[u8]> {
        if self.len == 0 {
            return None;
        }
        let bytes = self.frozen.get_or_init(|| self.node.bytes.lock().clone());
        bytes.get(..self.len as usize)
    }

    fn is_resident(&self, _offset: u64, _len: usize) -> bool {
        true
    }

    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        self.read_exact_at(offset, buf).map(Attempt::Done)
    }

    fn drop_cache(&self, _offset: u64, _len: u64) {}
}

struct MemAppendFile {
    node: Arc<Node>,
    len: u64,
}

impl AppendFile for MemAppendFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut contents = self.node.bytes.lock();
        let contents = Arc::make_mut(&mut contents);
        // Like a file offset: it stays where it was when somebody truncates the file.
        contents.resize(self.len as usize, 0);
        contents.extend_from_slice(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        Arc::new(MemSync)
    }
}

struct MemMappedFile {
    node: Arc<Node>,
    capacity: usize,
}

impl MappedFile for MemMappedFile {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        let mut contents = self.node.bytes.lock();
        let contents = Arc::make_mut(&mut contents);
        // Truncated below by a close: the write is past the end and lost, as in a real mapping.
        if let Some(target) = contents.get_mut(offset..offset + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        Arc::new(MemSync)
    }
}

struct MemSync;

impl SyncFile for MemSync {
    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
}
