use std::collections::BTreeMap;

use aidb_base::hash::key_hash;
use proptest::prelude::*;

use super::*;
use crate::entry::Entry;

type Stored = (Seq, Kind, u64, Vec<u8>);

fn build(model: &BTreeMap<Vec<u8>, Stored>) -> Vec<u8> {
    let mut builder = BlockBuilder::new();
    for (key, (seq, kind, expire_at_ms, value)) in model {
        let entry = Entry {
            key,
            seq: *seq,
            kind: *kind,
            expire_at_ms: *expire_at_ms,
            value: value.as_slice(),
        };
        builder.add(&entry, key_hash(key));
    }
    builder.finish().to_vec()
}

fn check(model: &BTreeMap<Vec<u8>, Stored>, probes: &[Vec<u8>]) {
    let bytes = build(model);
    let block = Block::parse(&bytes).unwrap();
    block.verify().unwrap();
    assert_eq!(block.count(), model.len());
    for (at, (key, stored)) in model.iter().enumerate() {
        assert_eq!(block.find(key, key_hash(key)), Ok(Some(at)));
        assert_eq!(block.seek(key), Ok(at));
        assert_eq!(&block.key(at).unwrap(), key);
        let record = block.record(at).unwrap();
        let value = block.value(at).unwrap().to_vec();
        assert_eq!(&(record.seq, record.kind, record.expire_at_ms, value), stored);
    }
    for probe in probes {
        let expected = model.keys().position(|key| key >= probe).unwrap_or(model.len());
        assert_eq!(block.seek(probe), Ok(expected));
        let found = block.find(probe, key_hash(probe)).unwrap();
        assert_eq!(found.is_some(), model.contains_key(probe));
    }
}

fn put(seq: Seq, value: &[u8]) -> Stored {
    (seq, Kind::Put, 0, value.to_vec())
}

#[test]
fn a_single_empty_key_with_an_empty_value() {
    check(&BTreeMap::from([(Vec::new(), put(0, b""))]), &[b"a".to_vec(), Vec::new()]);
}

#[test]
fn the_longest_keys() {
    let mut long = vec![7u8; 65_535];
    let mut model = BTreeMap::from([(long.clone(), put(1, b"v"))]);
    check(&model, &[vec![7; 65_534], vec![8]]);
    long[65_534] = 8;
    model.insert(long, put(2, b""));
    check(&model, &[vec![7; 65_534], vec![7; 40_000], vec![8]]);
}

#[test]
fn widths_follow_the_largest_number() {
    for shift in [0, 7, 8, 15, 16, 31, 32, 63] {
        let seq = 1u64 << shift;
        let model = BTreeMap::from([
            (b"a".to_vec(), (5, Kind::Put, 0, vec![1; 300])),
            (b"b".to_vec(), (5 + seq, Kind::Delete, seq, Vec::new())),
            (b"c".to_vec(), (6, Kind::Put, u64::MAX, vec![2; 70_000])),
        ]);
        check(&model, &[]);
    }
}

#[test]
fn what_is_equal_costs_nothing() {
    let equal = BTreeMap::from([
        (b"key-of-1".to_vec(), put(9, b"one")),
        (b"key-to-2".to_vec(), put(9, b"two")),
    ]);
    check(
        &equal,
        &[b"key-".to_vec(), b"key-of-".to_vec(), b"key-of-11".to_vec(), b"key-to".to_vec()],
    );
    // Header, tags, heads, prefix; nothing is left for the tails; values.
    assert_eq!(build(&equal).len(), 18 + 2 + 8 + 4 + 6);
}

#[test]
fn short_suffixes_are_not_split() {
    let short = BTreeMap::from([(b"ka".to_vec(), put(9, b"")), (b"kb".to_vec(), put(9, b""))]);
    check(&short, &[b"k".to_vec(), b"ka\0".to_vec(), b"kaa".to_vec(), b"kb\0\0\0\0".to_vec()]);
    // Header, tags, heads, prefix, tails.
    assert_eq!(build(&short).len(), 18 + 2 + 8 + 1 + 2);
    let mixed = BTreeMap::from([
        (b"k".to_vec(), put(9, b"1")),
        (b"k\0".to_vec(), put(8, b"22")),
        (b"k\0\0\0\0\0".to_vec(), put(7, b"")),
    ]);
    check(
        &mixed,
        &[b"k\0\0".to_vec(), b"k\0\0\0\0".to_vec(), b"k\0\0\0\0\0\0".to_vec(), b"l".to_vec()],
    );
}

#[test]
fn keys_and_values_of_many_lengths_are_found() {
    let model: BTreeMap<Vec<u8>, Stored> = (0..90u32)
        .map(|i| {
            let key = [b"prefix".as_slice(), &i.to_be_bytes(), &vec![7; i as usize % 30]].concat();
            (key, put(u64::from(i), &vec![i as u8; i as usize * 5 % 41]))
        })
        .collect();
    let probes: Vec<Vec<u8>> = (0..99u32)
        .map(|i| [b"prefix".as_slice(), &i.to_be_bytes(), &[7; 3]].concat())
        .chain([b"prefix".to_vec(), b"prefix\0\0".to_vec(), b"prefiy".to_vec()])
        .collect();
    check(&model, &probes);
}

#[test]
fn a_full_block_refuses_more_but_an_empty_one_takes_everything() {
    let value = vec![0; 1000];
    let entry = Entry { key: b"k", seq: 1, kind: Kind::Put, expire_at_ms: 0, value: &value };
    let mut builder = BlockBuilder::new();
    assert!(!builder.is_full_for(&entry, 128));
    builder.add(&entry, 0);
    assert!(builder.is_full_for(&entry, 128));
    assert!(!builder.is_full_for(&entry, 4096));
}

#[test]
fn keys_that_share_their_heads_are_told_apart() {
    let model: BTreeMap<Vec<u8>, Stored> = (0..200u32)
        .map(|i| {
            (
                [b"abcdefgh".as_slice(), &(i / 3 * 3).to_be_bytes(), &[0; 5][..i as usize % 3]]
                    .concat(),
                put(1, b"x"),
            )
        })
        .collect();
    let probes: Vec<Vec<u8>> =
        (0..250u32).map(|i| [b"abcdefgh".as_slice(), &i.to_be_bytes()].concat()).collect();
    check(&model, &probes);
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Put), Just(Kind::Delete), Just(Kind::Blob)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn finds_and_seeks_like_a_map(
        model in proptest::collection::btree_map(
            proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..9),
            (any::<u64>(), kinds(), prop_oneof![Just(0), any::<u64>()],
             proptest::collection::vec(any::<u8>(), 0..20)),
            1..60),
        probes in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..9), 30),
    ) {
        check(&model, &probes);
    }

    #[test]
    fn damaged_blocks_never_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let model = (0..40u8)
            .map(|i| (vec![i / 8, i], (u64::from(i) * 300, Kind::Put, u64::from(i % 3), vec![i; 9])))
            .collect();
        let mut bytes = build(&model);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_everything(&bytes);
        read_everything(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_everything(&bytes);
    }
}

fn read_everything(bytes: &[u8]) {
    let Ok(block) = Block::parse(bytes) else { return };
    let _ = block.verify();
    for at in 0..block.count() {
        let _ = (block.key(at), block.value(at), block.record(at));
    }
    for key in [&b""[..], b"\0\x05", b"\x04\xff", bytes] {
        let _ = (block.seek(key), block.find(key, key_hash(key)));
    }
}
