//! Formats of the manifest: round trips, torn tails, damage.

use std::path::Path;

use aidb_base::{ErrorKind, Position};
use proptest::prelude::*;

use super::edit::*;
use super::manifest::{self, ManifestWriter};
use super::state::State;
use crate::file_names;
use crate::options::{Codec, KeyspaceOptions};
use crate::vfs::{MemVfs, Vfs};

pub(super) fn table(number: u64, smallest: &str, largest: &str) -> TableMeta {
    TableMeta {
        number,
        bytes: 1000 + number,
        digest: number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        smallest: smallest.into(),
        largest: largest.into(),
        min_seq: number,
        max_seq: number + 10,
        entries: 10,
        ..TableMeta::default()
    }
}

fn added(level: u8, run: u64, meta: TableMeta) -> AddedTable {
    AddedTable { keyspace: 0, level, run, meta }
}

fn keyspace(id: u32, name: &str) -> KeyspaceMeta {
    KeyspaceMeta { id, name: name.into(), options: KeyspaceOptions::default() }
}

fn script() -> Vec<VersionEdit> {
    let flush = |number: u64, delta| VersionEdit {
        log_floor: Some(number),
        last_seq: Some(number * 10),
        added: vec![added(0, number, table(number, "a", "m"))],
        live_key_deltas: vec![(0, delta)],
        ..VersionEdit::default()
    };
    let compaction = VersionEdit {
        removed: vec![
            RemovedTable { keyspace: 0, level: 0, number: 11 },
            RemovedTable { keyspace: 0, level: 0, number: 12 },
        ],
        added: vec![added(6, 0, table(13, "a", "f")), added(6, 0, table(14, "g", "m"))],
        ..VersionEdit::default()
    };
    let numbers = VersionEdit {
        epoch: Some(3),
        history: vec![Position { epoch: 3, seq: 77 }],
        next_file_number: Some(99),
        ..VersionEdit::default()
    };
    vec![flush(11, 7), flush(12, -2), numbers, compaction]
}

fn base() -> State {
    let mut state = State { hash_seed: 42, next_file_number: 10, ..State::default() };
    let edit = VersionEdit { keyspaces: vec![keyspace(0, "default")], ..VersionEdit::default() };
    state.apply(&edit).unwrap();
    state
}

/// Writes the script; returns the file and, for each record, its end and the state there.
fn written() -> (Vec<u8>, Vec<(usize, State)>) {
    let vfs = MemVfs::new();
    let dir = Path::new("/db");
    vfs.create_dir_all(dir).unwrap();
    let mut state = base();
    let mut writer = ManifestWriter::create(&vfs, dir, &[7; 16], 5, &state).unwrap();
    let mut states = vec![(writer.bytes() as usize, state.clone())];
    for edit in script() {
        writer.append(&vfs, &edit).unwrap();
        state.apply(&edit).unwrap();
        states.push((writer.bytes() as usize, state.clone()));
    }
    let file = vfs.open_read(&file_names::manifest(dir, 5)).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    (bytes, states)
}

fn replay(bytes: &[u8]) -> aidb_base::Result<State> {
    manifest::replay(bytes, Path::new("MANIFEST-0000000005"), 5).map(|replayed| replayed.state)
}

#[test]
fn replay_gives_the_state_after_every_edit() {
    let (bytes, states) = written();
    for (end, state) in states {
        assert_eq!(&replay(&bytes[..end]).unwrap(), &state);
    }
}

#[test]
fn every_truncation_gives_a_prefix_of_the_edits() {
    let (bytes, states) = written();
    for len in 0..bytes.len() {
        let expected = states.iter().rev().find(|(end, _)| *end <= len);
        match (replay(&bytes[..len]), expected) {
            (Ok(state), Some((_, expected))) => assert_eq!(&state, expected, "cut at {len}"),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Corruption),
            (result, _) => panic!("cut at {len}: {result:?}"),
        }
    }
}

