//! Claims about the log: what was appended is replayed, and damage is never passed over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{ErrorKind, Result, Seq, hash};

use super::format::{HEADER_BYTES, SegmentHeader, decode_record};
use super::log::{Log, LogEnv};
use super::reader::{Tail, assess_tail};
use super::recovery::{Recovered, Scope, recover};
use crate::file_names::FileKind;
use crate::vfs::{MemVfs, Vfs};

const UUID: [u8; 16] = *b"0123456789abcdef";

struct World {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    numbers: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let dir = PathBuf::from("/db");
        vfs.create_dir_all(&FileKind::Wal.dir(&dir)).unwrap();
        Self { vfs, dir, numbers: Arc::new(AtomicU64::new(1)) }
    }

    fn log(&self, mapped: bool, segment_bytes_max: usize) -> Log {
        let numbers = self.numbers.clone();
        let env = LogEnv {
            vfs: self.vfs.clone(),
            dir: self.dir.clone(),
            uuid: UUID,
            mapped,
            segment_bytes_max,
            next_number: Box::new(move || numbers.fetch_add(1, Ordering::Relaxed)),
        };
        Log::new(env, Vec::new(), 0, 1)
    }

    fn replay(&self, salvage: bool) -> Result<(Vec<(Seq, Vec<u8>)>, Recovered)> {
        let mut batches = Vec::new();
        let scope = Scope {
            dir: &self.dir,
            uuid: &UUID,
            floor: 0,
            flushed_seq: 0,
            kept_seq: None,
            distrust: false,
            salvage,
            progress: &|_, _| {},
        };
        let recovered = recover(&*self.vfs, scope, &mut |seq, payload| {
            batches.push((seq, payload.to_vec()));
            Ok(())
        })?;
        Ok((batches, recovered))
    }

    fn path(&self, number: u64) -> PathBuf {
        FileKind::Wal.path(&self.dir, number)
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        let file = self.vfs.open_read(path).unwrap();
        let mut bytes = vec![0; file.len() as usize];
        file.read_exact_at(0, &mut bytes).unwrap();
        bytes
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) {
        self.vfs.remove(path).unwrap();
        self.vfs.create(path).unwrap().append(bytes).unwrap();
    }
}

fn payload(seq: Seq) -> Vec<u8> {
    vec![seq as u8; 1 + (seq as usize * 7) % 50]
}

fn append(log: &mut Log, seqs: std::ops::RangeInclusive<Seq>) {
    for seq in seqs {
        let payload = payload(seq);
        log.append_batch(seq, &payload, hash::digest(&payload)).unwrap();
    }
}

fn expected(last: Seq) -> Vec<(Seq, Vec<u8>)> {
    (1..=last).map(|seq| (seq, payload(seq))).collect()
}

#[test]
fn replays_what_was_appended_over_many_segments() {
    for mapped in [true, false] {
        let world = World::new();
        let mut log = world.log(mapped, 4096);
        append(&mut log, 1..=500);
        let (batches, recovered) = world.replay(false).unwrap();
        assert_eq!(batches, expected(500));
        assert_eq!(recovered.last_seq, 500);
        assert_eq!(recovered.torn_bytes, 0);
        log.close().unwrap();
        assert_eq!(world.replay(false).unwrap().0, expected(500));
    }
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let world = World::new();
    let mut log = world.log(true, 4096);
    let large = vec![7; 100_000];
    log.append_batch(1, &large, hash::digest(&large)).unwrap();
    append(&mut log, 2..=3);
    let (batches, _) = world.replay(false).unwrap();
    assert_eq!(batches[0].1, large);
    assert_eq!(batches.len(), 3);
}

#[test]
fn every_truncation_of_the_last_segment_gives_a_prefix() {
    let world = World::new();
    let mut log = world.log(false, 1 << 20);
    append(&mut log, 1..=20);
    let path = world.path(1);
    let whole = world.bytes(&path);
    for length in 0..whole.len() {
        world.overwrite(&path, &whole[..length]);
        let (batches, recovered) = world.replay(false).unwrap();
        assert_eq!(batches, expected(batches.len() as Seq));
        assert_eq!(recovered.last_seq, batches.len() as Seq);
    }
}

