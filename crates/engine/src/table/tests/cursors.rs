//! Cursors against a map, in both directions, with and without caches.

use proptest::prelude::*;

use super::*;
use crate::iterator::Cursor;

/// What the cursor is at.
fn at(cursor: &TableCursor) -> Option<(Vec<u8>, Stored)> {
    let entry = cursor.entry()?;
    let stored = (entry.seq, entry.kind, entry.expire_at_ms, entry.value.to_vec());
    Some((entry.key.to_vec(), stored))
}

/// Everything from the first entry on.
pub(super) fn collect(cursor: &mut TableCursor) -> Model {
    let mut out = Model::new();
    cursor.seek_to_first().unwrap();
    while let Some((key, stored)) = at(cursor) {
        assert!(out.insert(key, stored).is_none());
        cursor.next().unwrap();
    }
    out
}

#[test]
fn walks_forwards_and_backwards() {
    let model = sample(500);
    for codec in CODECS {
        let (table, _) = table_of(&model, options(codec));
        for fill_cache in [true, false] {
            let mut cursor = table.cursor(fill_cache);
            assert_eq!(at(&cursor), None);
            assert_eq!(collect(&mut cursor), model);
            cursor.next().unwrap();
            assert_eq!(at(&cursor), None);
            cursor.seek_to_last().unwrap();
            for (key, stored) in model.iter().rev() {
                assert_eq!(at(&cursor), Some((key.clone(), stored.clone())));
                cursor.prev().unwrap();
            }
            assert_eq!(at(&cursor), None);
            cursor.prev().unwrap();
            assert_eq!(at(&cursor), None);
        }
    }
}

#[test]
fn a_cursor_that_fills_no_cache_leaves_it_empty() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let model = sample(300);
    write(&vfs, path, &model, options(Codec::Lz4));
    let cache = Arc::new(BlockCache::new(1 << 20));
    for table in [
        Table::open(&vfs, path, UID, cache.clone()).unwrap(),
        open_unmapped(&vfs, path, cache.clone()),
    ] {
        assert_eq!(collect(&mut table.cursor(false)), model);
        assert_eq!(cache.stats().bytes, 0);
        assert_eq!(collect(&mut table.cursor(true)), model);
        assert!(cache.stats().bytes > 0);
    }
}

/// A mapped file that says whether it is in memory, and is told what to drop.
struct Watched {
    file: Arc<dyn ReadFile>,
    is_resident: bool,
    dropped: std::sync::Mutex<Vec<(u64, u64)>>,
}

impl ReadFile for Watched {
    fn len(&self) -> u64 {
        self.file.len()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(offset, buf)
    }
    fn map(&self) -> Option<&[u8]> {
        self.file.map()
    }
    fn is_resident(&self, _offset: u64, len: usize) -> bool {
        self.is_resident && len <= 200 << 10
    }
    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        self.file.try_read_exact_at(offset, buf)
    }
    fn drop_cache(&self, offset: u64, len: u64) {
        self.dropped.lock().unwrap().push((offset, len));
    }
}

#[test]
fn a_cursor_without_cache_drops_only_what_was_not_in_memory() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let model: Model =
        (0..9000).map(|i| (key_of(i), (1, Kind::Put, 0, vec![i as u8; 100]))).collect();
    let written = write(&vfs, path, &model, options(Codec::None));
    for is_resident in [true, false] {
        let file = vfs.open_read(path).unwrap();
        let watched = Arc::new(Watched { file, is_resident, dropped: Default::default() });
        let cache = Arc::new(BlockCache::new(0));
        let table = Table::open_file(watched.clone(), path, UID, cache).unwrap();
        assert_eq!(collect(&mut table.cursor(true)).len(), 9000);
        assert!(watched.dropped.lock().unwrap().is_empty());
        assert_eq!(collect(&mut table.cursor(false)).len(), 9000);
        let dropped: u64 = watched.dropped.lock().unwrap().iter().map(|(_, len)| len).sum();
        assert_eq!(dropped >= written.data_bytes, !is_resident);
        assert_eq!(dropped == 0, is_resident);
    }
}

