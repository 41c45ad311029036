//! What others tell a local client, and how it waits for that.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aidb_base::{Error, Result};
use parking_lot::{Condvar, Mutex};
use rustix::event::{EventfdFlags, eventfd};

use crate::pubsub::Delivery;
use crate::tracking::Notice;

/// One thing that a local client is told.
pub(crate) enum Note {
    /// A message of a channel.
    Deliver(Arc<Delivery>),
    /// Keys that it has read were changed.
    Notice(Arc<Notice>),
    /// A command that it sees because it monitors.
    Line(Arc<[u8]>),
    /// A key that it waits for was touched.
    Call,
    /// Wait no more; with an error reply?
    Unblock(bool),
    /// Users changed: end the conversation if it hears what it must not hear any more.
    CheckListeners,
    /// The conversation is over.
    Close,
}

#[derive(Default)]
struct Contents {
    notes: Vec<Note>,
    /// The client itself has something new: another thread spoke for it.
    is_poked: bool,
    waiting: usize,
}

/// The inbox of one local client.
///
/// **Concurrency**: may be waited for by some threads while another one executes the client.
#[derive(Default)]
pub struct Inbox {
    contents: Mutex<Contents>,
    changed: Condvar,
    /// Readable while there are notes; made when an event loop asks for it.
    signal: OnceLock<OwnedFd>,
}

impl Inbox {
    pub(crate) fn post(&self, note: Note) {
        self.contents.lock().notes.push(note);
        self.announce();
    }

    /// Wakes who waits, or is about to, so that it looks at the client again.
    pub fn poke(&self) {
        let mut contents = self.contents.lock();
        contents.is_poked = true;
        if contents.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn announce(&self) {
        self.changed.notify_all();
        if let Some(signal) = self.signal.get() {
            // It can only fail when it is raised 2^64 times without being lowered.
            let _ = rustix::io::write(signal, &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn take(&self) -> Vec<Note> {
        let mut contents = self.contents.lock();
        if contents.notes.is_empty() {
            return Vec::new();
        }
        if let Some(signal) = self.signal.get() {
            // It is not raised when the notes came before it was made.
            let _ = rustix::io::read(signal, &mut [0; 8]);
        }
        std::mem::take(&mut contents.notes)
    }

    /// Waits until there is something to take or somebody pokes, at most about `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let mut contents = self.contents.lock();
        if !contents.notes.is_empty() {
            return;
        }
        contents.waiting += 1;
        if !contents.is_poked {
            self.changed.wait_for(&mut contents, timeout);
        }
        contents.waiting -= 1;
        if contents.waiting == 0 {
            contents.is_poked = false;
        }
    }

    /// A file descriptor that is readable while there is something to take. It belongs to the inbox.
    ///
    /// # Errors
    /// `Exhausted` when the process has too many files open.
    pub fn signal(&self) -> Result<RawFd> {
        let contents = self.contents.lock();
        if let Some(signal) = self.signal.get() {
            return Ok(signal.as_raw_fd());
        }
        let raised = u32::from(!contents.notes.is_empty());
        let signal = eventfd(raised, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::exhausted(format!("cannot create an event file: {error}")))?;
        Ok(self.signal.get_or_init(|| signal).as_raw_fd())
    }
}
