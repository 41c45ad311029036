//! Stream records: what is written is read, and any bytes are read without harm.

use proptest::prelude::*;

use super::*;

fn entry_ids() -> impl Strategy<Value = EntryId> {
    (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| EntryId { ms, seq })
}

proptest! {
    #[test]
    fn entry_ids_sort_in_keys_as_they_compare(a in entry_ids(), b in entry_ids()) {
        let id = Id::new(1, 2);
        prop_assert_eq!(a.cmp(&b), id.entry(a).cmp(&id.entry(b)));
        prop_assert_eq!(EntryId::at_end(&id.pending_of(1, 2, a)), Some(a));
        prop_assert_eq!(a.next().and_then(EntryId::previous).unwrap_or(a), a);
    }

    #[test]
    fn records_survive_their_encoding(last in entry_ids(), first in entry_ids(), n in any::<u64>()) {
        let mut meta = StreamMeta::new(Id::new(3, n));
        meta = StreamMeta { last, first, max_deleted: first, added: n, groups: 3, ..meta };
        let mut bytes = Vec::new();
        meta.encode(&mut bytes);
        prop_assert_eq!(StreamMeta::decode(&bytes), Some(meta));
        let group = Group { number: 1, last, read: READ_UNKNOWN, pending: n, consumers: 2 };
        prop_assert_eq!(Group::decode(&group.encode()), Some(group));
        let consumer = Consumer { number: 7, seen_ms: n, pending: 1 };
        prop_assert_eq!(Consumer::decode(&consumer.encode()), Some(consumer));
        let pending =
            Pending { delivered_ms: n, deliveries: 1, consumer: 7, name: b"name".to_vec() };
        prop_assert_eq!(Pending::decode(&pending.encode()), Some(pending));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (StreamMeta::decode(&bytes), Group::decode(&bytes), Consumer::decode(&bytes));
        let _ = (Pending::decode(&bytes), EntryId::at_end(&bytes));
        let _ = (group_name(&bytes), consumer_name(&bytes));
    }
}

#[test]
fn the_greatest_has_no_next_and_the_lowest_none_before() {
    assert_eq!((EntryId::MAX.next(), EntryId::ZERO.previous()), (None, None));
    assert_eq!(EntryId { ms: 4, seq: u64::MAX }.next(), Some(EntryId { ms: 5, seq: 0 }));
}
