//! Clients that see every command.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_redis::session::Place;
use parking_lot::Mutex;

use super::{Done, secrets};
use crate::mailbox::Message;
use crate::shared::Shared;

/// Who monitors.
#[derive(Default)]
pub(crate) struct Monitors {
    any: AtomicBool,
    places: Mutex<Vec<Place>>,
}

impl Monitors {
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Place>)) {
        let mut places = self.places.lock();
        change(&mut places);
        self.any.store(!places.is_empty(), Ordering::Relaxed);
    }

    pub(super) fn feed(&self, shared: &Shared, done: &Done<'_>) {
        let line: Arc<[u8]> = Arc::from(line(shared, done).as_bytes());
        for place in &*self.places.lock() {
            let message = Message::Line(Arc::clone(&line), place.token, place.client);
            shared.mailboxes[place.reactor].send(message);
        }
    }
}

/// One client's monitoring. Dropping it ends it.
pub(crate) struct Monitoring {
    shared: Arc<Shared>,
    place: Place,
}

impl Monitoring {
    pub(crate) fn new(shared: &Arc<Shared>, place: Place) -> Self {
        shared.observers.monitors.change(|places| places.push(place));
        shared.observers.retune();
        Self { shared: Arc::clone(shared), place }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        let client = self.place.client;
        let observers = &self.shared.observers;
        observers.monitors.change(|places| places.retain(|place| place.client != client));
        observers.retune();
    }
}

/// `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`
fn line(shared: &Shared, done: &Done<'_>) -> String {
    let now_ms = shared.store.now_ms();
    let micros = (now_ms % 1000) * 1000 + shared.store.clock().monotonic_ns() / 1000 % 1000;
    let mut line = format!("+{}.{micros:06} [{} ", now_ms / 1000, done.database);
    // Writing to a string cannot fail.
    let _ = match done.is_in_script {
        true => write!(line, "lua]"),
        false => write!(line, "{}]", done.client.address),
    };
    for argument in secrets::redacted(done.args) {
        line.push(' ');
        quote(&mut line, &argument);
    }
    line.push_str("\r\n");
    line
}

/// Bytes in quotes, as redis-cli shows them.
pub(super) fn quote(line: &mut String, bytes: &[u8]) {
    line.push('"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend(['\\', char::from(*byte)]),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            0x07 => line.push_str("\\a"),
            0x08 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(*byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push('"');
}
