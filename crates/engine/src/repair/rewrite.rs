//! Merging all sources of a keyspace into new tables.

use std::collections::BTreeMap;

use aidb_base::{Error, FileNumber, KeyspaceId, Result, hash};

use super::blobs::Fate;
use super::{Sources, Work};
use crate::entry::{Entry, Kind};
use crate::file_names::{self, FileKind};
use crate::iterator::{Cursor, MergeCursor};
use crate::options::{KeyspaceOptions, Options};
use crate::range_tombstone::RangeTombstones;
use crate::table::{TableBuilder, TableOptions};
use crate::version::format::LEVEL_MAX;
use crate::version::{AddedTable, BlobMeta, KeyspaceMeta, State, TableMeta, VersionEdit};

/// The database that a manifest is to be written for.
pub struct Rewritten {
    /// Its state.
    pub state: State,
    /// The first file number that is free.
    pub next_number: FileNumber,
}

/// Writes the tables of one keyspace.
struct Output<'a> {
    options: &'a Options,
    template: TableOptions,
    next_number: &'a mut FileNumber,
    builder: Option<(FileNumber, TableBuilder)>,
    added: Vec<AddedTable>,
    entries: u64,
}

/// Merges every keyspace.
pub fn rewrite(work: &mut Work<'_>, options: &Options, now_ms: u64) -> Result<Rewritten> {
    let mut next_number = first_free_number(work)?;
    let hash_seed = match work.survey.state.hash_seed {
        0 => aidb_base::Rng::from_entropy().next_u64(),
        known => known,
    };
    let mut edit = VersionEdit {
        last_seq: Some(work.max_seq),
        epoch: Some(work.survey.state.epoch),
        history: work.survey.state.history.clone(),
        hash_seed: Some(hash_seed),
        keyspaces: keyspaces(work),
        ..VersionEdit::default()
    };
    edit.next_keyspace = edit.keyspaces.last().map(|keyspace| keyspace.id + 1);
    for (keyspace, sources) in std::mem::take(&mut work.sources) {
        let template = TableOptions {
            block_bytes: options.block_bytes,
            filter_bits_per_key: options.filter_bits_per_key,
            codec: options.codec(LEVEL_MAX),
            keyspace,
            level: LEVEL_MAX,
            hash_seed,
            uid: 0,
            rt_applied_seq: work.max_seq,
            created_ms: now_ms,
        };
        let mut output = Output {
            options,
            template,
            next_number: &mut next_number,
            builder: None,
            added: Vec::new(),
            entries: 0,
        };
        merge(work, keyspace, sources, &mut output)?;
        output.cut()?;
        edit.live_key_deltas.push((keyspace, output.entries as i64));
        work.report.entries += output.entries;
        edit.added.append(&mut output.added);
    }
    edit.blobs_added = settle_blobs(work);
    let mut state = State::default();
    state.apply(&edit).map_err(|what| Error::internal(format!("repaired state: {what}")))?;
    Ok(Rewritten { state, next_number })
}

fn first_free_number(work: &Work<'_>) -> Result<FileNumber> {
    let mut highest = work.survey.state.next_file_number;
    for kind in FileKind::ALL {
        let numbers = kind.list(work.vfs, work.dir)?;
        highest = highest.max(numbers.last().copied().unwrap_or(0));
    }
    Ok(highest + 1)
}

/// Every keyspace that is known by name or by its records.
fn keyspaces(work: &Work<'_>) -> Vec<KeyspaceMeta> {
    let mut found: BTreeMap<KeyspaceId, KeyspaceMeta> = BTreeMap::new();
    for (&id, tree) in &work.survey.state.trees {
        let (name, options) = (tree.name.clone(), tree.options.clone());
        found.insert(id, KeyspaceMeta { id, name, options });
    }
    for &id in std::iter::once(&crate::db::DEFAULT_KEYSPACE).chain(work.sources.keys()) {
        let name = match id {
            crate::db::DEFAULT_KEYSPACE => "default".to_owned(),
            _ => format!("recovered-{id}"),
        };
        let options = KeyspaceOptions::default();
        found.entry(id).or_insert(KeyspaceMeta { id, name, options });
    }
    found.into_values().collect()
}

/// Writes the newest live record of every key.
fn merge(
    work: &mut Work<'_>,
    keyspace: KeyspaceId,
    sources: Sources,
    output: &mut Output<'_>,
) -> Result<()> {
    if work.survey.is_complete && !work.survey.state.trees.contains_key(&keyspace) {
        // Log records of a keyspace that was dropped.
        return Ok(());
    }
    let tombstones = RangeTombstones::new(sources.range_tombstones);
    let mut cursor = MergeCursor::new(sources.cursors);
    cursor.seek_to_first()?;
    let mut last_key: Option<Vec<u8>> = None;
    while let Some(entry) = cursor.entry() {
        if last_key.as_deref() != Some(entry.key) {
            last_key = Some(entry.key.to_vec());
            let is_covered = tombstones.seq_covering(entry.key, u64::MAX) > entry.seq;
            if entry.kind != Kind::Delete && !is_covered {
                output.take(work, &entry)?;
            }
        }
        cursor.next()?;
    }
    Ok(())
}

impl Output<'_> {
    fn take(&mut self, work: &mut Work<'_>, entry: &Entry<'_>) -> Result<()> {
        if entry.kind != Kind::Blob {
            return self.add(work, entry);
        }
        match work.blobs.fate(entry.value, work.survey.is_uuid_known) {
            Fate::Stays => self.add(work, entry),
            Fate::Moves(value) => {
                self.add(work, &Entry { kind: Kind::Put, value: &value, ..*entry })
            }
            Fate::Lost(why) => {
                let path = FileKind::Blob.dir(work.dir);
                let key = entry.key.escape_ascii();
                let keyspace = self.template.keyspace;
                work.lose(&path, format!("the value of key {key} of keyspace {keyspace}: {why}"));
                Ok(())
            }
        }
    }

    fn add(&mut self, work: &Work<'_>, entry: &Entry<'_>) -> Result<()> {
        let is_full = |builder: &TableBuilder| builder.bytes() >= self.options.table_bytes_max;
        if self.builder.as_ref().is_some_and(|(_, builder)| is_full(builder)) {
            self.cut()?;
        }
        if self.builder.is_none() {
            self.builder = Some(self.start(work)?);
        }
        self.entries += 1;
        match &mut self.builder {
            Some((_, builder)) => builder.add(entry),
            None => Ok(()),
        }
    }

    fn start(&mut self, work: &Work<'_>) -> Result<(FileNumber, TableBuilder)> {
        let number = *self.next_number;
        *self.next_number += 1;
        let uid = hash::file_uid(&work.survey.uuid, number);
        let options = TableOptions { uid, ..self.template.clone() };
        let path = file_names::table(work.dir, number);
        Ok((number, TableBuilder::create(work.vfs, &path, options)?))
    }

    fn cut(&mut self) -> Result<()> {
        let Some((number, builder)) = self.builder.take() else { return Ok(()) };
        let meta = TableMeta::new(number, &builder.finish()?);
        let keyspace = self.template.keyspace;
        self.added.push(AddedTable { keyspace, level: LEVEL_MAX, run: 0, meta });
        Ok(())
    }
}

/// Decides which blob files stay.
fn settle_blobs(work: &mut Work<'_>) -> Vec<BlobMeta> {
    for (number, is_damaged) in work.blobs.dropped() {
        let path = file_names::blob(work.dir, number);
        if is_damaged { &mut work.damaged } else { &mut work.merged }.push(path);
    }
    work.blobs.kept().into_values().map(|blob| blob.meta).collect()
}
