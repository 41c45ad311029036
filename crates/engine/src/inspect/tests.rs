//! A database of one file of each kind, sound and with every byte flipped.

use std::path::{Path, PathBuf};

use aidb_base::{FileNumber, hash};

use super::*;
use crate::batch::WriteBatch;
use crate::blob::BlobWriter;
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::file_names;
use crate::options::{Codec, KeyspaceOptions};
use crate::table::{TableBuilder, TableOptions, TableProperties};
use crate::version::manifest::{ManifestWriter, switch_current};
use crate::version::{AddedTable, BlobMeta, KeyspaceMeta, State, TableMeta, VersionEdit};
use crate::vfs::MemVfs;
use crate::wal::format::{self as wal, RecordType, SegmentHeader};

pub(crate) const UUID: [u8; 16] = [7; 16];
pub(crate) const MANIFEST: FileNumber = 1;
pub(crate) const LOG: FileNumber = 2;
pub(crate) const TABLE: FileNumber = 3;
pub(crate) const BLOB: FileNumber = 4;

pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/db")
}

pub(crate) fn database() -> MemVfs {
    let vfs = MemVfs::new();
    for kind in FileKind::ALL {
        vfs.create_dir_all(&kind.dir(&dir())).unwrap();
    }
    let blob = write_blob(&vfs);
    let table = write_table(&vfs);
    write_manifest(&vfs, table, blob);
    write_log(&vfs);
    vfs
}

fn write_blob(vfs: &MemVfs) -> BlobMeta {
    let uid = hash::file_uid(&UUID, BLOB);
    let path = file_names::blob(&dir(), BLOB);
    let mut writer = BlobWriter::create(vfs, &path, BLOB, uid, Codec::None).unwrap();
    writer.append(b"a large value").unwrap();
    writer.append(b"another one").unwrap();
    let summary = writer.finish().unwrap();
    BlobMeta::new(BLOB, &summary)
}

fn write_table(vfs: &MemVfs) -> TableProperties {
    let options = TableOptions {
        block_bytes: 64,
        filter_bits_per_key: 10,
        uid: hash::file_uid(&UUID, TABLE),
        ..TableOptions::default()
    };
    let path = file_names::table(&dir(), TABLE);
    let mut builder = TableBuilder::create(vfs, &path, options).unwrap();
    for number in 0..20_u64 {
        let key = format!("key{number:03}");
        let kind = if number % 5 == 0 { Kind::Delete } else { Kind::Put };
        let value: &[u8] = if kind == Kind::Put { b"value" } else { b"" };
        let expire_at_ms = if number == 7 { 1234 } else { 0 };
        let entry = Entry { key: key.as_bytes(), seq: number + 1, kind, expire_at_ms, value };
        builder.add(&entry).unwrap();
    }
    let end = Some(b"b".to_vec());
    builder.add_range_tombstone(&RangeTombstone { start: b"a".to_vec(), end, seq: 30 });
    builder.finish().unwrap()
}

fn write_manifest(vfs: &MemVfs, table: TableProperties, blob: BlobMeta) {
    let meta = TableMeta {
        number: TABLE,
        bytes: table.bytes,
        digest: table.digest,
        smallest: table.smallest,
        largest: table.largest,
        min_seq: table.min_seq,
        max_seq: table.max_seq,
        entries: table.entries,
        deletes: table.deletes,
        blob_refs: vec![(BLOB, 10)],
        ..TableMeta::default()
    };
    let edit = VersionEdit {
        log_floor: Some(LOG),
        last_seq: Some(30),
        next_file_number: Some(9),
        keyspaces: vec![KeyspaceMeta {
            id: 0,
            name: "default".into(),
            options: KeyspaceOptions::default(),
        }],
        blobs_added: vec![blob],
        added: vec![AddedTable { keyspace: 0, level: 0, run: 1, meta }],
        live_key_deltas: vec![(0, 16)],
        ..VersionEdit::default()
    };
    let mut writer =
        ManifestWriter::create(vfs, &dir(), &UUID, MANIFEST, &State::default()).unwrap();
    writer.append(vfs, &edit).unwrap();
    switch_current(vfs, &dir(), MANIFEST).unwrap();
}

