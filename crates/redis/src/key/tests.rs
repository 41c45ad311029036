//! Order, prefix freeness and round trips of the key encoding; slots that Redis reports.

use proptest::prelude::*;

use super::*;

fn encode(key: &[u8]) -> Vec<u8> {
    MetaKey::encode(key).expect("short enough").bytes().to_vec()
}

/// Keys with many zero bytes, where escaping matters.
fn zeroish() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()];
    prop::collection::vec(byte, 0..24)
}

proptest! {
    #[test]
    fn keys_come_back(key in zeroish()) {
        let mut user_key = vec![9];
        let decoded = decode(&encode(&key), &mut user_key);
        prop_assert_eq!(decoded, Some(Decoded { slot: slot_of(&key), tag: tag::META }));
        prop_assert_eq!(user_key, key);
    }

    #[test]
    fn keys_of_a_slot_sort_as_their_user_keys(a in zeroish(), b in zeroish()) {
        let in_slot = |key: &[u8]| [b"{t}", key].concat();
        let (a, b) = (in_slot(&a), in_slot(&b));
        prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
        prop_assert_eq!(lower_bound(slot_of(&a), &a) <= encode(&b), a <= b);
    }

    #[test]
    fn no_key_is_a_prefix_of_another(a in zeroish(), b in zeroish()) {
        let (a, b) = ([b"{t}".as_slice(), &a].concat(), [b"{t}".as_slice(), &b].concat());
        let (long, short) = (encode(&a), encode(&b));
        // Without the tag, so that it holds for every record of a key.
        prop_assert!(a == b || !long.starts_with(&short[..short.len() - 1]));
    }

    #[test]
    fn every_record_of_a_key_lies_before_the_next_key(
        a in zeroish(), b in zeroish(), rest in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let (a, b) = ([b"{t}".as_slice(), &a].concat(), [b"{t}".as_slice(), &b].concat());
        prop_assume!(a < b);
        let mut record = encode(&a);
        record.pop();
        record.push(tag::HASH_FIELD);
        record.extend_from_slice(&rest);
        let meta = MetaKey::encode(&a).expect("short enough");
        prop_assert!(encode(&a) < record && record < behind(&meta) && behind(&meta) < encode(&b));
    }

    #[test]
    fn arbitrary_engine_keys_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode(&bytes, &mut Vec::new());
    }
}

/// CRC16 as its definition says, bit by bit.
fn slot_bit_by_bit(key: &[u8]) -> u16 {
    let crc = key.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    crc % 16384
}

proptest! {
    #[test]
    fn slots_follow_the_definition(key in prop::collection::vec(0u8..b'{', 0..60)) {
        prop_assert_eq!(slot_of(&key), slot_bit_by_bit(&key));
    }
}

#[test]
fn the_layout_is_the_documented_one() {
    assert_eq!(encode(b"foo"), b"\x2f\x96foo\x00\x01\x00");
    assert_eq!(
        encode(b"a\0b"),
        [&slot_of(b"a\0b").to_be_bytes()[..], b"a\0\xffb\0\x01\0"].concat()
    );
    assert_eq!(encode(b""), b"\0\0\0\x01\0");
}

#[test]
fn slots_are_those_of_redis_cluster() {
    for (key, slot) in [
        ("foo", 12182),
        ("bar", 5061),
        ("hello", 866),
        ("123456789", 12739),
        ("", 0),
        ("user1000", 3443),
        ("{user1000}.following", 3443),
        ("{user1000}.followers", 3443),
        ("foo{}{bar}", 8363),
        ("foo{{bar}}zap", 4015),
        ("foo{bar}{zap}", 5061),
    ] {
        assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
    }
}

#[test]
fn a_key_one_byte_too_long_is_refused() {
    assert!(MetaKey::encode(&vec![0; USER_KEY_BYTES_MAX]).is_ok());
    assert!(MetaKey::encode(&vec![0; USER_KEY_BYTES_MAX + 1]).is_err());
}
