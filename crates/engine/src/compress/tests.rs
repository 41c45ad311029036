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

/// As a block: columns that do not repeat, then values in which every other half does.
fn like_a_block() -> Vec<u8> {
    let mut rng = aidb_base::Rng::seeded(2);
    let mut noise = |count: usize| (0..count).map(|_| rng.next_u64() as u8).collect::<Vec<_>>();
    let mut raw = noise(900);
    for _ in 0..30 {
        let half = noise(50);
        raw.extend_from_slice(&half);
        raw.extend_from_slice(&half);
    }
    raw
}

#[test]
fn values_shrink_behind_columns_that_do_not() {
    let raw = like_a_block();
    let packed = Compressor::new().compress(Codec::Lz4, &raw).unwrap().to_vec();
    assert!(packed.len() < 900 + 30 * 58, "{} of {} bytes", packed.len(), raw.len());
    assert_eq!(decompress(Codec::Lz4, &packed).unwrap(), raw);
}

proptest! {
    #[test]
    fn lz4_decodes_what_it_encoded(
        seed in any::<u64>(),
        len in 0..70_000usize,
        symbols in 1..256u64,
        repeat in 1..200usize,
    ) {
        let mut rng = aidb_base::Rng::seeded(seed);
        let mut raw: Vec<u8> = Vec::new();
        while raw.len() < len {
            let from = rng.below(raw.len() as u64 + 1) as usize;
            let piece = raw[from..raw.len().min(from + repeat)].to_vec();
            raw.extend_from_slice(&piece);
            raw.extend((0..rng.below(40)).map(|_| rng.below(symbols) as u8).collect::<Vec<_>>());
        }
        raw.truncate(len);
        let mut encoder = super::lz4::Encoder::new();
        raw.truncate(super::lz4::INPUT_MAX);
        for raw in [&raw[..], &raw[..raw.len() / 3], &raw[..raw.len().min(13)]] {
            let mut out = vec![0; lz4_flex::block::get_maximum_output_size(raw.len())];
            let written = encoder.encode(raw, &mut out).unwrap();
            let back = lz4_flex::block::decompress(&out[..written], raw.len()).unwrap();
            prop_assert_eq!(back, raw);
            let mut start = Vec::new();
            let needed = raw.len() / 2;
            super::lz4::decode_start(&out[..written], raw.len(), |_| needed, &mut start).unwrap();
            prop_assert!(start.len() >= needed && raw.starts_with(&start));
            prop_assert!(encoder.encode(raw, &mut out[..written - 1]).is_none());
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for codec in CODECS {
            let _ = decompress(codec, &bytes);
            let _ = decompress_start(codec, &bytes, |start| start.len() + 1, &mut Vec::new());
        }
    }
}
