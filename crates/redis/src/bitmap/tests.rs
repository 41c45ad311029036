//! Bits against the obvious computation, one bit at a time.

use proptest::prelude::*;

use super::field::{Field, Overflow};
use super::*;

fn bits(bytes: &[u8]) -> Vec<bool> {
    (0..bytes.len() as u64 * 8).map(|at| bit(bytes, at)).collect()
}

fn a_field() -> impl Strategy<Value = Field> {
    (1..=64u32, any::<bool>()).prop_filter_map("u64 is no type", |(bits, signed)| {
        Field::parse(format!("{}{bits}", if signed { 'i' } else { 'u' }).as_bytes())
    })
}

proptest! {
    #[test]
    fn bits_are_counted_and_found(
        bytes in prop::collection::vec(prop::sample::select(vec![0u8, 0xFF, 0x10, 0xEF]), 1..90),
        ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        wanted: bool,
    ) {
        let bits = bits(&bytes);
        let (a, b) = (ends.0.index(bits.len()), ends.1.index(bits.len()));
        let (first, last) = (a.min(b), a.max(b));
        let ones = bits[first..=last].iter().filter(|bit| **bit).count();
        prop_assert_eq!(count(&bytes, first as u64, last as u64), ones as u64);
        let found = (first..=last).find(|at| bits[*at] == wanted).map(|at| at as u64);
        prop_assert_eq!(position(&bytes, wanted, first as u64, last as u64), found);
    }

    #[test]
    fn strings_are_combined_bit_by_bit(
        sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..5),
    ) {
        use Combination::{And, AndOr, Diff, Diff1, Not, One, Or, Xor};
        for operation in [And, Or, Xor, Not, Diff, Diff1, AndOr, One] {
            let result = combine(operation, &sources);
            for at in 0..result.len() as u64 * 8 {
                let first = bit(&sources[0], at);
                let set = sources.iter().filter(|source| bit(source, at)).count();
                let others = set - usize::from(first);
                let expected = match operation {
                    And => set == sources.len(),
                    Or => set > 0,
                    Xor => set % 2 == 1,
                    Not => !first,
                    Diff => first && others == 0,
                    Diff1 => !first && others > 0,
                    AndOr => first && others > 0,
                    One => set == 1,
                };
                prop_assert_eq!(bit(&result, at), expected);
            }
        }
    }

    #[test]
    fn integers_read_back_and_leave_their_neighbours(
        field in a_field(), value: i64, offset in 0..40u64, mut bytes in prop::collection::vec(any::<u8>(), 14),
    ) {
        let before = bits(&bytes);
        let value = field.replace(value, Overflow::Wrap).expect("wraps");
        field.write(&mut bytes, offset, value);
        prop_assert_eq!(field.read(&bytes, offset), value);
        let written = offset as usize..offset as usize + field.bits() as usize;
        for (at, bit) in bits(&bytes).into_iter().enumerate() {
            prop_assert!(written.contains(&at) || bit == before[at]);
        }
    }

    #[test]
    fn sums_wrap_saturate_or_fail(field in a_field(), old: i64, increment: i64) {
        let old = field.replace(old, Overflow::Wrap).expect("wraps");
        let wrapped = field.add(old, increment, Overflow::Wrap).expect("wraps");
        let nearest = field.add(old, increment, Overflow::Saturate).expect("saturates");
        let sum = i128::from(old) + i128::from(increment);
        prop_assert_eq!((i128::from(wrapped) - sum).rem_euclid(1 << field.bits()), 0);
        match field.add(old, increment, Overflow::Fail) {
            Some(exact) => prop_assert!(i128::from(exact) == sum && exact == wrapped && exact == nearest),
            None => prop_assert!(i128::from(nearest) != sum && i128::from(wrapped) != sum),
        }
    }
}

#[test]
fn types_have_bounds() {
    for good in ["i1", "i64", "u1", "u63"] {
        assert!(Field::parse(good.as_bytes()).is_some(), "{good}");
    }
    for bad in ["", "i", "u", "i0", "i65", "u64", "I8", "U8", "x8", "i-1", "i08", "i8 "] {
        assert!(Field::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}
