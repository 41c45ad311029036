//! Commands that need more than data: clients, settings, statistics, the command table itself.

pub(crate) mod acl;
mod checkpoint;
mod client;
mod client_filter;
mod config;
mod config_table;
mod debug;
mod hello;
mod info;
mod info_statistics;
mod introspection;
mod latency;
mod memory;
mod modules;
mod process;
mod pubsub;
mod shutdown;
mod slowlog;
mod standalone;
mod tracking;

pub(crate) use hello::REDIS_VERSION;

use std::sync::Arc;

use aidb_redis::resp::{Args, Reply};
use aidb_redis::store::{Access, Mode};
use aidb_redis::table::{Command, NodeCommand};
use aidb_redis::{Outcome, Session, Stop};

use crate::clients::Client;
use crate::conversation::Worker;
use crate::pubsub::Kind;
use crate::script::{self, Source};
use crate::shared::Shared;
use crate::state::State;
use crate::transaction;

/// One command executed by the node.
pub(crate) struct NodeCall<'a> {
    pub(crate) worker: &'a mut Worker,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) session: &'a mut Session,
    pub(crate) state: &'a mut State,
    pub(crate) args: Args<'a>,
    pub(crate) reply: Reply<'a>,
    pub(crate) mode: Mode,
    /// The data, as the transaction around the command sees it.
    pub(crate) store: Access<'a>,
    /// Whether the connection closes after the reply.
    pub(crate) closes: bool,
}

/// Executes a command whose arity and subcommand were checked; says whether the connection closes.
///
/// # Errors
/// As for commands of the data model.
pub(crate) fn execute(
    mut call: NodeCall<'_>,
    name: NodeCommand,
    command: &Command,
) -> Result<bool, Stop> {
    if command.aside && call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let call = &mut call;
    match name {
        NodeCommand::Acl => acl::acl(call),
        NodeCommand::Auth => hello::auth(call),
        NodeCommand::Hello => hello::hello(call),
        NodeCommand::Quit => hello::quit(call),
        NodeCommand::Reset => hello::reset(call),
        NodeCommand::Client => client::client(call),
        NodeCommand::Command => introspection::command(call),
        NodeCommand::Config => config::config(call),
        NodeCommand::Info => info::info(call),
        NodeCommand::Shutdown => shutdown::shutdown(call),
        NodeCommand::Module => modules::module(call),
        NodeCommand::Save => checkpoint::save(call),
        NodeCommand::Bgsave => checkpoint::bgsave(call),
        NodeCommand::Lastsave => checkpoint::lastsave(call),
        NodeCommand::Debug => debug::debug(call),
        NodeCommand::Eval => script::eval(call, Source::Text, false),
        NodeCommand::EvalRo => script::eval(call, Source::Text, true),
        NodeCommand::Evalsha => script::eval(call, Source::Digest, false),
        NodeCommand::EvalshaRo => script::eval(call, Source::Digest, true),
        NodeCommand::Script => script::script(call),
        NodeCommand::Fcall => script::fcall(call, false),
        NodeCommand::FcallRo => script::fcall(call, true),
        NodeCommand::Function => script::function(call),
        NodeCommand::Slowlog => slowlog::slowlog(call),
        NodeCommand::Commandlog => slowlog::command_log(call),
        NodeCommand::Latency => latency::latency(call),
        NodeCommand::Memory => memory::memory(call),
        NodeCommand::Monitor => standalone::monitor(call),
        NodeCommand::Wait => standalone::wait(call),
        NodeCommand::Waitaof => standalone::wait_aof(call),
        NodeCommand::Role => standalone::role(call),
        NodeCommand::Replicaof | NodeCommand::Slaveof => standalone::replica_of(call),
        NodeCommand::Failover => standalone::failover(call),
        NodeCommand::Sync | NodeCommand::Psync | NodeCommand::Replconf => {
            standalone::no_replicas(call)
        }
        NodeCommand::Bgrewriteaof => standalone::rewrite_log(call),
        NodeCommand::Readonly
        | NodeCommand::Readwrite
        | NodeCommand::Asking
        | NodeCommand::Cluster => standalone::no_cluster(call),
        NodeCommand::Multi => transaction::multi(call),
        NodeCommand::Exec => transaction::exec(call),
        NodeCommand::Discard => transaction::discard(call),
        NodeCommand::Watch => transaction::watch(call),
        NodeCommand::Unwatch => transaction::unwatch(call),
        NodeCommand::Subscribe => pubsub::subscribe(call, Kind::Channel),
        NodeCommand::Psubscribe => pubsub::subscribe(call, Kind::Pattern),
        NodeCommand::Ssubscribe => pubsub::subscribe(call, Kind::Shard),
        NodeCommand::Unsubscribe => pubsub::unsubscribe(call, Kind::Channel),
        NodeCommand::Punsubscribe => pubsub::unsubscribe(call, Kind::Pattern),
        NodeCommand::Sunsubscribe => pubsub::unsubscribe(call, Kind::Shard),
        NodeCommand::Publish => pubsub::publish(call, Kind::Channel),
        NodeCommand::Spublish => pubsub::publish(call, Kind::Shard),
        NodeCommand::Pubsub => pubsub::pubsub(call),
    }?;
    Ok(call.closes)
}

impl<'a> NodeCall<'a> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.worker.shared
    }

    fn is_word(&self, index: usize, word: &str) -> bool {
        is_word(self.args.get(index), word)
    }

    /// Writes lines of help as status replies.
    pub(crate) fn help(&mut self, lines: &[&str]) -> Outcome {
        self.reply.array(lines.len());
        lines.iter().for_each(|line| self.reply.simple(line));
        Ok(())
    }
}

fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// Bytes that should be text, for messages.
fn text(argument: &[u8]) -> String {
    String::from_utf8_lossy(argument).into_owned()
}
