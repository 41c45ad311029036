"""Functions: libraries, calls and errors as a real Redis has them; they survive a restart."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Pairs, Status, Wire, encode

import aidb

HEAD = "#!lua name=mylib\n"
TEXTS = [
    "y",
    "#!lua name=x",
    "#!lua\nreturn",
    "#!\nreturn",
    "#! lua name=x\nreturn",
    '#!lua "name=x\nreturn',
    "#!lua NAME=x\nreturn",
    "#!js name=x\nreturn",
    "#!lua name=x name=y\nreturn",
    "#!lua name=x foo=y\nreturn",
    "#!lua foo\nreturn",
    "#!lua name=\nreturn",
    "#!lua name=a-b\nreturn",
    "#!LUA name=ok\nredis.register_function('x', function() return 1 end)",
    "#!lua 'name=quoted'\nredis.register_function('x', function() return 1 end)",
    "#!lua name=x\nreturn (",
    "#!lua name=x\nreturn x",
    "#!lua name=x\nerror('x')",
    "#!lua name=x\nlocal a=nil\nreturn a.x",
    "#!lua name=x\nredis.call('ping')",
    "#!lua name=x\nredis.log()",
    "#!lua name=x\nredis.foo=1",
    "#!lua name=x\ny=1",
    "#!lua name=x\nfunction f() return 1 end",
    "#!lua name=x\nlocal a=string",
    "#!lua name=x\nlocal a=_G",
    "#!lua name=x\nredis.log(redis.LOG_DEBUG,redis.REDIS_VERSION)",
]
REGISTRATIONS = [
    "()",
    "(1,2,3)",
    "(1)",
    "({})",
    "({[1]=2})",
    "({[true]=2})",
    "({function_name=1})",
    "({function_name='f'})",
    "({callback=function() end})",
    "({function_name='f',callback=1})",
    "({function_name='f',callback=function() end,flags=1})",
    "({function_name='f',callback=function() end,flags={'x'}})",
    "({function_name='f',callback=function() end,flags={1}})",
    "({function_name='f',callback=function() end,description=1})",
    "({function_name='f',callback=function() end,description={}})",
    "({function_name='f',callback=function() end,foo=1})",
    "(1,function() end)",
    "({},function() end)",
    "('f',1)",
    "('a-b',function() end)",
    "('',function() end)",
    "({function_name='a b',callback=function() end})",
    "{function_name='f',callback=function() end,description='what it does'}",
    "{function_name='f',callback=function() end,flags={'NO-WRITES'}}",
    "{function_name='f',callback=function() end,flags={'no-writes','allow-oom','allow-stale'}}",
    "{function_name='f',callback=function() end,flags={'no-cluster','allow-cross-slot-keys'}}",
]
BODIES = [
    "return 1",
    "return {1,'x',{2}}",
    "return {ok='fine'}",
    "x=1",
    "return x",
    "_G.x=1",
    "return _G.x",
    "return KEYS",
    "return ARGV",
    "return print",
    "redis.foo=1",
    "string.x=1",
    "error('x')",
    "error({err='my'})",
    "return {err='FOO bar'}",
    "return redis.error_reply('x')",
    "return redis.register_function('g',function() end)",
    "return redis.call('nosuch')",
    "return redis.pcall('nosuch')",
    "\n\nreturn redis.call('get')",
    "return redis.call('eval','return 1',0)",
    "return redis.call('fcall','f',0)",
    "return redis.call('function','list')",
    "return type(redis.nosuch)",
    "return type(redis.breakpoint)",
    "return type(redis.debug)",
    "return type(redis.replicate_commands)",
    "return type(redis.set_repl) .. type(redis.REPL_ALL)",
    "return loadstring('return type(redis.call)')()",
    "local a=nil\nreturn a.x",
    "redis.setresp(3) return true",
    "return redis.call('set','a',1)",
    "return redis.call('get','a')",
    "return cjson.encode({1,2})",
]
LIBRARY = """#!lua name=mylib
local calls = 0
redis.register_function('count', function(keys, args) calls = calls + 1 return {#keys, #args} end)
redis.register_function('echo', function(keys, args) return {keys, args} end)
redis.register_function{function_name='peek', description='it reads', flags={'no-writes'},
  callback=function(keys) return redis.call('get', keys[1]) end}
redis.register_function{function_name='liar', flags={'no-writes'},
  callback=function(keys) return redis.call('set', keys[1], 1) end}
redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)
"""
COMMANDS = [
    ["FUNCTION"],
    ["FUNCTION", "NOSUCH"],
    ["FUNCTION", "LOAD"],
    ["FUNCTION", "LOAD", "REPLACE"],
    ["FUNCTION", "LOAD", "x", "y"],
    ["FUNCTION", "LOAD", "replace", "REPLACE", LIBRARY],
    ["FUNCTION", "LOAD", LIBRARY],
    ["FUNCTION", "LOAD", "#!lua name=MYLIB\nredis.register_function('echo', function() end)"],
    ["FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('ECHO', function() end)"],
    ["FUNCTION", "LOAD", "REPLACE", "#!lua name=o\nredis.register_function('put',function() end)"],
    ["FUNCTION", "LOAD", "#!lua name=other\nreturn 1"],
    ["FUNCTION", "LIST", "WITHCODE", "withcode"],
    ["FUNCTION", "LIST", "LIBRARYNAME"],
    ["FUNCTION", "LIST", "LIBRARYNAME", "my*", "LIBRARYNAME", "x"],
    ["FUNCTION", "LIST", "LIBRARYNAME", "no*"],
    ["FUNCTION", "LIST", "x"],
    ["FUNCTION", "STATS"],
    ["FUNCTION", "STATS", "x"],
    ["FUNCTION", "KILL"],
    ["FCALL"],
    ["FCALL", "count"],
    ["FCALL", "nosuch", "x"],
    ["FCALL", "count", "x"],
    ["FCALL", "count", "-1"],
    ["FCALL", "count", "1"],
    ["FCALL", "count", "0"],
    ["FCALL", "Count", "1", "a", "b"],
    ["FCALL", "echo", "2", "a", "b", "c", "d"],
    ["FCALL", "put", "1", "a", "v"],
    ["FCALL", "peek", "1", "a"],
    ["FCALL_RO", "peek", "1", "a"],
    ["FCALL_RO", "put", "1", "a", "w"],
    ["FCALL", "liar", "1", "a"],
    ["FCALL_RO", "liar", "1", "a"],
    ["EVAL", "return redis.register_function", "0"],
    ["EVAL_RO", "#!lua\nreturn 1", "0"],
    ["EVAL_RO", "#!lua flags=no-writes\nreturn 1", "0"],
    ["EVAL", "#!lua flags=no-writes,allow-oom\nreturn 1", "0"],
    ["EVAL", "#!lua  flags=no-writes  flags=allow-oom\nreturn 1", "0"],
    ["EVAL", "#!lua Flags=no-writes\nreturn 1", "0"],
    ["EVAL", "#!lua flags=NO-WRITES\nreturn 1", "0"],
    ["EVAL", "#!lua flags=,no-writes\nreturn 1", "0"],
    ["EVAL", '#!lua "flags=no-writes\nreturn 1', "0"],
    ["EVAL", "#!LUA\nreturn 1", "0"],
    ["EVAL", "#!\nreturn 1", "0"],
    ["EVAL", "#!lua flags=\nreturn 1", "0"],
    ["SCRIPT", "DEBUG"],
    ["SCRIPT", "DEBUG", "x"],
    ["SCRIPT", "DEBUG", "NO"],
    ["FUNCTION", "DELETE", "nosuch"],
    ["FUNCTION", "DELETE", "MyLib"],
    ["FUNCTION", "DELETE", "mylib"],
    ["FCALL", "count", "0"],
    ["FUNCTION", "FLUSH", "x"],
    ["FUNCTION", "FLUSH", "ASYNC", "SYNC"],
    ["FUNCTION", "FLUSH", "async"],
    ["FUNCTION", "LIST"],
    ["MULTI"],
    ["FUNCTION", "LOAD", "#!lua name=m\nredis.register_function('f',function() return 1 end)"],
    ["FCALL", "f", "0"],
    ["FUNCTION", "DELETE", "m"],
    ["EXEC"],
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_libraries_are_loaded_or_refused_as_in_redis(
    tmp_path: Path, redis_port: int, protocol: int
) -> None:
    registrations = [f"{HEAD}redis.register_function{text}" for text in REGISTRATIONS]
    with (
        aidb_server(tmp_path) as server,
        Wire(redis_port, protocol=protocol) as theirs,
        server.connect(protocol) as ours,
    ):
        for wire in (ours, theirs):
            wire("FUNCTION", "FLUSH")
        for text in TEXTS + registrations:
            assert ours("FUNCTION", "LOAD", text) == theirs("FUNCTION", "LOAD", text), text
            assert ours("FUNCTION", "LIST", "WITHCODE") == theirs("FUNCTION", "LIST", "WITHCODE")
            for wire in (ours, theirs):
                wire("FUNCTION", "FLUSH")


@pytest.mark.parametrize("protocol", [2, 3])
def test_functions_answer_as_in_redis(tmp_path: Path, redis_port: int, protocol: int) -> None:
    with (
        aidb_server(tmp_path) as server,
        Wire(redis_port, protocol=protocol) as theirs,
        server.connect(protocol) as ours,
    ):
        theirs("FLUSHALL")
        theirs("FUNCTION", "FLUSH")
        for body in BODIES:
            text = f"{HEAD}redis.register_function('f',function() {body} end)"
            for wire in (ours, theirs):
                assert wire("FUNCTION", "LOAD", "REPLACE", text) == b"mylib"
            assert ours("FCALL", "f", 0, "x") == theirs("FCALL", "f", 0, "x"), body
        theirs("FUNCTION", "FLUSH")
        for command in COMMANDS:
            assert ours(*command) == theirs(*command), command


def test_a_script_leaves_nothing_for_functions(server: AidbServer) -> None:
    body = "return loadstring('return KEYS')()"
    text = f"#!lua name=left\nredis.register_function('left',function() {body} end)"
    with server.connect() as wire:
        wire("FUNCTION", "LOAD", "REPLACE", text)
        wire("EVAL", "return KEYS", 1, "secret")
        assert isinstance(wire("FCALL", "left", 0), Failure)


def test_payloads_go_to_redis_and_back(tmp_path: Path, redis_port: int) -> None:
    long = "#!lua name=long\nlocal s = '" + "abc" * 500 + "'\n"
    long += "redis.register_function('length', function() return #s end)"
    with (
        aidb_server(tmp_path) as server,
        Wire(redis_port) as theirs,
        server.connect() as ours,
    ):
        theirs("FUNCTION", "FLUSH")
        assert ours("FUNCTION", "DUMP") == theirs("FUNCTION", "DUMP")
        for wire in (ours, theirs):
            wire("FUNCTION", "LOAD", LIBRARY)
            wire("FUNCTION", "LOAD", long)
        dumps = [ours("FUNCTION", "DUMP"), theirs("FUNCTION", "DUMP")]
        for wire in (ours, theirs):
            for dump in dumps:
                name = wire("FUNCTION", "RESTORE", dump).text.split()[2]
                assert name in (b"mylib", b"long")
                assert wire("FUNCTION", "RESTORE", dump, "Replace") == Status(b"OK")
                assert wire("FUNCTION", "RESTORE", dump, "FLUSH") == Status(b"OK")
                assert wire("FCALL", "length", 0) == 1500
        for arguments in [
            ("",),
            ("x",),
            (dumps[1][:-1],),
            (dumps[1][1:],),
            (dumps[1], "x"),
            (dumps[1], "FLUSH", "x"),
        ]:
            mine = ours("FUNCTION", "RESTORE", *arguments)
            assert mine == theirs("FUNCTION", "RESTORE", *arguments), arguments
        theirs("SET", "a", "b")
        value = theirs("DUMP", "a")
        assert ours("FUNCTION", "RESTORE", value) == theirs("FUNCTION", "RESTORE", value)
        clash = "#!lua name=clash\nredis.register_function('echo',function() end)"
        for wire in (ours, theirs):
            wire("FUNCTION", "FLUSH")
            wire("FUNCTION", "LOAD", clash)
            assert wire("FUNCTION", "RESTORE", dumps[0]) == Failure(
                b"ERR Function echo already exists"
            )
            assert len(wire("FUNCTION", "LIST")) == 1
        theirs("FUNCTION", "FLUSH")


def test_libraries_survive_a_kill(tmp_path: Path) -> None:
    with aidb_server(tmp_path, "--appendfsync", "always") as server:
        with server.connect() as wire:
            wire("FUNCTION", "LOAD", LIBRARY)
            wire("FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('g',function() end)")
            wire("FUNCTION", "DELETE", "gone")
            wire("FLUSHALL")
            before = wire("FUNCTION", "LIST", "WITHCODE")
        server.kill()
    with aidb_server(tmp_path) as server, server.connect() as wire:
        assert wire("FUNCTION", "LIST", "WITHCODE") == before
        assert wire("FCALL", "echo", 1, "k", "v") == [[b"k"], [b"v"]]


def test_a_stored_library_that_cannot_be_loaded_does_not_stop_the_server(tmp_path: Path) -> None:
    with aidb_server(tmp_path) as server, server.connect() as wire:
        wire("FUNCTION", "LOAD", LIBRARY)
        server.terminate()
    with aidb.open(tmp_path) as database:
        database.namespace("redis:system")[b"function:bad"] = b"#!lua name=bad\nsyntax error"
    with aidb_server(tmp_path) as server, server.connect() as wire:
        assert "cannot be loaded" in "".join(server.banner)
        assert wire("FCALL", "echo", 0) == [[], []]
        assert [library[1] for library in wire("FUNCTION", "LIST")] == [b"bad", b"mylib"]
        assert wire("FUNCTION", "DELETE", "bad") == Status(b"OK")


def test_a_function_that_was_replaced_is_another_one(server: AidbServer) -> None:
    with server.connect() as wire:
        for number in range(20):
            body = f"return {number}"
            text = f"#!lua name=changing\nredis.register_function('now',function() {body} end)"
            assert wire("FUNCTION", "LOAD", "REPLACE", text) == b"changing"
            assert wire("FCALL", "now", 0) == number


def test_an_endless_library_and_an_endless_function_end(tmp_path: Path) -> None:
    endless = "#!lua name=endless\nwhile true do end"
    text = (
        "#!lua name=slow\nredis.register_function('slow',function(keys) "
        "redis.call('set', keys[1], 1) while true do end end)"
    )
    with (
        aidb_server(tmp_path) as server,
        server.connect() as victim,
        server.connect(3) as other,
    ):
        timeout = b"ERR Error registering functions: ERR FUNCTION LOAD timeout"
        assert victim("FUNCTION", "LOAD", endless) == Failure(timeout)
        assert victim("FUNCTION", "LOAD", text) == b"slow"
        victim.send(encode("FCALL", "slow", 1, "k"))
        deadline = time.monotonic() + 20
        while other("FUNCTION", "STATS").items[0][1] is None and time.monotonic() < deadline:
            time.sleep(0.01)
        running = other("FUNCTION", "STATS").items[0][1]
        assert isinstance(running, Pairs)
        assert running.items[:2] == (
            (b"name", b"slow"),
            (b"command", [b"FCALL", b"slow", b"1", b"k"]),
        )
        assert other("SCRIPT", "KILL").code == b"BUSY"
        assert other("FUNCTION", "KILL").text == b"OK"
        reply = victim.read()
        assert isinstance(reply, Failure)
        assert b"killed by user with FUNCTION KILL" in reply.text
        assert victim("EXISTS", "k") == 0


def test_the_interface_of_the_library_works(tmp_path: Path) -> None:
    with aidb_server(tmp_path) as server, redis.Redis(port=server.port) as client:
        assert client.function_load(LIBRARY) == b"mylib"
        assert client.fcall("put", 1, "k", "v") == b"OK"
        assert client.fcall_ro("peek", 1, "k") == b"v"
        assert len(client.function_list(library="my*", withcode=True)) == 1
        assert client.function_delete("mylib")
        assert client.function_list() == []
        assert client.function_flush()
