"""Random commands that reach corners: few keys, awkward values, options in every combination."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.conformance.collection_streams import COLLECTIONS
from tests.conformance.payload_streams import DUMPS
from tests.conformance.string_streams import STRINGS

Command = list[bytes]

KEYS = [b"a", b"b", b"{t}1", b"{t}2", b"", b"with space", b"zero\0byte", b"\xff\xfe", b"x" * 300]
TYPED = {
    b"b": [b"bits", b"{t}bits", b"a"],
    b"x": [b"stream", b"{t}stream"],
    b"h": [b"hash", b"{t}hash", b"big:hash"],
    b"s": [b"set", b"{t}set", b"big:set", b"numbers"],
    b"l": [b"list", b"{t}list", b"big:list"],
    b"z": [b"zset", b"{t}zset", b"big:zset"],
}
"""Keys that mostly hold one type, so that streams get deep into it."""
FIELDS = [b"f%d" % n for n in range(6)] + [b"", b"bin\0\xff", b"7", b"-7", b"l" * 64, b"l" * 65]
INTEGERS = [b"0", b"1", b"-1", b"7", b"10", b"100", b"-100", b"9223372036854775807"]
ODD_INTEGERS = [b"", b"+1", b" 1", b"01", b"1.5", b"abc", b"-9223372036854775808", b"1e3"]
ODD_INTEGERS += [b"9223372036854775808", b"-0", b"99999999999999999999"]
FLOATS = [b"1.5", b"-0.25", b"3.0e3", b"0.1", b"1e-9", b"inf", b"nan", b"abc", b"1e400", b"12345"]
VALUES = [b"", b"v", b"hello world", b"10", b"-7", b"3.5", b"bin\0\r\n\xff", b"y" * 44, b"y" * 45]
VALUES += [b"z" * 5000]
ANY_KEYS = KEYS + [key for keys in TYPED.values() for key in keys]
EXPIRE_FLAGS = [b"NX", b"XX", b"GT", b"LT", b"gt", b"BOGUS"]
PATTERNS = [b"*", b"a", b"?", b"[ab]", b"{t}*", b"*1", b"[^a]*", b"\\a", b"nothing*", b"*\0*"]


class Stream:
    """Commands from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._entries = 0

    def command(self) -> Command:
        """The next command; one in twenty is malformed."""
        name, make = self._random.choice(list(MAKERS.items()))
        command = [self._case(name.strip()), *make(self)]
        if self._random.random() < 0.05:
            return self._spoil(command)
        return command

    def _case(self, name: bytes) -> bytes:
        return self._random.choice([name, name.lower(), name.title()])

    def _spoil(self, command: Command) -> Command:
        longer_since = command[0].lower() in {b"zrank", b"zrevrank"}
        match self._random.randrange(3):
            case 1 if longer_since:
                return command
            case 0:
                return command[: self._random.randrange(1, len(command) + 1)]
            case 1:
                return [*command, self._random.choice([b"extra", b"", b"1", b"EX"])]
            case _:
                place = self._random.randrange(len(command))
                return [*command[:place], b"bogus", *command[place + 1 :]]

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)

    def key(self) -> bytes:
        return self._random.choice(KEYS)

    def any_key(self) -> bytes:
        return self._random.choice(ANY_KEYS)

    def of(self, kind: bytes) -> bytes:
        """A key that probably holds a type."""
        return self._random.choice(TYPED[kind] if self._random.random() < 0.9 else ANY_KEYS)

    def field(self) -> bytes:
        if self._random.random() < 0.3:
            return b"m%d" % self._random.randrange(400)
        return self._random.choice(FIELDS)

    def fields(self, most: int = 4) -> list[bytes]:
        """A few fields or members, seldom many."""
        if self._random.random() < 0.03:
            start = self._random.randrange(300)
            return [b"m%d" % n for n in range(start, start + self._random.randint(100, 200))]
        return [self.field() for _ in range(self._random.randint(1, most))]

    def members(self) -> list[bytes]:
        """Members, integers as often as not."""
        if self._random.random() < 0.02:
            start = self._random.randrange(1000)
            return [b"%d" % n for n in range(start, start + self._random.randint(200, 600))]
        if self._random.random() < 0.5:
            return [b"%d" % self._random.randrange(30) for _ in range(self._random.randint(1, 4))]
        return self.fields()

    def elements(self) -> list[bytes]:
        """A few elements, seldom many."""
        if self._random.random() < 0.05:
            return [b"%d" % (n % 50) for n in range(self._random.randint(50, 200))]
        return [self.element() for _ in range(self._random.randint(1, 5))]

    def place(self) -> bytes:
        """An index into a list."""
        most = self._random.choice([4, 20, 150])
        return self.integer_or([b"%d" % self._random.randint(-most, most)], 0.03)

    def count(self) -> bytes:
        return self.integer_or([b"%d" % self._random.choice([0, 1, 2, 5, 40])], 0.1)

    def end(self) -> bytes:
        return self._random.choice([b"LEFT", b"RIGHT", b"left", b"Right", b"LEFT", b"MIDDLE"])

    def score(self) -> bytes:
        if self._random.random() < 0.1:
            return self.number()
        return self._random.choice([b"%d" % self._random.randint(-5, 5), b"1.5", b"-inf", b"inf"])

    def scored(self) -> list[bytes]:
        return [word for member in self.fields() for word in (self.score(), member)]

    def add_options(self) -> list[bytes]:
        return self.some([b"NX", b"XX", b"GT", b"LT", b"CH", b"incr"], 0.12)

    def score_end(self) -> bytes:
        return self._random.choice([b"", b"", b"("]) + self.score()

    def lex_end(self) -> bytes:
        chosen = self._random.choice([b"-", b"+", b"[", b"(", b"[", b"bad"])
        return chosen + self.field() if chosen in {b"[", b"("} else chosen

    def limit(self) -> list[bytes]:
        return self.one_of([], [b"LIMIT", self.index(), self.index()])

    def range_options(self) -> list[bytes]:
        options = self.some([b"REV", b"WITHSCORES", b"byscore", b"BYLEX"], 0.15)
        return [*options, *self.limit()]

    def ends(self) -> list[bytes]:
        """Two ends of a range of any kind."""
        makers = [self.place, self.score_end, self.lex_end]
        chosen = self._random.choice(makers)
        return [chosen(), chosen()]

    def algebra(self, *more: bytes) -> list[bytes]:
        """Keys of sorted sets and sets, weights, aggregate."""
        keys = [self.of(self._random.choice([b"z", b"z", b"z", b"s"])) for _ in range(2)]
        words = [self.integer_or([b"2"], 0.05), *keys]
        if more and self._random.random() < 0.3:
            words += [b"WEIGHTS", self.score(), self.score()]
        if more and self._random.random() < 0.3:
            words += [b"AGGREGATE", self._random.choice([b"SUM", b"min", b"MAX", b"AVG"])]
        return words

    def lpos_options(self) -> list[bytes]:
        options: list[bytes] = []
        for word in self.some([b"RANK", b"COUNT", b"MAXLEN"], 0.3):
            options += [word, self.place()]
        return options

    def several(self, kind: bytes) -> list[bytes]:
        return [self.of(kind) for _ in range(self._random.randint(1, 4))]

    def counted(self, kind: bytes) -> list[bytes]:
        """Keys behind their number, which is seldom wrong."""
        keys = self.several(kind)
        return [self.integer_or([b"%d" % len(keys)], 0.1), *keys]

    def field_pairs(self) -> list[bytes]:
        return [word for field in self.fields() for word in (field, self.element())]

    def element(self) -> bytes:
        """A value, mostly short."""
        if self._random.random() < 0.5:
            return b"%d" % self._random.randint(-20, 20)
        return self.value()

    def scan_options(self) -> list[bytes]:
        return [b"COUNT", b"10000", *self.one_of([], [b"MATCH", b"*1*"], [b"match"])]

    def keys(self, most: int = 5) -> list[bytes]:
        return [self.key() for _ in range(self._random.randint(1, most))]

    def value(self) -> bytes:
        return self._random.choice(VALUES)

    def pairs(self) -> list[bytes]:
        return [
            word for _ in range(self._random.randint(1, 4)) for word in (self.key(), self.value())
        ]

    def integer(self) -> bytes:
        pool = ODD_INTEGERS if self._random.random() < 0.15 else INTEGERS
        return self._random.choice(pool)

    def index(self) -> bytes:
        return str(self._random.randint(-12, 12)).encode()

    def number(self) -> bytes:
        return self._random.choice(FLOATS)

    def some(self, words: list[bytes], chance: float = 0.4) -> list[bytes]:
        return [word for word in words if self._random.random() < chance]

    def one_of(self, *choices: list[bytes]) -> list[bytes]:
        return self._random.choice(choices)

    def far(self) -> bytes:
        """A relative time that does not pass during the test, or a bad one."""
        far = str(self._random.randrange(100_000, 10_000_000)).encode()
        return self.integer_or([far], 0.1)

    def integer_or(self, pool: list[bytes], chance: float) -> bytes:
        bad = [b"0", b"-1", *ODD_INTEGERS]
        return self._random.choice(bad if self._random.random() < chance else pool)

    def moment(self, scale: int, *past: bytes) -> bytes:
        """An absolute time far away, a bad one, or one of ``past``."""
        far = str(4_000_000_000 * scale).encode()
        return self._random.choice([far, far + b"0", b"bad", b"-5" if past else b"0", *past])

    def expiry(self, *more: bytes) -> list[bytes]:
        choices = [
            [b"EX", self.far()],
            [b"PX", self.far() + b"000"],
            [b"EXAT", self.moment(1)],
            [b"PXAT", self.moment(1000)],
            [],
            *([word] for word in more),
        ]
        return self.one_of(*choices)

    def set_options(self) -> list[bytes]:
        options = [*self.some([b"NX", b"XX", b"GET"], 0.25), *self.expiry(b"KEEPTTL")]
        if self._random.random() < 0.1:
            options += self.expiry(b"KEEPTTL")
        return options

    def entry(self) -> bytes:
        """An id of a stream's entry, or what stands for one."""
        if self._random.random() < 0.3:
            return self._random.choice([b"-", b"+", b"0", b"(3-1", b"x", b"5-", b"$"])
        return b"%d-%d" % (self._random.randrange(120), self._random.randrange(3))

    def next_entry(self) -> bytes:
        """An id that is often greater than those before."""
        self._entries += self._random.randrange(3)
        sequence = self._random.choice([b"", b"-0", b"-1", b"-2", b"-*"])
        return b"%d" % (self._entries // 12) + sequence

    def group(self) -> bytes:
        return self._random.choice([b"g1", b"g2"])

    def count_option(self) -> list[bytes]:
        return self.one_of([], [], [b"COUNT", self.index()])

    def trim(self, chance: float) -> list[bytes]:
        if self._random.random() > chance:
            return []
        sign = self.one_of([], [b"="])
        threshold = [b"%d" % self._random.randrange(5, 40)]
        return self.one_of([b"MAXLEN", *sign, *threshold], [b"MINID", *sign, *threshold])

    def read_group(self) -> list[bytes]:
        return [b"STREAMS", self.of(b"x"), self.one_of([b">"], [b">"], [b"0"], [self.entry()])[0]]

    def database(self) -> bytes:
        return self._random.choice([b"0", b"1", b"2", b"2", b"1", b"0", b"16", b"-1", b"x"])


MAKERS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"GET": lambda s: [s.key()],
    b"SET": lambda s: [s.key(), s.value(), *s.set_options()],
    b"GETEX": lambda s: [s.key(), *s.expiry(b"PERSIST")],
    b"GETDEL": lambda s: [s.key()],
    b"GETSET": lambda s: [s.key(), s.value()],
    b"MGET": lambda s: s.keys(),
    b"MSET": lambda s: s.pairs(),
    b"MSETNX": lambda s: s.pairs(),
    b"SETNX": lambda s: [s.key(), s.value()],
    b"SETEX": lambda s: [s.key(), s.far(), s.value()],
    b"PSETEX": lambda s: [s.key(), s.far() + b"000", s.value()],
    b"APPEND": lambda s: [s.key(), s.value()],
    b"STRLEN": lambda s: [s.key()],
    b"GETRANGE": lambda s: [s.key(), s.index(), s.index()],
    b"SUBSTR": lambda s: [s.key(), s.index(), s.integer()],
    b"SETRANGE": lambda s: [s.key(), s.index(), s.value()],
    b"INCR": lambda s: [s.key()],
    b"DECR": lambda s: [s.key()],
    b"INCRBY": lambda s: [s.key(), s.integer()],
    b"DECRBY": lambda s: [s.key(), s.integer()],
    b"INCRBYFLOAT": lambda s: [s.key(), s.number()],
    b"DEL": lambda s: [s.any_key() for _ in range(2)],
    b"UNLINK": lambda s: [s.any_key() for _ in range(2)],
    b"EXISTS": lambda s: [s.any_key() for _ in range(2)],
    b"TOUCH": lambda s: [s.any_key() for _ in range(2)],
    b"TYPE": lambda s: [s.any_key()],
    b"KEYS": lambda s: s.one_of(*([pattern] for pattern in PATTERNS)),
    b"RENAME": lambda s: [s.any_key(), s.any_key()],
    b"RENAMENX": lambda s: [s.any_key(), s.any_key()],
    b"COPY": lambda s: [
        s.any_key(),
        s.any_key(),
        *s.one_of([], [b"DB", s.database()]),
        *s.some([b"REPLACE"]),
    ],
    b"MOVE": lambda s: [s.any_key(), s.database()],
    b"SELECT": lambda s: [s.database()],
    b"SWAPDB": lambda s: [s.database(), s.database()],
    b"OBJECT": lambda s: [
        *s.one_of([b"ENCODING"], [b"encoding"], [b"FREQ"]),
        s.any_key(),
    ],
    b"EXPIRE": lambda s: [s.any_key(), s.far(), *s.some(EXPIRE_FLAGS, 0.1)],
    b"PEXPIRE": lambda s: [s.any_key(), s.far() + b"000", *s.some(EXPIRE_FLAGS, 0.1)],
    b"EXPIREAT": lambda s: [s.any_key(), s.moment(1, b"1", b"1000"), *s.some(EXPIRE_FLAGS, 0.1)],
    b"PEXPIREAT": lambda s: [
        s.any_key(),
        s.moment(1000, b"1", b"1000"),
        *s.some(EXPIRE_FLAGS, 0.1),
    ],
    b"TTL": lambda s: [s.any_key()],
    b"EXPIRETIME": lambda s: [s.any_key()],
    b"PEXPIRETIME": lambda s: [s.any_key()],
    b"PTTL": lambda s: [s.any_key()],
    b"PERSIST": lambda s: [s.any_key()],
    b"DBSIZE": lambda s: [],
    b"PING": lambda s: s.one_of([], [s.value()]),
    b"ECHO": lambda s: [s.value()],
    b"SCAN": lambda s: [b"0", b"COUNT", b"1000", *s.one_of([], [b"MATCH", b"*1"])],
    b"NOSUCH": lambda s: s.keys(2),
    b"CLIENT": lambda s: s.one_of(
        [b"GETNAME"], [b"SETNAME", b"n"], [b"NOSUCH"], [b"SETNAME", b"a b"]
    ),
}

