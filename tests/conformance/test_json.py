"""JSON documents: what RedisJSON's documentation promises, and random ones against plain Python."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.conformance import json_model as model
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Pairs, Status, Wire

OK = Status(b"OK")
STORE = {
    "book": [
        {"title": "A", "price": 8.95, "tags": ["x", "y"], "sold": True},
        {"title": "B", "price": 12, "isbn": "1", "sold": False},
        {"title": "C", "price": 5, "isbn": "2", "nested": {"title": "D"}},
    ],
    "none": None,
    "empty": [],
}
NO_KEY = Failure(b"ERR could not perform this operation on a key that doesn't exist")
WRONG_KEY = Failure(b"Existing key has wrong Redis type")

# Commands on the document above under the key `{}`, and their replies in RESP2.
REPLIES: list[tuple[list[str | int], Any]] = [
    (["JSON.GET", "{}", "$..title"], b'["A","B","C","D"]'),
    (["JSON.GET", "{}", ".book[1].title"], b'"B"'),
    (["JSON.GET", "{}", "book[1].title"], b'"B"'),
    (["JSON.GET", "{}", "$.nothing"], b"[]"),
    (["JSON.GET", "{}", ".nothing"], Failure(b"ERR Path '$.nothing' does not exist")),
    (["JSON.GET", "{}", "..title", ".none"], b'{"..title":"A",".none":null}'),
    (["JSON.GET", "{}", "$.none", ".empty"], b'{"$.none":[null],".empty":[[]]}'),
    (
        ["JSON.GET", "{}", "INDENT", " ", "NEWLINE", "\n", "SPACE", "_", ".book[2].nested"],
        b'{\n "title":_"D"\n}',
    ),
    (["JSON.GET", "{}", "NOESCAPE", "FORMAT", "STRING", "$.none"], b"[null]"),
    (
        ["JSON.GET", "{}", "FORMAT", "JSON", "$"],
        Failure(b"ERR FORMAT argument is not supported on RESP2"),
    ),
    (["JSON.GET", "{}", "INDENT"], Failure(b"ERR syntax error")),
    (["JSON.GET", "nothing", "$"], None),
    (["JSON.GET", "string", "$"], WRONG_KEY),
    (
        ["JSON.GET", "{}", "$[?(@.a==)]"],
        Failure(
            b"ERR JSON Path error: path error: expected a path, a text or a number at position 10 "
            b"of '$[?(@.a==)]'"
        ),
    ),
    (["JSON.GET", "{}", "$.book[?(@.price<10 && @.isbn)].title"], b'["C"]'),
    (["JSON.MGET", "{}", "nothing", "string", "$.none"], [b"[null]", None, None]),
    (["JSON.MGET", "{}", "nothing", ".nothing"], [None, None]),
    (["JSON.TYPE", "{}"], b"object"),
    (["JSON.TYPE", "{}", "$.book[0].*"], [b"string", b"number", b"array", b"boolean"]),
    (["JSON.TYPE", "{}", ".nothing"], None),
    (["JSON.TYPE", "nothing", "$"], None),
    (["JSON.STRLEN", "{}", "$..title"], [1, 1, 1, 1]),
    (
        ["JSON.STRLEN", "{}", ".none"],
        Failure(b"WRONGTYPE wrong type of path value - expected string but found null"),
    ),
    (["JSON.STRLEN", "{}", ".nothing"], Failure(b"ERR Path '$.nothing' does not exist")),
    (["JSON.STRLEN", "nothing", "."], None),
    (["JSON.STRLEN", "nothing", "$"], NO_KEY),
    (["JSON.ARRLEN", "{}", "$.*"], [3, None, 0]),
    (["JSON.ARRLEN", "{}", ".none"], Failure(b"ERR Path '$.none' does not exist or not an array")),
    (["JSON.OBJLEN", "{}", "$.book.*"], [4, 4, 4]),
    (["JSON.OBJLEN", "{}", ".nothing"], None),
    (
        ["JSON.OBJLEN", "{}", ".empty"],
        Failure(b"WRONGTYPE wrong type of path value - expected object but found array"),
    ),
    (["JSON.OBJLEN", "nothing", "$"], Failure(b"ERR Path '$' does not exist or not an object")),
    (["JSON.OBJKEYS", "{}"], [b"book", b"none", b"empty"]),
    (["JSON.OBJKEYS", "{}", "$.*"], [None, None, None]),
    (
        ["JSON.OBJKEYS", "{}", ".none"],
        Failure(b"ERR Path '$.none' does not exist or not an object"),
    ),
    (["JSON.ARRINDEX", "{}", "$..tags", '"y"'], [1]),
    (["JSON.ARRINDEX", "{}", ".book[0].tags", '"y"', 0, 1], -1),
    (
        ["JSON.ARRINDEX", "{}", ".none", "1"],
        Failure(b"WRONGTYPE wrong type of path value - expected array but found null"),
    ),
    (
        ["JSON.RESP", "{}", ".book[0]"],
        [
            Status(b"{"),
            b"title",
            b"A",
            b"price",
            b"8.95",
            b"tags",
            [Status(b"["), b"x", b"y"],
            b"sold",
            Status(b"true"),
        ],
    ),
    (["JSON.RESP", "nothing", "$"], None),
    (["JSON.DEBUG", "MEMORY", "nothing"], 0),
    (["JSON.DEBUG", "MEMORY", "{}", "$.nothing"], []),
    (["JSON.DEBUG", "NOSUCH", "{}"], Failure(b"ERR unknown subcommand - try `JSON.DEBUG HELP`")),
    (
        ["JSON.SET", "{}", "$.new", "{", "NX"],
        Failure(b"ERR EOF while parsing an object at line 1 column 1"),
    ),
    (["JSON.SET", "{}", "$.none", "1", "NX"], None),
    (["JSON.SET", "{}", "$.new", "1", "XX"], None),
    (["JSON.SET", "{}", "$.new", "1", "YY"], Failure(b"ERR syntax error")),
    (["JSON.SET", "{}", "$.a.b", "1"], None),
    (["JSON.SET", "{}", "$..nothing", "1"], Failure(b"ERR wrong static path")),
    (["JSON.SET", "{}", "$.empty[0]", "1"], Failure(b"ERR index out of bounds")),
    (["JSON.SET", "nothing", "$.a", "1"], Failure(b"ERR new objects must be created at the root")),
    (["JSON.SET", "string", "$", "1"], WRONG_KEY),
    (["JSON.SET", "{}", "$.new", '{"n":1}', "NX"], OK),
    (["JSON.SET", "{}", "$.new.n", "2", "XX"], OK),
    (["JSON.NUMINCRBY", "{}", "$.new.n", "3"], b"[5]"),
    (["JSON.NUMINCRBY", "{}", ".new.n", "0.5"], b"5.5"),
    (["JSON.NUMMULTBY", "{}", "$..n", "2"], b"[11.0]"),
    (["JSON.NUMINCRBY", "{}", "$.*", "1"], b"[null,null,null,null]"),
    (
        ["JSON.NUMINCRBY", "{}", ".none", "1"],
        Failure(b"ERR Path '$.none' does not exist or does not contains a number"),
    ),
    (["JSON.NUMMULTBY", "{}", ".new.n", "1e308"], Failure(b"ERR result is an infinite number")),
    (
        ["JSON.NUMINCRBY", "{}", ".new.n", '"1"'],
        Failure(b"WRONGTYPE wrong type of path value - expected number but found string"),
    ),
    (["JSON.NUMINCRBY", "nothing", "$", "1"], NO_KEY),
    (["JSON.STRAPPEND", "{}", "$..title", '"!"'], [2, 2, 2, 2]),
    (
        ["JSON.STRAPPEND", "{}", ".none", '"!"'],
        Failure(b"ERR Path '$.none' does not exist or not a string"),
    ),
    (["JSON.TOGGLE", "{}", "$..sold"], [0, 1]),
    (["JSON.TOGGLE", "{}", ".book[0].sold"], b"true"),
    (["JSON.TOGGLE", "{}", ".none"], Failure(b"ERR Path '$.none' does not exist or not a bool")),
    (["JSON.ARRAPPEND", "{}", "$.*", "1", "[2]"], [5, None, 2, None]),
    (["JSON.ARRINSERT", "{}", ".empty", 1, '"in"'], 3),
    (["JSON.ARRINSERT", "{}", ".empty", 4, "1"], Failure(b"ERR index out of bounds")),
    (["JSON.ARRINSERT", "{}", ".empty", "x", "1"], Failure(b"ERR Couldn't parse as integer")),
    (["JSON.GET", "{}", ".empty"], b'[1,"in",[2]]'),
    (["JSON.ARRPOP", "{}", "$.empty", 0], [b"1"]),
    (["JSON.ARRPOP", "{}", ".empty"], b"[2]"),
    (
        ["JSON.ARRPOP", "{}", "$.*", -99],
        [b'{"title":"A!","price":8.95,"tags":["x","y"],"sold":true}', None, b'"in"', None],
    ),
    (["JSON.ARRPOP", "{}", ".empty"], None),
    (["JSON.ARRTRIM", "{}", "$.book", 1, 2], [2]),
    (
        ["JSON.ARRTRIM", "{}", ".none", 1, 2],
        Failure(b"ERR Path '$.none' does not exist or not an array"),
    ),
    (["JSON.MERGE", "{}", "$.new", '{"n":null,"m":{"a":1}}'], OK),
    (["JSON.GET", "{}", ".new"], b'{"m":{"a":1}}'),
    (["JSON.MERGE", "{}", "$.new.m", "null"], OK),
    (
        ["JSON.MERGE", "nothing", "$.a", "1"],
        Failure(b"ERR new objects must be created at the root"),
    ),
    (["JSON.CLEAR", "{}", "$.*"], 1),
    (["JSON.DEL", "{}", "$.nothing"], 0),
    (["JSON.DEL", "nothing"], 0),
    (["JSON.FORGET", "{}", ".none"], 1),
    (["JSON.GET", "{}"], b'{"book":[],"empty":[],"new":{}}'),
    (["TYPE", "{}"], Status(b"ReJSON-RL")),
    (["OBJECT", "ENCODING", "{}"], b"raw"),
    (["JSON.DEL", "{}"], 1),
    (["EXISTS", "{}"], 0),
    (["JSON.MSET", "{}", "$", '{"a":1}', "{}", "$.b", "2", "{}2", "$", "3"], OK),
    (["JSON.GET", "{}"], b'{"a":1,"b":2}'),
    (
        ["JSON.MSET", "{}", "$", "1", "{}3", "$.a", "1"],
        Failure(b"ERR new objects must be created at the root"),
    ),
    (["JSON.MSET", "{}", "$"], Failure(b"ERR wrong number of arguments for 'json.mset' command")),
    (
        ["JSON.MSET", "{}", "$", "1", "x"],
        Failure(b"ERR wrong number of arguments for 'json.mset' command"),
    ),
]


def test_commands_answer_as_documented(tmp_path: Path) -> None:
    with aidb_server(tmp_path) as server, server.connect() as wire:
        wire("SET", "string", "x")
        assert wire("JSON.SET", "{}", "$", json.dumps(STORE)) == OK
        for command, reply in REPLIES:
            assert wire(*command) == reply, command


def test_resp3_has_types_of_its_own(server: AidbServer) -> None:
    with server.connect(3) as wire:
        wire("JSON.SET", "r3", "$", '{"a":{"b":1,"c":2.5},"d":[true,null,"x"]}')
        assert wire("JSON.TYPE", "r3", "$.*") == [[b"object", b"array"]]
        assert wire("JSON.TYPE", "r3", ".a") == [b"object"]
        assert wire("JSON.TYPE", "nothing-r3", "$") == [None]
        assert wire("JSON.NUMINCRBY", "r3", "$.a.*", "1") == [2, 3.5]
        assert wire("JSON.NUMINCRBY", "r3", ".a.b", "1") == [3]
        assert wire("JSON.GET", "r3", "FORMAT", "JSON", "$.d", "$.x") == [[b'[true,null,"x"]'], []]
        expanded = wire("JSON.GET", "r3", "FORMAT", "EXPAND", "$")
        assert expanded == [
            [Pairs(((b"a", Pairs(((b"b", 3), (b"c", 3.5)))), (b"d", [True, None, b"x"])))]
        ]
        assert wire("JSON.GET", "r3", "$.a") == b'[{"b":3,"c":3.5}]'
        assert wire("JSON.RESP", "r3", ".a") == [Status(b"{"), b"b", 3, b"c", 3.5]


@pytest.mark.parametrize("seed", range(4))
def test_random_documents_follow_the_model(server: AidbServer, seed: int) -> None:
    chance = random.Random(seed)
    key = f"model-{seed}"
    with server.connect() as wire:
        for _ in range(40):
            document = model.random_value(chance, 5)
            assert wire("JSON.SET", key, "$", json.dumps(document)) == OK
            for _ in range(12):
                document = step(wire, key, document, chance)
                assert json.loads(wire("JSON.GET", key)) == document


def step(wire: Wire, key: str, document: Any, chance: random.Random) -> Any:
    """One random command; the document afterwards."""
    steps = model.random_steps(chance)
    path = model.path_text(steps)
    places = model.select(document, steps)
    values = [model.get(document, place) for place in places]
    match chance.choice(["get", "set", "del", "append", "add", "pop", "toggle", "len"]):
        case "get":
            assert json.loads(wire("JSON.GET", key, path)) == values, path
        case "set" if places and not nested(places):
            value = model.random_value(chance, 2)
            assert wire("JSON.SET", key, path, json.dumps(value)) == OK
            for place in places:
                document = model.change(document, place, json.loads(json.dumps(value)))
        case "del" if () not in places:
            assert wire("JSON.DEL", key, path) == model.remove(document, places), path
        case "append":
            replies = [len(v) + 1 if isinstance(v, list) else None for v in values]
            if not nested(places):
                assert wire("JSON.ARRAPPEND", key, path, '"new"') == replies, path
                for value in values:
                    if isinstance(value, list):
                        value.append("new")
        case "add":
            numbers = [is_number(value) for value in values]
            results = [v + 3 if is_number(v) else None for v in values]
            assert json.loads(wire("JSON.NUMINCRBY", key, path, "3")) == results, path
            for place, result, number in zip(places, results, numbers, strict=True):
                document = model.change(document, place, result) if number else document
        case "pop" if not nested(places):
            popped = [
                json.dumps(v.pop(0), ensure_ascii=False, separators=(",", ":"))
                if isinstance(v, list) and v
                else None
                for v in values
            ]
            reply = wire("JSON.ARRPOP", key, path, 0)
            assert [r and r.decode() for r in reply] == popped, path
        case "toggle":
            flags = [int(not v) if isinstance(v, bool) else None for v in values]
            assert wire("JSON.TOGGLE", key, path) == flags, path
            for place, value in zip(places, values, strict=True):
                if isinstance(value, bool):
                    document = model.change(document, place, not value)
        case "len":
            lengths = [len(v) if isinstance(v, dict) else None for v in values]
            assert wire("JSON.OBJLEN", key, path) == lengths, path
    return document


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def nested(places: list[model.Place]) -> bool:
    """Whether a place lies within another one."""
    return any(p[:n] in places for p in places for n in range(len(p)))


def test_large_documents_change_in_pieces(tmp_path: Path) -> None:
    document: dict[str, Any] = {f"field{i}": "x" * 100 for i in range(3000)}
    with aidb_server(tmp_path, "--appendfsync", "always") as server:
        with server.connect() as wire:
            assert wire("JSON.SET", "large", "$", json.dumps(document)) == OK
            wire("EXPIRE", "large", 1000)
            assert wire("JSON.SET", "large", "$.field2999", '"short"') == OK
            assert wire("JSON.NUMINCRBY", "large", "$.field1", "1") == b"[null]"
            assert wire("COPY", "large", "copy") == 1
            assert wire("RENAME", "large", "renamed") == OK
            assert wire("JSON.DEL", "copy", "$.field0") == 1
            wire("MULTI")
            wire("JSON.SET", "renamed", "$.new", "1")
            wire("JSON.NUMINCRBY", "renamed", "$.new", "1")
            assert wire("EXEC") == [OK, b"[2]"]
            script = "return redis.call('json.numincrby', KEYS[1], '$.new', 1)"
            assert wire("EVAL", script, 1, "renamed") == b"[3]"
        server.kill()
    document |= {"field2999": "short", "new": 3}
    with aidb_server(tmp_path) as server, server.connect() as wire:
        assert json.loads(wire("JSON.GET", "renamed")) == document
        assert 0 < wire("TTL", "renamed") <= 1000
        del document["new"], document["field0"]
        assert json.loads(wire("JSON.GET", "copy")) == document
        assert wire("JSON.SET", "copy", "$", "[]") == OK
        assert wire("JSON.GET", "copy") == b"[]"
        assert wire("DEL", "renamed", "copy") == 2


def test_deep_documents_and_greedy_paths_are_refused(server: AidbServer) -> None:
    with server.connect() as wire:
        deep = "[" * 100 + "]" * 100
        assert wire("JSON.SET", "deep", "$", deep) == OK
        assert wire("JSON.SET", "deep", "$" + "[0]" * 99, deep).code == b"ERR"
        assert wire("JSON.ARRAPPEND", "deep", "$" + "[0]" * 99, deep).code == b"ERR"
        assert wire("JSON.GET", "deep") == deep.encode()
        assert wire("JSON.SET", "deep", "$", "[" * 200 + "]" * 200).code == b"ERR"
        assert b"visits more than" in wire("JSON.GET", "deep", "$" + "..*" * 8).text
        wire("JSON.SET", "wide", "$", json.dumps([[1]] * 300))
        greedy = "$..[?($..[?($..[?($..a==1)]==1)]==1)]"
        assert b"visits more than" in wire("JSON.GET", "wide", greedy).text


def test_watched_documents_fail_transactions(server: AidbServer) -> None:
    with server.connect() as wire, server.connect() as other:
        wire("JSON.SET", "watched", "$", '{"a":1}')
        wire("WATCH", "watched")
        other("JSON.NUMINCRBY", "watched", "$.a", "1")
        wire("MULTI")
        wire("JSON.GET", "watched")
        assert wire("EXEC") is None


def test_changes_are_told(tmp_path: Path) -> None:
    with (
        aidb_server(tmp_path) as server,
        server.connect() as listener,
        server.connect() as wire,
    ):
        wire("CONFIG", "SET", "notify-keyspace-events", "Ed")
        listener("PSUBSCRIBE", "__keyevent@0__:*")
        wire("JSON.SET", "told", "$", '{"a":[1]}')
        wire("JSON.NUMINCRBY", "told", "$.nothing", "1")
        wire("JSON.NUMINCRBY", "told", "$.a[0]", "1")
        wire("JSON.ARRPOP", "told", "$.a")
        wire("JSON.DEL", "told")
        events = [listener.read()[2].decode().partition(":")[2] for _ in range(4)]
        assert events == ["json.set", "json.numincrby", "json.arrpop", "json.del"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_interface_of_the_library_works(server: AidbServer, protocol: int) -> None:
    key = f"library-{protocol}"
    with redis.Redis(port=server.port, protocol=protocol) as client:
        json_ = client.json()
        assert json_.set(key, "$", {"a": 1, "b": [1, 2.5], "c": {"d": None}, "e": "x", "f": True})
        assert json_.get(key, "$.b") == [[1, 2.5]]
        assert json_.get(key, ".c") == {"d": None}
        assert json_.mget([key], "$.a") == [[1]]
        assert json_.numincrby(key, "$.a", 2) == [3]
        assert json_.arrappend(key, "$.b", 3) == [3]
        assert json_.arrindex(key, "$.b", 3) == [2]
        assert json_.arrinsert(key, "$.b", 0, 0) == [4]
        assert json_.arrpop(key, "$.b") == ["3"]
        assert json_.arrtrim(key, "$.b", 0, 1) == [2]
        assert json_.arrlen(key, "$.b") == [2]
        assert json_.objlen(key, "$.c") == [1]
        assert json_.objkeys(key, "$.c") == [[b"d"]] or json_.objkeys(key, "$.c") == [["d"]]
        assert json_.strappend(key, "y", "$.e") == [2]
        assert json_.strlen(key, "$.e") == [2]
        assert json_.toggle(key, "$.f") == [0]
        assert json_.merge(key, "$", {"g": 1, "c": None})
        assert json_.mset([(key, "$.h", 1)])
        assert json_.clear(key, "$.b") == 1
        assert json_.type(key, "$.b") in ([b"array"], ["array"], [[b"array"]])
        assert json_.delete(key, "$.h") == 1
        assert json_.get(key) == {"a": 3, "b": [], "e": "xy", "f": False, "g": 1}
