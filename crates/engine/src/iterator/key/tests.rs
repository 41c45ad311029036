use proptest::prelude::*;

use super::*;

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 1, 0xFF]), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn comparisons_agree_with_those_of_slices(a in key(), b in key(), cut in 0usize..30) {
        let extended = [&a[..cut.min(a.len())], &b].concat();
        for (a, b) in [(&a, &b), (&a, &extended), (&extended, &a), (&a, &a)] {
            prop_assert_eq!(compare_keys(a, b), a.cmp(b));
            prop_assert_eq!(same_key(a, b), a == b);
        }
    }
}
