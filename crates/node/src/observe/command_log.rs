//! The last commands that were slow or large.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::{Done, secrets};
use crate::settings::Setting;

/// Threshold of a log that is off.
pub(crate) const DISABLED: u64 = u64::MAX;

/// Arguments shown of one command.
const ARGUMENTS_MAX: usize = 32;
/// Bytes shown of one argument.
const ARGUMENT_BYTES_MAX: usize = 128;

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) at_s: u64,
    /// Microseconds or bytes.
    pub(crate) amount: u64,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) address: String,
    pub(crate) name: String,
}

#[derive(Default)]
struct Entries {
    next_id: u64,
    newest_first: VecDeque<Entry>,
}

/// A bounded log.
pub(crate) struct CommandLog {
    /// From which amount on commands are noted.
    pub(crate) threshold: Setting,
    pub(crate) entries_max: Setting,
    entries: Mutex<Entries>,
}

impl CommandLog {
    pub(super) fn new(threshold: u64) -> Self {
        Self {
            threshold: Setting::new(threshold),
            entries_max: Setting::new(128),
            entries: Mutex::default(),
        }
    }

    pub(super) fn add(&self, done: &Done<'_>, amount: u64, now_ms: u64) {
        let arguments = shown(secrets::redacted(done.args));
        let mut entries = self.entries.lock();
        let id = entries.next_id;
        entries.next_id += 1;
        entries.newest_first.push_front(Entry {
            id,
            at_s: now_ms / 1000,
            amount,
            arguments,
            address: done.client.address.to_string(),
            name: done.client.names().name,
        });
        entries.newest_first.truncate(self.entries_max.get() as usize);
    }

    /// The newest `count` entries.
    pub(crate) fn newest(&self, count: usize) -> Vec<Entry> {
        self.entries.lock().newest_first.iter().take(count).cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().newest_first.len()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().newest_first.clear();
    }
}

/// The arguments as logs show them: the first ones, each by its first bytes.
fn shown(mut arguments: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if arguments.len() > ARGUMENTS_MAX {
        let more = arguments.len() - (ARGUMENTS_MAX - 1);
        arguments.truncate(ARGUMENTS_MAX - 1);
        arguments.push(format!("... ({more} more arguments)").into_bytes());
    }
    for argument in &mut arguments {
        if argument.len() > ARGUMENT_BYTES_MAX {
            let more = argument.len() - ARGUMENT_BYTES_MAX;
            argument.truncate(ARGUMENT_BYTES_MAX);
            argument.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
        }
    }
    arguments
}
