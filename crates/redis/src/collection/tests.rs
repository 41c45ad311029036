//! Encodings sort, and read back what was written whatever the bytes.

use proptest::prelude::*;

use super::packed::{Items, count, find, push};
use super::*;

proptest! {
    #[test]
    fn items_read_back(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut bytes = Vec::new();
        items.iter().for_each(|item| push(&mut bytes, item));
        let read: Vec<Vec<u8>> = Items::new(&bytes).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(count(&bytes), items.len());
        prop_assert_eq!(read, items);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Items::new(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
        let _ = find(&bytes, true, b"x");
        let _ = Spread::decode(&bytes);
        let _ = (member_of(&bytes), digest_of(&bytes), Id::of(&bytes));
    }

    #[test]
    fn scores_sort_as_numbers(a in any::<f64>(), b in any::<f64>()) {
        prop_assume!(!a.is_nan() && !b.is_nan());
        prop_assert_eq!(a.partial_cmp(&b), Some(score::encode(a).cmp(&score::encode(b))));
        prop_assert_eq!(score::decode(&score::encode(a)), a);
    }
}

#[test]
fn found_entries_are_where_they_were_put() {
    let mut bytes = Vec::new();
    for item in [b"a".as_slice(), b"1", b"b", b"22", b"c", b""] {
        push(&mut bytes, item);
    }
    let found = find(&bytes, true, b"b").expect("there");
    assert_eq!((&bytes[found.value], found.entry), (b"22".as_slice(), 4..9));
    assert_eq!(find(&bytes, true, b"22"), None);
}

#[test]
fn members_lie_inside_their_collection() {
    let id = Id::new(7, 9);
    let key = id.member(Type::Set, b"m");
    assert!(id.members_from(Type::Set, 0).as_slice() <= key.as_slice());
    assert!(key.as_slice() < id.behind(tag::SET_MEMBER).as_slice());
    assert!(id.owner() < key && key.as_slice() < id.end().as_slice());
    assert_eq!((member_of(&key), digest_of(&key)), (b"m".as_slice(), digest(b"m")));
    assert_eq!(Id::of(&key), Some(id));
    assert!(id.end().as_slice() < Id::new(7, 10).owner().as_slice());
}
