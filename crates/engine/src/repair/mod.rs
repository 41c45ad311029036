//! Bringing back a database that does not open: manifest lost, files damaged.
//!
//! [`repair`] reads every record that can still be read (tables, whole or in part, and the log),
//! merges them so that the newest of each key wins, writes the result as new tables of the last
//! level, and puts a fresh manifest in front. It rewrites everything instead of guessing levels:
//! without a manifest nothing says whether a table is a leftover, and only sequence numbers are to
//! be trusted. So it needs as much free space as the database has live bytes.
//!
//! Damaged files are moved to `lost/`, never removed, and the report says what was in them.
//!
//! 1. [`survey`]: identity, names and liveness from whatever manifest can be read;
//! 2. [`tables`], [`logs`], [`blobs`]: sources, with what is lost of each;
//! 3. [`rewrite`]: merge per keyspace into new tables;
//! 4. manifest and `CURRENT` become durable; only then are the old files moved or removed.
//!
//! A crash before step 4 leaves the database as it was, apart from new tables that no manifest
//! names; repair again.

mod blobs;
mod logs;
mod rewrite;
mod survey;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aidb_base::{Error, FileNumber, KeyspaceId, Result, Seq};

use crate::entry::RangeTombstone;
use crate::file_names::{self, FileKind};
use crate::iterator::AnyCursor;
use crate::options::{Env, Options};
use crate::version::manifest::{ManifestWriter, switch_current};
use crate::vfs::Vfs;

use blobs::Blobs;
use rewrite::Rewritten;
use survey::Survey;

/// Directory that damaged files are moved to, below the database directory.
pub const LOST_DIR: &str = "lost";

/// Something that could not be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// File it was in, below the database directory.
    pub file: PathBuf,
    /// What it was.
    pub what: String,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Tables read, whole or in part.
    pub tables: u64,
    /// Batches read from the log.
    pub batches: u64,
    /// Live entries written.
    pub entries: u64,
    /// Everything that could not be saved, exactly.
    pub lost: Vec<Lost>,
}

/// Records of one keyspace, from all files.
#[derive(Default)]
struct Sources {
    cursors: Vec<AnyCursor>,
    range_tombstones: Vec<RangeTombstone>,
}

/// What repair is working on.
struct Work<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    survey: Survey,
    sources: BTreeMap<KeyspaceId, Sources>,
    blobs: Blobs,
    max_seq: Seq,
    /// Whether tables have every batch that the manifest says they have: then the log need not be
    /// asked for those.
    is_tables_whole: bool,
    /// Files whose content is saved elsewhere now.
    merged: Vec<PathBuf>,
    /// Files with damage, to be set aside.
    damaged: Vec<PathBuf>,
    report: RepairReport,
}

/// Rebuilds the database at `dir` from what can be read of its files.
///
/// **Durability**: when it returns, the repaired database is durable.
///
/// # Errors
/// `Invalid` when there is nothing of a database in `dir` or a newer aidb wrote it; `Unavailable`
/// when a process has it open; those of the file system. The database is then as it was.
pub fn repair(dir: &Path, options: &Options) -> Result<RepairReport> {
    let Env { vfs, clock } = &options.env;
    let vfs = &**vfs;
    if crate::inspect::files(vfs, dir)?.is_empty() {
        return Err(Error::invalid(format!("{} holds no database", dir.display())));
    }
    let _lock = vfs.lock(&file_names::lock(dir))?;
    let survey = Survey::make(vfs, dir)?;
    let mut work = Work {
        vfs,
        dir,
        blobs: Blobs::default(),
        max_seq: survey.state.last_seq,
        survey,
        is_tables_whole: false,
        sources: BTreeMap::new(),
        merged: Vec::new(),
        damaged: Vec::new(),
        report: RepairReport::default(),
    };
    work.note_manifests();
    blobs::collect(&mut work)?;
    tables::collect(&mut work)?;
    work.is_tables_whole = work.survey.is_complete && work.report.lost.is_empty();
    logs::collect(&mut work)?;
    let rewritten = rewrite::rewrite(&mut work, options, clock.now_ms())?;
    work.commit(rewritten)?;
    work.tidy()?;
    Ok(work.report)
}

impl Work<'_> {
    fn lose(&mut self, path: &Path, what: impl Into<String>) {
        let file = path.strip_prefix(self.dir).unwrap_or(path).to_owned();
        self.report.lost.push(Lost { file, what: what.into() });
    }

    fn sources_of(&mut self, keyspace: KeyspaceId) -> &mut Sources {
        self.sources.entry(keyspace).or_default()
    }

    /// Says what is unknown because no manifest could be read to its end.
    fn note_manifests(&mut self) {
        let Some(damage) = self.survey.damage.take() else { return };
        let path = damage.path.clone();
        self.lose(&path, damage.what);
        if damage.exists {
            self.damaged.push(path);
        }
    }

    /// Makes the new tables the database.
    fn commit(&mut self, rewritten: Rewritten) -> Result<()> {
        let number = rewritten.next_number;
        let mut state = rewritten.state;
        state.next_file_number = number + 1;
        state.log_floor = number;
        self.vfs.sync_dir(&FileKind::Table.dir(self.dir))?;
        self.vfs.sync_dir(self.dir)?;
        ManifestWriter::create(self.vfs, self.dir, &self.survey.uuid, number, &state)?;
        switch_current(self.vfs, self.dir, number)?;
        self.keep_only_manifest(number)
    }

    fn keep_only_manifest(&mut self, number: FileNumber) -> Result<()> {
        for other in FileKind::Manifest.list(self.vfs, self.dir)? {
            let path = file_names::manifest(self.dir, other);
            if other != number && !self.damaged.contains(&path) {
                self.merged.push(path);
            }
        }
        Ok(())
    }

    /// Sets damaged files aside and removes those that are merged.
    fn tidy(&mut self) -> Result<()> {
        if !self.damaged.is_empty() {
            let lost = self.dir.join(LOST_DIR);
            self.vfs.create_dir_all(&lost)?;
            for path in &self.damaged {
                let Some(name) = path.file_name() else { continue };
                self.vfs.rename(path, &lost.join(name))?;
            }
            self.vfs.sync_dir(&lost)?;
        }
        for path in self.merged.iter().filter(|path| !self.damaged.contains(path)) {
            self.vfs.remove(path)?;
        }
        for kind in FileKind::ALL {
            self.vfs.sync_dir(&kind.dir(self.dir))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
