//! Messages to tracking clients.

use std::sync::OnceLock;

use aidb_redis::resp::{Protocol, Reply};

/// The channel on which clients of RESP2 hear for others.
const CHANNEL: &[u8] = b"__redis__:invalidate";

#[derive(Debug)]
enum Text {
    /// These keys changed; `None` = all.
    Invalidate(Option<Vec<Vec<u8>>>),
    /// The client that should be told instead is gone.
    RedirectBroken(u64),
}

/// What a tracking client is told.
#[derive(Debug)]
pub(crate) struct Notice {
    text: Text,
    encoded: [OnceLock<Vec<u8>>; 2],
}

impl Notice {
    pub(super) fn invalidate(keys: &[&[u8]]) -> Self {
        let keys = keys.iter().map(|key| key.to_vec()).collect();
        Self { text: Text::Invalidate(Some(keys)), encoded: Default::default() }
    }

    pub(super) fn invalidate_all() -> Self {
        Self { text: Text::Invalidate(None), encoded: Default::default() }
    }

    pub(super) fn redirect_broken(target: u64) -> Self {
        Self { text: Text::RedirectBroken(target), encoded: Default::default() }
    }

    /// The bytes for a connection; empty when it could not tell them from a reply.
    pub(crate) fn encoded(&self, protocol: Protocol, is_listening: bool) -> &[u8] {
        if protocol == Protocol::Resp2 && !is_listening {
            return b"";
        }
        let slot = &self.encoded[usize::from(protocol == Protocol::Resp3)];
        slot.get_or_init(|| self.encode(protocol))
    }

    fn encode(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reply = Reply::new(&mut out, protocol);
        match (&self.text, protocol) {
            (Text::RedirectBroken(_), Protocol::Resp2) => {}
            (Text::RedirectBroken(target), Protocol::Resp3) => {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(*target as i64);
            }
            (Text::Invalidate(keys), Protocol::Resp2) => {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
                write_keys(&mut reply, keys.as_deref());
            }
            (Text::Invalidate(keys), Protocol::Resp3) => {
                reply.push(2);
                reply.bulk(b"invalidate");
                write_keys(&mut reply, keys.as_deref());
            }
        }
        out
    }
}

fn write_keys(reply: &mut Reply<'_>, keys: Option<&[Vec<u8>]>) {
    let Some(keys) = keys else { return reply.null() };
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
}