#[test]
fn every_zero_filled_tail_gives_a_prefix_of_the_edits() {
    let (bytes, states) = written();
    let first = states[0].0;
    for len in first..bytes.len() {
        let record_end = states.iter().map(|(end, _)| *end).find(|end| *end >= len).unwrap();
        let mut torn = bytes[..len].to_vec();
        torn.resize(record_end, 0);
        let whole_before = states.iter().rev().find(|(end, _)| *end <= len).map(|s| &s.1);
        let with_record = states.iter().find(|(end, _)| *end == record_end).map(|s| &s.1);
        // Zeros may be what the record ends with anyway.
        let is_same = bytes[len.min(record_end - 4)..record_end - 4].iter().all(|&b| b == 0);
        let expected = if is_same { with_record } else { whole_before };
        assert_eq!(replay(&torn).ok().as_ref(), expected, "zeros from {len} to {record_end}");
    }
}

#[test]
fn every_flipped_byte_is_corruption_or_harmless() {
    let (bytes, states) = written();
    let whole = &states.last().unwrap().1;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match replay(&damaged) {
                Ok(state) => assert_eq!(&state, whole, "byte {at}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corruption, "byte {at}"),
            }
        }
    }
}

#[test]
fn a_state_survives_its_own_snapshot() {
    let (_, states) = written();
    for (_, state) in states {
        let mut copy = State::default();
        copy.apply(&VersionEdit::decode(&state.to_edit().encode()).unwrap()).unwrap();
        assert_eq!(copy, state);
    }
}

