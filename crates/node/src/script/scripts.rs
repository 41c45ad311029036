//! Scripts by digest, known to all threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aidb_redis::Stop;
use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use super::busy::RunningPrograms;
use super::flags::Flags;
use super::shebang;

/// A script's text and what is known of it.
#[derive(Debug)]
pub(crate) struct Script {
    /// SHA-1 of the text as it was sent, in hexadecimal.
    pub(crate) digest: Arc<str>,
    /// What the compiler gets: a `#!` line is blank.
    pub(crate) text: Vec<u8>,
    /// What its `#!` line declares; `None`: it has none.
    pub(super) flags: Option<Flags>,
    /// It touched keys that it did not declare.
    pub(super) roams: AtomicBool,
}

impl Script {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Stop> {
        let digest = Arc::from(digest(text).as_str());
        let mut script =
            Self { digest, text: text.to_vec(), flags: None, roams: AtomicBool::new(false) };
        if text.starts_with(b"#!") {
            let (flags, end) = shebang::of_script(text)?;
            script.flags = Some(flags);
            script.text.drain(..end);
        }
        Ok(script)
    }
}

/// SHA-1 in hexadecimal.
pub(crate) fn digest(text: &[u8]) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Known scripts.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    known: Mutex<HashMap<Arc<str>, Arc<Script>>>,
    pub(crate) running: RunningPrograms,
}

impl Scripts {
    /// The script of a text, if it was seen before.
    pub(crate) fn find(&self, digest: &str) -> Option<Arc<Script>> {
        self.known.lock().get(digest).cloned()
    }

    pub(crate) fn add(&self, script: &Arc<Script>) {
        self.known.lock().insert(Arc::clone(&script.digest), Arc::clone(script));
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.known.lock().clear();
    }

    /// Number and bytes of the known scripts.
    pub(crate) fn size(&self) -> (usize, usize) {
        let known = self.known.lock();
        (known.len(), known.values().map(|script| script.text.len()).sum())
    }
}
