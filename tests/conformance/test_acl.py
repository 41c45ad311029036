"""Users: what they may do is what Redis lets them do, answer for answer."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.scenes import lines
from tests.conformance.servers import AidbServer, aidb_server, redis_server
from tests.conformance.wire import Failure, Pairs, Status, Wire

RULES = """\
ACL
ACL NOSUCH
ACL CAT
ACL CAT nosuch
ACL CAT read write
ACL USERS
ACL WHOAMI
ACL WHOAMI x
ACL LIST
ACL GETUSER default
ACL GETUSER nobody
ACL SETUSER
ACL SETUSER a
ACL LIST
ACL SETUSER a ON NOPASS ALLCOMMANDS ALLKEYS ALLCHANNELS
ACL GETUSER a
ACL SETUSER a reset
ACL GETUSER a
ACL SETUSER a >one >two >one
ACL GETUSER a
ACL SETUSER a <one
ACL SETUSER a <one
ACL SETUSER a #7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
ACL SETUSER a !7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
ACL SETUSER a !7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
ACL SETUSER a #7692C3AD3540BB803C020B3AEE66CD8887123234EA0C6E7143C0ADD73FF431ED
ACL SETUSER a #abc
ACL SETUSER a !abc
ACL SETUSER a ~a* ~b %R~c %w~d %RW~e %wr~f ~a*
ACL GETUSER a
ACL SETUSER a %R~a* %W~c
ACL GETUSER a
ACL SETUSER a resetkeys %R~*
ACL GETUSER a
ACL SETUSER a %X~a
ACL SETUSER a %~a
ACL SETUSER a %
ACL SETUSER a %RR~a
ACL SETUSER a ~* ~b
ACL SETUSER a allkeys %R~b
ACL SETUSER a &x &y*
ACL GETUSER a
ACL SETUSER a &* &b
ACL SETUSER a resetchannels resetkeys
ACL SETUSER a +@all -@string +set|x
ACL GETUSER a
ACL SETUSER a -@all +config|get +select|0
ACL SETUSER a +@all -@write -config|set
ACL GETUSER a
ACL SETUSER a nosuch
ACL SETUSER a +nosuch
ACL SETUSER a -nosuch
ACL SETUSER a +nosuch|x
ACL SETUSER a +@nosuch
ACL SETUSER a +config|nosuch
ACL SETUSER a +config|get|x
ACL SETUSER a +set|a|b
ACL SETUSER a -set|a
ACL SETUSER a +
ACL SETUSER a (
ACL SETUSER a (+get
ACL SETUSER a (+get ~a) (+set
ACL SETUSER a (on)
ACL SETUSER a (>x)
ACL SETUSER a ( +get ~x ) (%W~y +set)
ACL GETUSER a
ACL SETUSER a ()
ACL SETUSER a clearselectors sanitize-payload
ACL GETUSER a
ACL SETUSER a skip-sanitize-payload off
ACL GETUSER a
ACL DELUSER
ACL DELUSER nobody
ACL DELUSER a default
ACL DELUSER a nobody
ACL USERS
ACL GENPASS 0
ACL GENPASS 4097
ACL GENPASS x
ACL GENPASS 1 2
ACL DRYRUN nobody get x
ACL DRYRUN default nosuch x
ACL DRYRUN default get
ACL DRYRUN default get x
ACL DRYRUN default config
ACL DRYRUN default config nosuch
ACL DRYRUN default config get
ACL LOG x
ACL LOG -1
ACL LOG 1 2
ACL LOG RESET
ACL LOG
ACL SAVE
ACL LOAD
ACL HELP
CONFIG GET acllog*
CONFIG GET acl-pubsub*
CONFIG GET aclfile
CONFIG SET acl-pubsub-default x
COMMAND GETKEYSANDFLAGS set a b
COMMAND GETKEYSANDFLAGS set a b get
COMMAND GETKEYSANDFLAGS set a b ex 1 keepttl
COMMAND GETKEYSANDFLAGS mset a b c d
COMMAND GETKEYSANDFLAGS zunionstore a 2 c d
COMMAND GETKEYSANDFLAGS zunionstore a x c d
COMMAND GETKEYSANDFLAGS ping x
COMMAND GETKEYSANDFLAGS nosuch x
COMMAND GETKEYSANDFLAGS spublish a b
COMMAND GETKEYSANDFLAGS eval a 1 b
COMMAND GETKEYSANDFLAGS eval a 0
COMMAND GETKEYSANDFLAGS eval a 3 b
COMMAND GETKEYSANDFLAGS copy a b
COMMAND GETKEYSANDFLAGS georadius a 1 2 3 km store a
COMMAND GETKEYS eval a 0
COMMAND GETKEYS spublish a b
"""

LIMITS = "on >p ~k* &ch* -@all +get +set +auth +hello +multi +exec +config|get +eval +publish"
"""What the user of :data:`USE` may do."""

USE = """\
AUTH limited wrong
AUTH nobody p
HELLO 2 AUTH limited wrong
AUTH limited p
ACL WHOAMI
GET k
GET x
SET k 1
SET x 1
DEL k
NOSUCH
GET
CONFIG
CONFIG NOSUCH
CONFIG GET appendfsync
CONFIG SET timeout 0
ACL LIST
PING
PUBLISH x 1
PUBLISH ch1 1
SUBSCRIBE ch1
EVAL "return(redis.call('get','x'))" 0
EVAL "return(redis.call('get','k'))" 0
EVAL "return(redis.call('del','k'))" 0
EVAL "return(redis.pcall('del','k'))" 0
EVAL "return(redis.pcall('del','k').err)" 0
EVAL "return(redis.call('publish','x','1'))" 0
EVAL "return(redis.call('config','get','appendfsync'))" 0
EVAL "return(redis.call('get',KEYS[1]))" 1 x
EVAL "return(1)" x
EVAL "return(redis.acl_check_cmd('get','x'))" 0
EVAL "return(redis.acl_check_cmd('get','k'))" 0
EVAL "return(redis.acl_check_cmd('get'))" 0
EVAL "return(redis.acl_check_cmd('config','get','x'))" 0
EVAL "return(redis.acl_check_cmd('config','set','x','y'))" 0
EVAL "return(redis.acl_check_cmd('nosuch','k'))" 0
EVAL "return(redis.acl_check_cmd())" 0
EVAL "return(redis.acl_check_cmd({}))" 0
MULTI
GET x
EXEC
MULTI
GET k
DEL k
EXEC
MULTI
AUTH limited wrong
AUTH limited p
GET k
EXEC
"""


def assert_same(ours: Wire, theirs: Wire, script: str) -> None:
    """Every line gets Redis's answer."""
    for line in lines(script):
        words = shlex.split(line)
        mine, other = ours(*words), theirs(*words)
        assert mine == other, f"{line}\naidb:  {mine!r}\nredis: {other!r}"


@contextmanager
def both(directory: Path, protocol: int) -> Iterator[tuple[Wire, Wire, AidbServer, int]]:
    """A connection to each of two servers of our own, with both servers."""
    with (
        aidb_server(directory / "aidb", "--memory", "64MB") as server,
        redis_server(directory) as port,
        server.connect(protocol) as ours,
        Wire(port, protocol=protocol) as theirs,
    ):
        yield ours, theirs, server, port


@pytest.mark.parametrize("protocol", [2, 3])
def test_users_are_described_as_by_redis(tmp_path: Path, protocol: int) -> None:
    with both(tmp_path, protocol) as (ours, theirs, _, _):
        assert_same(ours, theirs, RULES)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_limited_user_gets_the_answers_of_redis(tmp_path: Path, protocol: int) -> None:
    with both(tmp_path, protocol) as (ours, theirs, server, port):
        assert_same(ours, theirs, f"ACL SETUSER limited {LIMITS}\nCONFIG SET timeout 0")
        with server.connect(protocol) as mine, Wire(port, protocol=protocol) as other:
            assert_same(mine, other, USE)
        assert_same_log(ours, theirs)


def assert_same_log(ours: Wire, theirs: Wire) -> None:
    """The entries that Redis shows; ours tell more."""
    mine = [entry(reply) for reply in ours("ACL", "LOG", 100)]
    other = [entry(reply) for reply in theirs("ACL", "LOG", 100)]
    assert [subset(left, right) for left, right in zip(mine, other, strict=True)] == other


def entry(reply: Any) -> dict[bytes, Any]:
    """An entry without times and connections."""
    pairs = reply.items if isinstance(reply, Pairs) else zip(reply[::2], reply[1::2], strict=True)
    volatile = {b"age-seconds", b"client-info"}
    return {name: value for name, value in pairs if name not in volatile}


def subset(left: dict[bytes, Any], right: dict[bytes, Any]) -> dict[bytes, Any]:
    return {name: value for name, value in left.items() if name in right}


def test_what_is_revoked_before_exec_is_refused_in_it(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, server, port):
        assert_same(ours, theirs, f"ACL SETUSER limited {LIMITS}")
        with server.connect() as mine, Wire(port) as other:
            assert_same(
                mine, other, "AUTH limited p\nMULTI\nGET k\nSET k 1\nCONFIG GET appendfsync"
            )
            assert_same(ours, theirs, "ACL SETUSER limited resetkeys -set -config|get")
            assert_same(mine, other, "EXEC")
            assert_same(ours, theirs, "ACL SETUSER limited -exec")
            assert_same(mine, other, "MULTI\nEXEC\nGET k")
        assert_same_log(ours, theirs)


def test_channels_that_are_taken_close_who_listens(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, server, port):
        assert_same(ours, theirs, "ACL SETUSER l on nopass allchannels +@all ~*")
        with server.connect() as mine, Wire(port) as other:
            assert_same(mine, other, "AUTH l x\nSUBSCRIBE ab")
            assert_same(ours, theirs, "ACL SETUSER l resetchannels &a*\nPUBLISH ab 1")
            assert mine.read() == other.read()
            assert_same(ours, theirs, "ACL SETUSER l resetchannels &b*")
            assert mine.is_closed()
            assert other.is_closed()


def test_a_deleted_user_is_disconnected(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, server, port):
        assert_same(ours, theirs, "ACL SETUSER l on nopass +@all ~*")
        with server.connect() as mine, Wire(port) as other:
            assert_same(mine, other, "AUTH l x\nPING")
            assert_same(ours, theirs, "ACL DELUSER l")
            assert mine.is_closed()
            assert other.is_closed()
        assert_same(ours, theirs, "ACL SETUSER l on nopass +@all ~*")
        with server.connect() as mine, Wire(port) as other:
            assert_same(mine, other, "AUTH l x\nACL DELUSER l")
            assert mine.is_closed()
            assert other.is_closed()


def test_an_off_user_stays_connected_and_a_closed_default_asks(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, server, port):
        assert_same(ours, theirs, "ACL SETUSER default off\nPING\nACL WHOAMI")
        with server.connect() as mine, Wire(port) as other:
            assert_same(mine, other, "PING\nAUTH x\nAUTH default x\nHELLO 3")
            assert_same(ours, theirs, "ACL SETUSER default on")
            assert_same(mine, other, "PING\nACL WHOAMI")
        assert_same(ours, theirs, "CONFIG SET requirepass foo\nPING\nACL LIST\nRESET\nPING")
        assert_same(ours, theirs, 'AUTH foo\nCONFIG SET requirepass ""\nACL LIST')


def test_a_waiting_client_that_may_no_more_is_refused(server: AidbServer) -> None:
    with server.connect() as admin, server.connect() as wire:
        admin("ACL", "SETUSER", "waiter", "on", "nopass", "+@all", "~*")
        wire("AUTH", "waiter", "x")
        wire.send(b"BLPOP acl-list 5\r\n")
        deadline = time.monotonic() + 10
        while b"flags=b" not in admin("CLIENT", "LIST") and time.monotonic() < deadline:
            time.sleep(0.01)
        admin("ACL", "SETUSER", "waiter", "-blpop")
        admin("RPUSH", "acl-list", "x")
        assert wire.read().code == b"NOPERM"
        assert wire("LRANGE", "acl-list", 0, -1) == [b"x"]
        admin("ACL", "DELUSER", "waiter")


def test_a_refusal_is_noted_once_a_minute(server: AidbServer) -> None:
    with server.connect() as admin, server.connect() as wire:
        admin("ACL", "SETUSER", "noted", "on", "nopass", "+get")
        wire("AUTH", "noted", "x")
        admin("ACL", "LOG", "RESET")
        for _ in range(3):
            wire("GET", "acl-key")
        (one,) = admin("ACL", "LOG")
        shown = entry(one)
        assert shown[b"count"] == 3
        assert shown[b"timestamp-created"] <= shown[b"timestamp-last-updated"]
        assert b"user=noted" in one[one.index(b"client-info") + 1]
        admin("ACL", "DELUSER", "noted")


def test_passwords_are_random_and_as_long_as_asked(wire: Wire) -> None:
    assert len(wire("ACL", "GENPASS")) == 64
    assert len(wire("ACL", "GENPASS", 5)) == 2
    assert len({wire("ACL", "GENPASS") for _ in range(20)}) == 20


def is_strange(reply: Any) -> bool:
    """Neither an answer nor a refusal."""
    return reply is not None and getattr(reply, "code", b"") != b"NOPERM"


def test_changes_under_load_are_seen_at_once(server: AidbServer) -> None:
    with server.connect() as admin:
        admin("ACL", "SETUSER", "busy", "on", "nopass", "~*", "+get", "+ping")
        stop = threading.Event()
        strange: list[Any] = []

        def ask() -> None:
            with server.connect() as wire:
                wire("AUTH", "busy", "x")
                while not stop.is_set():
                    replies = wire.pipeline([("GET", "acl-none")] * 16)
                    strange.extend(reply for reply in replies if is_strange(reply))

        thread = threading.Thread(target=ask)
        thread.start()
        with server.connect() as wire:
            wire("AUTH", "busy", "x")
            for _ in range(200):
                admin("ACL", "SETUSER", "busy", "-get")
                assert wire("GET", "acl-none").code == b"NOPERM"
                admin("ACL", "SETUSER", "busy", "+get")
                assert wire("GET", "acl-none") is None
        stop.set()
        thread.join()
        assert not strange
        admin("ACL", "DELUSER", "busy")


FILE = "user default on nopass ~* &* +@all\nuser bob on >x ~a +get\n"
WRONG = """\
user default on nopass ~* &* +@all
user bob on >x ~a +got
usr x
user
user bob2 on
user bob2 off
user c +get foo
"""


@contextmanager
def with_file(directory: Path, text: str) -> Iterator[tuple[Wire, Wire, AidbServer, int]]:
    """Both servers with a file of users, each its own."""
    mine, other = directory / "mine.acl", directory / "other.acl"
    mine.write_text(text)
    other.write_text(text)
    environment = {"AIDB_SERVER_ACLFILE": str(mine)}
    with (
        aidb_server(directory / "aidb", "--memory", "64MB", environment=environment) as server,
        redis_server(directory, "--aclfile", str(other)) as port,
        server.connect() as ours,
        Wire(port) as theirs,
    ):
        yield ours, theirs, server, port


def test_the_file_of_users_is_that_of_redis(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.acl", tmp_path / "other.acl"
    with with_file(tmp_path, FILE) as (ours, theirs, server, port):
        assert_same(ours, theirs, "ACL LIST\nACL SETUSER eve on (+get ~x)\nACL SAVE")
        assert mine.read_text() == other.read_text()
        assert_same(ours, theirs, "ACL SETUSER eve off\nACL LOAD\nACL LIST")
        for text in (WRONG, "user x on\nuser x on\n", "user x (+get\n"):
            mine.write_text(text)
            other.write_text(text)
            answers = [wire("ACL", "LOAD").text for wire in (ours, theirs)]
            assert answers[0].replace(b"mine.acl", b"other.acl") == answers[1]
            assert_same(ours, theirs, "ACL LIST")
        mine.write_text("user default on nopass ~* &* +@all\n")
        with server.connect() as bob:
            bob("AUTH", "bob", "x")
            assert ours("ACL", "LOAD") == Status(b"OK")
            assert bob.is_closed()
        mine.unlink()
        other.unlink()
        answers = [wire("ACL", "LOAD").text for wire in (ours, theirs)]
        assert answers[0].replace(b"mine.acl", b"other.acl") == answers[1]
        del port


def test_loading_keeps_who_did_not_change(tmp_path: Path) -> None:
    with with_file(tmp_path, FILE) as (ours, _, server, _), server.connect() as bob:
        bob("AUTH", "bob", "x")
        (tmp_path / "mine.acl").write_text(FILE + "user eve on nopass +ping\n")
        assert ours("ACL", "LOAD") == Status(b"OK")
        assert bob("GET", "a") is None
        (tmp_path / "mine.acl").write_text(FILE.replace("+get", "+set"))
        assert ours("ACL", "LOAD") == Status(b"OK")
        assert bob.is_closed()


def test_users_come_from_the_settings(tmp_path: Path) -> None:
    users = "default off\nann on >pw ~* &* +@all\n"
    environment = {"AIDB_SERVER_USERS": users}
    with (
        aidb_server(tmp_path / "d", environment=environment) as server,
        server.connect() as wire,
    ):
        assert wire("PING") == Failure(b"NOAUTH Authentication required.")
        assert wire("AUTH", "ann", "pw") == Status(b"OK")
        assert len(wire("ACL", "LIST")) == 2


CATEGORY_RULES = ["+@all -@{}", "-@all +@{}"]
KEY_RULES = ["", "~k*", "%R~*", "%W~*", "%R~k* %W~v*", "~other"]
CHANNEL_RULES = ["", "&k*", "&*"]


def sample(info: list[Any]) -> list[bytes]:
    """A call with every key that the specification knows, and words for the rest."""
    name, arity, specs = info[0], info[1], info[8]
    words: list[bytes] = name.split(b"|")
    words += [b"v"] * max(0, abs(arity) - len(words))
    at_end: list[bytes] = []
    for number, spec in enumerate(specs):
        spec = dict(zip(spec[::2], spec[1::2], strict=True))
        begin = dict(zip(spec[b"begin_search"][::2], spec[b"begin_search"][1::2], strict=True))
        found = dict(zip(spec[b"find_keys"][::2], spec[b"find_keys"][1::2], strict=True))
        place = dict(zip(begin[b"spec"][::2], begin[b"spec"][1::2], strict=True))
        keys = dict(zip(found[b"spec"][::2], found[b"spec"][1::2], strict=True))
        if not place:
            continue  # Redis itself cannot say where these keys are.
        if b"keyword" in place:
            at_end += [place[b"keyword"], b"k%d" % number]
            if keys.get(b"limit", 0) > 1:
                at_end.append(b"0")
            continue
        first = place[b"index"]
        if b"keynumidx" in keys:
            words += [b"v"] * (first + keys[b"firstkey"] + 1 - len(words))
            words[first + keys[b"keynumidx"]] = b"1"
            first += keys[b"firstkey"]
        words += [b"v"] * (first + 1 - len(words))
        words[first] = b"k%d" % number
    return words + at_end


def calls(info: list[Any], known: set[bytes]) -> Iterator[list[bytes]]:
    """Sample calls of a command and its subcommands, as far as both servers have them."""
    if info[0] in known:
        yield sample(info)
    for sub in info[9]:
        yield from calls(sub, known)


EXTRA = [
    b"set k v get",
    b"set v k",
    b"georadius k 1 1 1 km store v",
    b"georadius v 1 1 1 km storedist k",
    b"xread count 1 streams k k2 0 0",
    b"xreadgroup group streams streams streams k >",
    b"mset k 1 v 2 other 3",
    b"zunionstore other 2 k v",
    b"eval x 2 k v",
    b"eval x 0",
    b"eval_ro x 1 v",
    b"copy k other",
    b"subscribe k v",
    b"psubscribe k* k",
    b"unsubscribe v",
    b"publish v v",
]


def test_every_command_is_allowed_to_whom_redis_allows_it(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, _, _):
        known = {name for info in ours("COMMAND") for name in names(info)}
        samples = [call for info in theirs("COMMAND") for call in calls(info, known)]
        assert len(samples) > 250
        samples += [line.split() for line in EXTRA]
        categories = [name.decode() for name in theirs("ACL", "CAT")]
        users = [f"~* &* {rule.format(name)}" for rule in CATEGORY_RULES for name in categories]
        users += [f"+@all &* {rule}" for rule in KEY_RULES]
        users += [f"+@all ~* {rule}" for rule in CHANNEL_RULES]
        users += ["-@all (+@read %R~k*) (+@write %W~v*)", "+@all ~k (+get ~*) &k"]
        for rules in users:
            for wire in (ours, theirs):
                words = rules.replace("(", "( ").replace(")", " )").split()
                assert wire("ACL", "SETUSER", "judged", "reset", *words) == Status(b"OK"), rules
            tries = [(b"ACL", b"DRYRUN", b"judged", *call) for call in samples]
            for call, mine, other in zip(
                samples, ours.pipeline(tries), theirs.pipeline(tries), strict=True
            ):
                assert mine == other, f"{rules}: {call}\naidb {mine!r}\nredis {other!r}"


def test_categories_hold_the_commands_of_redis(tmp_path: Path) -> None:
    with both(tmp_path, 2) as (ours, theirs, _, _):
        known = {name for info in ours("COMMAND") for name in names(info)}
        for category in theirs("ACL", "CAT"):
            mine = set(ours("ACL", "CAT", category))
            other = set(theirs("ACL", "CAT", category)) & known
            newer = {name for name in mine - other if not theirs("COMMAND", "INFO", name)[0]}
            assert mine - newer == other, category


def names(info: list[Any]) -> Iterator[bytes]:
    """A command's name and those of its subcommands."""
    yield info[0]
    for sub in info[9]:
        yield from names(sub)
