//! Records of tables: all of a sound one, what can be read of a damaged one.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{FileNumber, Result, hash};

use super::Work;
use crate::cache::BlockCache;
use crate::file_names::{self, FileKind};
use crate::inspect::{is_finding, own_uid};
use crate::iterator::{Cursor, OwnedEntry, VecCursor};
use crate::table::Table;
use crate::version::TableMeta;

/// Opens every table that may hold live records.
pub fn collect(work: &mut Work<'_>) -> Result<()> {
    let named: Vec<_> = work.survey.state.tables().map(|(_, it)| it.meta.clone()).collect();
    let numbers = FileKind::Table.list(work.vfs, work.dir)?;
    for meta in &named {
        if !numbers.contains(&meta.number) {
            let path = file_names::table(work.dir, meta.number);
            work.lose(&path, format!("the file is missing: {}", described(meta)));
        }
    }
    let is_named = |number: &FileNumber| named.iter().any(|meta| meta.number == *number);
    for number in numbers {
        if work.survey.is_complete && !is_named(&number) {
            work.merged.push(file_names::table(work.dir, number));
            continue;
        }
        let meta = named.iter().find(|meta| meta.number == number);
        collect_one(work, number, meta.map(|meta| &**meta))?;
    }
    Ok(())
}

fn collect_one(work: &mut Work<'_>, number: FileNumber, meta: Option<&TableMeta>) -> Result<()> {
    let path = file_names::table(work.dir, number);
    let opened = uid_of(work, &path, number)
        .and_then(|uid| Table::open(work.vfs, &path, uid, Arc::new(BlockCache::new(0))));
    let table = match opened {
        Ok(table) => table,
        Err(error) if is_finding(&error) => {
            let content = meta.map_or_else(|| "all of its records".to_owned(), described);
            work.lose(&path, format!("{content} ({})", error.message()));
            work.damaged.push(path);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    work.report.tables += 1;
    let properties = table.properties();
    work.max_seq = work.max_seq.max(properties.max_seq).max(properties.range_tombstone_max_seq);
    let keyspace = properties.keyspace;
    collect_range_tombstones(work, &path, &table)?;
    match table.verify(meta.map(|meta| meta.digest)) {
        Ok(()) => {
            work.sources_of(keyspace).cursors.push(table.cursor(false).into());
            work.merged.push(path);
        }
        Err(error) if is_finding(&error) => {
            let kept = salvage(work, &path, &table);
            work.sources_of(keyspace).cursors.push(VecCursor::new(kept).into());
            work.damaged.push(path);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn uid_of(work: &Work<'_>, path: &Path, number: FileNumber) -> Result<u64> {
    match work.survey.is_uuid_known {
        true => Ok(hash::file_uid(&work.survey.uuid, number)),
        false => own_uid(work.vfs, path),
    }
}

fn collect_range_tombstones(work: &mut Work<'_>, path: &Path, table: &Table) -> Result<()> {
    match table.range_tombstones() {
        Ok(tombstones) => {
            let keyspace = table.properties().keyspace;
            work.sources_of(keyspace).range_tombstones.extend(tombstones);
            Ok(())
        }
        Err(error) if is_finding(&error) => {
            let count = table.properties().range_tombstones;
            work.lose(path, format!("{count} range deletes: keys they removed may be back"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The records before the first damaged block and after the last one. Keeps no cursor open.
fn salvage(work: &mut Work<'_>, path: &Path, table: &Arc<Table>) -> Vec<OwnedEntry> {
    let properties = table.properties();
    let mut kept = walk(table, true);
    let first_bad = kept.last().map(|entry| entry.key.clone());
    let is_whole = kept.len() as u64 == properties.entries;
    let after = if is_whole { Vec::new() } else { walk(table, false) };
    let last_bad = after.last().map(|entry| entry.key.clone());
    let reached = |entry: &OwnedEntry| first_bad.as_ref().is_none_or(|key| entry.key > *key);
    kept.extend(after.into_iter().filter(reached));
    let missing = properties.entries.saturating_sub(kept.len() as u64);
    let shown = |key: &Option<Vec<u8>>, edge: &str| {
        key.as_ref().map_or_else(|| edge.to_owned(), |key| key.escape_ascii().to_string())
    };
    if missing == 0 {
        work.lose(path, "nothing: damage outside the records; all of them are saved");
    } else {
        work.lose(
            path,
            format!(
                "{missing} of {} records of keyspace {}, with keys after {} and before {}",
                properties.entries,
                properties.keyspace,
                shown(&first_bad, "the start"),
                shown(&last_bad, "the end"),
            ),
        );
    }
    kept
}

/// Entries from one end of the table to the first that cannot be read.
fn walk(table: &Arc<Table>, is_forward: bool) -> Vec<OwnedEntry> {
    let mut cursor = table.cursor(false);
    let mut found: Vec<OwnedEntry> = Vec::new();
    let mut moved = if is_forward { cursor.seek_to_first() } else { cursor.seek_to_last() };
    while moved.is_ok() {
        let Some(entry) = cursor.entry() else { break };
        found.push(entry.into());
        moved = if is_forward { cursor.next() } else { cursor.prev() };
    }
    found
}

fn described(meta: &TableMeta) -> String {
    format!(
        "{} records with keys {} to {}, seq {} to {}",
        meta.entries,
        meta.smallest.escape_ascii(),
        meta.largest.escape_ascii(),
        meta.min_seq,
        meta.max_seq
    )
}
