//! The operating system's file system.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Attempt, Error, Result};
use rustix::fs::{Advice, FallocateFlags, FlockOperation, fadvise, fallocate, flock, statvfs};

use super::mapping::{ReadMapping, SharedMapping, WRITE_BYTES, WriteMapping};
use super::{AppendFile, FileLock, MappedFile, ReadFile, SyncFile, Vfs};

/// The smallest window that kernels read ahead by default.
const READ_AHEAD_BYTES: u64 = 128 << 10;

/// The real file system.
#[derive(Debug)]
pub struct OsVfs {
    boot_id: u64,
}

impl OsVfs {
    /// Reads the boot id once.
    pub fn new() -> Self {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { boot_id: aidb_base::hash::digest(text.trim().as_bytes()) }
    }
}

impl Default for OsVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Vfs for OsVfs {
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>> {
        let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
        let len = file.metadata().map_err(|e| Error::io("examine", path, &e))?.len();
        let mapping = if len == 0 { None } else { ReadMapping::new(&file).ok() };
        Ok(Arc::new(OsReadFile { file, len, mapping, path: path.to_owned() }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        let file = create_new(path)?;
        Ok(Box::new(OsAppendFile {
            sync: Arc::new(OsSync::new(file, path)),
            len: 0,
            written_back: 0,
        }))
    }

    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>> {
        let file = create_new(path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                self.remove(path)?;
                return Ok(None);
            }
            Err(errno) => {
                self.remove(path)?;
                return Err(Error::io("reserve space for", path, &errno.into()));
            }
        }
        match WriteMapping::new(&file, bytes as usize) {
            Ok(mapping) => {
                let sync = Arc::new(OsSync::new(file, path));
                Ok(Some(Box::new(OsMappedFile { mapping, sync })))
            }
            Err(_) => {
                self.remove(path)?;
                Ok(None)
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|e| Error::io("rename", from, &e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path, &e))
            }
            _ => Ok(()),
        }
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        match fs::hard_link(from, to) {
            Ok(()) => Ok(()),
            Err(e)
                if matches!(e.raw_os_error(), Some(libc::EXDEV | libc::EPERM | libc::EMLINK)) =>
            {
                fs::copy(from, to).map_err(|e| Error::io("copy", from, &e))?;
                let copy = File::open(to).map_err(|e| Error::io("open", to, &e))?;
                copy.sync_all().map_err(|e| Error::io("sync", to, &e))
            }
            Err(e) => Err(Error::io("link", from, &e)),
        }
    }

