-- The world in which scripts live, built once per interpreter.
--
-- Receives what only the node can do (`native`) and gives back the environment of scripts, the table
-- behind it, where KEYS and ARGV are put, the function that runs a compiled script; then the environment
-- of libraries of functions, the table behind their `redis`, and the function that switches between what
-- a library sees while it is loaded and what its functions see when they are called.
-- Tables of the environment are seen through proxies: reading goes to the real ones, writing fails.

local native = ...
local type, tostring, error, xpcall = type, tostring, error, xpcall
local rawset_, rawget_, setmetatable_, getmetatable_ = rawset, rawget, setmetatable, getmetatable
local next_, concat, pcall_, gc = next, table.concat, pcall, collectgarbage

local READONLY = "Attempt to modify a readonly table"
local sealed = setmetatable_({}, { __mode = "k" })

local function seal(real)
  local proxy = {}
  sealed[proxy] = real
  return setmetatable_(proxy, {
    __index = real,
    __newindex = function() error(READONLY, 2) end,
  })
end

-- Walks through proxies as if they were the tables themselves.
local function behind(t)
  return sealed[t] or t
end

local real = {
  _VERSION = _VERSION,
  assert = assert,
  collectgarbage = function(what) return what == "count" and gc("count") or 0 end,
  coroutine = seal(coroutine),
  error = error,
  gcinfo = function() return gc("count") end,
  tonumber = tonumber,
  tostring = tostring,
  type = type,
  unpack = unpack,
  select = select,
  rawequal = rawequal,
  math = seal(math),
  table = seal(table),
}

string.dump = nil
real.string = seal(string)
getmetatable_("").__metatable = seal({ __index = real.string })

function real.next(t, key) return next_(behind(t), key) end
function real.pairs(t)
  if type(t) ~= "table" then error("bad argument #1 to 'pairs' (table expected, got " .. type(t) .. ")", 2) end
  return next_, behind(t), nil
end
real.ipairs = ipairs
function real.rawget(t, key) return rawget_(behind(t), key) end
function real.rawset(t, key, value)
  if sealed[t] then error(READONLY, 0) end
  return rawset_(t, key, value)
end
function real.setmetatable(t, meta)
  if sealed[t] then error(READONLY, 0) end
  return setmetatable_(t, meta)
end
function real.getmetatable(t)
  if sealed[t] then return nil end
  return getmetatable_(t)
end

local function complete(t)
  return setmetatable_(t, {
    __index = function(_, name)
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
  })
end

-- Text only: compiled code could do anything.
local function add_compilers(world, environment)
  local function compiled(text, name)
    local f, message = native.compile(text, name, environment)
    if f then return f end
    return nil, message
  end
  function world.loadstring(text, name) return compiled(text, name or text) end
  function world.load(pieces, name)
    local parts = {}
    while true do
      local piece = pieces()
      if piece == nil or piece == "" then break end
      parts[#parts + 1] = piece
    end
    return compiled(concat(parts), name or "=(load)")
  end
end

real.bit, real.cjson = seal(native.bit), seal(native.cjson)
real.cmsgpack, real.struct = seal(native.cmsgpack), seal(native.struct)

-- What native code throws is opaque; scripts see text, and so they do of a thrown reply.
local function text_of(e)
  if type(e) == "userdata" then return native.text(e) end
  if type(e) == "table" and type(rawget_(e, "err")) == "string" then return rawget_(e, "err") end
  return e
end
local function shown(ok, e, ...)
  if not ok then return false, text_of(e) end
  return ok, e, ...
end
function real.pcall(...) return shown(pcall_(...)) end
function real.xpcall(f, handler)
  return xpcall(f, function(e) return handler(text_of(e)) end)
end

-- Two worlds from here on: that of scripts and that of functions.
local of_functions = {}
for name, value in next_, real do of_functions[name] = value end

local environment = seal(real)
real._G, real.redis = environment, seal(native.redis)
add_compilers(real, environment)
complete(real)

local redis_of_functions = {}
for name, value in next_, native.redis do redis_of_functions[name] = value end
redis_of_functions.breakpoint, redis_of_functions.debug = nil, nil
redis_of_functions.replicate_commands = nil

local library_environment = seal(of_functions)
of_functions._G, of_functions.redis = library_environment, seal(redis_of_functions)
add_compilers(of_functions, library_environment)
complete(of_functions)

-- While a library is loaded it sees nothing but what it needs to register its functions.
local while_loading = complete({ redis = seal(complete(native.registration)) })
local library_meta = getmetatable_(library_environment)
local function load_libraries(is_loading)
  library_meta.__index = is_loading and while_loading or of_functions
end

local function handler(e)
  local text
  if type(e) == "table" then
    text = rawget_(e, "err")
  elseif type(e) == "userdata" then
    text = native.text(e)
    if not native.is_reply(e) then text = "ERR " .. text end
  else
    text = "ERR " .. tostring(e)
  end
  return { err = text, line = native.line() }
end

local function run(f, keys, arguments)
  if keys == nil then return xpcall(f, handler) end
  return xpcall(function() return f(keys, arguments) end, handler)
end

return environment, real, run, library_environment, redis_of_functions, load_libraries
