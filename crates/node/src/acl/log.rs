//! What users were refused: the newest entries, alike ones counted together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Denied;

/// Time within which a refusal counts with an earlier one.
const TOGETHER_MS: u64 = 60_000;
/// Entries among which an earlier one is looked for.
const LOOKED_AT: usize = 10;

/// Where a refusal happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Toplevel,
    Multi,
    Lua,
}

impl Context {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Toplevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// One refusal, or several alike.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) count: u64,
    /// `None`: a wrong name or password.
    pub(crate) denied: Option<Denied>,
    pub(crate) context: Context,
    /// The command, key or channel.
    pub(crate) object: Vec<u8>,
    pub(crate) user: Vec<u8>,
    /// The last client.
    pub(crate) client: String,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
}

impl Entry {
    pub(crate) fn reason(&self) -> &'static str {
        match self.denied {
            None => "auth",
            Some(Denied::Command) => "command",
            Some(Denied::Key) => "key",
            Some(Denied::Channel) => "channel",
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.denied == other.denied
            && self.context == other.context
            && self.object == other.object
            && self.user == other.user
            && other.updated_ms.saturating_sub(self.updated_ms) <= TOGETHER_MS
    }
}

/// Refusals, the newest first.
pub(crate) struct Log {
    entries: Mutex<VecDeque<Entry>>,
    next_id: AtomicU64,
    /// Most entries.
    pub(crate) entries_max: AtomicU64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            next_id: AtomicU64::new(0),
            entries_max: AtomicU64::new(128),
        }
    }
}

impl Log {
    /// Adds a refusal; its `id` and `count` are set here.
    pub(crate) fn add(&self, mut entry: Entry) {
        let mut entries = self.entries.lock();
        let alike = entries.iter().take(LOOKED_AT).position(|known| known.is_like(&entry));
        let earlier = alike.and_then(|place| entries.remove(place));
        (entry.id, entry.count) = (self.next_id.load(Ordering::Relaxed), 1);
        match earlier {
            Some(known) => {
                (entry.id, entry.count) = (known.id, known.count + 1);
                entry.created_ms = known.created_ms;
            }
            None => {
                self.next_id.fetch_add(1, Ordering::Relaxed);
            }
        }
        entries.push_front(entry);
        entries.truncate(self.entries_max.load(Ordering::Relaxed) as usize);
    }

    /// The newest `count` entries.
    pub(crate) fn newest(&self, count: usize) -> Vec<Entry> {
        self.entries.lock().iter().take(count).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().clear();
    }
}
