//! One attempt to run a script, and the commands it calls.

use std::cell::Cell;
use std::sync::Arc;

use aidb_redis::resp::{ArgsBuffer, Protocol, Reply};
use aidb_redis::store::{Access, Mode};
use aidb_redis::table::{COMMANDS, Command, Layer};
use aidb_redis::{Session, Stop};
use mlua::{Function, Lua, MultiValue, Value};

use super::convert::{answer, error_table, read};
use super::interpreter::{Interpreter, Ran, Run, Way};
use super::numbers::shortest;
use super::program::Program;
use super::thrown::reply;
use crate::acl::{Context, Denied, User};
use crate::clients::Client;
use crate::commands::{NodeCall, acl};
use crate::conversation::{Parts, Worker, meant};
use crate::state::State;

/// How an attempt ended.
pub(super) enum Attempt {
    /// The answer is written, be it an error; writes are to be committed.
    Done,
    /// It touched a key outside of its slots.
    Roamed,
    /// It took longer than a reactor allows.
    TookLong,
}

/// What the commands of a running script need.
struct Running<'a> {
    worker: &'a mut Worker,
    client: &'a Arc<Client>,
    session: Session,
    state: State,
    store: Access<'a>,
    mode: Mode,
    is_read_only: bool,
    /// The user who runs the script, when there is something that it may not do.
    user: Option<Arc<User>>,
    protocol: &'a Cell<Protocol>,
    /// Why the attempt is to be dropped.
    dropped: &'a Cell<Option<Stop>>,
    arguments: ArgsBuffer,
    reply: Vec<u8>,
}

/// Runs a program once against `store`.
pub(super) fn attempt(
    call: &mut NodeCall<'_>,
    program: &Program,
    keys: usize,
    store: Access<'_>,
    is_read_only: bool,
) -> Result<Attempt, Stop> {
    let mut interpreter = call.worker.take_interpreter()?;
    let function = match interpreter.function_of(program) {
        Ok(function) => function,
        Err(stop) => {
            call.worker.give_interpreter(interpreter);
            return Err(stop);
        }
    };
    let shared = Arc::clone(&call.worker.shared);
    let control = Arc::clone(&interpreter.control);
    if call.mode == Mode::Wait {
        shared.scripts.running.begin(&control, program, call.args, shared.store.now_ms());
    }
    let outcome = execute(call, &interpreter, function, keys, store, is_read_only, program);
    if call.mode == Mode::Wait {
        shared.scripts.running.end(&control);
    }
    match outcome {
        Ok((attempt, true)) => {
            call.worker.give_interpreter(interpreter);
            Ok(attempt)
        }
        Ok((attempt, false)) => Ok(attempt),
        Err(stop) => {
            call.worker.give_interpreter(interpreter);
            Err(stop)
        }
    }
}

/// The attempt, and whether the interpreter can be used again.
fn execute(
    call: &mut NodeCall<'_>,
    interpreter: &Interpreter,
    function: Function,
    keys: usize,
    store: Access<'_>,
    is_read_only: bool,
    program: &Program,
) -> Result<(Attempt, bool), Stop> {
    let protocol = Cell::new(Protocol::Resp2);
    let dropped = Cell::new(None);
    let mut running = Running {
        worker: &mut *call.worker,
        client: call.client,
        session: *call.session,
        state: State { tracking: call.state.tracking.take(), ..State::default() },
        store,
        mode: call.mode,
        is_read_only,
        user: call.state.identity.restricted().map(Arc::clone),
        protocol: &protocol,
        dropped: &dropped,
        arguments: ArgsBuffer::default(),
        reply: Vec::new(),
    };
    let run = Run {
        function,
        is_of_library: program.is_function(),
        keys: call.args.from(3).take(keys).collect(),
        arguments: call.args.from(3 + keys).collect(),
        is_short: call.mode == Mode::Try,
    };
    let ran = interpreter.run(
        run,
        |lua, arguments, way| running.call(lua, arguments, way, interpreter),
        |version| protocol.set(if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 }),
    );
    call.state.tracking = running.state.tracking.take();
    match dropped.take() {
        Some(Stop::Beyond) => return Ok((Attempt::Roamed, true)),
        Some(stop) => return Err(stop),
        None => {}
    }
    finish(call, interpreter, program, ran, protocol.get())
}

/// Answers what a program gave; how the attempt ended, and whether the interpreter can be used again.
fn finish(
    call: &mut NodeCall<'_>,
    interpreter: &Interpreter,
    program: &Program,
    ran: Ran,
    protocol: Protocol,
) -> Result<(Attempt, bool), Stop> {
    if interpreter.control.is_exhausted() {
        return Ok((Attempt::TookLong, true));
    }
    let thrown = |text: &[u8], line: Option<usize>| thrown_at(program, text, line);
    if interpreter.control.is_stopped() {
        let command = if program.is_function() { "FUNCTION" } else { "SCRIPT" };
        let text = format!("ERR Script killed by user with {command} KILL.");
        return Err(Stop::quoting(&[&thrown(text.as_bytes(), Some(1))]));
    }
    match ran {
        Ran::Value(value) => {
            answer(&mut call.reply, &value, protocol);
            Ok((Attempt::Done, true))
        }
        Ran::Thrown { text, line } => {
            let line: Vec<u8> = thrown(&text, line);
            let one_line = line.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b });
            call.reply.error(&one_line.collect::<Vec<u8>>());
            Ok((Attempt::Done, true))
        }
        Ran::OutOfMemory => {
            call.reply.error(&thrown(b"ERR not enough memory for the script", None));
            Ok((Attempt::Done, false))
        }
    }
}

