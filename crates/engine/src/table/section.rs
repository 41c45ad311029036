//! The parts of a table besides its data, checked once on first use and then read in place.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use aidb_base::{Error, Result};

use crate::index::TRAILER_BYTES;
use crate::options::Codec;
use crate::vfs::ReadFile;

use super::format::{self, Handle, PayloadKind};

/// Whether a call may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Wait,
    Try,
}

/// The file of a table.
pub(super) struct Source {
    pub(super) file: Arc<dyn ReadFile>,
    pub(super) path: PathBuf,
    pub(super) uid: u64,
}

impl Source {
    pub(super) fn damaged(&self, offset: u64, what: impl std::fmt::Display) -> Error {
        Error::corruption(&self.path, offset, what)
    }

    /// Checks the payload in `bytes`, which were read at `offset`; trailer included.
    #[inline]
    pub(super) fn check<'a>(
        &self,
        bytes: &'a [u8],
        offset: u64,
        codec: Codec,
        kind: PayloadKind,
    ) -> Result<&'a [u8]> {
        format::check_trailer(bytes, codec, kind, (self.uid, offset))
            .map_err(|what| self.damaged(offset, what))
    }

    /// Bytes `offset..offset + len` of the mapping.
    #[inline]
    pub(super) fn mapped<'a>(&self, map: &'a [u8], offset: u64, len: usize) -> Result<&'a [u8]> {
        map.get(offset as usize..)
            .and_then(|tail| tail.get(..len))
            .ok_or_else(|| self.damaged(offset, "block outside the file"))
    }

    /// Reads `len` bytes at `offset`, which must be inside the file.
    pub(super) fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.file.len()) {
            return Err(self.damaged(offset, "block outside the file"));
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

/// A payload outside the data: in place if the file is mapped, else a copy in memory.
pub(super) struct Section {
    handle: Handle,
    kind: PayloadKind,
    /// Set once the checksum was found right; the copy if the file is not mapped.
    checked: OnceLock<Option<Box<[u8]>>>,
}

impl Section {
    /// The section at `handle`, not yet read.
    pub(super) fn new(handle: Handle, kind: PayloadKind) -> Self {
        Self { handle, kind, checked: OnceLock::new() }
    }

    pub(super) fn offset(&self) -> u64 {
        self.handle.offset
    }

    /// Bytes kept in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.checked.get().and_then(Option::as_ref).map_or(0, |copy| copy.len())
    }

    /// The payload, if it was checked before.
    #[inline]
    pub(super) fn ready<'a>(&'a self, map: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match (self.checked.get()?, map) {
            (Some(copy), _) => Some(copy),
            (None, Some(map)) => map
                .get(self.handle.offset as usize..)
                .and_then(|tail| tail.get(..self.handle.len as usize)),
            (None, None) => None,
        }
    }

    /// The payload; `None` when that would need a check now and `access` forbids waiting.
    #[inline]
    pub(super) fn bytes<'a>(
        &'a self,
        source: &'a Source,
        map: Option<&'a [u8]>,
        access: Access,
    ) -> Result<Option<&'a [u8]>> {
        match self.ready(map) {
            Some(payload) => Ok(Some(payload)),
            None if access == Access::Try => Ok(None),
            None => self.load(source).map(Some),
        }
    }

    /// The payload, checked now if it was not before.
    #[cold]
    pub(super) fn load<'a>(&'a self, source: &'a Source) -> Result<&'a [u8]> {
        let Handle { offset, len } = self.handle;
        let whole = len as usize + TRAILER_BYTES;
        let map = source.file.map();
        match map {
            Some(map) => {
                source.file.will_need(offset, whole as u64);
                let bytes = source.mapped(map, offset, whole)?;
                source.check(bytes, offset, Codec::None, self.kind)?;
                let _ = self.checked.set(None);
            }
            None => {
                let mut bytes = source.read(offset, whole)?;
                source.check(&bytes, offset, Codec::None, self.kind)?;
                bytes.truncate(len as usize);
                let _ = self.checked.set(Some(bytes.into_boxed_slice()));
            }
        }
        self.ready(map).ok_or_else(|| source.damaged(offset, "block outside the file"))
    }
}
