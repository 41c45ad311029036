//! Ordered walks over engine records, with the changes of a transaction in their places.

use aidb_base::{Attempt, Result};
use aidb_engine::db::Scan;

use super::transaction::{Changes, Record};
use crate::stop::Stop;

/// A walk over records in key order, ascending or descending.
pub struct Walk {
    scan: Scan,
    merged: Option<Merged>,
    /// Records that may still be shown without waiting; `None`: it may wait.
    quick: Option<u32>,
}

/// The two sides of a walk inside a transaction.
struct Merged {
    changes: Changes,
    /// Live records of the transaction that are still to come, the next one last.
    pending: Vec<(Vec<u8>, Record)>,
    /// The engine's next visible record, copied.
    ahead: Option<(Vec<u8>, Vec<u8>)>,
    is_at_end: bool,
    reverse: bool,
    /// The record shown.
    current: (Vec<u8>, Vec<u8>),
}

impl Walk {
    /// Records that a reactor walks over: more would hold up other clients.
    pub const QUICK_RECORDS_MAX: u32 = 1024;

    pub(super) fn new(scan: Scan) -> Self {
        Self { scan, merged: None, quick: None }
    }

    /// The walk with `changes`, all within its bounds, in their places.
    pub(super) fn with_changes(self, changes: Changes, reverse: bool, now_ms: u64) -> Self {
        let mut pending: Vec<(Vec<u8>, Record)> = changes
            .records
            .iter()
            .filter_map(|(key, change)| Some((key.clone(), change.clone()?)))
            .filter(|(_, record)| !record.is_expired(now_ms))
            .collect();
        if !reverse {
            pending.reverse();
        }
        let merged = Merged {
            changes,
            pending,
            ahead: None,
            is_at_end: false,
            reverse,
            current: (Vec::new(), Vec::new()),
        };
        Self { merged: Some(merged), ..self }
    }

    /// The same walk for who may not wait: it stops where the disk is needed, or after many records.
    pub fn without_waiting(self) -> Self {
        Self { quick: Some(Self::QUICK_RECORDS_MAX), ..self }
    }

    /// The next key and value, valid until the next call; `None` at the end.
    ///
    /// # Errors
    /// Those of the engine; [`Stop::WouldBlock`] of a walk that may not wait.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> std::result::Result<Option<(&[u8], &[u8])>, Stop> {
        match (&mut self.merged, &mut self.quick) {
            (None, None) => Ok(self.scan.next()?),
            (Some(merged), None) => Ok(merged.next(&mut self.scan)?),
            (None, Some(left @ 1..)) => {
                *left -= 1;
                match self.scan.try_next()? {
                    Attempt::Done(next) => Ok(next),
                    Attempt::WouldBlock => Err(Stop::WouldBlock),
                }
            }
            (_, Some(_)) => Err(Stop::WouldBlock),
        }
    }
}

impl Merged {
    fn next(&mut self, scan: &mut Scan) -> Result<Option<(&[u8], &[u8])>> {
        self.look_ahead(scan)?;
        let takes_change = match (&self.ahead, self.pending.last()) {
            (Some((engine, _)), Some((changed, _))) if self.reverse => changed > engine,
            (Some((engine, _)), Some((changed, _))) => changed < engine,
            (_, changed) => changed.is_some(),
        };
        let next = if takes_change {
            self.pending.pop().map(|(key, record)| (key, record.value))
        } else {
            self.ahead.take()
        };
        let Some(next) = next else { return Ok(None) };
        self.current = next;
        Ok(Some((&self.current.0, &self.current.1)))
    }

    fn look_ahead(&mut self, scan: &mut Scan) -> Result<()> {
        while self.ahead.is_none() && !self.is_at_end {
            match scan.next()? {
                Some((key, _)) if self.changes.hides(key) => {}
                Some((key, value)) => self.ahead = Some((key.to_vec(), value.to_vec())),
                None => self.is_at_end = true,
            }
        }
        Ok(())
    }
}