    fn truncate(&self, path: &Path, bytes: u64) -> Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|e| Error::io("open for writing", path, &e))?;
        file.set_len(bytes).map_err(|e| Error::io("truncate", path, &e))?;
        file.sync_data().map_err(|e| Error::io("sync", path, &e))
    }

    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>> {
        let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
        Ok(Arc::new(OsSync::new(file, path)))
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).map_err(|e| Error::io("create directory", path, &e))
    }

    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(path).map_err(|e| Error::io("list", path, &e))?;
        entries
            .map(|entry| entry.map(|e| PathBuf::from(e.file_name())))
            .collect::<std::io::Result<_>>()
            .map_err(|e| Error::io("list", path, &e))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let dir = File::open(path).map_err(|e| Error::io("open directory", path, &e))?;
        dir.sync_all().map_err(|e| Error::io("sync directory", path, &e))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists().map_err(|e| Error::io("examine", path, &e))
    }

    fn file_len(&self, path: &Path) -> Result<u64> {
        Ok(fs::metadata(path).map_err(|e| Error::io("examine", path, &e))?.len())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| Error::io("open lock file", path, &e))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "unknown" } else { holder };
            return Err(Error::unavailable(format!(
                "{} is held by process {holder}: the database is already open; close it there, or \
                 open it read-only",
                path.display()
            )));
        }
        let write_pid = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            write!(file, "{}", std::process::id())
        };
        // The pid only serves the message for the next opener, so a full disk must not stop us.
        let _ = write_pid(&mut file);
        Ok(Box::new(OsLock { file }))
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        let stat = statvfs(path).map_err(|e| Error::io("examine", path, &e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn boot_id(&self) -> u64 {
        self.boot_id
    }

    fn give_way(&self, niceness: i32) {
        // A system that refuses shares its processors evenly.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    }
}

fn create_new(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|e| Error::io("create", path, &e))
}

struct OsLock {
    file: File,
}

impl FileLock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        // A child forked meanwhile still has the file open: closing alone would not unlock it.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

struct OsReadFile {
    file: File,
    len: u64,
    mapping: Option<ReadMapping>,
    path: PathBuf,
}

impl ReadFile for OsReadFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buf, offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::corruption(
                &self.path,
                offset,
                format_args!("{} bytes expected, the file is shorter", buf.len()),
            ),
            _ => Error::io("read", &self.path, &e),
        })
    }

    fn map(&self) -> Option<&[u8]> {
        self.mapping.as_ref().map(ReadMapping::bytes)
    }

    fn is_resident(&self, offset: u64, len: usize) -> bool {
        self.mapping.as_ref().is_none_or(|mapping| mapping.is_resident(offset as usize, len))
    }

    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        let mut slices = [std::io::IoSliceMut::new(buf)];
        let wanted = slices[0].len();
        let flags = rustix::io::ReadWriteFlags::NOWAIT;
        match rustix::io::preadv2(&self.file, &mut slices, offset, flags) {
            Ok(read) if read == wanted => Ok(Attempt::Done(())),
            _ => Ok(Attempt::WouldBlock),
        }
    }

    fn will_need(&self, offset: u64, len: u64) {
        // One call reads ahead no more than the device's window, whatever it is asked for.
        for start in (offset..offset.saturating_add(len)).step_by(READ_AHEAD_BYTES as usize) {
            let len = NonZeroU64::new(READ_AHEAD_BYTES.min(offset + len - start));
            let _ = fadvise(&self.file, start, len, Advice::WillNeed);
        }
    }

    fn drop_cache(&self, offset: u64, len: u64) {
        if let Some(mapping) = &self.mapping {
            mapping.drop_pages(offset as usize, len as usize);
        }
        let _ = fadvise(&self.file, offset, NonZeroU64::new(len), Advice::DontNeed);
    }
}

struct OsSync {
    file: File,
    path: PathBuf,
}

impl OsSync {
    fn new(file: File, path: &Path) -> Self {
        Self { file, path: path.to_owned() }
    }
}

impl SyncFile for OsSync {
    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("sync", &self.path, &e))
    }
}

struct OsAppendFile {
    sync: Arc<OsSync>,
    len: u64,
    /// Where the next write-back begins.
    written_back: u64,
}

impl AppendFile for OsAppendFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let aligned = WRITE_BYTES - self.len as usize % WRITE_BYTES;
            let piece = if rest.len() <= WRITE_BYTES { rest.len() } else { aligned };
            let (piece, behind) = rest.split_at(piece);
            let written = (&self.sync.file).write_all(piece);
            written.map_err(|e| Error::io("write", &self.sync.path, &e))?;
            self.len += piece.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    fn write_back(&mut self) {
        const PAGE: u64 = 4096;
        let end = self.len / PAGE * PAGE;
        if end > self.written_back {
            // Linux writes dirty pages of the range back before it looks for clean ones to drop.
            let range = std::num::NonZeroU64::new(end - self.written_back);
            let _ = fadvise(&self.sync.file, self.written_back, range, Advice::DontNeed);
            self.written_back = end;
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.sync.sync_data()
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        self.sync.clone()
    }
}

struct OsMappedFile {
    mapping: WriteMapping,
    sync: Arc<OsSync>,
}

impl MappedFile for OsMappedFile {
    fn capacity(&self) -> usize {
        self.mapping.shared().capacity()
    }

    #[inline]
    fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        self.mapping.write_at(offset, bytes);
    }

    fn shared(&self) -> Option<Arc<SharedMapping>> {
        Some(self.mapping.shared().clone())
    }

    fn syncer(&self) -> Arc<dyn SyncFile> {
        self.sync.clone()
    }
}
