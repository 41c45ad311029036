"""The embedded face for asyncio: redis-py's ``redis.asyncio`` on a directory of this process.

async with aidb.redis.aio.open("./data") as r:
    await r.set("greeting", "hello")

A command that need not wait is executed at once on the event loop, which takes microseconds; one
that has to wait for the disk goes to a thread, and one that waits for a key or a message waits as
a future.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import TYPE_CHECKING, Any, cast

import redis.asyncio
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.client import EMPTY_RESPONSE, NEVER_DECODE

from aidb._core import Conversation
from aidb.redis.client import caller_of
from aidb.redis.connection import codec_of, handler_of, place_of
from aidb.redis.store import Store, split_options

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from aidb._core import Codec

__all__ = ["Connection", "Redis", "open"]


class Stream:
    """A conversation as the reader and the writer of a connection."""

    __slots__ = ("native",)

    def __init__(self, native: Conversation) -> None:
        self.native = native

    def writelines(self, commands: Iterable[bytes]) -> None:
        """Take packed commands; :meth:`drain` executes them."""
        for command in commands:
            self.native.offer(command)

    async def drain(self) -> None:
        """Execute what was taken."""
        await self.advance()

    async def advance(self) -> tuple[str, float | None]:
        """Go on as far as possible: how far, and the seconds until a waiting command gives up."""
        state = self.native.advance()
        if state[0] == "must wait":
            state = await asyncio.to_thread(self.native.advance, waits=True)
        return state

    async def read(self, *, raw: bool) -> tuple[Any, bool]:
        """The next reply, and whether it is a push."""
        while True:
            reply = self.native.take(raw=raw)
            if reply is not None:
                return reply
            state, seconds = await self.advance()
            reply = self.native.take(raw=raw)
            if reply is not None:
                return reply
            if state == "closed":
                raise ConnectionResetError("the conversation was ended")
            await self._changed(seconds)

    async def _changed(self, seconds: float | None) -> None:
        """Wait until there is something to go on with, or the time is over."""
        loop = asyncio.get_running_loop()
        woken = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        signal = self.native.fileno()
        loop.add_reader(signal, wake)
        timer = None if seconds is None else loop.call_later(seconds, wake)
        try:
            await woken
        finally:
            loop.remove_reader(signal)
            if timer is not None:
                timer.cancel()

    def at_eof(self) -> bool:
        """As of a stream reader."""
        return False

    def is_closing(self) -> bool:
        """As of a stream writer."""
        return False

    def close(self) -> None:
        """End the conversation."""
        self.native.close()

    async def wait_closed(self) -> None:
        """As of a stream writer: it is closed at once."""


class Connection(UnixDomainSocketConnection):
    """A connection of ``redis.asyncio`` to a :class:`Store`."""

    def __init__(self, *, store: Store, **options: Any) -> None:
        options.setdefault("socket_timeout", None)
        super().__init__(path=place_of(store), **options)
        self.store = store
        self.codec: Codec = codec_of(self)

    async def _connect(self) -> None:
        stream: Any = Stream(self.store.native.conversation(self.codec))
        self._reader = self._writer = stream

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as bytes."""
        return [self.codec.pack([args])]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        """Commands as bytes."""
        return [self.codec.pack([tuple(command) for command in commands])]

    async def can_read(self) -> bool:
        """Whether a reply is there."""
        stream = cast("Stream | None", self._reader)
        return stream is not None and stream.native.can_read(0)

    async def can_read_destructive(self) -> bool:
        """Whether a reply is there, as older versions of redis-py ask."""
        return await self.can_read()

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - redis-py's signature
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        """The next reply, or message when ``push_request`` asks for one.

        Args:
            disable_decoding: Leave text as bytes.
            timeout: Seconds after which ``None`` is the answer; infinity waits for ever, ``None``
                as long as ``socket_timeout`` says.
            disconnect_on_error: Whether a failed read ends the connection.
            push_request: Whether a push message is an answer.
        """
        own = self.socket_timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if own == math.inf else own):
                response = await self._next(disable_decoding, bool(push_request))
        except TimeoutError as error:
            if timeout is not None:
                return None
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise redis.TimeoutError(f"Timeout reading from {self.path}") from error
        except OSError as error:
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise redis.ConnectionError(f"Error while reading from {self.path}: {error}") from error
        except BaseException:
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise
        if isinstance(response, redis.ResponseError):
            raise response from None
        return response

    async def _next(self, raw: bool, push_request: bool) -> Any:
        stream = cast("Stream | None", self._reader)
        if stream is None:
            raise ConnectionResetError("not connected")
        while True:
            response, is_push = await stream.read(raw=raw)
            if not is_push:
                return response
            response = await handler_of(self._parser, response)(response)
            if push_request:
                return response


