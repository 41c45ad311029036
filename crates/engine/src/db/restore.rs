//! Restoring: a checkpoint, and on top of it the batches of a log, up to any of them.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, Result, Seq};

use super::{Db, WriteOptions};
use crate::batch::WriteBatch;
use crate::cache::BlockCache;
use crate::options::{Env, Options};
use crate::version::VersionSet;
use crate::wal::recovery::{self, Scope};

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Last batch that the checkpoint held.
    pub checkpoint_seq: Seq,
    /// Batches taken from the log.
    pub batches: u64,
    /// Last batch of the restored database.
    pub last_seq: Seq,
    /// Bytes at the end of the log that were no records.
    pub torn_bytes: u64,
}

/// Makes `target`, which must not exist, a database with the contents of `checkpoint` and the
/// batches after it that the segments in `log`/wal hold, up to `until` (`None` = all). `log` may be
/// the directory of a damaged database; nothing in it is changed.
///
/// **Durability**: the restored database survives the loss of the machine once this returns.
///
/// # Errors
/// `Invalid` when `target` exists, `checkpoint` is none, or the log belongs to another database or
/// starts after the checkpoint; `Corruption` when either is damaged. `target` is then incomplete.
pub fn restore(
    checkpoint: &Path,
    log: &Path,
    target: &Path,
    until: Option<Seq>,
    options: &Options,
) -> Result<RestoreReport> {
    let vfs = &*options.env.vfs;
    if vfs.exists(target)? {
        return Err(Error::invalid(format!(
            "{} exists already; name a directory that does not",
            target.display()
        )));
    }
    let uuid = copy(&options.env, checkpoint, target)?;
    let db = Db::open(target, options.clone())?;
    let mut report = RestoreReport { checkpoint_seq: db.visible_seq(), ..RestoreReport::default() };
    let until = until.unwrap_or(Seq::MAX);
    let scope = Scope {
        dir: log,
        uuid: &uuid,
        floor: 0,
        flushed_seq: report.checkpoint_seq,
        kept_seq: None,
        distrust: false,
        salvage: false,
        progress: &|bytes_done, bytes_total| {
            options.tell(&crate::events::Event::RecoveryProgress { bytes_done, bytes_total });
        },
    };
    let recovered = recovery::recover(vfs, scope, &mut |seq, payload| {
        if seq > until {
            return Ok(());
        }
        let written = db.write(&WriteBatch::decode(payload)?, WriteOptions::default())?;
        if written != seq {
            return Err(Error::internal(format!("batch {seq} was restored as batch {written}")));
        }
        report.batches += 1;
        Ok(())
    })?;
    report.torn_bytes = recovered.torn_bytes;
    report.last_seq = db.visible_seq();
    db.sync()?;
    db.close()?;
    Ok(report)
}

/// Links the tables and blob files of a database that nobody has open; gives its uuid.
fn copy(env: &Env, source: &Path, target: &Path) -> Result<[u8; 16]> {
    let cache = Arc::new(BlockCache::new(0));
    let versions = VersionSet::open(env, source, cache, true)?;
    super::checkpoint::link(env, source, target, &versions)?;
    Ok(versions.uuid())
}
