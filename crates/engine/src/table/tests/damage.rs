//! Whatever happens to the bytes: the right answer or `Corruption`, never wrong data or a panic.

use super::*;
use crate::iterator::Cursor;

fn small() -> (Model, Vec<u8>) {
    let mut model = sample(24);
    model.insert(b"zz".to_vec(), (7, Kind::Put, 0, vec![b'a'; 400]));
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let mut builder = TableBuilder::create(&vfs, path, options(Codec::Lz4)).unwrap();
    model.iter().for_each(|(key, stored)| builder.add(&entry(key, stored)).unwrap());
    builder.add_range_tombstone(&tombstone());
    builder.finish().unwrap();
    (model, bytes_of(&vfs, path))
}

fn tombstone() -> RangeTombstone {
    RangeTombstone { start: b"a".to_vec(), end: Some(b"b".to_vec()), seq: 4 }
}

pub(super) fn bytes_of(vfs: &dyn Vfs, path: &Path) -> Vec<u8> {
    let file = vfs.open_read(path).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn allowed<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
            assert!(error.message().contains("/1.sst at offset "), "{error}");
            None
        }
    }
}

/// Asks everything; whether some answer was an error.
fn ask(model: &Model, table: &Arc<Table>) -> bool {
    let mut failed = false;
    for i in 0..50 {
        let key = key_of(i);
        match allowed(try_read(table, &key)) {
            Some(found) => assert_eq!(found.as_ref(), model.get(&key)),
            None => failed = true,
        }
    }
    for fill_cache in [true, false] {
        let mut cursor = table.cursor(fill_cache);
        let mut expected = model.iter();
        let mut moved = allowed(cursor.seek_to_first());
        while moved.is_some() {
            let found = cursor.entry().map(|e| (e.key.to_vec(), e.seq, e.value.to_vec()));
            let wanted = expected.next().map(|(key, s)| (key.clone(), s.0, s.3.clone()));
            assert_eq!(found, wanted);
            if wanted.is_none() {
                break;
            }
            moved = allowed(cursor.next());
        }
        assert!(moved.is_some() || cursor.entry().is_none());
        failed |= moved.is_none();
    }
    match allowed(table.range_tombstones()) {
        Some(found) => assert_eq!(found, [tombstone()]),
        None => failed = true,
    }
    match allowed(table.due(0, u64::MAX, 100)) {
        Some(due) => assert_eq!(due.records.len(), 5),
        None => failed = true,
    }
    failed
}

fn open_bytes(bytes: Vec<u8>, is_mapped: bool) -> Option<Arc<Table>> {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    vfs.create(path).unwrap().append(&bytes).unwrap();
    let cache = Arc::new(BlockCache::new(1 << 20));
    let file = vfs.open_read(path).unwrap();
    let file = if is_mapped { file } else { Arc::new(UnmappedFile(file)) };
    allowed(Table::open_file(file, path, UID, cache))
}

#[test]
fn any_byte_flipped_gives_the_right_answer_or_an_error() {
    let (model, bytes) = small();
    let mut silent = 0;
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            for is_mapped in [true, false] {
                let Some(table) = open_bytes(damaged.clone(), is_mapped) else { continue };
                if ask(&model, &table) {
                    assert!(table.verify(None).is_err());
                } else {
                    silent += 1;
                    // What no answer depends on is padding, and the digest knows it.
                    assert!(table.verify(Some(aidb_base::hash::digest(&bytes))).is_err());
                }
            }
        }
    }
    // At most 63 bytes of padding before each of the five sections, asked four times each.
    assert!(silent <= 63 * 5 * 4, "{silent}");
}

#[test]
fn the_undamaged_file_answers_everything() {
    let (model, bytes) = small();
    let digest = aidb_base::hash::digest(&bytes);
    for is_mapped in [true, false] {
        let table = open_bytes(bytes.clone(), is_mapped).unwrap();
        assert!(!ask(&model, &table));
        table.verify(Some(digest)).unwrap();
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (_, bytes) = small();
    for len in 0..bytes.len() {
        for is_mapped in [true, false] {
            assert!(open_bytes(bytes[..len].to_vec(), is_mapped).is_none(), "cut to {len}");
        }
    }
}

#[test]
fn bytes_appended_are_refused() {
    let (_, bytes) = small();
    for more in [1, 8, 104, 4096] {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + more, 0);
        assert!(open_bytes(longer, true).is_none());
    }
    // Even a footer in the right place, because its checksum knows where it was.
    let mut twice = bytes.clone();
    twice.extend_from_slice(&bytes[bytes.len() - 104..]);
    assert!(open_bytes(twice, true).is_none());
}

#[test]
fn a_block_in_the_wrong_place_is_noticed() {
    let model: Model =
        (0..20).map(|i| (key_of(i), (1, Kind::Put, 0, vec![i as u8; 100]))).collect();
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let unpacked = TableOptions { block_bytes: 1, ..options(Codec::None) };
    write(&vfs, path, &model, unpacked);
    let mut bytes = bytes_of(&vfs, path);
    let table = open_bytes(bytes.clone(), true).unwrap();
    let (index, _) = table.index().unwrap();
    let first = table.place(&index, 3).unwrap();
    let second = table.place(&index, 4).unwrap();
    assert_eq!(first.len, second.len);
    let (start, len) = (first.offset as usize, (second.offset - first.offset) as usize);
    bytes.copy_within(start..start + len, start + len);
    let table = open_bytes(bytes, true).unwrap();
    assert!(get(&table, &key_of(3)).is_some());
    assert_eq!(try_read(&table, &key_of(4)).unwrap_err().kind(), ErrorKind::Corruption);
}

#[test]
fn a_newer_format_is_refused_with_advice() {
    let (_, bytes) = small();
    for (at, what) in [(8, "version"), (12, "features")] {
        let mut newer = bytes.clone();
        newer[at] = 9;
        let sum = aidb_base::hash::checksum(&newer[..28], UID, 0);
        newer[28..32].copy_from_slice(&sum.to_le_bytes());
        let vfs = MemVfs::new();
        let path = Path::new("/1.sst");
        vfs.create(path).unwrap().append(&newer).unwrap();
        let error = Table::open(&vfs, path, UID, Arc::new(BlockCache::new(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{what}");
        assert!(error.message().contains("newer aidb"), "{error}");
    }
}

#[test]
fn damaged_properties_and_tombstones_never_panic() {
    let (table, _) = table_of(&sample(3), options(Codec::None));
    let good = table.properties().encode();
    for len in 0..good.len() {
        assert!(TableProperties::decode(&good[..len]).is_none());
    }
    let good = format::encode_range_tombstones(&[tombstone(), tombstone()]);
    for len in 0..good.len() {
        assert!(format::decode_range_tombstones(&good[..len]).is_none());
    }
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0xFF;
        let _ = format::decode_range_tombstones(&damaged);
    }
}
