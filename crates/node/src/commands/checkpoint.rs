//! SAVE, BGSAVE, LASTSAVE: a checkpoint in `checkpoint/` of the database directory.

use std::path::Path;
use std::sync::atomic::Ordering;

use aidb_base::{Error, Result};
use aidb_redis::{Outcome, Stop};

use crate::pool::Job;
use crate::shared::Shared;

use super::NodeCall;

/// Name of the checkpoint's directory.
const DIRECTORY: &str = "checkpoint";

/// `SAVE`
pub(super) fn save(call: &mut NodeCall<'_>) -> Outcome {
    if call.shared().saves.is_running.swap(true, Ordering::AcqRel) {
        return Err(Stop::fail("ERR Background save already in progress"));
    }
    run(call.shared())?;
    call.reply.ok();
    Ok(())
}

/// `BGSAVE [SCHEDULE]`
pub(super) fn bgsave(call: &mut NodeCall<'_>) -> Outcome {
    let shared = call.shared();
    if shared.saves.is_running.swap(true, Ordering::AcqRel) {
        return Err(Stop::fail("ERR Background save already in progress"));
    }
    // The result is in INFO persistence, as with Redis.
    shared.pool.submit(shared, Job::Run(Box::new(|shared| drop(run(shared)))));
    call.reply.simple("Background saving started");
    Ok(())
}

/// `LASTSAVE`
pub(super) fn lastsave(call: &mut NodeCall<'_>) -> Outcome {
    let last_ms = call.shared().saves.last_ms.load(Ordering::Relaxed);
    call.reply.integer((last_ms / 1000) as i64);
    Ok(())
}

/// Makes the checkpoint; the caller has set `is_running`.
fn run(shared: &Shared) -> Result<()> {
    let result = replace_checkpoint(shared);
    let saves = &shared.saves;
    saves.last_failed.store(result.is_err(), Ordering::Relaxed);
    if result.is_ok() {
        saves.last_ms.store(shared.store.now_ms(), Ordering::Relaxed);
    }
    saves.is_running.store(false, Ordering::Release);
    result
}

/// Writes beside the old checkpoint, then takes its place.
fn replace_checkpoint(shared: &Shared) -> Result<()> {
    let db = shared.store.db();
    let vfs = &db.options().env.vfs;
    let place = db.path().join(DIRECTORY);
    let fresh = db.path().join(format!("{DIRECTORY}.new"));
    remove_tree(&fresh)?;
    db.checkpoint(&fresh)?;
    remove_tree(&place)?;
    vfs.rename(&fresh, &place)?;
    vfs.sync_dir(db.path())
}

/// Removes a checkpoint that no engine has open. Not through the engine's file system, which
/// removes files only.
fn remove_tree(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", directory, &error))
        }
        _ => Ok(()),
    }
}
