use std::path::Path;
use std::sync::Arc;

use aidb_base::{ErrorKind, Rng, hash};
use aidb_engine::blob::BlobWriter;
use aidb_engine::block::BlockBuilder;
use aidb_engine::file_names::FileKind;
use aidb_engine::table::{TableBuilder, TableOptions, TableProperties};
use aidb_engine::version::manifest::ManifestWriter;
use aidb_engine::version::{AddedTable, BlobMeta, KeyspaceMeta, State, TableMeta, VersionEdit};
use aidb_engine::vfs::{MemVfs, Vfs};
use aidb_engine::wal::log::{Log, LogEnv};
use aidb_engine::{Codec, Entry, KeyspaceOptions, Kind, RangeTombstone, WriteBatch};

use super::mutate::mutate;
use super::tables::{UID, visit_table};
use super::{TARGETS, Target, replayed};

fn target(name: &str) -> Target {
    TARGETS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Runs a target on damaged copies of `seeds`; a panic names the input.
fn survive(name: &str, seeds: &[Vec<u8>], rounds: u64) {
    let run = target(name);
    let mut rng = Rng::seeded(7);
    for round in 0..rounds {
        let input = mutate(&seeds[round as usize % seeds.len()], &mut rng);
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "target {name}, round {round}, input {input:?}");
    }
    seeds.iter().for_each(|seed| run(seed));
}

fn batch_seed() -> Vec<u8> {
    let mut batch = WriteBatch::new();
    batch.put(0, b"key", b"value", 0).unwrap();
    batch.put(70_000, b"", &[7; 300], 1_700_000_000_000).unwrap();
    batch.delete(1, &[b'k'; 200]).unwrap();
    batch.delete_range(0, b"a", Some(b"b")).unwrap();
    batch.delete_range(3, b"", None).unwrap();
    batch.annotate(b"note").unwrap();
    batch.payload().to_vec()
}

#[test]
fn a_damaged_batch_is_refused() {
    survive("batch", &[batch_seed()], 50_000);
}

fn edit_seed() -> VersionEdit {
    let meta = TableMeta {
        number: 9,
        bytes: 5000,
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        min_seq: 3,
        max_seq: 70,
        entries: 40,
        blob_refs: vec![(4, 100), (5, 1 << 40)],
        ..TableMeta::default()
    };
    VersionEdit {
        log_floor: Some(7),
        last_seq: Some(70),
        epoch: Some(2),
        next_file_number: Some(300),
        next_keyspace: Some(9),
        hash_seed: Some(u64::MAX),
        keyspaces: vec![KeyspaceMeta {
            id: 8,
            name: "people".to_owned(),
            options: KeyspaceOptions { ttl_ms: Some(60_000), ..KeyspaceOptions::default() },
        }],
        added: vec![AddedTable { keyspace: 8, level: 0, run: 0, meta }],
        blobs_added: vec![BlobMeta { number: 4, bytes: 100, value_bytes: 90, digest: 5 }],
        live_key_deltas: vec![(8, 40)],
        ..VersionEdit::default()
    }
}

#[test]
fn a_damaged_edit_is_refused() {
    survive("edit", &[edit_seed().encode(), VersionEdit::default().encode()], 50_000);
}

#[test]
fn a_damaged_manifest_is_refused() {
    let (vfs, dir) = (MemVfs::new(), Path::new("/"));
    let mut writer = ManifestWriter::create(&vfs, dir, &[3; 16], 1, &State::default()).unwrap();
    let edit = VersionEdit { last_seq: Some(9), ..edit_seed() };
    (0..3).for_each(|_| writer.append(&vfs, &edit).unwrap());
    let path = vfs.list_dir(dir).unwrap().pop().unwrap();
    let file = vfs.open_read(&dir.join(path)).unwrap();
    survive("manifest", &[file.map().unwrap().to_vec()], 20_000);
}

