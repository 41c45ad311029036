use std::path::Path;
use std::sync::Arc;

use aidb_base::{Attempt, ErrorKind, Result};

use super::format::FOOTER_BYTES;
use super::*;
use crate::file_names::FileKind;
use crate::options::Codec;
use crate::vfs::{MemVfs, OsVfs, Vfs};

const UID: u64 = 55;
const GOLDEN: &str = include_str!("../../testdata/blob.hex");

fn values() -> Vec<Vec<u8>> {
    let mut rng = aidb_base::Rng::seeded(3);
    let noise = (0..6000).map(|_| rng.next_u64() as u8).collect();
    vec![
        Vec::new(),
        b"small".to_vec(),
        vec![b'a'; 5000],
        noise,
        (0..9000u32).map(|i| (i / 100) as u8).collect(),
    ]
}

fn write(
    vfs: &dyn Vfs,
    path: &Path,
    values: &[Vec<u8>],
    codec: Codec,
) -> (Vec<BlobRef>, BlobSummary) {
    let mut writer = BlobWriter::create(vfs, path, 7, UID, codec).unwrap();
    let refs = values.iter().map(|value| writer.append(value).unwrap()).collect();
    assert_eq!(writer.number(), 7);
    (refs, writer.finish().unwrap())
}

fn bytes_of(vfs: &dyn Vfs, path: &Path) -> Vec<u8> {
    let file = vfs.open_read(path).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn open_bytes(bytes: &[u8]) -> Result<Arc<BlobFile>> {
    let vfs = MemVfs::new();
    let path = Path::new("/7.blob");
    vfs.create(path).unwrap().append(bytes).unwrap();
    BlobFile::open(&vfs, path, 7, UID)
}

#[test]
fn values_come_back_with_every_codec() {
    let dir = tempfile::tempdir().unwrap();
    let mem: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let os: Arc<dyn Vfs> = Arc::new(OsVfs::new());
    for codec in [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd] {
        for (vfs, path) in [
            (&mem, Path::new("/").join(format!("{codec:?}"))),
            (&os, dir.path().join(format!("{codec:?}"))),
        ] {
            let values = values();
            let (refs, summary) = write(&**vfs, &path, &values, codec);
            assert_eq!(summary.records, 5);
            assert_eq!(summary.value_bytes, refs.iter().map(BlobRef::stored_bytes).sum::<u64>());
            assert_eq!(summary.bytes, vfs.file_len(&path).unwrap());
            let file = BlobFile::open(&**vfs, &path, 7, UID).unwrap();
            assert_eq!((file.bytes(), file.records()), (summary.bytes, 5));
            for _ in 0..2 {
                for (blob, value) in refs.iter().zip(&values) {
                    assert_eq!(&file.read(blob).unwrap(), value);
                    assert_eq!(
                        file.try_read_with(blob, <[u8]>::to_vec).unwrap(),
                        Attempt::Done(value.clone())
                    );
                }
            }
            file.verify(Some(summary.digest)).unwrap();
            assert!(file.verify(Some(summary.digest ^ 1)).is_err());
        }
    }
}

#[test]
fn only_values_that_shrink_are_compressed() {
    let (refs, _) = write(&MemVfs::new(), Path::new("/7.blob"), &values(), Codec::Lz4);
    let codecs: Vec<Codec> = refs.iter().map(|blob| blob.codec).collect();
    assert_eq!(codecs, [Codec::None, Codec::None, Codec::Lz4, Codec::None, Codec::Lz4]);
}

#[test]
fn references_survive_their_stored_form() {
    let blob =
        BlobRef { file: 1 << 40, offset: 1 << 50, len: 3, raw_len: u32::MAX, codec: Codec::Zstd };
    let bytes = blob.encode();
    assert_eq!(BlobRef::decode(&bytes).unwrap(), blob);
    assert!(BlobRef::decode(&bytes[1..]).is_err());
    assert!(BlobRef::decode(&[0xFF; 25]).is_err());
    assert!(BlobRef::decode(b"").is_err());
}

#[test]
fn a_reference_to_anything_else_is_refused() {
    let vfs = MemVfs::new();
    let path = Path::new("/7.blob");
    let (refs, _) = write(&vfs, path, &values(), Codec::None);
    let file = BlobFile::open(&vfs, path, 7, UID).unwrap();
    let good = refs[3];
    file.read(&good).unwrap();
    let wrong = [
        BlobRef { file: 8, ..good },
        BlobRef { offset: good.offset + 1, ..good },
        BlobRef { offset: 0, ..good },
        BlobRef { offset: u64::MAX, ..good },
        BlobRef { len: good.len - 1, raw_len: good.raw_len - 1, ..good },
        BlobRef { len: u32::MAX, ..good },
        BlobRef { raw_len: 1, ..good },
        BlobRef { codec: Codec::Lz4, ..good },
    ];
    for blob in wrong {
        assert_eq!(file.read(&blob).unwrap_err().kind(), ErrorKind::Corruption, "{blob:?}");
    }
    file.read(&good).unwrap();
}

#[test]
fn any_byte_flipped_gives_the_right_value_or_an_error() {
    let vfs = MemVfs::new();
    let path = Path::new("/7.blob");
    let values = vec![b"one".to_vec(), Vec::new(), vec![b'x'; 300], vec![9; 64]];
    let (refs, summary) = write(&vfs, path, &values, Codec::Lz4);
    let bytes = bytes_of(&vfs, path);
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            let file = match open_bytes(&damaged) {
                Ok(file) => file,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corruption);
                    continue;
                }
            };
            for (blob, value) in refs.iter().zip(&values) {
                match file.read(blob) {
                    Ok(found) => assert_eq!(&found, value),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corruption, "{error}"),
                }
            }
            assert!(file.verify(Some(summary.digest)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let vfs = MemVfs::new();
    let path = Path::new("/7.blob");
    write(&vfs, path, &[b"one".to_vec(), vec![b'x'; 300]], Codec::Lz4);
    let bytes = bytes_of(&vfs, path);
    for len in 0..bytes.len() {
        assert_eq!(open_bytes(&bytes[..len]).unwrap_err().kind(), ErrorKind::Corruption);
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(&bytes[bytes.len() - FOOTER_BYTES..]);
    assert_eq!(open_bytes(&longer).unwrap_err().kind(), ErrorKind::Corruption);
    assert!(BlobFile::open(&vfs, path, 7, UID + 1).is_err());
}

#[test]
fn the_registry_opens_on_first_use_and_forgets() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let dir = Path::new("/db");
    let uuid = [3; 16];
    vfs.create_dir_all(&FileKind::Blob.dir(dir)).unwrap();
    let files = BlobFiles::new(vfs.clone(), dir.to_owned(), uuid);
    let mut writer =
        BlobWriter::create(&*vfs, &files.path(7), 7, files.uid(7), Codec::None).unwrap();
    let blob = writer.append(b"value").unwrap();
    writer.finish().unwrap();
    assert_eq!(files.try_read_with(&blob, <[u8]>::to_vec).unwrap(), Attempt::WouldBlock);
    assert_eq!(files.read_with(&blob, <[u8]>::to_vec).unwrap(), b"value");
    assert_eq!(
        files.try_read_with(&blob, <[u8]>::to_vec).unwrap(),
        Attempt::Done(b"value".to_vec())
    );
    let held = files.file(7).unwrap();
    files.forget(7);
    vfs.remove(&files.path(7)).unwrap();
    assert_eq!(held.read(&blob).unwrap(), b"value");
    assert!(files.read_with(&blob, <[u8]>::to_vec).is_err());
}

#[test]
fn the_bytes_are_those_of_format_version_1() {
    let vfs = MemVfs::new();
    let path = Path::new("/7.blob");
    write(&vfs, path, &[b"one".to_vec(), vec![b'x'; 300], Vec::new()], Codec::Lz4);
    let bytes = bytes_of(&vfs, path);
    let found: String = bytes
        .chunks(16)
        .map(|line| line.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    if std::env::var_os("AIDB_BLESS").is_some() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/blob.hex");
        let os = OsVfs::new();
        os.remove(&golden).unwrap();
        os.create(&golden).unwrap().append(found.as_bytes()).unwrap();
        return;
    }
    assert_eq!(found, GOLDEN, "set AIDB_BLESS=1 to record a wanted change of the format");
}
