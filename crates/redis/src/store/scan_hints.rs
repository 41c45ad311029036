//! Where recent scans stopped, so that the next call need not search.
//!
//! A SCAN cursor names a slot and a hash of the last key returned from it. The cursor alone is
//! enough: without a hint the slot is searched for the key, and when the key is gone the slot begins
//! anew. The hint only makes the common case cheap, so losing one is harmless.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Hints kept.
const HINTS_MAX: usize = 4096;

/// Bounded memory of scan positions.
pub struct ScanHints {
    recent: Mutex<VecDeque<(u64, Vec<u8>)>>,
}

impl ScanHints {
    pub(super) fn new() -> Self {
        Self { recent: Mutex::new(VecDeque::new()) }
    }

    /// Remembers the last engine key that a cursor stands for.
    pub fn remember(&self, cursor: u64, engine_key: Vec<u8>) {
        let mut recent = self.recent.lock();
        if recent.len() == HINTS_MAX {
            recent.pop_front();
        }
        recent.push_back((cursor, engine_key));
    }

    /// The engine key of a cursor, when still known. Newest first: an active scan is found at once.
    pub fn recall(&self, cursor: u64) -> Option<Vec<u8>> {
        let recent = self.recent.lock();
        recent.iter().rev().find(|(known, _)| *known == cursor).map(|(_, key)| key.clone())
    }
}
