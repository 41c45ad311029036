//! A client's conversation: its commands found, executed and answered, wherever that happens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_redis::commands::{Call, Scratch, execute};
use aidb_redis::resp::{Args, Parser, Protocol, Reply, Status};
use aidb_redis::store::{Access, AppendFsync, Mode};
use aidb_redis::table::{COMMANDS, Command, Layer, lookup};
use aidb_redis::{Session, Stop};

use crate::clients::Client;
use crate::commands::{self, NodeCall};
use crate::metrics::ThreadMetrics;
use crate::shared::Shared;

/// Waiting replies at which a client's further commands wait for it to read.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 1 << 20;

/// A client and what it has said so far.
pub(crate) struct Conversation {
    pub(crate) client: Arc<Client>,
    pub(crate) session: Session,
    pub(crate) parser: Parser,
    /// Bytes received and not yet executed.
    pub(crate) input: Vec<u8>,
}

/// Why execution stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All complete commands are executed.
    NeedsInput,
    /// The next command must run where waiting is allowed.
    NeedsWait,
    /// Replies enough for now; more commands may be there.
    OutputFull,
    /// Close after the replies are sent.
    Close,
}

/// A conversation on its way to the pool.
pub(crate) struct Detached {
    pub(crate) reactor: usize,
    pub(crate) token: usize,
    pub(crate) conversation: Conversation,
}

/// A conversation on its way back.
pub(crate) struct Finished {
    pub(crate) token: usize,
    pub(crate) conversation: Conversation,
    pub(crate) output: Vec<u8>,
    pub(crate) end: End,
}

/// A thread's means to execute commands.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scratch: Scratch,
    pub(crate) metrics: Arc<ThreadMetrics>,
}

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            scratch: Scratch::default(),
            metrics: shared.register_thread(),
        }
    }

    /// Executes a conversation's input where waiting is allowed; its writes are durable as the
    /// setting asks when it returns.
    pub(crate) fn converse(&mut self, detached: Detached) -> Finished {
        let Detached { token, mut conversation, .. } = detached;
        let mut output = Vec::new();
        let commits = self.scratch.counters.commits;
        let input = std::mem::take(&mut conversation.input);
        let (consumed, mut end) = self.run(&mut conversation, &input, &mut output, Mode::Wait);
        conversation.input = input;
        conversation.input.drain(..consumed);
        let wrote = self.scratch.counters.commits != commits;
        if wrote && self.shared.store.appendfsync() == AppendFsync::Always {
            if let Err(error) = self.shared.store.db().sync() {
                output.clear();
                end = End::Close;
                Reply::new(&mut output, Protocol::Resp2).error(&unsynced(&error));
            }
        }
        Finished { token, conversation, output, end }
    }

    /// Executes the complete commands in `data`; gives the bytes consumed and why it stopped.
    pub(crate) fn run(
        &mut self,
        conversation: &mut Conversation,
        data: &[u8],
        output: &mut Vec<u8>,
        mode: Mode,
    ) -> (usize, End) {
        let limits = self.shared.settings.request_limits();
        let mut consumed = 0;
        let end = loop {
            if output.len() >= OUTPUT_PAUSE_BYTES {
                break End::OutputFull;
            }
            let rest = &data[consumed..];
            match conversation.parser.parse(rest, limits) {
                Ok(Status::Incomplete) => break End::NeedsInput,
                Ok(Status::Nothing(bytes)) => consumed += bytes,
                Ok(Status::Command(bytes)) => {
                    match self.execute(conversation, rest, output, mode) {
                        Next::Done => consumed += bytes,
                        Next::Wait => break End::NeedsWait,
                        Next::Close => break End::Close,
                    }
                }
                Err(error) => {
                    let mut reply = Reply::new(output, conversation.session.protocol);
                    reply.error(format!("ERR {}", error.0).as_bytes());
                    break End::Close;
                }
            }
        };
        self.publish_counters();
        (consumed, end)
    }

    #[inline]
    fn execute(
        &mut self,
        conversation: &mut Conversation,
        data: &[u8],
        output: &mut Vec<u8>,
        mode: Mode,
    ) -> Next {
        let Conversation { client, session, parser, .. } = conversation;
        let args = parser.args(data);
        let reply = Reply::new(output, session.protocol);
        let mark = reply.mark();
        let mut closes = false;
        let outcome = match resolve(&args) {
            Ok(command) => {
                self.metrics.calls[command.index].add(1);
                client.last_command.store(command.index as u16 + 1, Ordering::Relaxed);
                match command.layer {
                    Layer::Data(_) => {
                        let scratch = &mut self.scratch;
                        let store = &self.shared.store;
                        let store = Access::direct(store);
                        execute(&mut Call { store, session, args, reply, scratch, mode }, command)
                    }
                    Layer::Node(name) => {
                        let call = NodeCall {
                            worker: self,
                            client,
                            session,
                            args,
                            reply,
                            mode,
                            closes: false,
                        };
                        commands::execute(call, name, command).map(|close| closes = close)
                    }
                }
            }
            Err(Refusal::Hangup) => return Next::Close,
            Err(Refusal::Error(stop)) => Err(stop),
        };
        match outcome {
            Ok(()) => {}
            Err(Stop::WouldBlock) => {
                output.truncate(mark);
                return Next::Wait;
            }
            Err(Stop::Fail(line)) => {
                self.metrics.errors.add(1);
                output.truncate(mark);
                Reply::new(output, Protocol::Resp2).error(&line);
            }
        }
        self.metrics.commands.add(1);
        if closes { Next::Close } else { Next::Done }
    }

    fn publish_counters(&self) {
        self.metrics.hits.set(self.scratch.counters.hits);
        self.metrics.misses.set(self.scratch.counters.misses);
        self.metrics.commits.set(self.scratch.counters.commits);
    }
}

