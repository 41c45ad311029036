//! A Lua 5.1 interpreter with the world that scripts see; one per thread, built when first needed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_base::{Error, Result};
use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::api::native;
use super::library::Script;
use super::{bits, json, msgpack, pack, thrown};

/// Memory of one interpreter.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Instructions between two looks at [`Control`].
const STEP: u32 = 10_000;
/// Instructions that a script may take on a reactor: some milliseconds.
const SHORT_INSTRUCTIONS: u64 = 500_000;
/// Compiled scripts kept.
const COMPILED_MAX: usize = 1000;
/// Name of a script's text in messages.
const CHUNK_NAME: &str = "@user_script";

/// Says whether a running script has to end.
#[derive(Debug, Default)]
pub(crate) struct Control {
    must_stop: AtomicBool,
    /// Instructions left; `u64::MAX` = as many as it likes.
    budget: AtomicU64,
}

impl Control {
    /// Ends the script soon, whatever it catches.
    pub(crate) fn stop(&self) {
        self.must_stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.must_stop.load(Ordering::Relaxed)
    }

    fn begin(&self, is_short: bool) {
        self.must_stop.store(false, Ordering::Relaxed);
        self.budget.store(if is_short { SHORT_INSTRUCTIONS } else { u64::MAX }, Ordering::Relaxed);
    }

    /// Whether the script may go on after another step.
    fn step(&self) -> bool {
        let left = self.budget.load(Ordering::Relaxed);
        if left != u64::MAX {
            self.budget.store(left.saturating_sub(u64::from(STEP)), Ordering::Relaxed);
        }
        left > 0 && !self.is_stopped()
    }

    /// Whether it took more instructions than it had.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.budget.load(Ordering::Relaxed) == 0
    }
}

/// How a script ended.
pub(crate) enum Ran {
    /// With a value.
    Value(Value),
    /// With an error line, thrown at a line of the script.
    Thrown { text: Vec<u8>, line: Option<usize> },
    /// Out of memory; the interpreter is of no more use.
    OutOfMemory,
}

/// The interpreter.
pub(crate) struct Interpreter {
    pub(crate) lua: Lua,
    pub(crate) control: Arc<Control>,
    natives: Table,
    /// The table behind `redis`.
    redis: Table,
    environment: Table,
    globals: Table,
    run: Function,
    compiled: HashMap<Arc<str>, Function>,
}

impl Interpreter {
    /// A fresh one.
    ///
    /// # Errors
    /// `Exhausted` when there is no memory for it.
    pub(crate) fn new() -> Result<Self> {
        Self::build().map_err(|error| {
            Error::exhausted(format!("cannot start a Lua interpreter: {error}; free some memory"))
        })
    }

