//! Large values: which of them can still be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aidb_base::{FileNumber, Result, hash};

use super::Work;
use crate::blob::format::FOOTER_BYTES;
use crate::blob::{BlobFile, BlobRef};
use crate::file_header::FILE_HEADER_BYTES;
use crate::file_names::{self, FileKind};
use crate::inspect::{is_finding, own_uid};
use crate::version::{BlobMeta, BlobState};

/// The blob files that can be read.
#[derive(Default)]
pub struct Blobs {
    files: BTreeMap<FileNumber, (Arc<BlobFile>, BlobMeta)>,
    damaged: BTreeSet<FileNumber>,
    used: BTreeMap<FileNumber, u64>,
}

/// Opens and verifies every blob file.
pub fn collect(work: &mut Work<'_>) -> Result<()> {
    if !work.vfs.exists(&FileKind::Blob.dir(work.dir))? {
        return Ok(());
    }
    for number in FileKind::Blob.list(work.vfs, work.dir)? {
        let path = file_names::blob(work.dir, number);
        let uid = match work.survey.is_uuid_known {
            true => Ok(hash::file_uid(&work.survey.uuid, number)),
            false => own_uid(work.vfs, &path),
        };
        let opened = uid.and_then(|uid| BlobFile::open(work.vfs, &path, number, uid));
        match opened {
            Ok(file) => {
                let is_sound = check(work, number, &file)?;
                let digest = hash::digest(&crate::inspect::read(work.vfs, &path)?);
                let bytes = file.bytes();
                let value_bytes = bytes - (FILE_HEADER_BYTES + FOOTER_BYTES) as u64;
                let meta = BlobMeta { number, bytes, value_bytes, digest };
                if !is_sound {
                    work.blobs.damaged.insert(number);
                }
                work.blobs.files.insert(number, (file, meta));
            }
            Err(error) if is_finding(&error) => {
                work.lose(&path, format!("all values of the file ({})", error.message()));
                work.damaged.push(path);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn check(work: &Work<'_>, number: FileNumber, file: &BlobFile) -> Result<bool> {
    let digest = work.survey.state.blobs.get(&number).map(|blob| blob.meta.digest);
    match file.verify(digest) {
        Ok(()) => Ok(true),
        Err(error) if is_finding(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How a value in a blob file goes on.
pub enum Fate {
    /// The reference stays.
    Stays,
    /// The file goes; the value moves into the table.
    Moves(Vec<u8>),
    /// It cannot be read.
    Lost(String),
}

impl Blobs {
    /// What becomes of the value that `reference` encodes. `keeps_files`: sound files stay.
    pub fn fate(&mut self, reference: &[u8], keeps_files: bool) -> Fate {
        let Ok(blob) = BlobRef::decode(reference) else {
            return Fate::Lost("its reference to a blob file is damaged".to_owned());
        };
        let Some((file, _)) = self.files.get(&blob.file) else {
            return Fate::Lost(format!("blob file {} is missing or unreadable", blob.file));
        };
        if keeps_files && !self.damaged.contains(&blob.file) {
            *self.used.entry(blob.file).or_default() += blob.stored_bytes();
            return Fate::Stays;
        }
        match file.read(&blob) {
            Ok(value) => Fate::Moves(value),
            Err(error) => Fate::Lost(error.message().to_owned()),
        }
    }

    /// Files that are referred to, for the manifest.
    pub fn kept(&self) -> BTreeMap<FileNumber, BlobState> {
        let state = |(number, (_, meta)): (&FileNumber, &(Arc<BlobFile>, BlobMeta))| {
            let live_bytes = *self.used.get(number)?;
            Some((*number, BlobState { meta: *meta, live_bytes, tables: 0 }))
        };
        self.files.iter().filter_map(state).collect()
    }

    /// Files that are not referred to any more, and whether they are damaged.
    pub fn dropped(&self) -> Vec<(FileNumber, bool)> {
        let unused = self.files.keys().filter(|number| !self.used.contains_key(number));
        unused.map(|number| (*number, self.damaged.contains(number))).collect()
    }
}