def connection_pool(store: Store, options: dict[str, Any]) -> redis.asyncio.ConnectionPool:
    """A pool of redis-py whose connections lead to ``store``."""
    return redis.asyncio.ConnectionPool(connection_class=Connection, store=store, **options)


class Redis(redis.asyncio.Redis):
    """``redis.asyncio.Redis`` on a :class:`Store`; single commands go a short way here as well."""

    owns_store: bool = False
    """Whether closing this client closes the store."""

    def __init__(
        self,
        *,
        connection_pool: redis.asyncio.ConnectionPool,
        single_connection_client: bool = False,
    ) -> None:
        super().__init__(
            connection_pool=connection_pool, single_connection_client=single_connection_client
        )
        options = connection_pool.connection_kwargs
        self.store: Store = options["store"]
        template = connection_pool.connection_class(**options)
        self._caller = caller_of(self.store, template)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command and return its parsed reply."""
        if self.single_connection_client or NEVER_DECODE in options:
            return await super().execute_command(*args, **options)
        try:
            response = self._caller.attempt(args)
            if isinstance(response, Conversation):
                response = await _finish(response)
        except redis.ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        except ConnectionResetError as error:
            raise redis.ConnectionError(str(error)) from error
        callback = self.response_callbacks.get(args[0])
        if callback is None:
            return response
        options.pop("keys", None)
        options.pop(EMPTY_RESPONSE, None)
        response = callback(response, **options)
        return await response if inspect.isawaitable(response) else response

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections, and the store when this client opened it."""
        del close_connection_pool
        await super().aclose(close_connection_pool=True)
        if self.owns_store:
            await asyncio.to_thread(self.store.close)


async def _finish(conversation: Conversation) -> Any:
    """The reply to a command that has to wait; nothing of it stays when it is cancelled."""
    stream = Stream(conversation)
    try:
        response, is_push = await stream.read(raw=False)
        while is_push:
            response, is_push = await stream.read(raw=False)
    finally:
        stream.close()
    if isinstance(response, redis.ResponseError):
        raise response
    return response


class Opening:
    """A store about to be opened: ``await`` it for a client, or use it in ``async with``."""

    __slots__ = ("_client", "_options", "_path")

    def __init__(self, path: str | os.PathLike[str], options: dict[str, Any]) -> None:
        self._path = path
        self._options = options
        self._client: Redis | None = None

    async def _open(self) -> Redis:
        of_store, of_client = split_options(self._options)
        store = await asyncio.to_thread(Store, self._path, **of_store)
        try:
            client = store.async_client(**of_client)
        except BaseException:
            await asyncio.to_thread(store.close)
            raise
        client.owns_store = True
        return client

    def __await__(self) -> Any:
        return self._open().__await__()

    async def __aenter__(self) -> Redis:
        self._client = await self._open()
        return self._client

    async def __aexit__(self, *exception: object) -> None:
        if self._client is not None:
            await self._client.aclose()


def open(path: str | os.PathLike[str], /, **options: Any) -> Opening:
    """Opens a directory; arguments and errors as :func:`aidb.redis.open`."""
    return Opening(path, options)
