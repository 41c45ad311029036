//! Records of the log: every valid batch, also after a gap.

use std::path::Path;

use aidb_base::{Error, FileNumber, KeyspaceId, Result, Seq, hash};
use std::collections::BTreeMap;

use super::Work;
use crate::batch::{Operation, Operations};
use crate::entry::{Kind, RangeTombstone};
use crate::file_names::{self, FileKind};
use crate::inspect::segment_uid;
use crate::iterator::{OwnedEntry, VecCursor};
use crate::wal::format::{HeaderFault, Record, RecordType, SegmentHeader};
use crate::wal::reader::{Headless, Records, Tail, assess_headless, assess_tail};

/// Entries by keyspace, those of a batch in reverse order: on equal sequence numbers the later
/// operation must come first.
type Entries = BTreeMap<KeyspaceId, Vec<OwnedEntry>>;

/// Reads every segment that may hold batches that are in no table.
pub fn collect(work: &mut Work<'_>) -> Result<()> {
    let mut entries = Entries::new();
    let mut last_seq = None;
    for number in FileKind::Wal.list(work.vfs, work.dir)? {
        if work.survey.is_complete && number < work.survey.state.log_floor {
            work.merged.push(file_names::wal(work.dir, number));
            continue;
        }
        collect_segment(work, number, &mut entries, &mut last_seq)?;
    }
    for (keyspace, entries) in entries {
        work.sources_of(keyspace).cursors.push(VecCursor::new(entries).into());
    }
    Ok(())
}

fn collect_segment(
    work: &mut Work<'_>,
    number: FileNumber,
    entries: &mut Entries,
    last_seq: &mut Option<Seq>,
) -> Result<()> {
    let path = &file_names::wal(work.dir, number);
    let bytes = crate::inspect::read(work.vfs, path)?;
    let uid = segment_uid(&bytes);
    match SegmentHeader::decode(&bytes, uid) {
        Ok(header) => {
            work.survey.state.epoch = work.survey.state.epoch.max(header.epoch);
            last_seq.get_or_insert(header.first_seq.saturating_sub(1));
        }
        Err(HeaderFault::Newer { .. }) => {
            return Err(Error::invalid(format!(
                "{} was written by a newer aidb: repair with that version",
                path.display()
            )));
        }
        Err(HeaderFault::Damaged(what)) => {
            let is_known = work.survey.is_uuid_known;
            let uid = is_known.then(|| hash::file_uid(&work.survey.uuid, number));
            if assess_headless(&bytes, uid) != Headless::Damaged {
                work.merged.push(path.to_owned());
                return Ok(());
            }
            work.lose(path, format!("all batches of the segment ({what})"));
            work.damaged.push(path.to_owned());
            return Ok(());
        }
    }
    let is_sound = collect_records(work, path, (&bytes, uid), entries, last_seq);
    if is_sound { &mut work.merged } else { &mut work.damaged }.push(path.to_owned());
    Ok(())
}

/// Takes every valid record; returns whether there was no gap.
fn collect_records(
    work: &mut Work<'_>,
    path: &Path,
    (bytes, uid): (&[u8], u64),
    entries: &mut Entries,
    last_seq: &mut Option<Seq>,
) -> bool {
    let mut is_sound = true;
    let mut start = crate::wal::format::HEADER_BYTES;
    loop {
        let Some(rest) = bytes.get(start..) else { return is_sound };
        let mut records = Records::of_piece(rest, uid, start);
        for record in records.by_ref() {
            take_record(work, path, &record, entries, last_seq);
        }
        let end = start + records.position();
        match assess_tail(bytes, uid, end, last_seq.unwrap_or(0)) {
            Tail::Clean => return is_sound,
            Tail::Torn { bytes } => {
                work.lose(
                    path,
                    format!(
                        "{bytes} bytes at offset {end} that are no record: a batch that was being \
                         written, or damage"
                    ),
                );
                return is_sound;
            }
            Tail::Broken { valid_at, .. } => {
                work.lose(path, format!("what was between offsets {end} and {valid_at}"));
                is_sound = false;
                start = valid_at;
            }
        }
    }
}

fn take_record(
    work: &mut Work<'_>,
    path: &Path,
    record: &Record<'_>,
    entries: &mut Entries,
    last_seq: &mut Option<Seq>,
) {
    work.max_seq = work.max_seq.max(record.seq);
    if record.kind != RecordType::Batch as u8 {
        return;
    }
    if let Some(before) = last_seq.filter(|before| record.seq > before + 1) {
        work.lose(path, format!("batches with seq {} to {}", before + 1, record.seq - 1));
    }
    *last_seq = Some(record.seq);
    let operations: Result<Vec<_>> = Operations::new(record.payload).collect();
    match operations {
        Ok(_) if work.is_tables_whole && record.seq <= work.survey.state.last_seq => {}
        Ok(operations) => {
            work.report.batches += 1;
            for operation in operations.iter().rev() {
                take_operation(work, operation, record.seq, entries);
            }
        }
        Err(error) => work.lose(path, format!("the batch with seq {} ({error})", record.seq)),
    }
}

fn take_operation(work: &mut Work<'_>, operation: &Operation<'_>, seq: Seq, entries: &mut Entries) {
    let mut push = |keyspace, key: &[u8], kind, value: &[u8], expire_at_ms| {
        let (key, value) = (key.to_vec(), value.to_vec());
        let entry = OwnedEntry { key, seq, kind, expire_at_ms, value };
        entries.entry(keyspace).or_default().push(entry);
    };
    match *operation {
        Operation::Put { keyspace, key, value, expire_at_ms } => {
            push(keyspace, key, Kind::Put, value, expire_at_ms);
        }
        Operation::Delete { keyspace, key } => push(keyspace, key, Kind::Delete, b"", 0),
        Operation::DeleteRange { keyspace, start, end } => {
            let (start, end) = (start.to_vec(), end.map(<[u8]>::to_vec));
            let tombstone = RangeTombstone { start, end, seq };
            work.sources_of(keyspace).range_tombstones.push(tombstone);
        }
        Operation::Annotation(_) => {}
    }
}
