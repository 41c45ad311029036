//! Tables: properties, and one row per entry and range tombstone.

use std::path::Path;
use std::sync::Arc;

use aidb_base::Result;

use super::report::{Report, Row};
use super::{is_finding, own_uid};
use crate::cache::BlockCache;
use crate::entry::{Entry, Kind};
use crate::iterator::Cursor;
use crate::table::{Table, TableProperties};
use crate::vfs::Vfs;

pub fn describe(vfs: &dyn Vfs, path: &Path, number: u64, report: &mut Report) -> Result<()> {
    report.fact("number", number);
    let described = own_uid(vfs, path).and_then(|uid| {
        let table = Table::open(vfs, path, uid, Arc::new(BlockCache::new(0)))?;
        describe_properties(table.properties(), report);
        describe_range_tombstones(&table, report)?;
        describe_entries(&table, report)?;
        describe_blob_files(table.properties(), report);
        Ok(())
    });
    match described {
        Err(error) if is_finding(&error) => {
            if report.summary.is_empty() {
                "damaged".clone_into(&mut report.summary);
            }
            report.problem(error.message());
            Ok(())
        }
        other => other,
    }
}

fn describe_properties(properties: &TableProperties, report: &mut Report) {
    let it = properties;
    report.summary = format!(
        "keyspace {}, written for level {}, {} entries ({} deletes), seq {} to {}",
        it.keyspace, it.level, it.entries, it.deletes, it.min_seq, it.max_seq
    );
    report.fact("keyspace", it.keyspace);
    report.fact("level", it.level);
    report.fact("bytes", it.bytes);
    report.fact("smallest", it.smallest.as_slice());
    report.fact("largest", it.largest.as_slice());
    report.fact("min_seq", it.min_seq);
    report.fact("max_seq", it.max_seq);
    report.fact("entries", it.entries);
    report.fact("deletes", it.deletes);
    report.fact("range_tombstones", it.range_tombstones);
    report.fact("range_tombstones_applied_to_seq", it.rt_applied_seq);
    report.fact("expiring", it.expiring);
    report.fact("min_expire_ms", it.min_expire_ms);
    report.fact("max_expire_ms", it.max_expire_ms);
    report.fact("blocks", it.blocks);
    report.fact("data_bytes", it.data_bytes);
    report.fact("raw_key_bytes", it.raw_key_bytes);
    report.fact("raw_value_bytes", it.raw_value_bytes);
    report.fact("filter_bits_per_key", it.filter_bits_per_key);
    report.fact("codec", format!("{:?}", it.codec).to_lowercase());
    report.fact("created_ms", it.created_ms);
    report.fact("hash_seed", format!("{:016x}", it.hash_seed));
}

fn describe_blob_files(properties: &TableProperties, report: &mut Report) {
    for &(file, bytes) in &properties.blob_refs {
        report.row("blob_files", || vec![("file", file.into()), ("bytes", bytes.into())]);
    }
}

fn describe_range_tombstones(table: &Table, report: &mut Report) -> Result<()> {
    for tombstone in table.range_tombstones()? {
        report.row("range_tombstones", || {
            vec![
                ("start", tombstone.start.as_slice().into()),
                ("end", tombstone.end.as_deref().into()),
                ("seq", tombstone.seq.into()),
            ]
        });
    }
    Ok(())
}

fn describe_entries(table: &Arc<Table>, report: &mut Report) -> Result<()> {
    let mut cursor = table.cursor(false);
    cursor.seek_to_first()?;
    let mut shown = 0;
    while let Some(entry) = cursor.entry() {
        if !report.has_room() {
            report.more += table.properties().entries.saturating_sub(shown);
            return Ok(());
        }
        report.row("entries", || entry_row(&entry));
        shown += 1;
        cursor.next()?;
    }
    Ok(())
}

fn entry_row(entry: &Entry<'_>) -> Row {
    let kind = match entry.kind {
        Kind::Delete => "delete",
        Kind::Put => "put",
        Kind::Blob => "blob",
    };
    let expiry = (entry.expire_at_ms != 0).then_some(entry.expire_at_ms);
    vec![
        ("key", entry.key.into()),
        ("seq", entry.seq.into()),
        ("kind", kind.into()),
        ("expire_at_ms", expiry.into()),
        ("value_bytes", entry.value.len().into()),
        ("value", entry.value[..entry.value.len().min(VALUE_BYTES_SHOWN)].into()),
    ]
}

const VALUE_BYTES_SHOWN: usize = 64;