#[test]
fn every_flipped_byte_is_a_torn_tail_or_corruption() {
    let world = World::new();
    let mut log = world.log(false, 1 << 20);
    append(&mut log, 1..=20);
    let path = world.path(1);
    let whole = world.bytes(&path);
    let mut start_of_last = HEADER_BYTES;
    while let Some(record) = decode_record(&whole, start_of_last, hash::file_uid(&UUID, 1), 0) {
        if record.end == whole.len() {
            break;
        }
        start_of_last = record.end;
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        world.overwrite(&path, &bytes);
        match world.replay(false) {
            Ok((batches, recovered)) => {
                assert!(at >= start_of_last, "flip at {at} was passed over");
                assert_eq!(batches, expected(19));
                assert!(recovered.torn_bytes > 0);
            }
            Err(error) => {
                let newer = error.kind() == ErrorKind::Invalid && at < HEADER_BYTES;
                assert!(newer || error.kind() == ErrorKind::Corruption, "{error}");
                let (batches, recovered) = world.replay(true).unwrap();
                assert_eq!(batches, expected(batches.len() as Seq));
                assert!(batches.len() < 20);
                assert!(!recovered.salvaged.is_empty() || at < HEADER_BYTES);
            }
        }
    }
}

#[test]
fn a_missing_segment_in_the_middle_is_corruption() {
    let world = World::new();
    let mut log = world.log(true, 4096);
    append(&mut log, 1..=500);
    world.vfs.remove(&world.path(2)).unwrap();
    let error = world.replay(false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corruption);
    assert!(error.message().contains("predecessor"), "{error}");
}

#[test]
fn garbage_after_an_abandoned_record_is_skipped() {
    let world = World::new();
    let mut log = world.log(false, 4096);
    append(&mut log, 1..=100);
    let path = world.path(1);
    let mut bytes = world.bytes(&path);
    bytes.extend_from_slice(&[0xAB; 33]);
    world.overwrite(&path, &bytes);
    let (batches, _) = world.replay(false).unwrap();
    assert_eq!(batches, expected(100));
}

#[test]
fn released_segments_are_those_that_are_flushed() {
    let world = World::new();
    let mut log = world.log(true, 4096);
    append(&mut log, 1..=500);
    let segments = log.segments();
    assert!(segments.len() > 3);
    let flushed = segments[1].last_seq;
    assert_eq!(log.floor(flushed), segments[2].number);
    assert_eq!(log.release(flushed), vec![segments[0].number, segments[1].number]);
    assert_eq!(log.release(flushed), vec![]);
}

#[test]
fn a_marker_promises_what_was_synced() {
    let world = World::new();
    let mut log = world.log(false, 1 << 20);
    append(&mut log, 1..=3);
    let plan = log.sync_plan();
    plan.run().unwrap();
    log.note_synced(&plan);
    append(&mut log, 4..=5);
    let path = world.path(1);
    let uid = hash::file_uid(&UUID, 1);
    let bytes = world.bytes(&path);
    let first = decode_record(&bytes, HEADER_BYTES, uid, 0).unwrap();
    let tail = assess_tail(&bytes[..], uid, HEADER_BYTES, 0);
    let Tail::Broken { valid_at, durable_end } = tail else { panic!("{tail:?}") };
    assert_eq!(valid_at, HEADER_BYTES);
    assert!(durable_end > first.end as u64);
}

#[test]
fn a_header_of_another_file_is_refused() {
    let header = SegmentHeader {
        number: 3,
        uuid: UUID,
        predecessor: 0,
        predecessor_end: 0,
        first_seq: 1,
        epoch: 1,
        boot_id: 9,
    };
    let bytes = header.encode(hash::file_uid(&UUID, 3));
    assert_eq!(SegmentHeader::decode(&bytes, hash::file_uid(&UUID, 3)).unwrap(), header);
    assert!(SegmentHeader::decode(&bytes, hash::file_uid(&UUID, 4)).is_err());
}
