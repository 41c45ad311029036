use super::*;

#[test]
fn probes_find_what_point_lookups_find() {
    let model = sample(900);
    for codec in CODECS {
        for bits in [0, 10] {
            let options = TableOptions { filter_bits_per_key: bits, ..options(codec) };
            let (table, _) = table_of(&model, options);
            for seed in [SEED, SEED + 1] {
                let mut keys = SortedKeys::default();
                (0..2000).for_each(|i| {
                    let key = key_of(i);
                    keys.push(&key, key_hash_seeded(&key, seed));
                });
                let wanted: Vec<usize> = (0..keys.len()).filter(|i| i % 3 != 1).collect();
                let mut found = BTreeMap::new();
                let mut note = |at: usize, seq, kind| {
                    found.insert(keys.key(at).to_vec(), (seq, kind));
                };
                table.probe(&keys, &wanted, seed, &mut note).unwrap();
                let expected = wanted.iter().filter_map(|&at| {
                    let (seq, kind, _, _) = model.get(keys.key(at))?;
                    Some((keys.key(at).to_vec(), (*seq, *kind)))
                });
                assert_eq!(found, expected.collect(), "{codec:?}, {bits} bits");
            }
        }
    }
}

#[test]
fn what_is_loaded_ahead_may_be_there() {
    let model = sample(900);
    for codec in CODECS {
        let (table, _) = table_of(&model, options(codec));
        let ahead = |number: u32| {
            let key = key_of(number);
            table.prefetch(&key, key_hash_seeded(&key, SEED), SEED)
        };
        assert!(!(0..2000).any(ahead), "nothing is waited for");
        model.keys().for_each(|key| assert!(get(&table, key).is_some()));
        for number in (0..2000).filter(|&number| model.contains_key(&key_of(number))) {
            assert!(ahead(number), "key {number}, {codec:?}");
        }
    }
}
