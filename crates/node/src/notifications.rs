//! Keyspace notifications as messages of their channels.

use std::sync::Arc;

use aidb_redis::store::Event;

use crate::pubsub::Kind;
use crate::shared::Shared;

/// Lets the store's events become messages.
pub(crate) fn publish(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    shared.store.notifications().set_listener(move |event| {
        if let Some(shared) = weak.upgrade() {
            send(&shared, event);
        }
    });
}

/// The key's channel first, then the event's, as Redis does.
fn send(shared: &Shared, event: &Event) {
    let classes = shared.store.notifications().classes();
    let Event { name, database, key, .. } = event;
    let publish = |kind: &str, topic: &[u8], payload: &[u8]| {
        let channel = [format!("__{kind}@{database}__:").as_bytes(), topic].concat();
        shared.pubsub.publish(&shared.mailboxes, Kind::Channel, &channel, payload);
    };
    if classes.by_key() {
        publish("keyspace", key, name.as_bytes());
    }
    if classes.by_name() {
        publish("keyevent", name.as_bytes(), key);
    }
}
