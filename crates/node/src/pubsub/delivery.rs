//! A message as its listeners get it.

use std::sync::{Arc, OnceLock};

use aidb_redis::resp::{Protocol, Reply};

use super::Kind;

/// A message to all who listen to one topic.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) kind: Kind,
    /// The channel, or the pattern that matched it.
    pub(crate) topic: Box<[u8]>,
    channel: Box<[u8]>,
    payload: Box<[u8]>,
    encoded: [OnceLock<Vec<u8>>; 2],
}

impl Delivery {
    pub(super) fn new(kind: Kind, topic: &[u8], channel: &[u8], payload: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            kind,
            topic: Box::from(topic),
            channel: Box::from(channel),
            payload: Box::from(payload),
            encoded: Default::default(),
        })
    }

    /// The bytes for a connection.
    pub(crate) fn encoded(&self, protocol: Protocol) -> &[u8] {
        let slot = &self.encoded[usize::from(protocol == Protocol::Resp3)];
        slot.get_or_init(|| {
            let mut out = Vec::with_capacity(self.payload.len() + self.channel.len() + 64);
            let mut reply = Reply::new(&mut out, protocol);
            match self.kind {
                Kind::Channel => head(&mut reply, 3, b"message"),
                Kind::Shard => head(&mut reply, 3, b"smessage"),
                Kind::Pattern => {
                    head(&mut reply, 4, b"pmessage");
                    reply.bulk(&self.topic);
                }
            }
            reply.bulk(&self.channel);
            reply.bulk(&self.payload);
            out
        })
    }
}

fn head(reply: &mut Reply<'_>, len: usize, name: &[u8]) {
    reply.push(len);
    reply.bulk(name);
}
