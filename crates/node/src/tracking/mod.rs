//! Client tracking: clients that keep copies of values are told when these change.
//!
//! What a client is about to read is noted before it reads, and a change is told after its commit. So
//! whatever happens in between, a client that got the old value gets the message behind it.

mod notice;
mod table;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_redis::resp::Args;
use aidb_redis::store::Change;
use aidb_redis::table::{Command, Layer};
use parking_lot::Mutex;

use crate::clients::Client;
use crate::mailbox::Message;
use crate::shared::Shared;

pub(crate) use notice::Notice;
use table::Table;
pub(crate) use table::Totals;

thread_local! {
    /// The client whose commands this thread executes; 0 = none.
    static WRITER: Cell<u64> = const { Cell::new(0) };
}

/// Says whose commands this thread executes from now on.
pub(crate) fn writes_for(client: u64) {
    WRITER.set(client);
}

/// How a client wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Of every key with one of the prefixes, whether it was read or not.
    pub(crate) broadcasts: bool,
    pub(crate) prefixes: Vec<Vec<u8>>,
    /// Only of keys read right after CLIENT CACHING YES.
    pub(crate) opts_in: bool,
    /// Not of keys read right after CLIENT CACHING NO.
    pub(crate) opts_out: bool,
    /// Not of its own changes.
    pub(crate) no_loop: bool,
    /// Who gets the messages instead.
    pub(crate) redirect: Option<u64>,
}

/// Tracking clients and what they have read.
#[derive(Default)]
pub(crate) struct Tracking {
    table: Mutex<Table>,
}

impl Tracking {
    /// Lets changes of the store be told.
    pub(crate) fn listen(shared: &Arc<Shared>) {
        let weak = Arc::downgrade(shared);
        shared.store.changes().set_listener(move |change| {
            if let Some(shared) = weak.upgrade() {
                shared.tracking.tell(&shared, change);
            }
        });
    }

    /// Sizes, for INFO.
    pub(crate) fn totals(&self) -> Totals {
        self.table.lock().totals()
    }

    fn tell(&self, shared: &Shared, change: Change<'_>) {
        let messages = match change {
            Change::Keys(keys) => self.table.lock().take(keys, WRITER.get()),
            Change::Everything => self.table.lock().clear(),
        };
        send(shared, messages);
    }

    fn remember(&self, shared: &Shared, client: u64, keys: &[&[u8]]) {
        let keys_max = shared.settings.tracked_keys_max.get() as usize;
        let evicted = self.table.lock().remember(client, keys, keys_max);
        send(shared, evicted);
    }
}

/// A message to a tracking client.
type Outgoing = (Arc<Client>, Option<u64>, Arc<Notice>);

fn send(shared: &Shared, messages: Vec<Outgoing>) {
    for (follower, redirect, notice) in messages {
        let target = match redirect {
            None => Some(Arc::clone(&follower)),
            Some(id) => shared.clients.get(id),
        };
        let (target, notice) = target.map_or_else(
            || {
                follower.is_redirect_broken.store(true, Ordering::Relaxed);
                let lost = Notice::redirect_broken(redirect.unwrap_or_default());
                (Arc::clone(&follower), Arc::new(lost))
            },
            |target| (target, notice),
        );
        let mailbox = &shared.mailboxes[target.reactor];
        mailbox.send(Message::Notice(notice, target.token, target.id));
    }
}

/// A client's tracking. Dropping it ends the tracking.
pub(crate) struct Tracked {
    shared: Arc<Shared>,
    client: Arc<Client>,
    pub(crate) wish: Wish,
    /// CLIENT CACHING was the last command.
    pub(crate) is_caching: bool,
}

impl Tracked {
    /// Begins to track, or goes on with another wish.
    pub(crate) fn new(shared: &Arc<Shared>, client: &Arc<Client>, wish: Wish) -> Self {
        let mut table = shared.tracking.table.lock();
        table.follow(client, &wish);
        shared.store.changes().switch(true);
        drop(table);
        client.show_tracking(Some(&wish));
        Self { shared: Arc::clone(shared), client: Arc::clone(client), wish, is_caching: false }
    }

    /// Notes the keys that a command is about to read.
    #[cold]
    pub(crate) fn before(&self, command: &Command, args: &Args<'_>) {
        let sub = (args.len() > 1).then(|| command.subcommand(args.get(1))).flatten();
        let command = sub.unwrap_or(command);
        let is_wanted = match (self.wish.opts_in, self.wish.opts_out) {
            (true, _) => self.is_caching,
            (_, true) => !self.is_caching,
            _ => true,
        };
        let reads = matches!(command.layer, Layer::Data(_)) && command.flags.contains(&"readonly");
        if !is_wanted || self.wish.broadcasts || !reads {
            return;
        }
        let Some(places) = command.key_places(args) else { return };
        let keys: Vec<&[u8]> = places.into_iter().map(|place| args.get(place)).collect();
        if !keys.is_empty() {
            self.shared.tracking.remember(&self.shared, self.client.id, &keys);
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut table = self.shared.tracking.table.lock();
        if table.leave(self.client.id) {
            self.shared.store.changes().switch(false);
        }
        self.client.show_tracking(None);
    }
}
