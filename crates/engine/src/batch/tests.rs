use aidb_base::hash;

use super::*;

#[test]
fn pairs_encode_as_a_batch_of_puts() {
    for expire_at_ms in [0, 1 << 40] {
        let large = vec![7; 70_000];
        let pairs: Vec<(&[u8], &[u8])> =
            vec![(b"a", b"1"), (b"", b""), (b"long key", &large), (b"a", &large[..300])];
        let mut batch = WriteBatch::new();
        for (key, value) in &pairs {
            batch.put(9, key, value, expire_at_ms).unwrap();
        }
        let borrowed = PairBatch::new(9, &pairs, expire_at_ms).unwrap();
        assert_eq!(borrowed.payload(), batch.payload());
        assert_eq!(borrowed.bytes(), batch.bytes());
        assert_eq!(borrowed.digest(), hash::digest(batch.payload()));
    }
}

#[test]
fn pairs_beyond_the_limits_are_refused() {
    let key = vec![0; KEY_BYTES_MAX + 1];
    assert!(PairBatch::new(0, &[(&key, b"")], 0).is_err());
    assert!(PairBatch::new(0, &[(&key[1..], b"")], 0).is_ok());
}

/// What a batch says must be what this slow one says: it rewrites all operations with every range.
fn buried_at_once(operations: &[Operation<'_>]) -> Vec<u8> {
    let mut seen: Vec<Operation<'_>> = Vec::new();
    for operation in operations {
        if let Operation::DeleteRange { keyspace, start, end } = *operation {
            for earlier in &mut seen {
                if let Operation::Put { keyspace: ks, key, .. } = *earlier
                    && ks == keyspace
                    && key >= start
                    && end.is_none_or(|end| key < end)
                {
                    *earlier = Operation::Delete { keyspace, key };
                }
            }
        }
        seen.push(*operation);
    }
    let mut batch = WriteBatch::new();
    for operation in seen {
        // Nothing is left for ranges to cover.
        batch.push(&operation).unwrap();
    }
    batch.raw
}

#[test]
fn ranges_cover_the_puts_before_them_and_no_others() {
    let keys: Vec<Vec<u8>> = (0..40).map(|number| vec![b'k', number]).collect();
    let mut rng = aidb_base::Rng::seeded(5);
    for _ in 0..200 {
        let mut operations = Vec::new();
        let mut batch = WriteBatch::new();
        for _ in 0..60 {
            let keyspace = rng.below(2) as u32;
            let (first, second) = (rng.below(40) as usize, rng.below(40) as usize);
            let (key, value) = (keys[first].as_slice(), keys[second].as_slice());
            let end = (second != 7).then_some(keys[first.max(second)].as_slice());
            let operation = match rng.below(8) {
                0 => Operation::Delete { keyspace, key },
                1 => Operation::Annotation(value),
                2 if end.is_none_or(|end| end > key) => {
                    Operation::DeleteRange { keyspace, start: key, end }
                }
                _ => Operation::Put { keyspace, key, value, expire_at_ms: rng.below(2) },
            };
            operations.push(operation);
            batch.push(&operation).unwrap();
            if rng.below(9) == 0 {
                assert_eq!(batch.payload(), buried_at_once(&operations));
            }
        }
        assert_eq!(batch.payload(), buried_at_once(&operations));
        assert_eq!((batch.len(), batch.bytes()), (60, batch.payload().len()));
        assert_eq!(WriteBatch::decode(batch.payload()).unwrap().payload(), batch.payload());
    }
}