#[test]
fn current_survives_and_every_flip_is_found() {
    let bytes = super::format::encode_current(123);
    assert_eq!(super::format::decode_current(&bytes), Ok(123));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(super::format::decode_current(&damaged).is_err(), "byte {at}");
        assert!(super::format::decode_current(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn unknown_required_features_are_refused_by_name() {
    let mut bytes = super::format::encode_header(&[7; 16], 5);
    bytes[10] = 2;
    let sealed = bytes.len() - 4;
    let uid = aidb_base::hash::file_uid(&[7; 16], 5);
    let checksum = aidb_base::hash::checksum(&bytes[..sealed], uid, 0);
    bytes[sealed..].copy_from_slice(&checksum.to_le_bytes());
    let error = replay(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("newer aidb"), "{error}");
}

#[test]
fn overlapping_tables_below_level_0_are_refused() {
    let mut state = base();
    let edit = VersionEdit {
        added: vec![added(3, 0, table(1, "a", "m")), added(3, 0, table(2, "m", "z"))],
        ..VersionEdit::default()
    };
    assert!(state.apply(&edit).unwrap_err().contains("overlap"));
}

#[test]
fn a_blob_file_lives_as_long_as_a_table_refers_to_it() {
    let mut state = base();
    let refer = |number, key: &str, bytes| TableMeta {
        blob_refs: vec![(9, bytes)],
        ..table(number, key, key)
    };
    let edit = VersionEdit {
        blobs_added: vec![BlobMeta { number: 9, bytes: 500, value_bytes: 400, digest: 1 }],
        added: vec![added(1, 0, refer(1, "a", 100)), added(1, 0, refer(2, "b", 200))],
        ..VersionEdit::default()
    };
    state.apply(&edit).unwrap();
    assert_eq!(state.blobs[&9].live_bytes, 300);
    for (number, left) in [(1, true), (2, false)] {
        let removed = vec![RemovedTable { keyspace: 0, level: 1, number }];
        state.apply(&VersionEdit { removed, ..VersionEdit::default() }).unwrap();
        assert_eq!(state.blobs.contains_key(&9), left);
    }
}

#[test]
fn what_a_dropped_keyspace_left_behind_is_filtered_out() {
    let state = base();
    let mut edit = VersionEdit {
        added: vec![AddedTable { keyspace: 8, level: 0, run: 0, meta: table(1, "a", "b") }],
        removed: vec![RemovedTable { keyspace: 8, level: 0, number: 2 }],
        live_key_deltas: vec![(8, 5)],
        ..VersionEdit::default()
    };
    assert_eq!(state.prepare(&mut edit), vec![1]);
    assert_eq!(edit, VersionEdit::default());
}

#[test]
fn new_runs_are_numbered_after_every_other_run() {
    let mut state = base();
    for expected in 1..4 {
        let meta = table(expected, "a", "b");
        let mut edit = VersionEdit { added: vec![added(0, 0, meta)], ..VersionEdit::default() };
        assert!(state.prepare(&mut edit).is_empty());
        assert_eq!(edit.added[0].run, expected);
        state.apply(&edit).unwrap();
    }
}

prop_compose! {
    fn any_table()(
        number in any::<u64>(), bytes in any::<u64>(), digest in any::<u64>(), codec in 0..4u8,
        smallest in prop::collection::vec(any::<u8>(), 0..40),
        largest in prop::collection::vec(any::<u8>(), 0..40),
        numbers in prop::array::uniform12(any::<u64>()),
        blob_refs in prop::collection::vec(any::<(u64, u64)>(), 0..5),
    ) -> TableMeta {
        let codec = [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd][usize::from(codec)];
        let [min_seq, max_seq, entries, deletes, expiring, min_expire_ms, max_expire_ms,
            raw_key_bytes, raw_value_bytes, range_tombstones, rt_applied_seq, created_ms] = numbers;
        TableMeta {
            number, bytes, digest, codec, smallest, largest, min_seq, max_seq, entries, deletes,
            expiring, min_expire_ms, max_expire_ms, raw_key_bytes, raw_value_bytes,
            range_tombstones, rt_applied_seq, created_ms, blob_refs,
        }
    }
}

prop_compose! {
    fn any_keyspace()(
        id in any::<u32>(), name in ".{0,20}", ttl_ms in any::<Option<u64>>(),
        blob_bytes_min in any::<Option<u64>>(), compressed in any::<bool>(),
    ) -> KeyspaceMeta {
        let compression = compressed.then_some(Codec::Zstd);
        KeyspaceMeta { id, name, options: KeyspaceOptions { compression, ttl_ms, blob_bytes_min } }
    }
}

prop_compose! {
    fn any_edit()(
        numbers in prop::array::uniform4(any::<Option<u64>>()),
        next_keyspace in any::<Option<u32>>(),
        hash_seed in any::<Option<u64>>(),
        history in prop::collection::vec(any::<(u64, u64)>(), 0..3),
        keyspaces in prop::collection::vec(any_keyspace(), 0..3),
        keyspaces_dropped in prop::collection::vec(any::<u32>(), 0..3),
        removed in prop::collection::vec((any::<u32>(), 0..7u8, any::<u64>()), 0..4),
        added in prop::collection::vec((any::<u32>(), 0..7u8, any::<u64>(), any_table()), 0..4),
        blobs in prop::collection::vec(any::<(u64, u64, u64, u64)>(), 0..3),
        live_key_deltas in prop::collection::vec(any::<(u32, i64)>(), 0..3),
    ) -> VersionEdit {
        let [log_floor, last_seq, epoch, next_file_number] = numbers;
        let position = |(epoch, seq)| Position { epoch, seq };
        let removed_table = |(keyspace, level, number)| RemovedTable { keyspace, level, number };
        let added_table = |(keyspace, level, run, meta)| AddedTable { keyspace, level, run, meta };
        let blob = |(number, bytes, value_bytes, digest)| BlobMeta { number, bytes, value_bytes, digest };
        VersionEdit {
            log_floor, last_seq, epoch, next_file_number, next_keyspace, hash_seed,
            history: history.into_iter().map(position).collect(),
            keyspaces, keyspaces_dropped,
            removed: removed.into_iter().map(removed_table).collect(),
            added: added.into_iter().map(added_table).collect(),
            blobs_added: blobs.into_iter().map(blob).collect(),
            live_key_deltas,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_edit_survives_encoding(edit in any_edit()) {
        prop_assert_eq!(VersionEdit::decode(&edit.encode()), Ok(edit));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = VersionEdit::decode(&bytes);
        let _ = replay(&bytes);
        let _ = super::format::decode_current(&bytes);
    }

    #[test]
    fn damaged_edits_never_panic(edit in any_edit(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = edit.encode();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(edit) = VersionEdit::decode(&bytes) {
                let mut state = base();
                state.prepare(&mut edit.clone());
                let _ = state.apply(&edit);
            }
        }
    }
}
