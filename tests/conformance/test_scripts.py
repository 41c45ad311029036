"""Lua scripts: values, errors and libraries as a real Redis has them, effects as one, a sandbox."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis
from tests.conformance.scenes import never_torn
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Wire, encode

SCRIPTS = [
    # values
    "return {1,2,nil,4}",
    "return {ok='fine'}",
    "return {err='bad thing'}",
    "return 3.99",
    "return -3.99",
    "return true",
    "return false",
    "return nil",
    "return",
    "return {double=3.5}",
    "return {map={a=1}}",
    "return {set={a=true}}",
    "return {big_number='123456789012345678901234567890'}",
    "return {verbatim_string={format='txt',string='hello'}}",
    "return {1,{2,{3,'x'}}}",
    "return 'bin\\0ary'",
    "redis.setresp(3) return true",
    "redis.setresp(3) return redis.call('get','absent')",
    "redis.setresp(3) return redis.call('hgetall','absent')",
    "redis.setresp(4)",
    "redis.setresp()",
    "return #KEYS + #ARGV",
    "return function() end",
    # errors
    "return redis.call('nosuch')",
    "return redis.pcall('nosuch')",
    "return redis.call('get')",
    "return redis.call()",
    "return redis.call({})",
    "return redis.call('set','a',true)",
    "return redis.call('subscribe','x')",
    "return redis.call('eval','return 1',0)",
    "return redis.call('multi')",
    "redis.call('set','s','x') return redis.call('incr','s')",
    "redis.call('set','s','x') return redis.pcall('incr','s')",
    "redis.call('set','s','x')\n\nreturn redis.call('incr','s')",
    "local function f() return redis.call('nosuch') end\nreturn f()",
    "error('x')",
    "error('x', 0)",
    "error({err='My Err'})",
    "error(redis.pcall('nosuch'))",
    "local t = nil return t.x",
    "return x",
    "x=1",
    "return _G.x",
    "return rawget(_G,'x')",
    "_G.y=1",
    "rawset(_G,'y',1)",
    "setmetatable(_G,{})",
    "string.x=1",
    "redis.call=1",
    "syntax error here",
    "return (",
    "local ok,e=pcall(redis.call,'nosuch') return {tostring(ok),type(e),tostring(e)}",
    "local ok,e=pcall(error,{err='x'}) return {tostring(ok),type(e),tostring(e)}",
    "local ok,e=pcall(error,'s') return {tostring(ok),type(e),tostring(e)}",
    "return redis.error_reply('FOO bar')",
    "return redis.error_reply('-FOO bar')",
    "return redis.error_reply('FOO')",
    "return redis.status_reply('hey')",
    "return redis.sha1hex('abc')",
    "return redis.sha1hex('')",
    "return redis.sha1hex()",
    "redis.log(1)",
    "redis.log('x','y')",
    "return redis.REPL_ALL + redis.LOG_WARNING",
    "return type(redis.REDIS_VERSION)",
    "return tostring(redis.replicate_commands())",
    # commands
    "return redis.call('set','a',1.5) and redis.call('get','a')",
    "redis.call('set','a',0.1) return redis.call('get','a')",
    "redis.call('set','a',2^53) return redis.call('get','a')",
    "redis.call('set','a',1e100) return redis.call('get','a')",
    "redis.call('mset','a',1,'b',2) return redis.call('mget','a','b','absent')",
    "redis.call('set','a',1) redis.call('del','a') return redis.call('exists','a')",
    "redis.call('set','a','x') redis.call('nosuch')",
    "redis.call('select',1) redis.call('set','a','in one') return redis.call('dbsize')",
    "redis.call('hset','h','f','v') return redis.call('hgetall','h')",
    "redis.call('set','a',1) return redis.call('keys','*')",
    "return redis.call('type','absent')",
    "return redis.call('ping')",
    "return redis.call('echo',123)",
    "return {redis.call('set','a','1'), redis.call('incr','a'), redis.call('append','a','0')}",
    # the language
    "local t={} for w in string.gmatch('a b c','%a') do t[#t+1]=w end return t",
    "return table.concat({1,2,3},',')",
    "return string.format('%5.2f|%d|%s', 3.14159, 42, 'x')",
    "local t={3,1,2} table.sort(t) return t",
    "return tostring(math.floor(3.7))",
    "return ('x'):rep(3)",
    "return tostring(loadstring('return 1+1')())",
    "return type(coroutine.create(function() end))",
    "local c=coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) return {c(),c()}",
    "local t=setmetatable({},{__index=function(_,k) return k..'!' end}) return t.x",
    "return select('#',1,2,3)",
    "return unpack({1,2,3})",
    "return tostring(tonumber('0x10'))",
    "local t={} for k in pairs({a=1}) do t[#t+1]=k end return t",
    "return type(os)",
    "return type(io)",
    "return tostring(print)",
    "return tostring(require)",
    "return tostring(dofile)",
    # libraries
    "return cjson.encode({1,2,{a=1.5,b='x/y'}})",
    "return cjson.encode({})",
    "return cjson.encode({1,nil,3})",
    "return cjson.encode({[1]=1,[2]=2,[100]=3})",
    "return cjson.encode({[1.5]='x'})",
    "return cjson.encode({f=function() end})",
    "return cjson.encode(1/0)",
    "return cjson.encode({a=cjson.null,b=true})",
    "return cjson.encode('\\1\"\\\\/\\8\\12\\n\\r\\t\\127')",
    "return cjson.encode(1e300)",
    "return cjson.encode(0.1)",
    "return cjson.encode(123456789012345)",
    "return cjson.decode('[1,null,{\"a\":2}]')",
    "return cjson.decode('{\"a\":[1,2,3]}').a",
    "return cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\"')",
    "return tostring(cjson.decode('null') == cjson.null)",
    "return cjson.decode('[1,2')",
    "return cjson.decode('{\"a\"}')",
    "return cjson.decode('')",
    "return cjson.decode('[1] x')",
    "return tostring(cjson.decode('1e3'))",
    "return cmsgpack.pack({1,'a',{x=1}})",
    "return cmsgpack.pack(1.5, -1, 300, 70000, 5000000000, true, nil, 'x')",
    "return cmsgpack.unpack(cmsgpack.pack({1,-200,'text',{a=false}}))",
    "return {cmsgpack.unpack(cmsgpack.pack(1,2,3))}",
    "return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3), 1)}",
    "return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3), 2)}",
    "return cmsgpack.unpack('\\217')",
    "return struct.pack('>I2hBd','1','-2',255,1.5)",
    "return {struct.unpack('>I2hB', struct.pack('>I2hB',1,-2,255))}",
    "return {struct.unpack('<i3s', struct.pack('<i3s',-5,'abc'))}",
    "return struct.size('!4bi4')",
    "return struct.pack('Bc0',3,'abc')",
    "return {struct.unpack('Bc0', '\\3abc')}",
    "return struct.pack('y',1)",
    "return {bit.band(255,-3),bit.bor(1,2),bit.bxor(5,1),bit.bnot(0),bit.lshift(1,31)}",
    "return {bit.rshift(-1,1),bit.arshift(-8,1),bit.rol(1,31),bit.ror(1,1),bit.bswap(1)}",
    "return {bit.tohex(255),bit.tohex(-1,4),bit.tohex(255,-4),bit.tobit(2^32+5)}",
]
COMMANDS = [
    ["EVAL", "return 1", "x"],
    ["EVAL", "return 1", "2", "a"],
    ["EVAL", "return 1", "-1"],
    ["EVAL", "return {KEYS[1],ARGV[1],#KEYS,#ARGV}", "1", "k", "v"],
    ["EVALSHA", "abc", "0"],
    ["EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0"],
    ["SCRIPT", "LOAD", "return 1"],
    ["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"],
    ["EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0"],
    ["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "b"],
    ["SCRIPT", "LOAD", "bad bad"],
    ["SCRIPT"],
    ["SCRIPT", "NOSUCH"],
    ["SCRIPT", "FLUSH", "x"],
    ["SCRIPT", "FLUSH", "ASYNC"],
    ["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"],
    ["SCRIPT", "KILL"],
    ["EVAL_RO", 'return redis.call("set","a",1)', "0"],
    ["EVAL_RO", 'return redis.call("get","a")', "0"],
    ["EVALSHA_RO", "abc", "0"],
    ["EVAL", '#!lua flags=no-writes\nreturn redis.call("set","a",1)', "0"],
    ["EVAL", "#!lua\nreturn 5", "0"],
    ["EVAL", "#!lua name=x\nreturn 1", "0"],
    ["EVAL", "#!lua flags=nosuch\nreturn 1", "0"],
    ["EVAL", "#!js\nreturn 1", "0"],
    ["EVAL", "#!lua", "0"],
]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_answers_as_in_redis(
    server: AidbServer, redis_port: int, script: str, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        theirs("FLUSHALL")
        assert ours("EVAL", script, 0) == theirs("EVAL", script, 0)
        assert ours("MGET", "a", "s") == theirs("MGET", "a", "s")


def test_the_commands_answer_as_in_redis(server: AidbServer, redis_port: int) -> None:
    with Wire(redis_port) as theirs, server.connect() as ours:
        theirs("SCRIPT", "FLUSH")
        ours("SCRIPT", "FLUSH")
        for command in COMMANDS:
            assert ours(*command) == theirs(*command), command


ESCAPES = [
    "return loadstring('\\27Lua')",
    "return string.dump(function() end)",
    "getmetatable('').__index = nil",
    "getmetatable('').__index.format = 1",
    "string.format = 1",
    "return debug.getinfo(1)",
    "return getfenv(1)",
    "setfenv(1, {})",
    "return newproxy(true)",
    "return package.loaded",
    "return os.execute('true')",
    "return io.open('/etc/passwd')",
    "return load(function() return '\\27Lua' end)()",
    "coroutine.wrap(function() _G.x = 1 end)()",
    "local m = getmetatable(_G) m.__index = nil",
    "rawset(string, 'x', 1)",
    "math.random = nil",
    "return collectgarbage('stop') + x",
]


@pytest.mark.parametrize("script", ESCAPES)
def test_the_sandbox_holds(wire: Wire, script: str) -> None:
    reply = wire("EVAL", script, 0)
    assert isinstance(reply, Failure) or reply is None, reply
    assert wire("EVAL", "return string.format('%d', 1)", 0) == b"1"
    assert wire("EVAL", "return ('x'):upper()", 0) == b"X"


def test_a_script_is_seen_whole_or_not_at_all(server: AidbServer) -> None:
    script = "redis.call('incr',KEYS[1]) redis.call('incr',KEYS[2])"
    with never_torn(server, "{x}l", "{x}r"), server.connect() as wire:
        for _ in range(500):
            wire("EVAL", script, 2, "{x}l", "{x}r")


def test_keys_that_were_not_declared_are_as_safe(server: AidbServer) -> None:
    script = "redis.call('set', 'copy', redis.call('incr', 'count'))"

    def count() -> None:
        with server.connect() as wire:
            for _ in range(200):
                wire("EVAL", script, 0)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with server.connect() as wire:
        assert wire("MGET", "count", "copy") == [b"600", b"600"]


def test_a_script_in_a_transaction_is_part_of_it(wire: Wire) -> None:
    wire("MULTI")
    wire("SET", "a", "1")
    wire("EVAL", "return redis.call('incr', KEYS[1])", 1, "a")
    wire("EVAL", "return redis.call('incr', 'b')", 0)
    assert wire("EXEC")[1:] == [2, 1]
    assert wire("MGET", "a", "b") == [b"2", b"1"]


def test_an_endless_script_is_killed_and_leaves_nothing(server: AidbServer) -> None:
    with server.connect() as victim, server.connect() as other:
        other("SET", "k", "before")
        script = (
            "redis.call('set','k','after') while true do pcall(function() while 1 do end end) end"
        )
        victim.send(
            b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(script), script.encode())
        )
        deadline = time.monotonic() + 20
        while isinstance(other("SCRIPT", "KILL"), Failure) and time.monotonic() < deadline:
            time.sleep(0.01)
        reply = victim.read()
        assert isinstance(reply, Failure) and b"killed" in reply.text
        assert other("GET", "k") == b"before"
        assert victim("EVAL", "return 1", 0) == 1


def test_one_thread_can_be_freed_of_many_endless_scripts(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[server]\npool_threads_max = 1\n")
    with (
        aidb_server(tmp_path / "data", "--config", str(tmp_path / "one.toml")) as server,
        server.connect() as victim,
        server.connect() as other,
    ):
        for _ in range(4):
            victim.send(encode("EVAL", "while true do end", 0))
            deadline = time.monotonic() + 20
            while isinstance(other("SCRIPT", "KILL"), Failure) and time.monotonic() < deadline:
                time.sleep(0.01)
            reply = victim.read()
            assert isinstance(reply, Failure)
            assert b"killed" in reply.text


def test_a_script_that_eats_memory_ends_alone(wire: Wire) -> None:
    script = "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end"
    reply = wire("EVAL", script, 0)
    assert isinstance(reply, Failure)
    assert wire("EVAL", "return 1", 0) == 1


def test_messages_of_a_script_leave_once(server: AidbServer) -> None:
    with server.connect() as listener, server.connect() as wire:
        listener("SUBSCRIBE", "c")
        # The key is not declared, so that the script is run twice.
        wire("EVAL", "redis.call('publish','c','m') return redis.call('incr','undeclared')", 0)
        wire("PUBLISH", "c", "end")
        assert [listener.read()[2], listener.read()[2]] == [b"m", b"end"]


def test_a_script_survives_a_kill_as_a_whole(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data", "--appendfsync", "always") as server:
        with server.connect() as wire:
            wire("EVAL", "for i=1,100 do redis.call('set','k'..i,i) end", 0)
        server.kill()
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        assert wire("DBSIZE") == 100


def test_locks_of_the_library_work(server: AidbServer) -> None:
    with redis.Redis(port=server.port) as client:
        with client.lock("resource", timeout=10) as lock:
            assert lock.owned()
            assert not client.lock("resource", timeout=10, blocking=False).acquire()
        assert client.get("resource") is None
