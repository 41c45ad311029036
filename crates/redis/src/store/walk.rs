//! Ordered walks over engine records, with the changes of a transaction in their places.

use aidb_base::Result;
use aidb_engine::db::Scan;

use super::transaction::{Changes, Record};

/// A walk over records in key order, ascending or descending.
pub struct Walk {
    scan: Scan,
    merged: Option<Merged>,
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
    pub(super) fn new(scan: Scan) -> Self {
        Self { scan, merged: None }
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

    /// The next key and value, valid until the next call; `None` at the end.
    ///
    /// # Errors
    /// Those of the engine.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        match &mut self.merged {
            None => self.scan.next(),
            Some(merged) => merged.next(&mut self.scan),
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
