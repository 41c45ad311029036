//! Deliberate bugs. They measure the tests: each must be caught by the crash simulation.
//!
//! Without the feature `planted` none of them exists: [`is_planted`] is then a constant and the
//! compiler removes what it guards. Nothing but `crates/sim` may switch the feature on.

use aidb_base::Result;

use crate::batch::{Operations, WriteBatch};

/// A bug that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A sync is acknowledged before it happened.
    AckBeforeSync = 1,
    /// A failed sync is tried again, and believed when it then succeeds.
    SyncTriedAgain,
    /// A sync covers the newest log segment only.
    OlderSegmentNotSynced,
    /// New tables are named in the manifest before their directory entries are durable.
    TableDirectoryNotSynced,
    /// New tables are named in the manifest before their contents are durable.
    TableNotSynced,
    /// Edits of the manifest are acknowledged before they are durable.
    ManifestNotSynced,
    /// Log segments are removed before the manifest names the tables that replace them.
    LogRemovedTooEarly,
    /// Records of the log are believed without their checksum.
    LogChecksumIgnored,
    /// A torn record at the end of the log is taken for corruption.
    TornTailRefused,
    /// Point reads ask old runs before new ones.
    OlderVersionWins,
    /// Compaction drops a delete above a level that still holds its key.
    DeleteDroppedTooEarly,
    /// Compaction drops a range tombstone that tables outside still need.
    RangeTombstoneDroppedTooEarly,
    /// A flush leaves out deletes.
    DeletesNotFlushed,
    /// The number of keys counts an overwrite of a flushed key as a new one.
    OverwritesCounted,
    /// A snapshot sees what was written after it.
    SnapshotMoves,
    /// An empty value reads as absence.
    EmptyValueIsAbsence,
    /// A checkpoint lacks what was not flushed.
    CheckpointWithoutFlush,
    /// The log is removed although somebody pinned it.
    PinIgnored,
    /// Recovery replays a batch without its last operation.
    BatchHalfReplayed,
    /// Reads show records whose time has come.
    ExpiredRecordShown,
    /// What recovery read back counts as durable although nobody synced it.
    RecoveredNotSynced,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Self; 21] = [
        Self::AckBeforeSync,
        Self::SyncTriedAgain,
        Self::OlderSegmentNotSynced,
        Self::TableDirectoryNotSynced,
        Self::TableNotSynced,
        Self::ManifestNotSynced,
        Self::LogRemovedTooEarly,
        Self::LogChecksumIgnored,
        Self::TornTailRefused,
        Self::OlderVersionWins,
        Self::DeleteDroppedTooEarly,
        Self::RangeTombstoneDroppedTooEarly,
        Self::DeletesNotFlushed,
        Self::OverwritesCounted,
        Self::SnapshotMoves,
        Self::EmptyValueIsAbsence,
        Self::CheckpointWithoutFlush,
        Self::PinIgnored,
        Self::BatchHalfReplayed,
        Self::ExpiredRecordShown,
        Self::RecoveredNotSynced,
    ];
}

#[cfg(feature = "planted")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants a bug in the whole process, in place of any other one; `None` removes it.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    let number = bug.map_or(0, |bug| bug as u8);
    PLANTED.store(number, std::sync::atomic::Ordering::SeqCst);
}

/// Whether `bug` is planted.
#[cfg(feature = "planted")]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// Whether `bug` is planted: never, in this build.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn is_planted(_bug: Bug) -> bool {
    false
}

/// What recovery replays of a batch when that bug is planted; `None` = all.
///
/// # Errors
/// Those of decoding the batch.
pub fn kept_of(payload: &[u8]) -> Result<Option<WriteBatch>> {
    if !is_planted(Bug::BatchHalfReplayed) {
        return Ok(None);
    }
    let operations = Operations::new(payload).collect::<Result<Vec<_>>>()?;
    let mut kept = WriteBatch::new();
    for operation in operations.iter().take(operations.len().saturating_sub(1)) {
        kept.push(operation)?;
    }
    Ok(Some(kept))
}
