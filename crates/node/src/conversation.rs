//! A client's conversation: its commands found, executed and answered, wherever that happens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_redis::commands::{Call, Scratch, execute};
use aidb_redis::resp::{Args, Parser, Protocol, Reply, Status};
use aidb_redis::store::{Access, AppendFsync, Mode};
use aidb_redis::table::{COMMANDS, Command, Layer};
use aidb_redis::{Outcome, Session, Stop};

use crate::acl::{Context, Denied};
use crate::blocking;
use crate::clients::Client;
use crate::commands::{self, NodeCall, acl};
use crate::metrics::ThreadMetrics;
use crate::observe::{self, Done};
use crate::pubsub::Outbox;
use crate::renames::Renames;
use crate::script::Interpreter;
use crate::shared::Shared;
use crate::state::{Silence, State};
use crate::{tracking, transaction};

/// Waiting replies at which a client's further commands wait for it to read.
pub(crate) const OUTPUT_PAUSE_BYTES: usize = 1 << 20;

/// A client and what it has said so far.
pub(crate) struct Conversation {
    pub(crate) client: Arc<Client>,
    pub(crate) session: Session,
    pub(crate) state: State,
    pub(crate) parser: Parser,
    /// Bytes received and not yet executed.
    pub(crate) input: Vec<u8>,
}

impl Conversation {
    /// Shows others when the client was active last, and in which database and protocol.
    pub(crate) fn note_activity(&self, now_ms: u64) {
        let Self { client, session, .. } = self;
        client.last_active_ms.store(now_ms, Ordering::Relaxed);
        client.database.store(session.database as u8, Ordering::Relaxed);
        let version = if session.protocol == Protocol::Resp3 { 3 } else { 2 };
        client.protocol.store(version, Ordering::Relaxed);
    }
}

/// Why execution stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All complete commands are executed.
    NeedsInput,
    /// The next command must run where waiting is allowed.
    NeedsWait,
    /// The next command waits for a key.
    Blocked,
    /// The next command waits for the end of a pause.
    Paused,
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
    pub(crate) outbox: Outbox,
    interpreter: Option<Box<Interpreter>>,
    pub(crate) metrics: Arc<ThreadMetrics>,
    /// The commands of a script are being executed.
    pub(crate) is_in_script: bool,
    /// When the last command ended.
    last_ns: u64,
}

/// One command with its arguments, and everything it may look at and change.
pub(crate) struct Parts<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) session: &'a mut Session,
    pub(crate) state: &'a mut State,
    pub(crate) args: Args<'a>,
    pub(crate) reply: Reply<'a>,
    pub(crate) mode: Mode,
    pub(crate) store: Access<'a>,
}

