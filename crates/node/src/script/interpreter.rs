//! A Lua 5.1 interpreter with the world that scripts see; one per thread, built when first needed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use aidb_base::{Error, Result};
use aidb_redis::Stop;
use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::api::native;
use super::functions::Library;
use super::program::Program;
use super::registration::{self, Registered};
use super::scripts::Script;
use super::{bits, json, msgpack, pack, thrown};

/// Memory of one interpreter.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Instructions between two looks at [`Control`].
const STEP: u32 = 10_000;
/// Instructions that a script may take on a reactor: some milliseconds.
const SHORT_INSTRUCTIONS: u64 = 500_000;
/// Instructions that a library may take to register its functions: some hundred milliseconds.
const LOAD_INSTRUCTIONS: u64 = 50_000_000;
/// Compiled scripts kept.
const COMPILED_MAX: usize = 1000;
/// Names of texts in messages.
const CHUNK_NAMES: [&str; 2] = ["@user_script", "@user_function"];

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

    fn begin(&self, instructions: u64) {
        self.must_stop.store(false, Ordering::Relaxed);
        self.budget.store(instructions, Ordering::Relaxed);
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

/// What a script wants with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Its reply; errors are thrown.
    Throws,
    /// Its reply; errors are values.
    Catches,
    /// To know whether the user may send it.
    Asks,
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
    scripts: World,
    functions: World,
    /// Where `KEYS` and `ARGV` of scripts are put.
    globals: Table,
    run: Function,
    /// Switches what libraries see: `true` while they are loaded.
    load_libraries: Function,
    compiled: HashMap<Arc<str>, Function>,
    libraries: HashMap<u64, Loaded>,
}

/// What programs of one kind see.
struct World {
    environment: Table,
    /// The table behind `redis`.
    redis: Table,
}

/// A library's functions in this interpreter.
struct Loaded {
    library: Weak<Library>,
    functions: Vec<Function>,
}

