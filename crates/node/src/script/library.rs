//! Scripts by digest, known to all threads; and those that run now.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_redis::Stop;
use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use super::interpreter::Control;

/// A script's text and what is known of it.
#[derive(Debug)]
pub(crate) struct Script {
    /// SHA-1 of the text as it was sent, in hexadecimal.
    pub(crate) digest: Arc<str>,
    /// What the compiler gets: a `#!` line is blank.
    pub(crate) text: Vec<u8>,
    /// Its `#!` line forbids writes.
    pub(crate) is_read_only: bool,
    /// It touched keys that it did not declare.
    needs_every_slot: AtomicBool,
}

impl Script {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Stop> {
        let digest = Arc::from(digest(text).as_str());
        let mut script = Self {
            digest,
            text: text.to_vec(),
            is_read_only: false,
            needs_every_slot: AtomicBool::new(false),
        };
        if text.starts_with(b"#!") {
            let end = memchr::memchr(b'\n', text)
                .ok_or_else(|| Stop::fail("ERR Invalid script shebang"))?;
            script.is_read_only = read_shebang(&String::from_utf8_lossy(&text[..end]))?;
            script.text.drain(..end);
        }
        Ok(script)
    }

    pub(crate) fn needs_every_slot(&self) -> bool {
        self.needs_every_slot.load(Ordering::Relaxed)
    }

    /// The next time every slot is held from the beginning.
    pub(crate) fn learn_that_it_roams(&self) {
        self.needs_every_slot.store(true, Ordering::Relaxed);
    }
}

/// SHA-1 in hexadecimal.
pub(crate) fn digest(text: &[u8]) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a `#!` line forbids writes.
fn read_shebang(line: &str) -> Result<bool, Stop> {
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if !engine.eq_ignore_ascii_case("#!lua") {
        return Err(Stop::fail(format!("ERR Unexpected engine in script shebang: {engine}")));
    }
    let mut is_read_only = false;
    for word in words {
        let Some(flags) = word.strip_prefix("flags=") else {
            return Err(Stop::fail(format!("ERR Unknown lua shebang option: {word}")));
        };
        for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
            match flag {
                "no-writes" => is_read_only = true,
                "allow-oom" | "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                _ => {
                    let text = format!("ERR Unexpected flag in script shebang: {flag}");
                    return Err(Stop::fail(text));
                }
            }
        }
    }
    Ok(is_read_only)
}

/// Known and running scripts.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    known: Mutex<HashMap<Arc<str>, Arc<Script>>>,
    running: Mutex<Vec<Arc<Control>>>,
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

    pub(crate) fn begin(&self, control: &Arc<Control>) {
        self.running.lock().push(Arc::clone(control));
    }

    pub(crate) fn end(&self, control: &Arc<Control>) {
        self.running.lock().retain(|other| !Arc::ptr_eq(other, control));
    }

    /// Ends every running script; whether there was one.
    pub(crate) fn kill(&self) -> bool {
        let running = self.running.lock();
        running.iter().for_each(|control| control.stop());
        !running.is_empty()
    }
}