fn segment_seed(mapped: bool) -> Vec<u8> {
    let (vfs, dir) = (MemVfs::new(), Path::new("/"));
    vfs.create_dir_all(&FileKind::Wal.dir(dir)).unwrap();
    let env = LogEnv {
        vfs: Arc::new(vfs.clone()),
        dir: dir.to_owned(),
        uuid: [5; 16],
        mapped,
        segment_bytes_max: 4096,
        next_number: Box::new(|| 1),
    };
    let mut log = Log::new(env, Vec::new(), 0, 1);
    let payload = batch_seed();
    (1..=3).for_each(|seq| {
        log.append_batch(seq, &payload, hash::digest(&payload)).unwrap();
        let plan = log.sync_plan();
        log.note_synced(&plan);
    });
    log.close().unwrap();
    let file = vfs.open_read(&FileKind::Wal.path(dir, 1)).unwrap();
    [&[5; 16], file.map().unwrap()].concat()
}

#[test]
fn a_damaged_segment_is_refused_or_cut() {
    survive("segment", &[segment_seed(true), segment_seed(false)], 20_000);
}

#[test]
fn every_flipped_bit_of_a_closed_segment_is_found_or_harmless() {
    for seed in [segment_seed(true), segment_seed(false)] {
        for bit in 16 * 8..seed.len() * 8 {
            let mut bytes = seed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let batches = replayed(&bytes);
            assert!(batches.is_none_or(|batches| batches == 3), "bit {bit}: {batches:?} batches");
        }
    }
}

/// Entries like those of the seeds: a few blocks of them, some large, one expiring.
fn fill_table(codec: Codec) -> (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>) {
    let (vfs, path) = (MemVfs::new(), Path::new("/t"));
    let options = TableOptions {
        block_bytes: 256,
        filter_bits_per_key: 10,
        codec,
        hash_seed: 1,
        uid: UID,
        ..TableOptions::default()
    };
    let mut builder = TableBuilder::create(&vfs, path, options).unwrap();
    let mut pairs = Vec::new();
    for number in 0..40u64 {
        let key = format!("key{:04}", number * 3).into_bytes();
        let value = vec![number as u8; [0, 5, 40, 300][number as usize % 4]];
        let kind = if value.is_empty() { Kind::Delete } else { Kind::Put };
        let expire_at_ms = if number == 7 { 99 } else { 0 };
        let seq = 100 + number;
        builder.add(&Entry { key: &key, seq, kind, expire_at_ms, value: &value }).unwrap();
        pairs.push((key, value));
    }
    let (start, end) = (b"a".to_vec(), Some(b"b".to_vec()));
    builder.add_range_tombstone(&RangeTombstone { start, end, seq: 90 });
    builder.finish().unwrap();
    let file = vfs.open_read(path).unwrap();
    (file.map().unwrap().to_vec(), pairs)
}

#[test]
fn a_damaged_table_is_survived() {
    let seeds = [fill_table(Codec::None).0, fill_table(Codec::Lz4).0];
    survive("table", &seeds, 4_000);
}

#[test]
fn every_flipped_bit_of_a_table_is_found_or_harmless() {
    for codec in [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd] {
        let (seed, pairs) = fill_table(codec);
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
fn a_damaged_block_is_survived() {
    let mut builder = BlockBuilder::new();
    for number in 0..20u64 {
        let (key, value) = (format!("key{number:03}").into_bytes(), vec![1; number as usize]);
        let expire_at_ms = if number % 5 == 0 { number } else { 0 };
        let entry = Entry { key: &key, seq: number, kind: Kind::Put, expire_at_ms, value: &value };
        builder.add(&entry, hash::key_hash(&key));
    }
    let seed = builder.finish().to_vec();
    survive("block", &[seed], 50_000);
}

#[test]
fn damaged_properties_are_refused() {
    let seed = TableProperties {
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        blob_refs: vec![(1, 2), (3, 4)],
        ..TableProperties::default()
    };
    survive("properties", &[seed.encode()], 50_000);
}

#[test]
fn a_damaged_blob_is_survived() {
    let (vfs, path) = (MemVfs::new(), Path::new("/b"));
    let mut writer = BlobWriter::create(&vfs, path, 1, UID, Codec::Lz4).unwrap();
    let reference = writer.append(&[9; 500]).unwrap();
    writer.append(b"small").unwrap();
    writer.finish().unwrap();
    let file = vfs.open_read(path).unwrap();
    let seed = [&reference.encode()[..], file.map().unwrap()].concat();
    survive("blob", &[seed], 20_000);
}

#[test]
fn random_bytes_are_refused_by_every_decoder() {
    let mut rng = Rng::seeded(11);
    for name in ["batch", "edit", "manifest", "segment", "block", "properties", "table", "blob"] {
        let run = target(name);
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