/// A program and what it is given.
pub(crate) struct Run<'a> {
    /// What to call.
    pub(crate) function: Function,
    /// It is a function of a library.
    pub(crate) is_of_library: bool,
    /// Declared keys.
    pub(crate) keys: Vec<&'a [u8]>,
    /// Further arguments.
    pub(crate) arguments: Vec<&'a [u8]>,
    /// It may take a few milliseconds only.
    pub(crate) is_short: bool,
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
        natives.raw_set("compile", lua.create_function(compile_text)?)?;
        let (environment, globals, run, library_environment, redis_of_functions, load_libraries) =
            prelude.call(natives.clone())?;
        lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        let scripts = World { environment, redis: natives.raw_get("redis")? };
        let functions = World { environment: library_environment, redis: redis_of_functions };
        Ok(Self {
            lua,
            control,
            natives,
            scripts,
            functions,
            globals,
            run,
            load_libraries,
            compiled: HashMap::new(),
            libraries: HashMap::new(),
        })
    }

    /// The function of a program, compiled or loaded unless that was done before.
    ///
    /// # Errors
    /// What the client is answered.
    pub(super) fn function_of(&mut self, program: &Program) -> std::result::Result<Function, Stop> {
        match program {
            Program::Script(script) => self.compile(script).map_err(|message| {
                Stop::fail(format!("ERR Error compiling script (new function): {message}"))
            }),
            Program::Function(library, at) => self.load(library, *at),
        }
    }

    fn load(&mut self, library: &Arc<Library>, at: usize) -> std::result::Result<Function, Stop> {
        if !self.libraries.contains_key(&library.id) {
            let registered = self.register(library.code())?;
            let functions = registered.into_iter().map(|function| function.callback).collect();
            self.libraries.retain(|_, loaded| loaded.library.strong_count() > 0);
            let loaded = Loaded { library: Arc::downgrade(library), functions };
            self.libraries.insert(library.id, loaded);
        }
        let function = self.libraries.get(&library.id).and_then(|loaded| loaded.functions.get(at));
        function.cloned().ok_or_else(|| {
            Stop::fail("ERR the library registers other functions each time that it is loaded")
        })
    }

    /// Runs the text of a library and gives the functions that it registers.
    ///
    /// # Errors
    /// What FUNCTION LOAD answers.
    pub(super) fn register(&self, code: &[u8]) -> std::result::Result<Vec<Registered>, Stop> {
        let chunk = self.lua.load(code).set_mode(ChunkMode::Text).set_name(CHUNK_NAMES[1]);
        let function =
            chunk.set_environment(self.functions.environment.clone()).into_function().map_err(
                |error| Stop::fail(format!("ERR Error compiling function: {}", message(&error))),
            )?;
        self.control.begin(LOAD_INSTRUCTIONS);
        let outcome = self.run_registration(function);
        let is_exhausted = self.control.is_exhausted();
        let failed = |text: &[u8]| Stop::quoting(&[b"ERR Error registering functions: ", text]);
        match self.ended(outcome) {
            _ if is_exhausted => Err(failed(b"ERR FUNCTION LOAD timeout")),
            Ran::Value(_) => registration::end(&self.natives)
                .map_err(|error| failed(error.to_string().as_bytes())),
            Ran::Thrown { text, .. } => Err(failed(&text)),
            Ran::OutOfMemory => Err(failed(b"ERR not enough memory for the library")),
        }
    }

    fn run_registration(&self, function: Function) -> mlua::Result<(bool, Value)> {
        registration::begin(&self.lua, &self.natives)?;
        self.load_libraries.call::<()>(true)?;
        let outcome = self.run.call::<(bool, Value)>(function);
        self.load_libraries.call::<()>(false)?;
        outcome
    }

    /// Compiles a script, unless it was compiled before.
    ///
    /// # Errors
    /// The message of the compiler.
    fn compile(&mut self, script: &Script) -> std::result::Result<Function, String> {
        if let Some(function) = self.compiled.get(&script.digest) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(script.text.clone()).set_mode(ChunkMode::Text);
        let chunk = chunk.set_name(CHUNK_NAMES[0]);
        let chunk = chunk.set_environment(self.scripts.environment.clone());
        let function = chunk.into_function().map_err(|error| message(&error))?;
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(Arc::clone(&script.digest), function.clone());
        Ok(function)
    }

    /// Runs a program with `call`, which executes commands.
    pub(crate) fn run(
        &self,
        run: Run<'_>,
        call: impl FnMut(&Lua, MultiValue, Way) -> mlua::Result<Value>,
        set_protocol: impl Fn(u8),
    ) -> Ran {
        self.control.begin(if run.is_short { SHORT_INSTRUCTIONS } else { u64::MAX });
        let world = if run.is_of_library { &self.functions } else { &self.scripts };
        let call = RefCell::new(call);
        let outcome = self.lua.scope(|scope| {
            let ways = [Way::Throws, Way::Catches, Way::Asks];
            for (name, way) in ["call", "pcall", "acl_check_cmd"].into_iter().zip(ways) {
                let call = &call;
                let function = scope.create_function(move |lua, arguments| {
                    let mut call = call.try_borrow_mut().map_err(mlua::Error::external)?;
                    call(lua, arguments, way)
                })?;
                world.redis.raw_set(name, function)?;
            }
            let set_protocol = scope.create_function(move |_, version: u8| {
                set_protocol(version);
                Ok(())
            })?;
            self.natives.raw_set("set_protocol", set_protocol)?;
            let (keys, arguments) = (self.list(run.keys)?, self.list(run.arguments)?);
            if run.is_of_library {
                return self.run.call::<(bool, Value)>((run.function, keys, arguments));
            }
            self.globals.raw_set("KEYS", keys)?;
            self.globals.raw_set("ARGV", arguments)?;
            self.run.call::<(bool, Value)>(run.function)
        });
        self.ended(outcome)
    }

    /// How a run ended; whatever stopped it, the next one can begin.
    fn ended(&self, outcome: mlua::Result<(bool, Value)>) -> Ran {
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
            Ok((false, _)) | Err(_) => Ran::OutOfMemory,
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

/// Compiles text for `loadstring` and `load`: a function, or nothing and the compiler's message.
fn compile_text(
    lua: &Lua,
    (text, name, environment): (mlua::LuaString, mlua::LuaString, Table),
) -> mlua::Result<(Option<Function>, Option<String>)> {
    let chunk = lua.load(text.as_bytes().to_vec()).set_mode(ChunkMode::Text);
    let chunk = chunk.set_name(name.to_string_lossy());
    Ok(match chunk.set_environment(environment).into_function() {
        Ok(function) => (Some(function), None),
        Err(error) => (None, Some(message(&error))),
    })
}

/// What the prelude is given.
fn natives(lua: &Lua) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    natives.raw_set("bit", bits::library(lua)?)?;
    natives.raw_set("cjson", json::library(lua)?)?;
    natives.raw_set("cmsgpack", msgpack::library(lua)?)?;
    natives.raw_set("struct", pack::library(lua)?)?;
    let redis = native(lua, &natives)?;
    natives.raw_set("registration", registration::native(lua, &natives, &redis)?)?;
    natives.raw_set("redis", redis)?;
    natives.raw_set("text", lua.create_function(thrown::text)?)?;
    natives.raw_set("is_reply", lua.create_function(|_, e: Value| Ok(thrown::is_reply(&e)))?)?;
    natives.raw_set("line", lua.create_function(|lua, ()| Ok(line(lua)))?)?;
    Ok(natives)
}

/// The innermost line of the script that is being executed.
fn line(lua: &Lua) -> Option<usize> {
    (0..200).find_map(|level| {
        let found = lua.inspect_stack(level, |frame| {
            let is_script = CHUNK_NAMES.contains(&frame.source().source.as_deref()?);
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