impl Worker {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            scratch: Scratch::default(),
            outbox: Outbox::default(),
            interpreter: None,
            metrics: shared.register_thread(),
            is_in_script: false,
            last_ns: 0,
        }
    }

    /// The thread's interpreter, built when first asked for.
    pub(crate) fn interpreter(&mut self) -> Result<&mut Interpreter, Stop> {
        let interpreter = self.take_interpreter()?;
        Ok(self.interpreter.insert(interpreter))
    }

    /// The thread's interpreter, to be given back.
    pub(crate) fn take_interpreter(&mut self) -> Result<Box<Interpreter>, Stop> {
        match self.interpreter.take() {
            Some(interpreter) => Ok(interpreter),
            None => Ok(Box::new(Interpreter::new()?)),
        }
    }

    pub(crate) fn give_interpreter(&mut self, interpreter: Box<Interpreter>) {
        self.interpreter = Some(interpreter);
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
        let shared = Arc::clone(&self.shared);
        let mut limits = shared.settings.request_limits();
        limits.is_stranger = conversation.state.identity.is_stranger;
        tracking::writes_for(conversation.client.id);
        self.last_ns = shared.store.clock().monotonic_ns();
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
                    let mark = output.len();
                    match self.execute(&shared, conversation, &rest[..bytes], output, mode) {
                        Next::Done => {
                            consumed += bytes;
                            let silence = &mut conversation.state.silence;
                            if *silence != Silence::No && silence.swallow() {
                                output.truncate(mark);
                            }
                        }
                        Next::Paused => break End::Paused,
                        Next::Wait => break End::NeedsWait,
                        Next::Blocked => break End::Blocked,
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
        tracking::writes_for(0);
        self.publish_counters();
        (consumed, end)
    }

    /// Executes, or queues, one complete request.
    #[inline]
    fn execute(
        &mut self,
        shared: &Shared,
        conversation: &mut Conversation,
        request: &[u8],
        output: &mut Vec<u8>,
        mode: Mode,
    ) -> Next {
        let Conversation { client, session, state, parser, .. } = conversation;
        let args = parser.args(request);
        let mut reply = Reply::new(output, session.protocol);
        let command = match resolve(&shared.renames, &args) {
            Ok(command) => command,
            Err(Refusal::Hangup) => return Next::Close,
            Err(Refusal::Error(stop)) => {
                self.note_rejection(&args);
                self.answer(&mut reply, transaction::refuse(client, state, &args, stop));
                return Next::Done;
            }
        };
        client.last_command.store(command.index as u16 + 1, Ordering::Relaxed);
        if !state.is_plain(shared.acl.version()) {
            if !state.identity.refresh(&shared.acl) {
                return Next::Close;
            }
            match self.instead(client, session, state, command, (&args, request), &mut reply) {
                Ok(false) => {}
                Ok(true) => return Next::Done,
                Err(stop) => {
                    self.note_rejection(&args);
                    self.answer(&mut reply, transaction::refuse(client, state, &args, stop));
                    if state.blocked.is_some() {
                        blocking::end(shared, client, session, state);
                    }
                    return Next::Done;
                }
            }
        }
        if shared.pause.is_set() && shared.pause.holds(command, shared.store.now_ms()) {
            return Next::Paused;
        }
        let store = Access::direct(&shared.store);
        let parts = Parts { client, session, state, args, reply, mode, store };
        let outcome = self.dispatch(command, parts);
        if state.tracking.is_some() {
            state.forget_caching(command);
        }
        let bytes = request.len() as u64;
        if bytes >= shared.observers.large_requests.threshold.get() && outcome.is_ok() {
            observe::tell_of_request(shared, client, (session.database, command), &args, bytes);
        }
        if state.blocked.is_some() || matches!(outcome, Err(Stop::Wait(_))) {
            return blocking::after(shared, client, session, state, outcome);
        }
        match outcome {
            Ok(true) => Next::Close,
            Ok(false) => Next::Done,
            Err(_) => Next::Wait,
        }
    }

    /// What happens instead of execution to a client that queues a transaction or listens to
    /// channels; whether anything did.
    #[cold]
    fn instead(
        &self,
        client: &Arc<Client>,
        session: &Session,
        state: &mut State,
        command: &'static Command,
        (args, request): (&Args<'_>, &[u8]),
        reply: &mut Reply<'_>,
    ) -> Result<bool, Stop> {
        self.admit(client, state, command, args)?;
        state.check(session, command, args)?;
        if let Some(queue) = &mut state.queue {
            if transaction::acts_at_once(command) {
                return Ok(false);
            }
            if command.flags.contains(&"no_multi") {
                queue.fail();
                return Err(Stop::fail("ERR Command not allowed inside a transaction"));
            }
            queue.push(request, self.shared.settings.query_buffer_bytes_max.get())?;
            client.show_queued(Some(queue.len()));
            reply.simple("QUEUED");
            return Ok(true);
        }
        let is_ping = command.name == "ping" && state.is_listening(session);
        if is_ping && args.len() <= 2 {
            reply.array(2);
            reply.bulk(b"pong");
            reply.bulk(args.get(1));
        }
        Ok(is_ping && args.len() <= 2)
    }

    /// Refuses what strangers may not send, and what the user may not.
    fn admit(
        &self,
        client: &Client,
        state: &State,
        command: &'static Command,
        args: &Args<'_>,
    ) -> Outcome {
        if state.identity.is_stranger && !command.flags.contains(&"no_auth") {
            return Err(Stop::fail("NOAUTH Authentication required."));
        }
        let command = meant(command, args);
        state.identity.check(command, args).map_err(|denial| {
            let context = match state.queue {
                Some(_) => Context::Multi,
                None => Context::Toplevel,
            };
            acl::note_denial(&self.shared, client, denial, context, (command, args));
            Stop::fail(match denial.what {
                Denied::Command => {
                    format!(
                        "NOPERM this user has no permissions to run the '{}' command",
                        command.name
                    )
                }
                Denied::Key => {
                    "NOPERM this user has no permissions to access one of the keys used \
                                as arguments"
                        .to_owned()
                }
                Denied::Channel => "NOPERM this user has no permissions to access one of the \
                                    channels used as arguments"
                    .to_owned(),
            })
        })
    }

    /// Executes a command, its errors becoming replies; says whether the connection closes.
    ///
    /// # Errors
    /// Any [`Stop`] but [`Stop::Fail`]; then nothing was written.
    #[inline]
    pub(crate) fn dispatch(
        &mut self,
        command: &'static Command,
        parts: Parts<'_>,
    ) -> Result<bool, Stop> {
        let Parts { client, session, state, args, mut reply, mode, store } = parts;
        if let Some(tracked) = &state.tracking {
            tracked.before(command, &args);
        }
        let (mark, started_ns) = (reply.mark(), self.last_ns);
        let outcome = match command.layer {
            Layer::Data(_) => {
                let scratch = &mut self.scratch;
                let (reply, session) = (reply.reborrow(), &mut *session);
                execute(&mut Call { store, session, args, reply, scratch, mode }, command)
                    .map(|()| false)
            }
            Layer::Node(name) => {
                let (reply, session) = (reply.reborrow(), &mut *session);
                let call = NodeCall {
                    worker: self,
                    client,
                    session,
                    state,
                    args,
                    reply,
                    mode,
                    store,
                    closes: false,
                };
                commands::execute(call, name, command)
            }
        };
        let (closes, has_failed) = match outcome {
            Ok(closes) => {
                self.metrics.commands.add(1);
                (closes, false)
            }
            Err(Stop::Fail(line)) => {
                reply.rewind(mark);
                self.answer(&mut reply, Stop::Fail(line));
                (false, true)
            }
            Err(stop) => {
                reply.rewind(mark);
                return Err(stop);
            }
        };
        self.last_ns = self.shared.store.clock().monotonic_ns();
        let elapsed_ns = self.last_ns.saturating_sub(started_ns);
        let metrics = self.metrics.by_command[command.index].of(command, &args);
        metrics.record(elapsed_ns, has_failed);
        let reply_bytes = reply.mark().saturating_sub(mark);
        if self.shared.observers.want(elapsed_ns, reply_bytes) {
            let is_in_script = self.is_in_script;
            let (args, database) = (&args, session.database);
            let done =
                Done { client, database, command, args, elapsed_ns, reply_bytes, is_in_script };
            observe::tell(&self.shared, &done);
        }
        Ok(closes)
    }

    /// Counts a request that was refused before it began.
    #[cold]
    fn note_rejection(&self, args: &Args<'_>) {
        if let Some(command) = self.shared.renames.find(args.get(0)) {
            self.metrics.by_command[command.index].of(command, args).reject();
        }
    }

    /// Answers an error line.
    #[cold]
    fn answer(&self, reply: &mut Reply<'_>, stop: Stop) {
        if let Stop::Fail(line) = stop {
            self.metrics.errors.add(1);
            self.shared.metrics.count_error(&line);
            self.metrics.commands.add(1);
            reply.error(&line);
        }
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
pub(crate) enum Next {
    Done,
    Wait,
    Blocked,
    Paused,
    Close,
}

enum Refusal {
    Error(Stop),
    Hangup,
}

/// The subcommand that a call means, or the command itself.
pub(crate) fn meant(command: &'static Command, args: &Args<'_>) -> &'static Command {
    match command.subcommands.is_empty() || args.len() < 2 {
        true => command,
        false => command.subcommand(args.get(1)).unwrap_or(command),
    }
}

/// The command of `args`, its arity and subcommand checked.
#[inline]
fn resolve(renames: &Renames, args: &Args<'_>) -> Result<&'static Command, Refusal> {
    let Some(command) = renames.find(args.get(0)) else { return Err(unknown(args)) };
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