/// The error line for writes whose sync failed.
pub(crate) fn unsynced(error: &aidb_base::Error) -> Vec<u8> {
    format!("MISCONF Errors writing to the log: {error}; the write may have happened").into_bytes()
}

/// What follows one command.
enum Next {
    Done,
    Wait,
    Close,
}

enum Refusal {
    Error(Stop),
    Hangup,
}

/// The command of `args`, its arity and subcommand checked.
#[inline]
fn resolve(args: &Args<'_>) -> Result<&'static Command, Refusal> {
    let Some(command) = lookup(args.get(0)) else { return Err(unknown(args)) };
    let mut meant = command;
    if !command.subcommands.is_empty() && args.len() > 1 {
        meant = command.subcommand(args.get(1)).ok_or_else(|| unknown_sub(command, args))?;
    }
    if !meant.accepts(args.len()) {
        return Err(wrong_arity(meant));
    }
    // Subcommands share their container's place and handler.
    Ok(&COMMANDS[command.index])
}

#[cold]
fn wrong_arity(command: &Command) -> Refusal {
    Refusal::Error(Stop::fail(format!(
        "ERR wrong number of arguments for '{}' command",
        command.name
    )))
}

#[cold]
fn unknown_sub(command: &Command, args: &Args<'_>) -> Refusal {
    Refusal::Error(Stop::quoting(&[
        b"ERR unknown subcommand '",
        shown(args.get(1), 128),
        b"'. Try ",
        command.name.to_ascii_uppercase().as_bytes(),
        b" HELP.",
    ]))
}

#[cold]
fn unknown(args: &Args<'_>) -> Refusal {
    // A browser that was tricked into talking to us: say nothing.
    if args.get(0).eq_ignore_ascii_case(b"post") || args.get(0).eq_ignore_ascii_case(b"host:") {
        return Refusal::Hangup;
    }
    let mut beginning = Vec::new();
    for argument in args.from(1) {
        if beginning.len() >= 128 {
            break;
        }
        let part = shown(argument, 128 - beginning.len());
        beginning.extend_from_slice(&[b"'", part, b"' "].concat());
    }
    Refusal::Error(Stop::quoting(&[
        b"ERR unknown command '",
        shown(args.get(0), 128),
        b"', with args beginning with: ",
        &beginning,
    ]))
}

/// The first bytes of an argument as Redis prints them: up to a NUL.
fn shown(argument: &[u8], bytes_max: usize) -> &[u8] {
    let end = argument.iter().position(|b| *b == 0).unwrap_or(argument.len()).min(bytes_max);
    &argument[..end]
}
