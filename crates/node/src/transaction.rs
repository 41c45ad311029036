//! Transactions of a client: commands queued by MULTI, executed by EXEC as one batch.
//!
//! EXEC takes the locks of every slot that its commands name and of every watched key, executes the
//! commands against the store through one [`Transaction`], and commits it as one log record. So nobody
//! sees a part of it, before or after a crash. What other clients are told (PUBLISH) leaves after the
//! commit.

use aidb_redis::key::MetaKey;
use aidb_redis::resp::{Args, Parser, RequestLimits, Status};
use aidb_redis::store::{Access, AllSlots, Mode, Transaction};
use aidb_redis::table::{COMMANDS, Command, Layer, NodeCommand};
use aidb_redis::{Outcome, Stop};

use crate::acl::{Context, Denied};
use crate::clients::Client;
use crate::commands::{NodeCall, acl};
use crate::conversation::{Parts, Worker, meant};
use crate::renames::Renames;
use crate::state::State;

const ABORTED: &str = "EXECABORT Transaction discarded because of previous errors.";

/// Commands waiting for EXEC, as the client sent them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    requests: Vec<u8>,
    commands: usize,
    /// A command could not be queued: EXEC refuses.
    has_failed: bool,
}

impl Queue {
    /// Commands queued.
    pub(crate) fn len(&self) -> usize {
        self.commands
    }

    /// Adds a complete request; `bytes_max` bounds them all.
    pub(crate) fn push(&mut self, request: &[u8], bytes_max: u64) -> Outcome {
        if (self.requests.len() + request.len()) as u64 > bytes_max {
            self.has_failed = true;
            return Err(Stop::fail(format!(
                "ERR a transaction of more than {bytes_max} bytes; raise client-query-buffer-limit \
                 or send less before EXEC"
            )));
        }
        self.requests.extend_from_slice(request);
        self.commands += 1;
        Ok(())
    }

    /// Lets EXEC refuse.
    pub(crate) fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Calls `f` with each command and its arguments.
    fn each(
        &self,
        renames: &Renames,
        mut f: impl FnMut(&'static Command, Args<'_>) -> Outcome,
    ) -> Outcome {
        let limits = RequestLimits { bulk_bytes_max: self.requests.len(), is_stranger: false };
        let mut parser = Parser::new();
        let mut rest = self.requests.as_slice();
        while let Ok(Status::Command(bytes)) = parser.parse(rest, limits) {
            let args = parser.args(&rest[..bytes]);
            // Only known commands are queued.
            if let Some(command) = renames.find(args.get(0)) {
                f(&COMMANDS[command.index], args)?;
            }
            rest = &rest[bytes..];
        }
        Ok(())
    }
}

/// Notes that a request was refused before it could be queued; gives the answer.
pub(crate) fn refuse(client: &Client, state: &mut State, args: &Args<'_>, stop: Stop) -> Stop {
    if let Some(queue) = &mut state.queue {
        queue.has_failed = true;
    }
    let Stop::Fail(line) = &stop else { return stop };
    if !args.get(0).eq_ignore_ascii_case(b"exec") {
        return stop;
    }
    state.queue = None;
    state.watching = None;
    client.show_queued(None);
    let reason = line.strip_prefix(b"ERR ").unwrap_or(line);
    Stop::quoting(&[b"EXECABORT Transaction discarded because of: ", reason])
}

/// Whether a command acts at once although a transaction is being queued.
pub(crate) fn acts_at_once(command: &Command) -> bool {
    matches!(
        command.layer,
        Layer::Node(
            NodeCommand::Multi
                | NodeCommand::Exec
                | NodeCommand::Discard
                | NodeCommand::Watch
                | NodeCommand::Quit
                | NodeCommand::Reset
        )
    )
}

/// `MULTI`
pub(crate) fn multi(call: &mut NodeCall<'_>) -> Outcome {
    if call.state.queue.is_some() {
        return Err(Stop::fail("ERR MULTI calls can not be nested"));
    }
    call.state.queue = Some(Box::default());
    call.client.show_queued(Some(0));
    call.reply.ok();
    Ok(())
}

/// `DISCARD`
pub(crate) fn discard(call: &mut NodeCall<'_>) -> Outcome {
    if call.state.queue.take().is_none() {
        return Err(Stop::fail("ERR DISCARD without MULTI"));
    }
    call.state.watching = None;
    call.client.show_queued(None);
    call.reply.ok();
    Ok(())
}