/// An error with the place where it was thrown.
fn thrown_at(program: &Program, text: &[u8], line: Option<usize>) -> Vec<u8> {
    let line = line.map_or_else(|| "?".to_owned(), |line| line.to_string());
    let place = format!(" script: {}, on {}:{line}.", program.name(), program.source());
    [text, place.as_bytes()].concat()
}

impl Running<'_> {
    /// `redis.call`, `redis.pcall` and `redis.acl_check_cmd`.
    fn call(
        &mut self,
        lua: &Lua,
        arguments: MultiValue,
        way: Way,
        interpreter: &Interpreter,
    ) -> mlua::Result<Value> {
        if let Err(line) = self.gather(arguments.into_iter()) {
            return match way {
                Way::Catches => error_table(lua, line.as_bytes()),
                Way::Throws | Way::Asks => Err(reply(line.as_bytes())),
            };
        }
        if way == Way::Asks {
            return self.may_send();
        }
        if let Err(stop) = self.execute() {
            self.dropped.set(Some(stop));
            interpreter.control.stop();
            return Err(reply(b"ERR the attempt is over"));
        }
        let is_error = self.reply.first() == Some(&b'-');
        if is_error && way == Way::Throws {
            let line = self.reply.strip_suffix(b"\r\n").unwrap_or(&self.reply);
            return Err(reply(&line[1..]));
        }
        let (value, _) = read(lua, &self.reply)?;
        if let (true, Value::Table(error)) = (is_error, &value) {
            error.raw_set("ignore_error_stats_update", true)?;
        }
        Ok(value)
    }

    /// Whether the user may send the gathered command.
    fn may_send(&self) -> mlua::Result<Value> {
        let args = self.arguments.args();
        let Some(command) = self.worker.shared.renames.find(args.get(0)) else {
            return Err(reply(b"ERR Invalid command passed to redis.acl_check_cmd()"));
        };
        let user = self.user.as_ref();
        let may = user.is_none_or(|user| user.check(meant(command, &args), &args).is_ok());
        Ok(Value::Boolean(may))
    }

    fn gather(&mut self, arguments: impl Iterator<Item = Value>) -> Result<(), &'static str> {
        self.arguments.clear();
        for argument in arguments {
            match argument {
                Value::String(text) => self.arguments.push(&text.as_bytes()),
                Value::Integer(number) => self.arguments.push(number.to_string().as_bytes()),
                Value::Number(number) => self.arguments.push(shortest(number).as_bytes()),
                _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
            }
        }
        if self.arguments.is_empty() {
            return Err("ERR Please specify at least one argument for this redis lib call");
        }
        Ok(())
    }

    /// Executes the gathered command; its reply goes to `reply`.
    ///
    /// # Errors
    /// When the attempt is to be dropped.
    fn execute(&mut self) -> Result<(), Stop> {
        self.reply.clear();
        let arguments = std::mem::take(&mut self.arguments);
        let mut reply = std::mem::take(&mut self.reply);
        let outcome = match self.find(&arguments) {
            Err(line) => {
                Reply::new(&mut reply, Protocol::Resp2).error(line.as_bytes());
                Ok(())
            }
            Ok(command) => {
                self.session.protocol = self.protocol.get();
                let parts = Parts {
                    client: self.client,
                    session: &mut self.session,
                    state: &mut self.state,
                    args: arguments.args(),
                    reply: Reply::new(&mut reply, self.protocol.get()),
                    mode: self.mode,
                    store: self.store,
                };
                self.worker.is_in_script = true;
                let outcome = self.worker.dispatch(command, parts).map(|_| ());
                self.worker.is_in_script = false;
                outcome
            }
        };
        (self.arguments, self.reply) = (arguments, reply);
        outcome
    }

    fn find(&self, arguments: &ArgsBuffer) -> Result<&'static Command, &'static str> {
        let args = arguments.args();
        let unknown = "ERR Unknown Redis command called from script";
        let command = self.worker.shared.renames.find(args.get(0)).ok_or(unknown)?;
        let mut meant = command;
        if !command.subcommands.is_empty() && args.len() > 1 {
            meant = command.subcommand(args.get(1)).ok_or(unknown)?;
        }
        if !meant.accepts(args.len()) {
            return Err("ERR Wrong number of args calling Redis command from script");
        }
        let is_forbidden = meant.flags.contains(&"noscript") || has_effects(command);
        if is_forbidden {
            return Err("ERR This Redis command is not allowed from script");
        }
        if let Some(Err(denial)) = self.user.as_ref().map(|user| user.check(meant, &args)) {
            let context = (meant, &args);
            acl::note_denial(&self.worker.shared, self.client, denial, Context::Lua, context);
            return Err(denied(denial.what));
        }
        if self.is_read_only && meant.writes {
            return Err("ERR Write commands are not allowed from read-only scripts.");
        }
        Ok(&COMMANDS[command.index])
    }
}

/// What a script is told when its user may not do something.
fn denied(what: Denied) -> &'static str {
    match what {
        Denied::Command => "ERR The user executing the script can't run this command or subcommand",
        Denied::Key => {
            "ERR The user executing the script can't access at least one of the keys mentioned in \
             the command arguments"
        }
        Denied::Channel => {
            "ERR The user executing the script can't publish to the channel mentioned in the command"
        }
    }
}

/// Whether a command does what a dropped attempt could not take back.
fn has_effects(command: &Command) -> bool {
    matches!(command.layer, Layer::Node(_))
        && !matches!(command.name, "publish" | "spublish" | "pubsub" | "command" | "info")
}