fn write_log(vfs: &MemVfs) {
    let uid = hash::file_uid(&UUID, LOG);
    let header = SegmentHeader {
        number: LOG,
        uuid: UUID,
        predecessor: 0,
        predecessor_end: 0,
        first_seq: 31,
        epoch: 0,
        boot_id: vfs.boot_id(),
    };
    let mut bytes = header.encode(uid).to_vec();
    for seq in 31..34_u64 {
        let mut batch = WriteBatch::new();
        batch.put(0, b"logged", b"value", 99).unwrap();
        batch.delete(0, b"\xff").unwrap();
        batch.delete_range(0, b"a", Some(b"b")).unwrap();
        batch.annotate(b"note").unwrap();
        let payload = batch.payload();
        let place = (uid, bytes.len());
        let kind = RecordType::Batch as u8;
        let head =
            wal::encode_record_header(kind, seq, payload.len(), hash::digest(payload), place);
        let end = bytes.len() + wal::record_bytes(payload.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(payload);
        bytes.resize(end, 0);
    }
    replace(vfs, &file_names::wal(&dir(), LOG), &bytes);
}

pub(crate) fn replace(vfs: &MemVfs, path: &Path, bytes: &[u8]) {
    vfs.remove(path).unwrap();
    let mut file = vfs.create(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
}

fn paths(vfs: &MemVfs) -> Vec<PathBuf> {
    files(vfs, &dir()).unwrap().into_iter().map(|file| dir().join(file.name)).collect()
}

fn fact<'a>(report: &'a Report, name: &str) -> &'a Cell {
    &report.facts.iter().find(|(known, _)| *known == name).unwrap().1
}

fn rows<'a>(report: &'a Report, name: &str) -> &'a [Row] {
    &report.sections.iter().find(|section| section.name == name).unwrap().rows
}

#[test]
fn files_are_found_in_reading_order() {
    let vfs = database();
    let names: Vec<_> = files(&vfs, &dir()).unwrap().iter().map(|it| it.subject.name()).collect();
    assert_eq!(names, ["current", "manifest", "log", "table", "blob"]);
}

#[test]
fn a_directory_without_a_database_is_refused() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(&dir()).unwrap();
    let error = files(&vfs, &dir()).unwrap_err();
    assert!(error.message().contains("holds no file of a database"), "{error}");
    assert!(files(&vfs, Path::new("/nowhere")).is_err());
}

#[test]
fn a_file_of_another_name_is_refused() {
    let vfs = database();
    let error = file(&vfs, Path::new("/db/notes.txt"), 1).unwrap_err();
    assert!(error.message().contains("is no file of a database"), "{error}");
}

#[test]
fn sound_files_have_no_problems_and_say_what_they_hold() {
    let vfs = database();
    for path in paths(&vfs) {
        let report = file(&vfs, &path, 1000).unwrap();
        assert_eq!(report.problems, [""; 0], "{}", path.display());
        assert_eq!(check(&vfs, &dir(), &path).unwrap(), [""; 0], "{}", path.display());
        assert!(!report.summary.is_empty());
    }
    assert_eq!(check_references(&vfs, &dir()).unwrap(), [""; 0]);

    let table = file(&vfs, &file_names::table(&dir(), TABLE), 1000).unwrap();
    assert_eq!(*fact(&table, "entries"), Cell::Number(20));
    assert_eq!(rows(&table, "entries").len(), 20);
    assert_eq!(rows(&table, "range_tombstones").len(), 1);
    let log = file(&vfs, &file_names::wal(&dir(), LOG), 1000).unwrap();
    assert_eq!(*fact(&log, "batches"), Cell::Number(3));
    assert_eq!(*fact(&log, "last_seq"), Cell::Number(33));
    let manifest = file(&vfs, &file_names::manifest(&dir(), MANIFEST), 1000).unwrap();
    assert_eq!(rows(&manifest, "tables").len(), 1);
    let blob = file(&vfs, &file_names::blob(&dir(), BLOB), 1000).unwrap();
    assert_eq!(rows(&blob, "values").len(), 2);
}