MAKERS |= COLLECTIONS | STRINGS | DUMPS
TRANSACTIONS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"MULTI": lambda s: [],
    b"EXEC": lambda s: [],
    b"DISCARD": lambda s: s.some([b"x"], 0.1),
    b"WATCH": lambda s: s.keys(2),
    b"UNWATCH": lambda s: [],
}
MAKERS |= TRANSACTIONS | {b"EXEC ": TRANSACTIONS[b"EXEC"]}

STREAMS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"XADD": lambda s: [s.of(b"x"), *s.trim(0.2), s.next_entry(), *s.field_pairs()],
    b"XADD ": lambda s: [s.of(b"x"), s.next_entry(), *s.field_pairs()],
    b"XLEN": lambda s: [s.of(b"x")],
    b"XRANGE": lambda s: [s.of(b"x"), s.entry(), s.entry(), *s.count_option()],
    b"XREVRANGE": lambda s: [s.of(b"x"), s.entry(), s.entry(), *s.count_option()],
    b"XREAD": lambda s: [
        *s.count_option(),
        b"STREAMS",
        s.of(b"x"),
        s.of(b"x"),
        s.entry(),
        s.entry(),
    ],
    b"XDEL": lambda s: [s.of(b"x"), s.entry(), s.entry()],
    b"XTRIM": lambda s: [s.of(b"x"), *s.trim(1)],
    b"XSETID": lambda s: [s.of(b"x"), s.next_entry(), *s.one_of([], [b"ENTRIESADDED", b"500"])],
    b"XGROUP": lambda s: s.one_of(
        [b"CREATE", s.of(b"x"), s.group(), s.entry(), *s.some([b"MKSTREAM"])],
        [b"SETID", s.of(b"x"), s.group(), s.entry()],
        [b"DESTROY", s.of(b"x"), s.group()],
        [b"CREATECONSUMER", s.of(b"x"), s.group(), s.field()],
        [b"DELCONSUMER", s.of(b"x"), s.group(), s.field()],
    ),
    b"XREADGROUP": lambda s: [b"GROUP", s.group(), s.field(), *s.count_option(), *s.read_group()],
    b"XREADGROUP ": lambda s: [b"GROUP", s.group(), s.field(), *s.count_option(), *s.read_group()],
    b"XACK": lambda s: [s.of(b"x"), s.group(), s.entry(), s.entry()],
    b"XPENDING": lambda s: [s.of(b"x"), s.group(), *s.one_of([], [b"-", b"+", b"20"])],
    b"XPENDING ": lambda s: [s.of(b"x"), s.group(), s.entry(), s.entry(), b"9", s.field()],
    b"XCLAIM": lambda s: [
        *[s.of(b"x"), s.group(), s.field(), b"0", s.entry(), s.entry()],
        *s.some([b"FORCE", b"JUSTID"]),
    ],
    b"XAUTOCLAIM": lambda s: [
        *[s.of(b"x"), s.group(), s.field(), b"0", s.entry()],
        *s.some([b"JUSTID"]),
    ],
    b"XINFO": lambda s: s.one_of(
        [b"STREAM", s.of(b"x")],
        [b"STREAM", s.of(b"x"), b"FULL"],
        [b"GROUPS", s.of(b"x")],
        [b"CONSUMERS", s.of(b"x"), s.group()],
    ),
}
MAKERS |= STREAMS

RARE: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"FLUSHDB": lambda s: s.one_of([], [b"ASYNC"], [b"SYNC"], [b"BAD"]),
    b"FLUSHALL": lambda s: s.one_of([], [b"ASYNC"]),
}
