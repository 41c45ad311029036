//! Which clients CLIENT LIST and CLIENT KILL mean.

use aidb_redis::number::parse_integer;
use aidb_redis::stop::SYNTAX;
use aidb_redis::{Outcome, Stop};

use crate::clients::Client;
use crate::mailbox::Message;

use super::{NodeCall, is_word, text};

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    PubSub,
    /// Replication; no client is of this kind.
    Replication,
}

impl Kind {
    fn parse(name: &[u8]) -> Result<Self, Stop> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::PubSub),
            b"master" | b"replica" | b"slave" => Ok(Self::Replication),
            _ => Err(Stop::quoting(&[b"ERR Unknown client type '", name, b"'"])),
        }
    }

    fn of(client: &Client) -> Self {
        if client.is_listening() { Self::PubSub } else { Self::Normal }
    }
}

/// Conditions that a client must meet, all of them.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) ids: Option<Vec<u64>>,
    kind: Option<Kind>,
    address: Option<String>,
    local_address: Option<String>,
    user: Option<Box<[u8]>>,
    /// Connected for at least so long.
    age_ms: Option<u64>,
    pub(super) skips_caller: bool,
}

impl Filter {
    /// Adds a condition but `ID`, whose form differs.
    pub(super) fn add(&mut self, call: &NodeCall<'_>, name: &[u8], value: &[u8]) -> Outcome {
        match name.to_ascii_lowercase().as_slice() {
            b"type" => self.kind = Some(Kind::parse(value)?),
            b"addr" => self.address = Some(text(value)),
            b"laddr" => self.local_address = Some(text(value)),
            b"user" => {
                if call.shared().acl.find(value).is_none() {
                    return Err(Stop::quoting(&[b"ERR No such user '", value, b"'"]));
                }
                self.user = Some(value.into());
            }
            b"maxage" => {
                let seconds = parse_integer(value)
                    .ok_or_else(|| Stop::fail("ERR maxage is not an integer or out of range"))?;
                if seconds <= 0 {
                    return Err(Stop::fail("ERR maxage should be greater than 0"));
                }
                self.age_ms = Some((seconds as u64).saturating_mul(1000));
            }
            b"skipme" if is_word(value, "yes") => self.skips_caller = true,
            b"skipme" if is_word(value, "no") => self.skips_caller = false,
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    pub(super) fn means(&self, client: &Client, now_ms: u64) -> bool {
        let age_ms = now_ms.saturating_sub(client.connected_ms);
        self.kind.is_none_or(|kind| kind == Kind::of(client))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&client.id))
            && self.address.as_ref().is_none_or(|wanted| *wanted == client.address.to_string())
            && self
                .local_address
                .as_ref()
                .is_none_or(|wanted| *wanted == client.local_address.to_string())
            && self.user.as_ref().is_none_or(|user| *user == client.user().text)
            && self.age_ms.is_none_or(|least_ms| age_ms >= least_ms)
    }
}

/// `CLIENT KILL address`, `CLIENT KILL filter value …`
pub(super) fn kill(call: &mut NodeCall<'_>) -> Outcome {
    let mut filter = Filter::default();
    let is_old_form = call.args.len() == 3;
    if is_old_form {
        filter.address = Some(text(call.args.get(2)));
    } else {
        filter.skips_caller = true;
        add_pairs(call, &mut filter)?;
    }
    let now_ms = call.shared().store.now_ms();
    let mut killed = 0;
    for client in call.shared().clients.all() {
        if !filter.means(&client, now_ms) {
            continue;
        }
        if client.id != call.client.id {
            call.shared().mailboxes[client.reactor].send(Message::Kill(client.id));
        } else if filter.skips_caller {
            continue;
        } else {
            call.closes = true;
        }
        killed += 1;
    }
    match (is_old_form, killed) {
        (true, 0) => return Err(Stop::fail("ERR No such client")),
        (true, _) => call.reply.ok(),
        (false, _) => call.reply.integer(killed),
    }
    Ok(())
}

fn add_pairs(call: &NodeCall<'_>, filter: &mut Filter) -> Outcome {
    if call.args.len() % 2 != 0 {
        return Err(SYNTAX);
    }
    for at in (2..call.args.len()).step_by(2) {
        let (name, value) = (call.args.get(at), call.args.get(at + 1));
        if !is_word(name, "id") {
            filter.add(call, name, value)?;
            continue;
        }
        let id = parse_integer(value).filter(|id| *id > 0);
        let id = id.ok_or_else(|| Stop::fail("ERR client-id should be greater than 0"))?;
        filter.ids = Some(vec![id as u64]);
    }
    Ok(())
}