#[test]
fn rows_left_out_are_counted() {
    let vfs = database();
    let report = file(&vfs, &file_names::table(&dir(), TABLE), 5).unwrap();
    let shown: usize = report.sections.iter().map(|section| section.rows.len()).sum();
    assert_eq!((shown, report.more), (5, 16));
}

#[test]
fn every_flipped_byte_is_found_or_harmless_and_none_panics() {
    for path in paths(&database()) {
        let vfs = database();
        let sound = read(&vfs, &path).unwrap();
        let said = file(&vfs, &path, 1000).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x40;
            replace(&vfs, &path, &damaged);
            let found = match check(&vfs, &dir(), &path) {
                Ok(problems) => !problems.is_empty() || is_torn(&vfs, &path),
                Err(error) => error.message().contains("newer"),
            };
            let says = file(&vfs, &path, 1000);
            let is_harmless = says.as_ref().is_ok_and(|report| *report == said);
            assert!(found || is_harmless, "{} byte {at}", path.display());
            let _ = check_references(&vfs, &dir());
        }
    }
}

/// A damaged last record looks as one that was being written; opening cuts it and says so.
fn is_torn(vfs: &MemVfs, path: &Path) -> bool {
    let report = file(vfs, path, 0).unwrap();
    report.facts.iter().any(|(name, _)| name.starts_with("torn"))
}

#[test]
fn truncated_files_never_panic() {
    for path in paths(&database()) {
        let vfs = database();
        let sound = read(&vfs, &path).unwrap();
        for len in 0..sound.len() {
            replace(&vfs, &path, &sound[..len]);
            let _ = file(&vfs, &path, 1000);
            let _ = check(&vfs, &dir(), &path);
            let _ = check_references(&vfs, &dir());
        }
    }
}

#[test]
fn what_a_killed_process_leaves_is_no_damage() {
    let vfs = database();
    let create = |path: PathBuf, bytes: &[u8]| {
        replace(&vfs, &path, bytes);
        path
    };
    let whole = read(&vfs, &file_names::table(&dir(), TABLE)).unwrap();
    let header = read(&vfs, &file_names::wal(&dir(), LOG)).unwrap()[..wal::HEADER_BYTES].to_vec();
    let mut half = header[..40].to_vec();
    half.resize(4096, 0);
    let left = [
        create(file_names::wal(&dir(), 20), &[0; 4096]),
        create(file_names::wal(&dir(), 21), b""),
        create(file_names::wal(&dir(), 22), &half),
        create(file_names::table(&dir(), 23), &whole[..whole.len() / 2]),
        create(file_names::blob(&dir(), 24), b"aidb"),
        create(file_names::manifest(&dir(), 25), b""),
    ];
    for path in &left {
        let report = file(&vfs, path, 10).unwrap();
        assert_eq!(report.problems, [""; 0], "{}", path.display());
        assert_eq!(check(&vfs, &dir(), path).unwrap(), [""; 0], "{}", path.display());
    }
    assert_eq!(check_references(&vfs, &dir()).unwrap(), [""; 0]);
    assert_eq!(file(&vfs, &left[0], 0).unwrap().summary, "reserved, no record written yet");
    assert!(file(&vfs, &left[3], 0).unwrap().summary.starts_with("left behind"));
}

#[test]
fn a_segment_that_lost_its_header_is_damage() {
    let vfs = database();
    let path = file_names::wal(&dir(), LOG);
    let mut bytes = read(&vfs, &path).unwrap();
    bytes[..8].fill(0);
    replace(&vfs, &path, &bytes);
    assert_eq!(check(&vfs, &dir(), &path).unwrap(), ["header: not a log segment (wrong magic)"]);
}

#[test]
fn missing_and_resized_files_are_found() {
    let vfs = database();
    vfs.remove(&file_names::table(&dir(), TABLE)).unwrap();
    replace(&vfs, &file_names::blob(&dir(), BLOB), b"short");
    let problems = check_references(&vfs, &dir()).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("is missing"));
    assert!(problems[1].contains("has 5 bytes"));
}
