//! What a connection is in the middle of, beyond its session.

use aidb_redis::resp::{Args, Protocol};
use aidb_redis::stop::Wait;
use aidb_redis::store::Watching;
use aidb_redis::table::{Command, Layer, NodeCommand};
use aidb_redis::{Outcome, Session, Stop};

use crate::acl::{Acl, Identity};
use crate::observe::Monitoring;
use crate::pubsub::{Kind, Subscriptions};
use crate::tracking::Tracked;
use crate::transaction::Queue;

/// Which replies a client does not want: CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Silence {
    #[default]
    No,
    /// None until it asks for them again.
    All,
    /// Neither the one to this command nor the next.
    Begins,
    /// Not the next one.
    Next,
}

impl Silence {
    /// Whether the reply to the command that was just executed is dropped; notes that it was.
    pub(crate) fn swallow(&mut self) -> bool {
        let before = *self;
        *self = match before {
            Self::Begins => Self::Next,
            Self::Next => Self::No,
            other => other,
        };
        before != Self::No
    }
}

/// Transaction, watched keys and subscriptions of a client.
#[derive(Default)]
pub(crate) struct State {
    /// Which user it is.
    pub(crate) identity: Identity,
    pub(crate) queue: Option<Box<Queue>>,
    pub(crate) watching: Option<Box<Watching>>,
    pub(crate) subscriptions: Option<Box<Subscriptions>>,
    /// It sees every command.
    pub(crate) monitoring: Option<Box<Monitoring>>,
    /// It is told of changes to keys that it has read.
    pub(crate) tracking: Option<Box<Tracked>>,
    /// Which replies are not sent.
    pub(crate) silence: Silence,
    /// The first command of the input waits for a key; since its first attempt.
    pub(crate) blocked: Option<Wait>,
}

impl State {
    /// Whether commands are executed as they come, without looking further; `users` is the version of
    /// all users.
    #[inline]
    pub(crate) fn is_plain(&self, users: u64) -> bool {
        self.queue.is_none() && self.subscriptions.is_none() && self.identity.is_free(users)
    }

    /// Whether the client hears messages between replies that it could not tell apart.
    pub(crate) fn is_listening(&self, session: &Session) -> bool {
        self.subscriptions.is_some() && session.protocol == Protocol::Resp2
    }

    /// CLIENT CACHING is for the next command, or the transaction that it begins.
    pub(crate) fn forget_caching(&mut self, command: &Command) {
        let is_kept = self.queue.is_some() || command.name == "client";
        if let (false, Some(tracked)) = (is_kept, &mut self.tracking) {
            tracked.is_caching = false;
        }
    }

    /// Whether the client hears nothing that its user must not hear, after users changed.
    pub(crate) fn may_go_on_listening(&mut self, acl: &Acl) -> bool {
        let Some(held) = &self.subscriptions else { return true };
        let is_known = self.identity.refresh(acl);
        let may_hear = self.identity.restricted().is_none_or(|user| {
            [Kind::Channel, Kind::Pattern, Kind::Shard].into_iter().all(|kind| {
                let is_pattern = kind == Kind::Pattern;
                held.names(kind).iter().all(|name| user.may_hear(name, is_pattern))
            })
        });
        is_known && may_hear
    }

    /// Refuses what listening clients of RESP2 may not send.
    pub(crate) fn check(&self, session: &Session, command: &Command, args: &Args<'_>) -> Outcome {
        let is_allowed = matches!(
            command.layer,
            Layer::Node(
                NodeCommand::Subscribe
                    | NodeCommand::Psubscribe
                    | NodeCommand::Ssubscribe
                    | NodeCommand::Unsubscribe
                    | NodeCommand::Punsubscribe
                    | NodeCommand::Sunsubscribe
                    | NodeCommand::Quit
                    | NodeCommand::Reset
            )
        );
        if is_allowed || !self.is_listening(session) || command.name == "ping" {
            return Ok(());
        }
        let name = String::from_utf8_lossy(args.get(0)).to_ascii_lowercase();
        Err(Stop::fail(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context"
        )))
    }
}
