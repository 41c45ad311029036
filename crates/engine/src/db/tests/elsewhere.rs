//! Values that memtables leave in the mapped log.

use std::collections::BTreeMap;

use super::*;
use crate::vfs::OsVfs;

/// Values on both sides of the limits for the mapped log and for blob files.
const LENGTHS: [usize; 7] = [0, 255, 256, 257, 5000, 40_000, 300_000];

fn value(round: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ round).collect()
}

fn write_round(db: &Db, round: u8, model: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for (number, length) in LENGTHS.iter().cycle().take(28).enumerate() {
        let key = vec![b'k', number as u8];
        let value = value(round, *length);
        put(db, &key, &value);
        model.insert(key, value);
    }
}

fn pairs_of(model: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    model.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn they_outlive_their_log_segments() {
    let temporary = tempfile::tempdir().unwrap();
    let env = Env { vfs: Arc::new(OsVfs::new()), clock: Arc::new(ManualClock::at(1_000_000)) };
    let options = Options { env, memtable_bytes_max: 1 << 20, ..World::new().options() };
    let options = Options { blob_bytes_min: 4096, table_bytes_max: 1 << 20, ..options };
    let db = Db::open(temporary.path(), options.clone()).unwrap();
    let mut model = BTreeMap::new();
    write_round(&db, 1, &mut model);
    let (before, snapshot) = (pairs_of(&model), db.snapshot().unwrap());
    let mut scan = db.scan(KS, ScanRange::default()).unwrap();
    write_round(&db, 2, &mut model);
    assert_eq!(all(&db, false), pairs_of(&model));
    db.flush().unwrap();
    write_round(&db, 3, &mut model);
    db.flush().unwrap();
    for (key, value) in &before {
        assert_eq!(
            snapshot.get_with(KS, key, |found, _| found == value.as_slice()).unwrap(),
            Some(true)
        );
        let next = scan.next().unwrap().map(|(key, value)| (key.to_vec(), value.to_vec()));
        assert_eq!(next, Some((key.clone(), value.clone())));
    }
    write_round(&db, 4, &mut model);
    assert_eq!(all(&db, true), pairs_of(&model).into_iter().rev().collect::<Vec<_>>());
    drop((snapshot, scan));
    db.close().unwrap();
    let db = Db::open(temporary.path(), options).unwrap();
    assert_eq!(all(&db, false), pairs_of(&model));
}

#[test]
fn a_batch_may_write_a_large_value_twice() {
    let temporary = tempfile::tempdir().unwrap();
    let db = Db::open(temporary.path(), Options::default()).unwrap();
    let mut batch = WriteBatch::new();
    batch.put(KS, b"a", &value(1, 70_000), 0).unwrap();
    batch.put(KS, b"b", &value(2, 300), 0).unwrap();
    batch.put(KS, b"a", &value(3, 60_000), 0).unwrap();
    db.write(&batch, WriteOptions::default()).unwrap();
    let expected = vec![(b"a".to_vec(), value(3, 60_000)), (b"b".to_vec(), value(2, 300))];
    assert_eq!(all(&db, false), expected);
    db.flush().unwrap();
    assert_eq!(all(&db, false), expected);
}

#[test]
fn borrowed_pairs_are_one_batch() {
    let temporary = tempfile::tempdir().unwrap();
    let on_disk = Db::open(temporary.path(), Options::default()).unwrap();
    let world = World::new();
    for db in [on_disk, world.open()] {
        let values: Vec<_> = LENGTHS.iter().map(|length| value(7, *length)).collect();
        let keys: Vec<_> = (0..LENGTHS.len()).map(|number| vec![b'k', number as u8 % 6]).collect();
        let pairs: Vec<_> = keys
            .iter()
            .zip(&values)
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
            .collect();
        let seq = db.put_many(KS, &pairs, 0, WriteOptions::default()).unwrap();
        let model: BTreeMap<_, _> = keys.iter().cloned().zip(values.iter().cloned()).collect();
        assert_eq!((db.visible_seq(), all(&db, false)), (seq, pairs_of(&model)));
        assert_eq!(db.put_many(KS, &pairs, 0, WriteOptions::default()).unwrap(), seq + 1);
        assert_eq!(db.len(KS).unwrap(), 6);
        db.flush().unwrap();
        assert_eq!(all(&db, false), pairs_of(&model));
    }
}
