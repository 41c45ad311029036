use proptest::prelude::*;

use super::*;

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, b'a', b'b', 0xFF]), 0..3)
}

fn tombstone() -> impl Strategy<Value = RangeTombstone> {
    (key(), prop::option::weighted(0.9, key()), 1u64..20)
        .prop_map(|(start, end, seq)| RangeTombstone { start, end, seq })
}

fn naive(tombstones: &[RangeTombstone], key: &[u8], max_seq: Seq) -> Seq {
    let covering = tombstones.iter().filter(|t| t.covers(key) && t.seq <= max_seq);
    covering.map(|t| t.seq).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn look_up_agrees_with_asking_every_tombstone(
        tombstones in prop::collection::vec(tombstone(), 0..12),
        probes in prop::collection::vec((key(), 0u64..22), 1..20),
    ) {
        let at_once = RangeTombstones::new(tombstones.clone());
        let one_by_one = tombstones.iter().fold(RangeTombstones::default(), |s, t| s.with(t.clone()));
        let (left, right) = tombstones.split_at(tombstones.len() / 2);
        let (left, right) = (RangeTombstones::new(left.to_vec()), RangeTombstones::new(right.to_vec()));
        let union = RangeTombstones::union(&[&left, &right]);
        for (key, max_seq) in &probes {
            let expected = naive(&tombstones, key, *max_seq);
            for set in [&at_once, &one_by_one, &union] {
                prop_assert_eq!(set.seq_covering(key, *max_seq), expected);
                let cover = set.cover(key, *max_seq);
                prop_assert_eq!(cover.seq, expected);
                prop_assert!(cover.from <= key && cover.until.is_none_or(|until| key.as_slice() < until));
                let inside = |other: &[u8]| cover.from <= other && cover.until.is_none_or(|until| other < until);
                for (other, _) in probes.iter().filter(|(other, _)| inside(other)) {
                    prop_assert_eq!(naive(&tombstones, other, *max_seq), expected);
                }
            }
        }
    }
}

#[test]
fn an_empty_set_covers_nothing() {
    let empty_range = RangeTombstone { start: b"b".to_vec(), end: Some(b"a".to_vec()), seq: 5 };
    let set = RangeTombstones::new(vec![empty_range.clone()]);
    assert!(set.is_empty());
    assert!(set.with(empty_range).is_empty());
    assert_eq!(set.seq_covering(b"a", Seq::MAX), 0);
    assert!(RangeTombstones::union(&[&set, &set]).is_empty());
}

#[test]
fn all_tombstones_can_be_listed() {
    let make = |start: u8, seq| RangeTombstone { start: vec![start], end: None, seq };
    let set = (0..10).fold(RangeTombstones::default(), |set, i| set.with(make(i, u64::from(i))));
    let mut listed: Vec<_> = set.iter().cloned().collect();
    listed.sort();
    assert_eq!(listed, (0..10).map(|i| make(i, u64::from(i))).collect::<Vec<_>>());
    assert_eq!(set.len(), 10);
}

#[test]
fn additions_keep_few_parts() {
    let set = (0..1000u32).fold(RangeTombstones::default(), |set, i| {
        let start = i.to_be_bytes().to_vec();
        set.with(RangeTombstone { end: Some((i + 1).to_be_bytes().to_vec()), start, seq: 1 })
    });
    assert!(set.parts.len() <= 10, "{} parts", set.parts.len());
}
