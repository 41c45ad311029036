"""Random DUMP and RESTORE for `streams`: payloads of redis-server 7.0, whole and damaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.streams import Stream

PAYLOADS = {
    b"b": [
        "00c27929edff0a00569667057153cd9b",
        "000568656c6c6f0a006372df766534200a",
        "00c30a405002616261e042010161620a00949d5f0eb1dea445",
    ],
    b"l": [
        (
            "120102c3234063116300000005008161020101f178ec03e04678e03c000648f4351cdcdf02205c0109ff"
            "0a00c722c11877ceebfd"
        ),
        "120102c314413708370100000100e12c79e0ff00e01a000202aeff0a00a9f523e3b7c2eb6a",
    ],
    b"s": [
        "0b140400000003000000feffffff01000000701101000a0030527df8cc311f3b",
        "020101610a006296e97e44d21a6d",
    ],
    b"z": [
        "111d1d0000000600816202842d696e660581610283312e35048163020301ff0a002970c58fcde6fc31",
        "05010161000000000000f83f0a0045a3a88f44e959da",
    ],
    b"h": [
        "1012120000000400816602817602816e020701ff0a00b82adea8407ffaa8",
        "0401016601760a00adf24356b1860efc",
    ],
    b"x": [
        (
            "130110000000000000000500000000000000013f3f0000001900020101010201816102818162020001020100"
            "010001010181780205010301000101010201817902050100010101dfff02010181630203010601ff02060005"
            "01050203010167050181ffffffffffffffff0100000000000000050000000000000001e80300000000000003"
            "010163bcd966fda101000001000000000000000500000000000000010a00e3b897334dc754eb"
        ),
    ],
}
"""Values of each kind in the encodings that Redis gives small and large ones."""


def payload(s: Stream, kind: bytes) -> bytes:
    """Bytes that RESTORE takes, seldom with a flaw."""
    texts = PAYLOADS[kind]
    whole = bytes.fromhex(texts[s.below(len(texts))])
    match s.below(20):
        case 0:
            return whole[: s.below(len(whole))]
        case 1:
            place = s.below(len(whole))
            return whole[:place] + b"?" + whole[place + 1 :]
        case _:
            return whole


def restore(s: Stream) -> list[bytes]:
    """A key of any kind from a payload."""
    kind = s.one_of(*([kind] for kind in PAYLOADS))[0]
    ttl = s.one_of([b"0"], [b"0"], [s.far() + b"000"], [b"-1"], [b"1.5"])
    options = s.some([b"REPLACE", b"replace", b"BOGUS"], 0.3)
    more = s.one_of([], [], [b"IDLETIME", s.index()], [b"FREQ", s.index()], [b"FREQ"])
    return [s.of(kind), *ttl, payload(s, kind), *options, *more]


DUMPS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"DUMP": lambda s: [s.any_key()],
    b"RESTORE": restore,
}
