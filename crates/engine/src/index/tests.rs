use proptest::prelude::*;

use super::*;

/// An index with one block per key.
fn build(keys: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = IndexBuilder::default();
    for (i, key) in keys.iter().enumerate() {
        let before = i.checked_sub(1).map(|before| keys[before].as_slice());
        builder.add(32 + 100 * i as u64, Codec::Lz4, before, key);
    }
    let empty = Vec::new();
    builder.finish(
        32 + 100 * keys.len() as u64,
        keys.first().unwrap_or(&empty),
        keys.last().unwrap_or(&empty),
    )
}

fn check(keys: &[Vec<u8>], probe: &[u8]) {
    let bytes = build(keys);
    let index = Index::parse(&bytes).unwrap();
    assert!(index.is_sound());
    let found = index.find(&index.top(), probe);
    if let Ok(at) = keys.binary_search_by(|key| key.as_slice().cmp(probe)) {
        assert_eq!(found, Some(at));
        assert_eq!(
            index.place(at),
            Some(BlockPlace { offset: 32 + 100 * at as u64, len: 92, codec: Codec::Lz4 })
        );
        return;
    }
    // An absent key may be found in the block before or after the gap, never further away.
    let after = keys.partition_point(|key| key.as_slice() < probe);
    match found {
        None => assert_eq!(after, 0),
        Some(block) => assert!(block == after || block + 1 == after),
    }
}

#[test]
fn empty_index_finds_nothing() {
    let bytes = build(&[]);
    let index = Index::parse(&bytes).unwrap();
    assert!(index.is_sound());
    assert_eq!(index.find(&index.top(), b"x"), None);
    assert_eq!(index.data_end(), 32);
}

#[test]
fn keys_equal_in_their_first_eight_bytes_are_told_apart() {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for group in [b"aaaaaaaaaaaa", b"aabbbbbbbbbb", b"aacccccccccc"] {
        for i in 0..200u32 {
            keys.push([group.as_slice(), &i.to_be_bytes()].concat());
        }
    }
    for key in &keys {
        check(&keys, key);
        check(&keys, &[key, b"x".as_slice()].concat());
        check(&keys, &key[..key.len() - 1]);
    }
}

#[test]
fn truncated_index_is_refused_or_sound_in_size() {
    let bytes = build(&[b"a".to_vec(), b"b".to_vec()]);
    for len in 0..52 {
        assert!(Index::parse(&bytes[..len]).is_none(), "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn finds_the_block_of_every_key(
        keys in proptest::collection::btree_set(
            proptest::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..12), 1..120),
        prefix in proptest::collection::vec(any::<u8>(), 0..4),
        probes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 20),
    ) {
        let keys: Vec<Vec<u8>> =
            keys.into_iter().map(|key| [prefix.as_slice(), &key].concat()).collect();
        for probe in keys.iter().chain(&probes) {
            check(&keys, probe);
            check(&keys, &[prefix.as_slice(), probe].concat());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0u8..8,
    ) {
        let mut bytes = bytes;
        if bytes.len() > 4 {
            bytes[..4].copy_from_slice(&[count, 0, 0, 0]);
        }
        if let Some(index) = Index::parse(&bytes) {
            let top = index.top();
            for key in [&b""[..], b"a", b"\xff\xff", &bytes] {
                if let Some(block) = index.find(&top, key) {
                    let _ = index.place(block);
                }
            }
            let _ = index.is_sound();
        }
    }
}
