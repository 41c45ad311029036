r"""Keys and values as text and back.

==========  ======================================================================
``text``    UTF-8 as it is; bytes that are not UTF-8 are refused, never replaced
``escape``  printable ASCII as it is, ``\\ \t \n \r``, other bytes ``\xNN``
``hex``     two digits per byte
``base64``  standard alphabet with padding
==========  ======================================================================
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from aidb.errors import InvalidError

_ESCAPED = {0x5C: "\\\\", 0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}
_UNESCAPED = {"\\": 0x5C, "t": 0x09, "n": 0x0A, "r": 0x0D}
_BYTE_TEXT = [
    _ESCAPED.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
    for byte in range(256)
]
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([\\tnr]))|[^\\]+|\\")


@dataclass(frozen=True)
class Encoding:
    """One way to write bytes as text; ``decode`` undoes ``encode`` exactly."""

    name: str
    encode: Callable[[bytes], str]
    decode: Callable[[str], bytes]


def _encode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidError(
            f"{shown(data)} is not UTF-8 text; choose --encoding escape, hex or base64"
        ) from None


def _decode_text(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidError(
            f"{text[:80]!r} has half a surrogate pair at character {error.start + 1}"
        ) from None


def _encode_escape(data: bytes) -> str:
    return "".join(map(_BYTE_TEXT.__getitem__, data))


def _decode_escape(text: str) -> bytes:
    if "\\" not in text:
        return _decode_text(text)
    pieces: list[bytes] = []
    for match in _ESCAPE.finditer(text):
        digits, letter = match.groups()
        if digits is not None:
            pieces.append(bytes([int(digits, 16)]))
        elif letter is not None:
            pieces.append(bytes([_UNESCAPED[letter]]))
        elif match.group() == "\\":
            raise InvalidError(
                f"bad escape at character {match.start() + 1} of {text[:80]!r}; known are "
                r"\\ \t \n \r \xNN (a text with literal backslashes: --encoding text)"
            )
        else:
            pieces.append(_decode_text(match.group()))
    return b"".join(pieces)


def _decode_hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise InvalidError(f"{text[:80]!r} is not hexadecimal; write two digits per byte") from None


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"{text[:80]!r} is not base64: {error}") from None


ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding("text", _encode_text, _decode_text),
        Encoding("escape", _encode_escape, _decode_escape),
        Encoding("hex", bytes.hex, _decode_hex),
        Encoding("base64", _encode_base64, _decode_base64),
    )
}


def shown(data: bytes, limit: int = 60) -> str:
    """``data`` for a table or a message: escaped, cut at ``limit`` characters."""
    text = _encode_escape(data[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"
