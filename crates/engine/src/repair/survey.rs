//! What is known of a database before its records are read.

use std::path::{Path, PathBuf};

use aidb_base::{ErrorKind, FileNumber, Result, hash};

use crate::file_names::{self, FileKind};
use crate::version::format::{self, HEADER_BYTES, Record};
use crate::version::{State, VersionEdit, manifest};
use crate::vfs::Vfs;
use crate::wal::format::SegmentHeader;

/// Identity, names and liveness.
pub struct Survey {
    /// Identity of the database; a new one when `is_uuid_known` is false.
    pub uuid: [u8; 16],
    /// Whether some file told the identity. If none did, tables are taken by the one they claim.
    pub is_uuid_known: bool,
    /// What the manifest said up to its damage; empty without one.
    pub state: State,
    /// Whether `state` is the whole truth: then files it does not name are leftovers.
    pub is_complete: bool,
    /// Why it is not.
    pub damage: Option<ManifestDamage>,
}

/// A manifest that could not be read to its end.
pub struct ManifestDamage {
    /// The file.
    pub path: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// What is lost with it.
    pub what: String,
}

impl Survey {
    /// Reads whatever manifest there is, and log headers if that gives no identity.
    ///
    /// # Errors
    /// `Invalid` when a newer aidb wrote the manifest; those of the file system.
    pub fn make(vfs: &dyn Vfs, dir: &Path) -> Result<Self> {
        let current = match manifest::read_current(vfs, dir) {
            Ok(number) => number,
            Err(error) if error.kind() == ErrorKind::Corruption => None,
            Err(error) => return Err(error),
        };
        let numbers = FileKind::Manifest.list(vfs, dir)?;
        let candidates = current.into_iter().chain(numbers.into_iter().rev());
        for number in candidates {
            if let Some(survey) = read_manifest(vfs, dir, number, current)? {
                return Ok(survey);
            }
        }
        let found = uuid_of_log(vfs, dir)?;
        Ok(Self {
            uuid: found.unwrap_or_else(aidb_base::rng::entropy_uuid),
            is_uuid_known: found.is_some(),
            state: State::default(),
            is_complete: false,
            damage: Some(ManifestDamage {
                path: file_names::current(dir),
                exists: false,
                what: "no manifest can be read: names and options of namespaces; keys deleted or \
                       overwritten before the last compactions may be back"
                    .to_owned(),
            }),
        })
    }
}

/// What manifest `number` says; `None` when not even its header can be read.
fn read_manifest(
    vfs: &dyn Vfs,
    dir: &Path,
    number: FileNumber,
    current: Option<FileNumber>,
) -> Result<Option<Survey>> {
    let path = file_names::manifest(dir, number);
    if !vfs.exists(&path)? {
        return Ok(None);
    }
    let file = vfs.open_read(&path)?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes)?;
    let Ok(uuid) = format::decode_header(&bytes, number) else { return Ok(None) };
    if let Some(what) = format::newer_features(&bytes) {
        return Err(aidb_base::Error::invalid(format!(
            "{} was written by a newer aidb ({what}): repair with that version",
            path.display()
        )));
    }
    let (state, damaged_at) = replay_sound(&bytes, hash::file_uid(&uuid, number));
    let damage = match damaged_at {
        Some(at) => Some(format!("damaged at offset {at}: changes of version after that")),
        None if current != Some(number) => Some(
            "CURRENT does not name it: changes of version of a later manifest, if there was one"
                .to_owned(),
        ),
        None => None,
    };
    Ok(Some(Survey {
        uuid,
        is_uuid_known: true,
        state,
        is_complete: damage.is_none(),
        damage: damage.map(|what| ManifestDamage { path, exists: damaged_at.is_some(), what }),
    }))
}

/// Adds up edits to the first that cannot be read; returns where that is.
fn replay_sound(bytes: &[u8], uid: u64) -> (State, Option<usize>) {
    let mut state = State::default();
    let mut offset = HEADER_BYTES;
    loop {
        match format::read_record(bytes, uid, offset) {
            Record::End | Record::Torn if offset > HEADER_BYTES => return (state, None),
            Record::Payload(payload) => {
                let Ok(edit) = VersionEdit::decode(payload) else { return (state, Some(offset)) };
                let mut next = state.clone();
                if next.apply(&edit).is_err() {
                    return (state, Some(offset));
                }
                state = next;
                offset += format::record_bytes(payload.len());
            }
            _ => return (state, Some(offset)),
        }
    }
}

fn uuid_of_log(vfs: &dyn Vfs, dir: &Path) -> Result<Option<[u8; 16]>> {
    if !vfs.exists(&FileKind::Wal.dir(dir))? {
        return Ok(None);
    }
    for number in FileKind::Wal.list(vfs, dir)? {
        let bytes = crate::inspect::read(vfs, &file_names::wal(dir, number))?;
        let uid = crate::inspect::segment_uid(&bytes);
        if let Ok(header) = SegmentHeader::decode(&bytes, uid) {
            return Ok(Some(header.uuid));
        }
    }
    Ok(None)
}
