"""A connection of redis-py whose other end is in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis.connection import UnixDomainSocketConnection

from aidb._core import Codec, Conversation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aidb.redis.store import Store

_AS_SET: Any = object()
_INVALIDATION = (b"invalidate", "invalidate")


def codec_of(connection: Any) -> Codec:
    """How a connection's settings turn values into bytes and replies into values."""
    encoder = connection.encoder
    is_utf8 = encoder.encoding.lower().replace("-", "") == "utf8"
    return Codec(
        encode=encoder.encode,
        decode=lambda value: encoder.decode(value, force=True),
        make_error=connection._parser.parse_error,  # noqa: SLF001 - where redis-py keeps it
        decodes=encoder.decode_responses,
        is_utf8=is_utf8 and encoder.encoding_errors == "strict",
    )


def place_of(store: Store) -> str:
    """What redis-py shows in the place of a socket's path."""
    return str(store.path or ":memory:")


class Connection(UnixDomainSocketConnection):
    """A connection of redis-py to a :class:`Store`: ``send_command`` executes, without a socket.

    redis-py does the rest: handshake, pools, pipelines, transactions, pub/sub, locks.
    """

    _sock: Any
    """The :class:`Conversation`, while connected."""

    def __init__(self, *, store: Store, **options: Any) -> None:
        # A call here takes as long as it takes; redis-py's default would end blocking commands.
        options.setdefault("socket_timeout", None)
        super().__init__(path=place_of(store), **options)
        self.store = store
        self.codec = codec_of(self)

    def _connect(self) -> Any:
        return self.store.native.conversation(self.codec)

    def send_command(self, *args: Any, **options: Any) -> None:
        """Execute a command here and now; its reply waits to be read."""
        del options
        if self._sock is None:
            self.connect()
        conversation: Conversation | None = self._sock
        if conversation is None:
            raise redis.ConnectionError(f"Error while writing to {self.path}: not connected")
        try:
            conversation.say(args)
        except BaseException:
            self.disconnect()
            raise

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as bytes."""
        return [self.codec.pack([args])]

    def pack_commands(self, commands: Iterable[tuple[Any, ...]]) -> list[bytes]:
        """Commands as bytes."""
        return [self.codec.pack(list(commands))]

    def can_read(self, timeout: float | None = 0) -> bool:
        """Whether a reply or message is there within ``timeout`` seconds."""
        if self._sock is None:
            self.connect()
        try:
            return self._sock is not None and bool(self._sock.can_read(timeout))
        except OSError as error:
            self.disconnect()
            raise redis.ConnectionError(f"Error while reading from {self.path}: {error}") from error

    def read_response(
        self,
        disable_decoding: bool = False,
        *,
        timeout: Any = _AS_SET,
        disconnect_on_error: bool = True,
        push_request: bool = False,
        **options: Any,
    ) -> Any:
        """The next reply, or message when ``push_request`` asks for one."""
        del options
        seconds = self.socket_timeout if not _is_seconds(timeout) else timeout
        try:
            response = self._next(disable_decoding, seconds, push_request)
        except TimeoutError as error:
            if disconnect_on_error:
                self.disconnect()
            raise redis.TimeoutError(f"Timeout reading from {self.path}") from error
        except OSError as error:
            if disconnect_on_error:
                self.disconnect()
            raise redis.ConnectionError(f"Error while reading from {self.path}: {error}") from error
        except BaseException:
            if disconnect_on_error:
                self.disconnect()
            raise
        if isinstance(response, redis.ResponseError):
            try:
                raise response
            finally:
                del response
        return response

    def _next(self, raw: bool, timeout: float | None, push_request: bool) -> Any:
        conversation: Conversation | None = self._sock
        if conversation is None:
            raise ConnectionResetError("not connected")
        while True:
            response, is_push = conversation.read(raw=raw, timeout=timeout)
            if not is_push:
                return response
            response = handler_of(self._parser, response)(response)
            if push_request:
                return response


def handler_of(parser: Any, push: list[Any]) -> Any:
    """What redis-py does with a push message."""
    if push[0] in _INVALIDATION and parser.invalidation_push_handler_func is not None:
        return parser.invalidation_push_handler_func
    return parser.pubsub_push_handler_func


def _is_seconds(timeout: Any) -> bool:
    """Whether a read has a timeout of its own; ``None`` is one: for ever."""
    return timeout is None or isinstance(timeout, int | float)
