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
