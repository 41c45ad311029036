//! Counting after a range delete.

use super::*;

#[test]
fn a_large_recount_happens_once_not_after_every_write() {
    let world = World::new();
    let options = Options { memtable_bytes_max: 1 << 20, ..world.options() };
    let db = Db::open(Path::new(DIR), options).unwrap();
    for number in 0..3000u32 {
        put(&db, &number.to_be_bytes(), b"");
    }
    let mut batch = WriteBatch::new();
    batch.delete_range(KS, &1000u32.to_be_bytes(), Some(&2000u32.to_be_bytes())).unwrap();
    db.write(&batch, WriteOptions::default()).unwrap();
    let frozen = || db.inner.view.load().frozen.len();
    assert_eq!(db.len(KS).unwrap(), 2000);
    assert_eq!(frozen(), 0);
    for added in 1..4 {
        put(&db, &(1000 + added as u32).to_be_bytes(), b"");
        assert_eq!(db.len(KS).unwrap(), 2000 + added);
        assert_eq!(frozen(), 1);
    }
    assert!(!db.inner.view.load().active.memtable.has_range_tombstones());
}
