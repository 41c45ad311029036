//! Log segments: header, one row per record, and what stands at the end.

use std::path::Path;

use aidb_base::{Error, Result, hash};

use super::report::{Report, Row, uuid_text};
use crate::batch::{Operation, Operations};
use crate::wal::format::{HEADER_BYTES, HeaderFault, Record, RecordType, SegmentHeader};
use crate::wal::reader::{Headless, Records, Tail, assess_headless, assess_tail};

/// Reports a segment. `uid_by_place` tells its identity when its own header does not.
pub fn describe(
    bytes: &[u8],
    path: &Path,
    (boot_id, uid_by_place): (u64, &dyn Fn() -> Option<u64>),
    report: &mut Report,
) -> Result<()> {
    let uid = own_uid(bytes);
    let header = match SegmentHeader::decode(bytes, uid) {
        Ok(header) => header,
        Err(HeaderFault::Newer { version, required }) => {
            return Err(Error::invalid(format!(
                "{} was written by a newer aidb (format version {version}, required features \
                 {required:#x}): use that version",
                path.display()
            )));
        }
        Err(HeaderFault::Damaged(what)) => {
            report.fact("file_bytes", bytes.len());
            describe_headless(assess_headless(bytes, uid_by_place()), what, report);
            return Ok(());
        }
    };
    report.fact("number", header.number);
    report.fact("database_uuid", uuid_text(&header.uuid));
    report.fact("predecessor", header.predecessor);
    report.fact("predecessor_end", header.predecessor_end);
    report.fact("first_seq", header.first_seq);
    report.fact("epoch", header.epoch);
    report.fact("boot_id", format!("{:016x}", header.boot_id));
    let end = describe_records(bytes, uid, header.first_seq.saturating_sub(1), report);
    describe_tail(bytes, (uid, header.boot_id == boot_id), end, report);
    Ok(())
}

fn describe_headless(found: Headless, what: &str, report: &mut Report) {
    match found {
        Headless::Reserved => report.summary = "reserved, no record written yet".to_owned(),
        Headless::Unfinished { bytes } => {
            report.fact("torn_bytes", bytes);
            report.summary = "no whole record: it was being begun".to_owned();
        }
        Headless::Damaged => {
            report.summary = "damaged header".to_owned();
            report.problem(format_args!("header: {what}"));
        }
    }
}

/// Identity of the segment according to its own header.
pub fn own_uid(bytes: &[u8]) -> u64 {
    let Some(head) = bytes.get(..HEADER_BYTES) else { return 0 };
    let mut number = [0; 8];
    number.copy_from_slice(&head[24..32]);
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&head[32..48]);
    hash::file_uid(&uuid, u64::from_le_bytes(number))
}

fn describe_records(bytes: &[u8], uid: u64, before: u64, report: &mut Report) -> (usize, u64) {
    let mut records = Records::new(bytes, uid);
    let (mut batches, mut operations, mut last_seq) = (0_u64, 0_u64, before);
    for record in records.by_ref() {
        last_seq = record.seq;
        if record.kind == RecordType::Batch as u8 {
            batches += 1;
            operations += Operations::new(record.payload).count() as u64;
        }
        report.row("records", || record_row(&record));
    }
    let end = records.position();
    report.fact("records_end", end);
    report.fact("file_bytes", bytes.len());
    report.fact("batches", batches);
    report.fact("operations", operations);
    report.fact("last_seq", last_seq);
    report.summary =
        format!("{batches} batches with {operations} operations, up to seq {last_seq}");
    (end, last_seq)
}

/// A gap in the records is damage unless the machine stopped since and nothing after the gap had
/// been promised durable; see the format.
fn describe_tail(
    bytes: &[u8],
    (uid, is_same_boot): (u64, bool),
    (end, last_seq): (usize, u64),
    report: &mut Report,
) {
    match assess_tail(bytes, uid, end, last_seq) {
        Tail::Clean => {}
        Tail::Torn { bytes } => report.fact("torn_bytes", bytes),
        Tail::Broken { valid_at, durable_end } => {
            report.fact("durable_end", durable_end);
            report.fact("next_valid_record_at", valid_at);
            if is_same_boot || durable_end > end as u64 {
                report.problem(format_args!(
                    "no valid record at offset {end}, but one at offset {valid_at}"
                ));
            }
        }
    }
}

fn record_row(record: &Record<'_>) -> Row {
    let kind = match record.kind {
        1 => "batch",
        2 => "sync marker",
        3 => "seal",
        4 => "epoch start",
        _ => "ignorable",
    };
    let content = match record.kind {
        1 => batch_text(record.payload),
        2 | 4 => record
            .payload
            .first_chunk()
            .map(|word| u64::from_le_bytes(*word).to_string())
            .unwrap_or_default(),
        _ => String::new(),
    };
    vec![
        ("offset", record.offset.into()),
        ("type", kind.into()),
        ("seq", record.seq.into()),
        ("payload_bytes", record.payload.len().into()),
        ("content", content.into()),
    ]
}

const OPERATIONS_SHOWN: usize = 4;

fn batch_text(payload: &[u8]) -> String {
    let mut texts = Vec::new();
    let mut left_out = 0_u64;
    for operation in Operations::new(payload) {
        match operation {
            Ok(operation) if texts.len() < OPERATIONS_SHOWN => {
                texts.push(operation_text(&operation));
            }
            Ok(_) => left_out += 1,
            Err(error) => texts.push(format!("undecodable: {error}")),
        }
    }
    if left_out > 0 {
        texts.push(format!("and {left_out} more"));
    }
    texts.join("; ")
}

fn operation_text(operation: &Operation<'_>) -> String {
    match *operation {
        Operation::Put { keyspace, key, value, expire_at_ms } => {
            let expiry = match expire_at_ms {
                0 => String::new(),
                at => format!(" expires {at}"),
            };
            format!("put {keyspace}:{} ({} bytes){expiry}", key.escape_ascii(), value.len())
        }
        Operation::Delete { keyspace, key } => format!("delete {keyspace}:{}", key.escape_ascii()),
        Operation::DeleteRange { keyspace, start, end } => format!(
            "delete range {keyspace}:{}..{}",
            start.escape_ascii(),
            end.map(|end| end.escape_ascii().to_string()).unwrap_or_default()
        ),
        Operation::Annotation(bytes) => format!("annotation ({} bytes)", bytes.len()),
    }
}
