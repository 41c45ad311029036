//! One file: durable contents, cached contents, and the writes between them.

use std::sync::Arc;

use aidb_base::Rng;

use super::Loss;

#[derive(Clone, Default)]
pub(super) struct FileState {
    durable: Arc<Vec<u8>>,
    cached: Arc<Vec<u8>>,
    pending: Vec<Write>,
}

/// An unsynced change. `bytes` empty: the file only grew to `offset`.
#[derive(Clone)]
struct Write {
    offset: usize,
    bytes: Arc<[u8]>,
}

impl FileState {
    pub(super) fn cached(&self) -> &Arc<Vec<u8>> {
        &self.cached
    }

    /// Whether a power cut changes nothing.
    pub(super) fn is_clean(&self) -> bool {
        self.pending.is_empty() && Arc::ptr_eq(&self.durable, &self.cached)
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(Arc::make_mut(&mut self.cached), offset, bytes);
        self.pending.push(Write { offset, bytes: bytes.into() });
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.write(bytes, &[]);
    }

    pub(super) fn truncate(&mut self, bytes: usize) {
        self.sync();
        Arc::make_mut(&mut self.cached).resize(bytes, 0);
        self.durable = self.cached.clone();
    }

    pub(super) fn sync(&mut self) {
        let durable = Arc::make_mut(&mut self.durable);
        self.pending.drain(..).for_each(|write| put(durable, write.offset, &write.bytes));
        if self.durable == self.cached {
            self.durable = self.cached.clone();
        }
    }

    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    pub(super) fn corrupt(&mut self, offset: usize, mask: u8) {
        if let Some(byte) = Arc::make_mut(&mut self.cached).get_mut(offset) {
            *byte ^= mask;
        }
        self.durable = self.cached.clone();
        self.pending.clear();
    }

    pub(super) fn after(&self, loss: Loss, sector: usize, rng: &mut Rng) -> Self {
        let contents = match loss {
            Loss::ProcessCrash => return self.clone(),
            Loss::PowerKept => self.all(),
            Loss::PowerDropped => self.durable.clone(),
            Loss::PowerTorn => self.prefix(sector, rng),
            Loss::PowerScrambled => self.subset(sector, rng),
        };
        Self { durable: contents.clone(), cached: contents, pending: Vec::new() }
    }

    fn all(&self) -> Arc<Vec<u8>> {
        let mut synced = self.clone();
        synced.sync();
        synced.durable
    }

    fn prefix(&self, sector: usize, rng: &mut Rng) -> Arc<Vec<u8>> {
        let parts: Vec<_> = self.pending.iter().flat_map(|write| write.sectors(sector)).collect();
        let kept = rng.below(parts.len() as u64 + 1) as usize;
        let mut contents = (*self.durable).clone();
        parts[..kept].iter().for_each(|(offset, bytes)| put(&mut contents, *offset, bytes));
        Arc::new(contents)
    }

    fn subset(&self, sector: usize, rng: &mut Rng) -> Arc<Vec<u8>> {
        // Some files lose nearly everything, some nearly nothing, some half.
        let percent = [0, 10, 50, 90, 100][rng.below(5) as usize];
        let mut contents = (*self.durable).clone();
        for (offset, bytes) in self.pending.iter().flat_map(|write| write.sectors(sector)) {
            if rng.below(100) < percent {
                put(&mut contents, offset, bytes);
            }
        }
        // The length may reach the disk without the data: zeroes.
        if contents.len() < self.cached.len() && rng.below(3) == 0 {
            contents.resize(self.cached.len(), 0);
        }
        Arc::new(contents)
    }
}

impl Write {
    /// The parts of the write that reach the disk at once.
    fn sectors(&self, sector: usize) -> Vec<(usize, &[u8])> {
        if self.bytes.is_empty() {
            return vec![(self.offset, &[])];
        }
        let mut parts = Vec::new();
        let (mut offset, mut rest) = (self.offset, &self.bytes[..]);
        while !rest.is_empty() {
            let len = rest.len().min(sector - offset % sector);
            parts.push((offset, &rest[..len]));
            (offset, rest) = (offset + len, &rest[len..]);
        }
        parts
    }
}

/// Stores `bytes` at `offset`, growing with zeroes.
fn put(contents: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if contents.len() < end {
        contents.resize(end, 0);
    }
    contents[offset..end].copy_from_slice(bytes);
}
