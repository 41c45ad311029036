//! The exact bytes of a table, so that nobody changes the format by accident.

use super::*;

const GOLDEN: &str = include_str!("../../../testdata/table.hex");

/// Sixteen bytes per line.
fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|line| line.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

fn model() -> Model {
    let blob = BlobRef { file: 12, offset: 32, len: 4100, raw_len: 5000, codec: Codec::Lz4 };
    Model::from([
        (b"fruit:apple".to_vec(), (7, Kind::Put, 0, b"red".to_vec())),
        (b"fruit:banana".to_vec(), (300, Kind::Put, 1_700_000_000_000, b"yellow".to_vec())),
        (b"fruit:cherry".to_vec(), (9, Kind::Delete, 0, Vec::new())),
        (b"fruit:date".to_vec(), (8, Kind::Blob, 0, blob.encode().to_vec())),
        (b"fruit:elder".to_vec(), (8, Kind::Put, 1_700_000_000_300, vec![b'e'; 200])),
    ])
}

#[test]
fn the_bytes_are_those_of_format_version_1() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let mut builder = TableBuilder::create(&vfs, path, options(Codec::Lz4)).unwrap();
    model().iter().for_each(|(key, stored)| builder.add(&entry(key, stored)).unwrap());
    builder.add_range_tombstone(&RangeTombstone { start: b"a".to_vec(), end: None, seq: 6 });
    builder.finish().unwrap();
    let found = hex(&damage::bytes_of(&vfs, path));
    if std::env::var_os("AIDB_BLESS").is_some() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/table.hex");
        let os = OsVfs::new();
        os.remove(&golden).unwrap();
        os.create(&golden).unwrap().append(found.as_bytes()).unwrap();
        return;
    }
    assert_eq!(found, GOLDEN, "set AIDB_BLESS=1 to record a wanted change of the format");
}

#[test]
fn the_golden_file_still_reads() {
    let bytes: Vec<u8> =
        GOLDEN.split_ascii_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    vfs.create(path).unwrap().append(&bytes).unwrap();
    let table = open(&vfs, path);
    table.verify(Some(aidb_base::hash::digest(&bytes))).unwrap();
    assert_eq!(cursors::collect(&mut table.cursor(true)), model());
}