    fn build() -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let control = Arc::new(Control::default());
        watch(&lua, &control)?;
        let natives = natives(&lua)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("@prelude");
        let (environment, globals, run) = prelude.call(natives.clone())?;
        let compiler_environment: Table = environment;
        let environment = compiler_environment.clone();
        natives.raw_set(
            "compile",
            lua.create_function(move |lua, (text, name): (mlua::LuaString, mlua::LuaString)| {
                let chunk = lua.load(text.as_bytes().to_vec()).set_mode(ChunkMode::Text);
                let chunk = chunk.set_name(name.to_string_lossy());
                match chunk.set_environment(compiler_environment.clone()).into_function() {
                    Ok(function) => Ok((Some(function), None)),
                    Err(error) => Ok((None, Some(message(&error)))),
                }
            })?,
        )?;
        lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        let redis = natives.raw_get("redis")?;
        Ok(Self {
            lua,
            control,
            natives,
            redis,
            environment,
            globals,
            run,
            compiled: HashMap::new(),
        })
    }

    /// Compiles a script, unless it was compiled before.
    ///
    /// # Errors
    /// The message of the compiler.
    pub(crate) fn compile(&mut self, script: &Script) -> std::result::Result<Function, String> {
        if let Some(function) = self.compiled.get(&script.digest) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(script.text.clone()).set_mode(ChunkMode::Text);
        let chunk = chunk.set_name(CHUNK_NAME).set_environment(self.environment.clone());
        let function = chunk.into_function().map_err(|error| message(&error))?;
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(Arc::clone(&script.digest), function.clone());
        Ok(function)
    }

    /// Runs a compiled script with `KEYS`, `ARGV` and `call`, which executes commands.
    pub(crate) fn run(
        &self,
        function: Function,
        keys: Vec<&[u8]>,
        arguments: Vec<&[u8]>,
        is_short: bool,
        call: impl FnMut(&Lua, MultiValue, bool) -> mlua::Result<Value>,
        set_protocol: impl Fn(u8),
    ) -> Ran {
        self.control.begin(is_short);
        let call = RefCell::new(call);
        let outcome = self.lua.scope(|scope| {
            self.globals.raw_set("KEYS", self.list(keys)?)?;
            self.globals.raw_set("ARGV", self.list(arguments)?)?;
            for (name, catches) in [("call", false), ("pcall", true)] {
                let call = &call;
                let function = scope.create_function(move |lua, arguments| {
                    let mut call = call.try_borrow_mut().map_err(mlua::Error::external)?;
                    call(lua, arguments, catches)
                })?;
                self.redis.raw_set(name, function)?;
            }
            let set_protocol = scope.create_function(move |_, version: u8| {
                set_protocol(version);
                Ok(())
            })?;
            self.natives.raw_set("set_protocol", set_protocol)?;
            self.run.call::<(bool, Value)>(function)
        });
        let was_stopped = self.control.is_stopped() || self.control.is_exhausted();
        if was_stopped && watch(&self.lua, &self.control).is_err() {
            return Ran::OutOfMemory;
        }
        match outcome {
            Ok((true, value)) => Ran::Value(value),
            Ok((false, Value::Table(thrown))) => Ran::Thrown {
                text: thrown
                    .raw_get::<Option<mlua::LuaString>>("err")
                    .ok()
                    .flatten()
                    .map_or_else(|| b"ERR unknown error".to_vec(), |text| text.as_bytes().to_vec()),
                line: thrown.raw_get("line").ok(),
            },
            Ok((false, _)) => Ran::OutOfMemory,
            Err(_) => Ran::OutOfMemory,
        }
    }

    fn list(&self, items: Vec<&[u8]>) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(items.len(), 0)?;
        for item in items {
            table.raw_push(self.lua.create_string(item)?)?;
        }
        Ok(table)
    }
}

/// Looks at `control` while scripts run.
fn watch(lua: &Lua, control: &Arc<Control>) -> mlua::Result<()> {
    let watched = Arc::clone(control);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(STEP), move |lua, _| {
        if watched.step() {
            return Ok(VmState::Continue);
        }
        // From here on every instruction fails, so that the script cannot catch it for long; the
        // next script is watched anew.
        let again = HookTriggers::new().every_nth_instruction(1);
        lua.set_hook(again, |_, _| Err(mlua::Error::runtime("stopped")))?;
        Err(mlua::Error::runtime("stopped"))
    })
}

/// What the prelude is given.
fn natives(lua: &Lua) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    natives.raw_set("bit", bits::library(lua)?)?;
    natives.raw_set("cjson", json::library(lua)?)?;
    natives.raw_set("cmsgpack", msgpack::library(lua)?)?;
    natives.raw_set("struct", pack::library(lua)?)?;
    natives.raw_set("redis", native(lua, &natives)?)?;
    natives.raw_set("text", lua.create_function(thrown::text)?)?;
    natives.raw_set("is_reply", lua.create_function(|_, e: Value| Ok(thrown::is_reply(&e)))?)?;
    natives.raw_set("line", lua.create_function(|lua, ()| Ok(line(lua)))?)?;
    Ok(natives)
}

/// The innermost line of the script that is being executed.
fn line(lua: &Lua) -> Option<usize> {
    (0..200).find_map(|level| {
        let found = lua.inspect_stack(level, |frame| {
            let is_script = frame.source().source.as_deref() == Some(CHUNK_NAME);
            is_script.then(|| frame.current_line()).flatten()
        });
        found.flatten()
    })
}

/// A compiler's message without what mlua puts around it.
fn message(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}
