//! The first 32 bytes of tables and blob files.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | magic, tells the kind of file |
//! | 8 | 2 | format version, little endian as all numbers |
//! | 10 | 2 | zero |
//! | 12 | 4 | required feature bits: a reader that does not know one of them must refuse the file |
//! | 16 | 4 | optional feature bits: a reader may ignore those it does not know |
//! | 20 | 8 | file uid: hash of database uuid and file number, so that a file names its owner |
//! | 28 | 4 | checksum of bytes 0..28, bound to (uid, 0) |

use std::path::Path;

use aidb_base::{Error, Result, hash};
use xxhash_rust::xxh3::Xxh3;

use crate::vfs::ReadFile;

/// Length of the header in bytes.
pub const FILE_HEADER_BYTES: usize = 32;

/// What a file says of itself in its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Kind of file.
    pub magic: [u8; 8],
    /// Version of its format.
    pub version: u16,
    /// Features a reader must know.
    pub required: u32,
    /// Features a reader may ignore.
    pub optional: u32,
    /// Identity, mixed into every checksum of the file.
    pub uid: u64,
}

impl FileHeader {
    /// The stored form.
    pub fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut out = [0; FILE_HEADER_BYTES];
        out[0..8].copy_from_slice(&self.magic);
        out[8..10].copy_from_slice(&self.version.to_le_bytes());
        out[12..16].copy_from_slice(&self.required.to_le_bytes());
        out[16..20].copy_from_slice(&self.optional.to_le_bytes());
        out[20..28].copy_from_slice(&self.uid.to_le_bytes());
        let sum = hash::checksum(&out[..28], self.uid, 0);
        out[28..32].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Decodes and checks the header of the file at `path`, which must be of kind `magic`, not
    /// newer than `version` and use no required feature outside `known`.
    ///
    /// # Errors
    /// `Corruption` when the bytes are damaged; `Invalid` when a newer program wrote the file.
    pub fn decode(
        bytes: &[u8],
        path: &Path,
        magic: [u8; 8],
        version: u16,
        known: u32,
    ) -> Result<Self> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err(Error::corruption(path, 0, "file header cut short"));
        };
        let header = Self {
            magic: field(bytes, 0),
            version: u16::from_le_bytes(field(bytes, 8)),
            required: u32::from_le_bytes(field(bytes, 12)),
            optional: u32::from_le_bytes(field(bytes, 16)),
            uid: u64::from_le_bytes(field(bytes, 20)),
        };
        if header.magic != magic {
            return Err(Error::corruption(path, 0, "not a file of the expected kind (magic)"));
        }
        let stored = u32::from_le_bytes(field(bytes, 28));
        if stored != hash::checksum(&bytes[..28], header.uid, 0) {
            return Err(Error::corruption(path, 0, "checksum mismatch in the file header"));
        }
        refuse_newer(path, header.version, version, header.required, known)?;
        Ok(header)
    }
}

/// Refuses a file of a later format version or with unknown required features.
pub fn refuse_newer(
    path: &Path,
    version: u16,
    version_known: u16,
    required: u32,
    required_known: u32,
) -> Result<()> {
    if version <= version_known && required & !required_known == 0 {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} was written by a newer aidb (format version {version}, features {required:#x}; known \
         here: {version_known}, {required_known:#x}); open it with that version",
        path.display()
    )))
}

/// Compares the digest of a whole file with the recorded one.
pub fn verify_digest(file: &dyn ReadFile, path: &Path, digest: u64) -> Result<()> {
    const STEP: usize = 1 << 20;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; STEP];
    let mut offset = 0;
    while offset < file.len() {
        let len = STEP.min((file.len() - offset) as usize);
        file.read_exact_at(offset, &mut buffer[..len])?;
        hasher.update(&buffer[..len]);
        offset += len as u64;
    }
    match hasher.digest() == digest {
        true => Ok(()),
        false => Err(Error::corruption(path, 0, "the file's digest is not the recorded one")),
    }
}

fn field<const N: usize>(bytes: &[u8; FILE_HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}
