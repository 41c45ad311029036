use aidb_base::{ErrorKind, Rng};
use aidb_engine::Codec;

use super::mutate::mutate;
use super::seeds::{seeds, table};
use super::tables::visit_table;
use super::{TARGETS, Target, replayed};

fn target(name: &str) -> Target {
    TARGETS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Runs a target on damaged copies of its seeds; a panic names the input.
fn survive(name: &str, rounds: u64) {
    let (run, seeds) = (target(name), seeds(name).unwrap());
    let mut rng = Rng::seeded(7);
    for round in 0..rounds {
        let input = mutate(&seeds[round as usize % seeds.len()], &mut rng);
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "target {name}, round {round}, input {input:?}");
    }
    seeds.iter().for_each(|seed| run(seed));
}

#[test]
fn every_decoder_survives_damage() {
    let decoders: [(&str, u64); 8] = [
        ("batch", 50_000),
        ("edit", 50_000),
        ("manifest", 20_000),
        ("segment", 20_000),
        ("block", 50_000),
        ("properties", 50_000),
        ("table", 4_000),
        ("blob", 20_000),
    ];
    decoders.into_iter().for_each(|(name, rounds)| survive(name, rounds));
}

#[test]
fn every_flipped_bit_of_a_closed_segment_is_found_or_harmless() {
    for seed in seeds("segment").unwrap() {
        for bit in 16 * 8..seed.len() * 8 {
            let mut bytes = seed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let batches = replayed(&bytes);
            assert!(batches.is_none_or(|batches| batches == 3), "bit {bit}: {batches:?} batches");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_table_is_found_or_harmless() {
    for codec in [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd] {
        let (seed, pairs) = table(codec).unwrap();
        assert_eq!(visit_table(&seed).unwrap(), pairs);
        for at in 0..seed.len() {
            let mut bytes = seed.clone();
            bytes[at] ^= 1 << (at % 8);
            match visit_table(&bytes) {
                Ok(found) => assert_eq!(found, pairs, "{codec:?}, byte {at}"),
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corruption | ErrorKind::Invalid),
                    "{codec:?}, byte {at}: {error}"
                ),
            }
        }
    }
}

#[test]
fn random_bytes_are_survived_by_every_decoder() {
    let mut rng = Rng::seeded(11);
    for (_, run) in &TARGETS[..8] {
        for _ in 0..20_000 {
            let len = rng.below(64);
            let input: Vec<_> = (0..len).map(|_| rng.next_u64() as u8).collect();
            run(&input);
        }
    }
}

/// Patches for the targets that damage files of a database.
fn damage_files(name: &str, rounds: u64) {
    let mut rng = Rng::seeded(13);
    let run = target(name);
    for round in 0..rounds {
        let len = 5 * (1 + rng.below(3));
        let input: Vec<_> = (0..len).map(|_| rng.next_u64() as u8).collect();
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "target {name}, round {round}, input {input:?}");
    }
}

#[test]
fn a_damaged_current_file_is_survived() {
    damage_files("current_file", 200);
}

#[test]
fn a_damaged_manifest_file_is_survived() {
    damage_files("manifest_file", 500);
}

#[test]
fn a_damaged_log_file_is_survived() {
    damage_files("log_file", 500);
}

#[test]
fn a_damaged_table_file_is_survived() {
    damage_files("table_file", 1000);
}

#[test]
fn a_damaged_blob_file_is_survived() {
    damage_files("blob_file", 300);
}
