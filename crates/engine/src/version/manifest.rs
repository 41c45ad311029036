//! The manifest as a file: reading it into a [`State`], appending edits, switching `CURRENT`.

use std::path::{Path, PathBuf};

use aidb_base::{Error, FileNumber, Result, hash};

use super::edit::VersionEdit;
use super::format::{self, HEADER_BYTES, RECORD_HEADER_BYTES, Record};
use super::state::State;
use super::wire::Malformed;
use crate::file_names;
use crate::planted::{Bug, is_planted};
use crate::vfs::{AppendFile, Vfs};

/// What a manifest holds.
#[derive(Debug)]
pub struct Replayed {
    /// Identity of the database.
    pub uuid: [u8; 16],
    /// Number of the manifest.
    pub number: FileNumber,
    /// The state after its last sound record.
    pub state: State,
    /// Sound records.
    pub records: u64,
    /// Offset of a torn last record, which was never acknowledged.
    pub torn_at: Option<u64>,
}

/// Reads `CURRENT`: the number of the manifest in use, or `None` when there is no database.
///
/// # Errors
/// `Corruption`; `Invalid` when written by a newer aidb.
pub fn read_current(vfs: &dyn Vfs, dir: &Path) -> Result<Option<FileNumber>> {
    let path = file_names::current(dir);
    if !vfs.exists(&path)? {
        return Ok(None);
    }
    let bytes = read_file(vfs, &path)?;
    let number = format::decode_current(&bytes).map_err(|e| corruption(&path, 0, &e))?;
    refuse_newer(&bytes, &path)?;
    Ok(Some(number))
}

/// Reads manifest `number` of the database at `dir`.
///
/// # Errors
/// `Corruption` with the offset of the damage; `Invalid` when written by a newer aidb.
pub fn read(vfs: &dyn Vfs, dir: &Path, number: FileNumber) -> Result<Replayed> {
    let path = file_names::manifest(dir, number);
    if !vfs.exists(&path)? {
        return Err(Error::corruption(&path, 0, "CURRENT names it but it is missing"));
    }
    replay(&read_file(vfs, &path)?, &path, number)
}

/// Replays the bytes of manifest `number`; `path` serves messages.
///
/// # Errors
/// As [`read`].
pub fn replay(bytes: &[u8], path: &Path, number: FileNumber) -> Result<Replayed> {
    let uuid = format::decode_header(bytes, number).map_err(|e| corruption(path, 0, &e))?;
    refuse_newer(bytes, path)?;
    let uid = hash::file_uid(&uuid, number);
    let mut replayed =
        Replayed { uuid, number, state: State::default(), records: 0, torn_at: None };
    let mut offset = HEADER_BYTES;
    loop {
        let at = offset as u64;
        match format::read_record(bytes, uid, offset) {
            Record::Payload(payload) => {
                let place = at + RECORD_HEADER_BYTES as u64;
                let edit = VersionEdit::decode(payload).map_err(|e| corruption(path, place, &e))?;
                let applied = replayed.state.apply(&edit);
                applied.map_err(|what| Error::corruption(path, at, format!("edit: {what}")))?;
                replayed.records += 1;
                offset += format::record_bytes(payload.len());
            }
            Record::End | Record::Torn if replayed.records == 0 => {
                return Err(Error::corruption(path, at, "the first record is missing or torn"));
            }
            Record::End => return Ok(replayed),
            Record::Torn => {
                replayed.torn_at = Some(at);
                return Ok(replayed);
            }
            Record::Damaged(what) => return Err(Error::corruption(path, at, what)),
        }
    }
}

fn corruption(path: &Path, base: u64, malformed: &Malformed) -> Error {
    Error::corruption(path, base + malformed.at as u64, &malformed.what)
}

fn refuse_newer(bytes: &[u8], path: &Path) -> Result<()> {
    match format::newer_features(bytes) {
        None => Ok(()),
        Some(what) => Err(Error::invalid(format!(
            "{} was written by a newer aidb ({what}): upgrade to open it",
            path.display()
        ))),
    }
}