#[test]
fn try_get_asks_for_blocks_that_may_have_left_memory() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let model = sample(100);
    write(&vfs, path, &model, options(Codec::None));
    let file = vfs.open_read(path).unwrap();
    let watched = Arc::new(Watched { file, is_resident: false, dropped: Default::default() });
    let table = Table::open_file(watched, path, UID, Arc::new(BlockCache::new(0))).unwrap();
    let key = key_of(0);
    let attempt =
        || table.try_get(&key, key_hash_seeded(&key, SEED), SEED, |entry| entry.seq).unwrap();
    get(&table, &key_of(198));
    // Never read: the system is asked, and says no.
    assert_eq!(attempt(), Attempt::WouldBlock);
    get(&table, &key);
    // Read before: believed to be in memory, until a sample finds that it is not.
    let answers: Vec<_> = (0..3000).map(|_| attempt()).collect();
    let asked = answers.iter().filter(|answer| **answer == Attempt::WouldBlock).count();
    assert!(asked > 2000, "{asked}");
}

#[derive(Clone, Debug)]
enum Move {
    First,
    Last,
    Seek(Vec<u8>),
    SeekBefore(Vec<u8>),
    Next,
    Prev,
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(254), any::<u8>()], 0..6)
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        1 => Just(Move::First),
        1 => Just(Move::Last),
        4 => keys().prop_map(Move::Seek),
        4 => keys().prop_map(Move::SeekBefore),
        8 => Just(Move::Next),
        8 => Just(Move::Prev),
    ]
}

fn records() -> impl Strategy<Value = Stored> {
    let kinds = prop_oneof![Just(Kind::Put), Just(Kind::Delete)];
    let values = proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..40);
    (any::<u64>(), kinds, prop_oneof![Just(0), any::<u64>()], values)
}

/// The model of a cursor: the key it is at.
fn moved(model: &Model, key: Option<&Vec<u8>>, step: &Move) -> Option<Vec<u8>> {
    use std::ops::Bound::{Excluded, Unbounded};
    let found = match (step, key) {
        (Move::First, _) => model.keys().next(),
        (Move::Last, _) => model.keys().next_back(),
        (Move::Seek(to), _) => model.range(to.clone()..).next().map(|(key, _)| key),
        (Move::SeekBefore(to), _) => model.range(..to.clone()).next_back().map(|(key, _)| key),
        (_, None) => None,
        (Move::Next, Some(key)) => {
            model.range((Excluded(key.clone()), Unbounded)).next().map(|(key, _)| key)
        }
        (Move::Prev, Some(key)) => model.range(..key.clone()).next_back().map(|(key, _)| key),
    };
    found.cloned()
}

fn check_walk(model: &Model, cursor: &mut TableCursor, steps: &[Move]) {
    let mut expected = None;
    for step in steps {
        expected = moved(model, expected.as_ref(), step);
        match step {
            Move::First => cursor.seek_to_first(),
            Move::Last => cursor.seek_to_last(),
            Move::Seek(key) => cursor.seek(key),
            Move::SeekBefore(key) => cursor.seek_before(key),
            Move::Next => cursor.next(),
            Move::Prev => cursor.prev(),
        }
        .unwrap();
        let found = at(cursor);
        assert_eq!(found.as_ref().map(|(key, _)| key), expected.as_ref(), "after {step:?}");
        if let Some((key, stored)) = found {
            assert_eq!(&stored, &model[&key]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_table_behaves_like_a_map(
        model in proptest::collection::btree_map(keys(), records(), 0..80),
        steps in proptest::collection::vec(moves(), 1..120),
        probes in proptest::collection::vec(keys(), 40),
        codec in proptest::sample::select(&CODECS[..]),
        block_bytes in prop_oneof![Just(1usize), Just(128), Just(4096)],
    ) {
        let (table, written) = table_of(&model, TableOptions { block_bytes, ..options(codec) });
        table.verify(Some(written.digest)).unwrap();
        for key in model.keys().chain(&probes) {
            assert_eq!(get(&table, key).as_ref(), model.get(key));
        }
        for fill_cache in [true, false] {
            check_walk(&model, &mut table.cursor(fill_cache), &steps);
        }
    }
}
