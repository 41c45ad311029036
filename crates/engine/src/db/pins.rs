//! Named pins that keep log segments from being removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aidb_base::{Error, Result, Seq};
use parking_lot::Mutex;

use crate::vfs::Vfs;

/// Positions of the readers of the change feed that must not lose the log, kept in `PINS` as lines
/// of `seq name`.
pub(super) struct Pins {
    path: PathBuf,
    pins: Mutex<BTreeMap<String, Seq>>,
}

impl Pins {
    pub(super) fn load(vfs: &dyn Vfs, dir: &Path) -> Result<Self> {
        let path = dir.join("PINS");
        let mut pins = BTreeMap::new();
        if vfs.exists(&path)? {
            let file = vfs.open_read(&path)?;
            let mut bytes = vec![0; file.len() as usize];
            file.read_exact_at(0, &mut bytes)?;
            for line in String::from_utf8_lossy(&bytes).lines() {
                let parsed = line.split_once(' ').and_then(|(s, n)| Some((s.parse().ok()?, n)));
                let (seq, name) =
                    parsed.ok_or_else(|| Error::corruption(&path, 0, "not a list of pins"))?;
                pins.insert(name.to_owned(), seq);
            }
        }
        Ok(Self { path, pins: Mutex::new(pins) })
    }

    /// Lowest pinned position: batches above it are kept.
    pub(super) fn oldest(&self) -> Option<Seq> {
        self.pins.lock().values().min().copied()
    }

    /// Sets (`Some`) or removes (`None`) a pin, durably.
    pub(super) fn set(&self, vfs: &dyn Vfs, name: &str, seq: Option<Seq>) -> Result<()> {
        if name.is_empty() || name.contains(['\n', '\r']) {
            return Err(Error::invalid("the name of a pin must be one line of text"));
        }
        let mut pins = self.pins.lock();
        let mut next = pins.clone();
        match seq {
            Some(seq) => next.insert(name.to_owned(), seq),
            None => next.remove(name),
        };
        self.store(vfs, &next)?;
        *pins = next;
        Ok(())
    }

    fn store(&self, vfs: &dyn Vfs, pins: &BTreeMap<String, Seq>) -> Result<()> {
        let text: String = pins.iter().map(|(name, seq)| format!("{seq} {name}\n")).collect();
        let temporary = self.path.with_extension("tmp");
        vfs.remove(&temporary)?;
        let mut file = vfs.create(&temporary)?;
        file.append(text.as_bytes())?;
        file.sync()?;
        vfs.rename(&temporary, &self.path)?;
        vfs.sync_dir(self.path.parent().unwrap_or(Path::new("")))
    }
}