fn read_file(vfs: &dyn Vfs, path: &Path) -> Result<Vec<u8>> {
    let file = vfs.open_read(path)?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Why a record was not written.
#[derive(Debug)]
pub struct AppendFailure {
    /// What happened.
    pub error: Error,
    /// Whether the manifest certainly is as it was before.
    pub is_undone: bool,
}

/// The manifest in use, open for appending.
pub struct ManifestWriter {
    file: Box<dyn AppendFile>,
    path: PathBuf,
    number: FileNumber,
    uid: u64,
    base_bytes: u64,
}

impl ManifestWriter {
    /// Creates manifest `number` starting with `state`, synced together with its directory.
    /// `CURRENT` does not name it yet.
    ///
    /// # Errors
    /// Those of the file system; the unfinished file is removed.
    pub fn create(
        vfs: &dyn Vfs,
        dir: &Path,
        uuid: &[u8; 16],
        number: FileNumber,
        state: &State,
    ) -> Result<Self> {
        let path = file_names::manifest(dir, number);
        let file = vfs.create(&path)?;
        let uid = hash::file_uid(uuid, number);
        let mut writer = Self { file, path, number, uid, base_bytes: 0 };
        let written = writer
            .file
            .append(&format::encode_header(uuid, number))
            .and_then(|()| writer.write(&state.to_edit()))
            .and_then(|()| writer.file.sync())
            .and_then(|()| vfs.sync_dir(dir));
        if let Err(error) = written {
            let _ = vfs.remove(&writer.path);
            return Err(error);
        }
        writer.base_bytes = writer.file.len();
        Ok(writer)
    }

    /// Appends `edit` as one record and makes it durable.
    ///
    /// # Errors
    /// Those of the file system; the writer must then not be used again.
    pub fn append(
        &mut self,
        vfs: &dyn Vfs,
        edit: &VersionEdit,
    ) -> std::result::Result<(), AppendFailure> {
        let before = self.file.len();
        let written = self.write(edit);
        if let Err(error) = written {
            // Cutting the file back makes the failure one without effect.
            let is_undone = vfs.truncate(&self.path, before).is_ok();
            return Err(AppendFailure { error, is_undone });
        }
        if is_planted(Bug::ManifestNotSynced) {
            return Ok(());
        }
        // Never tried again: what a failed sync left behind is unknown.
        self.file.sync().map_err(|error| AppendFailure { error, is_undone: false })
    }

    fn write(&mut self, edit: &VersionEdit) -> Result<()> {
        let payload = edit.encode();
        if u32::try_from(payload.len()).is_err() {
            return Err(Error::exhausted(format!(
                "record of {} bytes is too large for {}: drop keyspaces or raise table_bytes_max",
                payload.len(),
                self.path.display()
            )));
        }
        let record = format::encode_record(&payload, self.uid, self.file.len());
        self.file.append(&record)
    }

    /// Number of the manifest.
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.file.len()
    }

    /// Size of its header and first record.
    pub fn base_bytes(&self) -> u64 {
        self.base_bytes
    }
}

/// Writes the successor of `CURRENT`, which names manifest `number`, beside it.
///
/// # Errors
/// Those of the file system; nothing has changed.
pub fn prepare_current(vfs: &dyn Vfs, dir: &Path, number: FileNumber) -> Result<()> {
    let tmp = file_names::current_tmp(dir);
    vfs.remove(&tmp)?;
    let mut file = vfs.create(&tmp)?;
    file.append(&format::encode_current(number))?;
    file.sync()
}

/// Makes the prepared successor the one and only `CURRENT`, durably.
///
/// # Errors
/// Those of the file system; either manifest may be the one in use.
pub fn publish_current(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    vfs.rename(&file_names::current_tmp(dir), &file_names::current(dir))?;
    vfs.sync_dir(dir)
}

/// Makes `CURRENT` name manifest `number`, durably.
///
/// # Errors
/// Those of the file system; either manifest may be the one in use.
pub fn switch_current(vfs: &dyn Vfs, dir: &Path, number: FileNumber) -> Result<()> {
    prepare_current(vfs, dir, number)?;
    publish_current(vfs, dir)
}
