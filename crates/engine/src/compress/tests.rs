use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 3] = [Codec::Lz4, Codec::Snappy, Codec::Zstd];

#[test]
fn repetitive_bytes_shrink_and_come_back() {
    let raw: Vec<u8> = (0..100_000u32).map(|i| (i / 700) as u8).collect();
    for codec in CODECS {
        let mut compressor = Compressor::new();
        for raw in [&raw[..], &raw[..4096]] {
            let packed = compressor.compress(codec, raw).unwrap().to_vec();
            assert!(packed.len() < raw.len() / 4);
            assert_eq!(decompress(codec, &packed).unwrap(), raw);
        }
    }
}

#[test]
fn incompressible_bytes_stay_raw() {
    let mut rng = aidb_base::Rng::seeded(1);
    let raw: Vec<u8> = (0..4096).map(|_| rng.next_u64() as u8).collect();
    for codec in CODECS {
        assert!(Compressor::new().compress(codec, &raw).is_none());
        assert!(Compressor::new().compress(codec, b"").is_none());
    }
    assert!(Compressor::new().compress(Codec::None, &[0; 4096]).is_none());
}

#[test]
fn absurd_length_is_refused_without_allocating() {
    for codec in CODECS {
        let mut payload = u32::MAX.to_le_bytes().to_vec();
        payload.extend_from_slice(b"xx");
        assert!(decompress(codec, &payload).is_none());
        assert!(decompress(codec, b"").is_none());
        assert!(decompress(codec, b"\x01\0\0").is_none());
    }
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for codec in CODECS {
            let _ = decompress(codec, &bytes);
        }
    }
}
