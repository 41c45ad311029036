//! Replaying the log after a stop. The rules for damaged places stand in [`super::format`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Epoch, Error, FileNumber, Result, Seq, hash};

use super::format::{HEADER_BYTES, HeaderFault, RecordType, SegmentHeader};
use super::log::Retired;
use super::reader::{
    Headless, Records, Tail, assess_headless, assess_tail, corruption, promised_end,
};
use crate::file_names::FileKind;
use crate::planted::{Bug, is_planted};
use crate::vfs::{ReadFile, Vfs};

/// Where to start, and how strict to be.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Database directory.
    pub dir: &'a Path,
    /// Database uuid.
    pub uuid: &'a [u8; 16],
    /// Older segments are not looked at.
    pub floor: FileNumber,
    /// Batches up to here are in tables already.
    pub flushed_seq: Seq,
    /// Batches above this one are kept for the change feed, if somebody pinned the log.
    pub kept_seq: Option<Seq>,
    /// Unsynced data may be lost out of order even though the machine did not restart.
    pub distrust: bool,
    /// Cut a damaged log instead of refusing it.
    pub salvage: bool,
    /// Told bytes behind and bytes in all, after every segment.
    pub progress: &'a dyn Fn(u64, u64),
}

/// What recovery found.
#[derive(Default)]
pub struct Recovered {
    /// Segments whose records were accepted, oldest first.
    pub segments: Vec<Retired>,
    /// How many of them, from the oldest on, a sync marker in a later one says are durable.
    pub segments_durable: usize,
    /// The last batch that a sync marker says is durable; 0 when none does.
    pub durable_seq: Seq,
    /// Files without accepted records; the caller removes them before it writes.
    pub discarded: Vec<PathBuf>,
    /// Sequence number of the last batch; 0 when the log has none.
    pub last_seq: Seq,
    /// Epoch at the end of the log.
    pub epoch: Epoch,
    /// Batches handed to the caller.
    pub batches_replayed: u64,
    /// Batches that were in tables already.
    pub batches_skipped: u64,
    /// Record bytes of the batches handed to the caller.
    pub bytes_replayed: u64,
    /// Bytes after the end of the log that were no records.
    pub torn_bytes: u64,
    /// What was cut because salvage was asked for.
    pub salvaged: Vec<String>,
}

