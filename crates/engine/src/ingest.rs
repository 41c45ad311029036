//! Taking in tables that were built elsewhere.
//!
//! Foreign tables are rewritten under a number, an identity and a sequence number of this database:
//! all their records become one batch. They enter the last level when nothing of the keyspace
//! overlaps them, otherwise a new run of level 0, which is newer than every other table. The caller
//! sees to it that every record below that sequence number is in tables, and no later one.

use std::path::PathBuf;

use aidb_base::{Error, KeyspaceId, Result, Seq, hash};

use crate::compaction::{
    Action, CompactionContext, CompactionPlan, LAST_LEVEL, Outputs, Reason, added, filter_bits,
};
use crate::entry::{Entry, Kind};
use crate::inspect::own_uid;
use crate::iterator::{AnyCursor, Cursor, MergeCursor};
use crate::options::Codec;
use crate::table::Table;
use crate::version::{Tree, VersionEdit};

/// What came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestStats {
    /// Records.
    pub entries: u64,
    /// Tables written.
    pub tables: u64,
    /// Bytes of tables written.
    pub bytes: u64,
}

/// Rewrites the tables at `paths` as records of batch `seq` of `keyspace`. The outputs are synced
/// when it returns; apply the edit to a version with the same records.
///
/// # Errors
/// `Invalid` for tables that hold range tombstones, references to blob files, or a key that another
/// one of them holds too; `Corruption` of an input; those of the file system. Nothing stays behind.
pub fn ingest(
    context: &CompactionContext<'_>,
    keyspace: KeyspaceId,
    paths: &[PathBuf],
    seq: Seq,
) -> Result<(VersionEdit, IngestStats)> {
    let tree = context.version.tree(keyspace).ok_or_else(|| {
        Error::invalid(format!("keyspace {keyspace} does not exist: create it first"))
    })?;
    let sources = open(context, paths)?;
    let plan = plan(context, tree, &sources);
    let mut outputs = Outputs::new(&plan, context, tree, seq);
    let written = copy(context, tree, &sources, seq, &mut outputs);
    let (delta, stats) = match written.and_then(|done| outputs.finish().map(|()| done)) {
        Ok((delta, entries)) => {
            let tables = outputs.tables().len() as u64;
            (delta, IngestStats { entries, tables, bytes: outputs.bytes() })
        }
        Err(error) => {
            outputs.discard();
            return Err(error);
        }
    };
    let (metas, _) = outputs.into_metas();
    let edit = VersionEdit {
        added: metas.into_iter().map(|meta| added(&plan, meta)).collect(),
        live_key_deltas: vec![(keyspace, delta)],
        ..VersionEdit::default()
    };
    Ok((edit, stats))
}

/// A foreign table and where it is.
struct Source {
    table: std::sync::Arc<Table>,
    path: PathBuf,
}

fn open(context: &CompactionContext<'_>, paths: &[PathBuf]) -> Result<Vec<Source>> {
    let files = context.files;
    let open = |path: &PathBuf| {
        let uid = own_uid(&*files.vfs, path)?;
        let table = Table::open(&*files.vfs, path, uid, files.cache.clone())?;
        if table.properties().range_tombstones > 0 || !table.properties().blob_refs.is_empty() {
            return Err(Error::invalid(format!(
                "{} holds range tombstones or references to blob files, which have no meaning \
                 here: build it from plain records",
                path.display()
            )));
        }
        table.verify(None)?;
        Ok(Source { table, path: path.clone() })
    };
    paths.iter().map(open).collect()
}

/// The deepest place in which the new records are above every older one.
fn plan(context: &CompactionContext<'_>, tree: &Tree, sources: &[Source]) -> CompactionPlan {
    let is_met = |source: &Source| {
        let properties = source.table.properties();
        let meets = |file: &&std::sync::Arc<crate::version::TableFile>| {
            file.meta().overlaps(&properties.smallest, &properties.largest)
        };
        properties.entries > 0 && tree.tables().any(|file| meets(&file))
    };
    // Tables between two of the new ones would end up inside an output: only empty levels are safe.
    let is_free = tree.levels[usize::from(LAST_LEVEL) - 1].is_empty() || sources.len() == 1;
    let output_level = if is_free && !sources.iter().any(is_met) { LAST_LEVEL } else { 0 };
    let codec = match output_level {
        LAST_LEVEL => tree.options.compression.unwrap_or(context.options.codec(LAST_LEVEL)),
        _ => Codec::None,
    };
    CompactionPlan {
        keyspace: tree.id,
        reason: Reason::Ingest,
        action: Action::Merge,
        inputs: Vec::new(),
        output_level,
        output_run: 0,
        codec,
        filter_bits_per_key: filter_bits(output_level, context.options),
        blobs_rewritten: Vec::new(),
    }
}

/// Copies all records in order; returns by how much the number of live keys changes, and theirs.
fn copy(
    context: &CompactionContext<'_>,
    tree: &Tree,
    sources: &[Source],
    seq: Seq,
    outputs: &mut Outputs<'_>,
) -> Result<(i64, u64)> {
    let cursors = sources.iter().map(|source| AnyCursor::from(source.table.cursor(false)));
    let mut cursor = MergeCursor::new(cursors.collect());
    let (mut delta, mut entries) = (0, 0);
    let mut last_key: Option<Vec<u8>> = None;
    cursor.seek_to_first()?;
    while let Some(entry) = cursor.entry() {
        if last_key.as_deref() == Some(entry.key) {
            let paths: Vec<_> = sources.iter().map(|source| source.path.display()).collect();
            return Err(Error::invalid(format!(
                "a key is in more than one of {paths:?}: give every key in one table only"
            )));
        }
        let key = last_key.get_or_insert_default();
        key.clear();
        key.extend_from_slice(entry.key);
        delta += i64::from(entry.kind != Kind::Delete) - i64::from(is_live(context, tree, &entry)?);
        entries += 1;
        if outputs.open_bytes() >= context.options.table_bytes_max {
            outputs.close_table()?;
        }
        outputs.add(&Entry { seq, ..entry })?;
        cursor.next()?;
    }
    Ok((delta, entries))
}

/// Whether the tables have a value for the key of `entry`.
fn is_live(context: &CompactionContext<'_>, tree: &Tree, entry: &Entry<'_>) -> Result<bool> {
    let seed = context.version.state().hash_seed;
    let key = entry.key;
    let found = tree.get(key, hash::key_hash_seeded(key, seed), seed, |found| {
        found.kind != Kind::Delete && tree.tombstones.seq_covering(key, Seq::MAX) <= found.seq
    })?;
    Ok(found.unwrap_or(false))
}

#[cfg(test)]
mod tests;
