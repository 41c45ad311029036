use aidb_base::hash::key_hash_seeded;

use super::*;

fn hash(i: u64) -> u64 {
    key_hash_seeded(&i.to_le_bytes(), 7)
}

#[test]
fn no_false_negatives() {
    for count in [1u64, 2, 63, 1000, 8192, 20_000] {
        for bits in [1, 5, 10, 14, 25] {
            let hashes: Vec<u64> = (0..count).map(hash).collect();
            let bytes = build(&hashes.iter().copied().collect(), bits);
            let filter = Filter::parse(&bytes).unwrap();
            assert!(hashes.iter().all(|&hash| filter.may_contain(hash)));
        }
    }
}

#[test]
fn measured_rate_is_within_a_fifth_of_the_expected_one() {
    const KEYS: u64 = 60_000;
    for bits in [4u8, 6, 8, 10, 12, 14] {
        let hashes: Vec<u64> = (0..KEYS).map(hash).collect();
        let bytes = build(&hashes.iter().copied().collect(), bits);
        let filter = Filter::parse(&bytes).unwrap();
        let expected = expected_fpr(bits);
        // Enough probes for some 2000 expected hits, so that chance stays far below the bound.
        let asked = ((2000.0 / expected) as u64).min(3_000_000);
        let passed = (KEYS..KEYS + asked).filter(|&i| filter.may_contain(hash(i))).count();
        let measured = passed as f64 / asked as f64;
        assert!(
            (measured / expected - 1.0).abs() < 0.2,
            "{bits} bits: measured {measured:.5}, expected {expected:.5}"
        );
    }
}

#[test]
fn the_published_rate_is_the_known_one() {
    assert!((0.0085..0.0105).contains(&expected_fpr(10)), "{}", expected_fpr(10));
    assert!((0.001..0.0025).contains(&expected_fpr(14)), "{}", expected_fpr(14));
    assert_eq!(expected_fpr(0), 1.0);
}

#[test]
fn probes_are_the_best_choice_or_next_to_it() {
    for bits in 1..=24u8 {
        let rate = |probes: u8| {
            let mean = LINE_BITS / f64::from(bits);
            let mut probability = (-mean).exp();
            (0..1200u32).fold(0.0, |sum, keys| {
                let set = 1.0 - (1.0 - 1.0 / LINE_BITS).powf(f64::from(keys) * f64::from(probes));
                let term = probability * set.powf(f64::from(probes));
                probability *= mean / f64::from(keys + 1);
                sum + term
            })
        };
        let best = (1..=PROBES_MAX).map(rate).fold(f64::MAX, f64::min);
        let chosen = rate(probes_for(bits));
        assert!(chosen <= best * 1.12, "{bits} bits: {chosen} against {best}");
    }
}

#[test]
fn damaged_tails_are_refused() {
    let bytes = build(&Hashes::from_iter([1, 2, 3]), 10);
    assert!(Filter::parse(&bytes[1..]).is_none());
    assert!(Filter::parse(&[]).is_none());
    let mut wrong = bytes.clone();
    let at = wrong.len() - 4;
    wrong[at] = 0;
    assert!(Filter::parse(&wrong).is_none());
    wrong[at] = 17;
    assert!(Filter::parse(&wrong).is_none());
}