struct Found {
    number: FileNumber,
    path: PathBuf,
    uid: u64,
    header: SegmentHeader,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Arc<dyn ReadFile>),
    Owned(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file.map().unwrap_or_default(),
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Hands every batch above `flushed_seq` to `apply`, in order.
///
/// # Errors
/// `Corruption` for damage before the end of the log, `Invalid` for a newer format, and what
/// `apply` returns.
pub fn recover(
    vfs: &dyn Vfs,
    scope: Scope<'_>,
    apply: &mut dyn FnMut(Seq, &[u8]) -> Result<()>,
) -> Result<Recovered> {
    let mut recovered = Recovered { last_seq: scope.flushed_seq, ..Recovered::default() };
    let found = find_segments(vfs, &scope, &mut recovered)?;
    let bytes = |segments: &[Found]| segments.iter().map(|s| s.bytes.get().len() as u64).sum();
    let bytes_total = bytes(&found);
    found.iter().take(READ_AHEAD).for_each(read_ahead);
    for (i, segment) in found.iter().enumerate() {
        let later = &found[i + 1..];
        later.get(READ_AHEAD - 1).into_iter().for_each(read_ahead);
        if let Some(fault) = chain_fault(&recovered, segment, i) {
            judge(vfs, &scope, segment, HEADER_BYTES, &fault, &found[i..], &mut recovered)?;
            discard(&found[i..], &mut recovered);
            break;
        }
        let end = replay(segment, later.first(), &scope, &mut recovered, apply)?;
        if let Some((offset, fault)) = end_fault(segment, end, later.first(), &mut recovered) {
            judge(vfs, &scope, segment, offset, &fault, later, &mut recovered)?;
            discard(later, &mut recovered);
            break;
        }
        (scope.progress)(bytes(&found[..=i]), bytes_total);
    }
    forget_what_tables_outlive(&scope, &mut recovered);
    Ok(recovered)
}

/// Lets go of segments that lost their end when tables hold more than they do: nothing in them is
/// needed, and the next batch does not follow theirs.
fn forget_what_tables_outlive(scope: &Scope<'_>, recovered: &mut Recovered) {
    if recovered.segments.last().is_some_and(|last| last.last_seq < scope.flushed_seq) {
        let path = |segment: Retired| FileKind::Wal.path(scope.dir, segment.number);
        recovered.segments_durable = 0;
        let paths: Vec<_> = recovered.segments.drain(..).map(path).collect();
        recovered.discarded.splice(..0, paths);
    }
}

/// Segments that are read from the disk while the one before them is replayed.
const READ_AHEAD: usize = 2;

/// Has a segment read ahead: replay touches every page in order.
fn read_ahead(segment: &Found) {
    if let Bytes::Mapped(file) = &segment.bytes {
        file.will_need(0, file.len());
    }
}

fn find_segments(
    vfs: &dyn Vfs,
    scope: &Scope<'_>,
    recovered: &mut Recovered,
) -> Result<Vec<Found>> {
    let numbers = FileKind::Wal.list(vfs, scope.dir)?;
    let mut found = Vec::new();
    for number in numbers {
        let path = FileKind::Wal.path(scope.dir, number);
        if number < scope.floor && scope.kept_seq.is_none() {
            recovered.discarded.push(path);
            continue;
        }
        let uid = hash::file_uid(scope.uuid, number);
        let bytes = read(vfs, &path)?;
        match SegmentHeader::decode(bytes.get(), uid) {
            Ok(header) => found.push(Found { number, path, uid, header, bytes }),
            Err(HeaderFault::Newer { version, required }) => {
                return Err(Error::invalid(format!(
                    "{}: log format {version} with features {required:#x} was written by a newer \
                     aidb; open it with that version",
                    path.display()
                )));
            }
            Err(HeaderFault::Damaged(what)) => {
                let found = assess_headless(bytes.get(), Some(uid));
                if found == Headless::Damaged && !scope.salvage {
                    return Err(corruption(&path, 0, what));
                }
                recovered.discarded.push(path);
            }
        }
    }
    let start = first_needed(&found, scope);
    recovered.discarded.extend(found.drain(..start).map(|segment| segment.path));
    Ok(found)
}

/// Index of the oldest segment that is needed: the first one at or above the floor, or an earlier
/// one that a pin keeps, as far back as the chain is whole.
fn first_needed(found: &[Found], scope: &Scope<'_>) -> usize {
    let mut start = found.partition_point(|segment| segment.number < scope.floor);
    let Some(kept_seq) = scope.kept_seq else { return start };
    while start > 0 {
        let before = &found[start - 1];
        let links = |after: &Found| {
            after.header.predecessor == before.number && after.header.first_seq > kept_seq + 1
        };
        if !found.get(start).is_none_or(links) {
            break;
        }
        start -= 1;
    }
    start
}

fn read(vfs: &dyn Vfs, path: &Path) -> Result<Bytes> {
    let file = vfs.open_read(path)?;
    if file.map().is_some() {
        return Ok(Bytes::Mapped(file));
    }
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Bytes::Owned(bytes))
}

fn chain_fault(recovered: &Recovered, segment: &Found, index: usize) -> Option<String> {
    let header = &segment.header;
    if index == 0 {
        return (header.first_seq > recovered.last_seq + 1).then(|| {
            let (have, first) = (recovered.last_seq, header.first_seq);
            format!("a segment is missing before it: tables end at {have}, it starts at {first}")
        });
    }
    let last = recovered.segments.last()?;
    if header.predecessor != last.number {
        return Some(format!(
            "its predecessor is segment {}, but segment {} is the one before it",
            header.predecessor, last.number
        ));
    }
    (header.first_seq != last.last_seq + 1).then(|| {
        format!(
            "it starts at batch {}, its predecessor ends at {}",
            header.first_seq, last.last_seq
        )
    })
}