/// `WATCH key [key …]`
pub(crate) fn watch(call: &mut NodeCall<'_>) -> Outcome {
    if call.state.queue.is_some() {
        return Err(Stop::fail("ERR WATCH inside MULTI is not allowed"));
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let keys: Vec<MetaKey> = call.args.from(1).map(MetaKey::encode).collect::<Result<_, _>>()?;
    let store = &call.worker.shared.store;
    let watching = call.state.watching.get_or_insert_with(|| Box::new(store.watching()));
    for key in &keys {
        store.watch(watching, call.session.database, key)?;
    }
    call.reply.ok();
    Ok(())
}

/// `UNWATCH`
pub(crate) fn unwatch(call: &mut NodeCall<'_>) -> Outcome {
    call.state.watching = None;
    call.reply.ok();
    Ok(())
}

/// `EXEC`
pub(crate) fn exec(call: &mut NodeCall<'_>) -> Outcome {
    let Some(queue) = call.state.queue.take() else {
        return Err(Stop::fail("ERR EXEC without MULTI"));
    };
    call.client.show_queued(None);
    if queue.has_failed {
        call.state.watching = None;
        return Err(Stop::fail(ABORTED));
    }
    let session = *call.session;
    let outcome = execute(call, &queue);
    match outcome {
        Err(Stop::WouldBlock) => {
            // Run again where waiting is allowed, from the beginning.
            *call.session = session;
            call.client.show_queued(Some(queue.len()));
            call.state.queue = Some(queue);
        }
        _ => call.state.watching = None,
    }
    outcome
}

/// What a transaction must hold and where it may run.
#[derive(Default)]
struct Needs {
    slots: Vec<u16>,
    all_slots: bool,
    /// It may wait, or does something that must not happen twice.
    must_wait: bool,
}

impl Needs {
    fn of(queue: &Queue, renames: &Renames) -> Result<Self, Stop> {
        let mut needs = Self::default();
        queue.each(renames, |command, args| {
            needs.add(command, &args);
            Ok(())
        })?;
        Ok(needs)
    }

    fn add(&mut self, command: &Command, args: &Args<'_>) {
        self.must_wait |= command.aside || matches!(command.layer, Layer::Node(_));
        let subcommand = (args.len() > 1).then(|| command.subcommand(args.get(1))).flatten();
        let command = subcommand.unwrap_or(command);
        if command.keys.is_empty() {
            self.all_slots |= command.writes;
            return;
        }
        match command.key_places(args) {
            Some(places) => {
                let keys = places.into_iter().map(|place| MetaKey::encode(args.get(place)));
                self.slots.extend(keys.flatten().map(|key| key.slot()));
            }
            // Arguments that do not fit are refused by the command, or it finds keys its own way.
            None => self.all_slots = true,
        }
    }
}

fn execute(call: &mut NodeCall<'_>, queue: &Queue) -> Outcome {
    let mut needs = Needs::of(queue, &call.worker.shared.renames)?;
    let (mark, session) = (call.reply.mark(), *call.session);
    match execute_holding(call, queue, &needs) {
        Err(Stop::Beyond) => {
            // A command touched a key that its arguments do not name.
            call.reply.rewind(mark);
            *call.session = session;
            needs.all_slots = true;
            execute_holding(call, queue, &needs)
        }
        outcome => outcome,
    }
}

fn execute_holding(call: &mut NodeCall<'_>, queue: &Queue, needs: &Needs) -> Outcome {
    if call.mode == Mode::Try && (needs.must_wait || needs.all_slots) {
        return Err(Stop::WouldBlock);
    }
    let shared = std::sync::Arc::clone(&call.worker.shared);
    let store = &shared.store;
    let watching = call.state.watching.take();
    let mut slots = needs.slots.clone();
    slots.extend(watching.iter().flat_map(|watching| watching.slots()));
    let locks: Result<AllSlots<'_>, Stop> = if needs.all_slots {
        Ok(store.lock_every_slot())
    } else {
        store.lock_slots(call.mode, slots.iter().copied())
    };
    let outcome = locks.and_then(|_locks| {
        if watching.as_ref().is_some_and(|watching| watching.is_touched(store.now_ms())) {
            call.reply.null_array();
            return Ok(());
        }
        let transaction = match needs.all_slots {
            true => Transaction::default(),
            false => Transaction::of_slots(slots),
        };
        call.worker.outbox.hold();
        let outcome = execute_all(call, queue, Access::within(store, &transaction))
            .and_then(|()| store.commit_transaction(call.mode, transaction));
        call.worker.outbox.release(&shared, outcome.is_ok());
        outcome
    });
    call.state.watching = watching;
    outcome
}

fn execute_all(call: &mut NodeCall<'_>, queue: &Queue, store: Access<'_>) -> Outcome {
    call.reply.array(queue.len());
    let shared = std::sync::Arc::clone(&call.worker.shared);
    queue.each(&shared.renames, |command, args| {
        let protocol = call.session.protocol;
        let mut reply = call.reply.reborrow();
        reply.set_protocol(protocol);
        // A command of this transaction may have changed the user.
        call.state.identity.refresh(&call.worker.shared.acl);
        if let Err(line) = still_allowed(call.worker, call.client, call.state, command, &args) {
            reply.error(line.as_bytes());
            return Ok(());
        }
        let closes = call.worker.dispatch(
            command,
            Parts {
                client: call.client,
                session: call.session,
                state: call.state,
                args,
                reply,
                mode: call.mode,
                store,
            },
        )?;
        call.closes |= closes;
        Ok(())
    })
}

/// Whether the user may do now what it was allowed to queue; else the error line.
fn still_allowed(
    worker: &Worker,
    client: &Client,
    state: &State,
    command: &'static Command,
    args: &Args<'_>,
) -> Result<(), String> {
    let command = meant(command, args);
    state.identity.check(command, args).map_err(|denial| {
        acl::note_denial(&worker.shared, client, denial, Context::Multi, (command, args));
        let reason = match denial.what {
            Denied::Command => "no permission to execute the command or subcommand",
            Denied::Key => "no permission to touch the specified keys",
            Denied::Channel => {
                "no permission to access one of the channels used as arguments to the command"
            }
        };
        format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the \
             EXEC call. This command is no longer allowed for the following reason: {reason}"
        )
    })
}