fn replay(
    segment: &Found,
    next: Option<&Found>,
    scope: &Scope<'_>,
    recovered: &mut Recovered,
    apply: &mut dyn FnMut(Seq, &[u8]) -> Result<()>,
) -> Result<usize> {
    let limit = declared_end(segment, next).unwrap_or(usize::MAX);
    let mut records = Records::new(segment.bytes.get(), segment.uid);
    let mut last_seq = segment.header.first_seq - 1;
    let mut batches_end = HEADER_BYTES;
    recovered.epoch = segment.header.epoch;
    while records.position() < limit {
        let mut ahead = records.clone();
        let Some(record) = ahead.next() else { break };
        if record.kind == RecordType::Batch as u8 {
            if record.seq != last_seq + 1 {
                break;
            }
            last_seq = record.seq;
            batches_end = record.end;
            if record.seq > scope.flushed_seq {
                apply(record.seq, record.payload).map_err(|e| e.context(segment.path.display()))?;
                recovered.batches_replayed += 1;
                recovered.bytes_replayed += (record.end - record.offset) as u64;
            } else {
                recovered.batches_skipped += 1;
            }
        } else if record.kind == RecordType::EpochStart as u8
            && let Ok(word) = record.payload.try_into()
        {
            recovered.epoch = u64::from_le_bytes(word);
        }
        let promised = promised_end(&record);
        if promised > 0 {
            // The marker itself may not be durable, nor what was written after the sync began.
            recovered.segments_durable = recovered.segments.len();
            let covers_all = promised >= batches_end as u64;
            let covered = if covers_all { last_seq } else { segment.header.first_seq - 1 };
            recovered.durable_seq = recovered.durable_seq.max(covered);
        }
        records = ahead;
    }
    let end = records.position();
    recovered.last_seq = recovered.last_seq.max(last_seq);
    let first_seq = segment.header.first_seq;
    recovered.segments.push(Retired::durable(segment.number, first_seq, last_seq, end));
    Ok(end)
}

fn declared_end(segment: &Found, next: Option<&Found>) -> Option<usize> {
    let header = &next?.header;
    (header.predecessor == segment.number).then_some(header.predecessor_end as usize)
}

/// What is wrong at the end of a segment's records, if that needs a judgement.
fn end_fault(
    segment: &Found,
    end: usize,
    next: Option<&Found>,
    recovered: &mut Recovered,
) -> Option<(usize, String)> {
    if let Some(declared) = declared_end(segment, next) {
        return (end < declared).then(|| {
            (
                end,
                format!("no valid record; the next segment says that records go on to {declared}"),
            )
        });
    }
    let last = recovered.segments.last().map_or(0, |last| last.last_seq);
    match assess_tail(segment.bytes.get(), segment.uid, end, last) {
        Tail::Clean => None,
        Tail::Torn { .. } if is_planted(Bug::TornTailRefused) => Some((end, "torn".to_owned())),
        Tail::Torn { bytes } => {
            recovered.torn_bytes += bytes;
            None
        }
        Tail::Broken { valid_at, durable_end } => {
            let promise = if durable_end > end as u64 { ", which had been synced" } else { "" };
            Some((end, format!("no valid record, but one at offset {valid_at}{promise}")))
        }
    }
}

/// Decides whether a fault is corruption (error) or the end of what a lost machine had written.
fn judge(
    vfs: &dyn Vfs,
    scope: &Scope<'_>,
    segment: &Found,
    offset: usize,
    fault: &str,
    later: &[Found],
    recovered: &mut Recovered,
) -> Result<()> {
    let same_boot = segment.header.boot_id == vfs.boot_id() && !scope.distrust;
    let last = recovered.segments.last().map_or(0, |last| last.last_seq);
    let promised = match assess_tail(segment.bytes.get(), segment.uid, offset, last) {
        Tail::Broken { durable_end, .. } => durable_end > offset as u64,
        _ => false,
    };
    if same_boot || promised || later.iter().any(holds_sync_marker) {
        if !scope.salvage {
            return Err(corruption(&segment.path, offset, fault));
        }
        recovered.salvaged.push(format!("{} cut at {offset}: {fault}", segment.path.display()));
    }
    let lost = segment.bytes.get().len().saturating_sub(offset) as u64;
    recovered.torn_bytes += lost;
    Ok(())
}

fn holds_sync_marker(segment: &Found) -> bool {
    Records::new(segment.bytes.get(), segment.uid).any(|record| promised_end(&record) > 0)
}

fn discard(segments: &[Found], recovered: &mut Recovered) {
    for segment in segments {
        recovered.torn_bytes += segment.bytes.get().len() as u64;
        recovered.discarded.push(segment.path.clone());
    }
}
