"""The client of redis-py, with a short way for single commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis.client import EMPTY_RESPONSE, NEVER_DECODE

from aidb.redis.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from aidb._core import Caller
    from aidb.redis.store import Store


def connection_pool(store: Store, options: dict[str, Any]) -> redis.ConnectionPool:
    """A pool of redis-py whose connections lead to ``store``.

    Raises:
        TypeError: redis-py has no such option.
    """
    connection_class: Any = Connection
    return redis.ConnectionPool(connection_class=connection_class, store=store, **options)


def caller_of(store: Store, connection: Any) -> Caller:
    """An executor of single commands whose clients begin as this connection would."""
    prelude: list[tuple[Any, ...]] = [("HELLO", connection.protocol)]
    if connection.client_name:
        prelude.append(("CLIENT", "SETNAME", connection.client_name))
    if connection.db:
        prelude.append(("SELECT", connection.db))
    return store.native.caller(connection.codec, prelude)


class Redis(redis.Redis):
    """``redis.Redis`` on a :class:`aidb.redis.Store`.

    A single command is executed at once by the calling thread: it takes no connection from the
    pool, retries nothing and is not measured by redis-py's telemetry. Pipelines, pub/sub and
    clients with a single connection go the way of redis-py, over :class:`aidb.redis.Connection`.
    """

    store: Store
    owns_store: bool = False
    """Whether closing this client closes the store."""

    def __init__(
        self, *, connection_pool: redis.ConnectionPool, single_connection_client: bool = False
    ) -> None:
        super().__init__(
            connection_pool=connection_pool, single_connection_client=single_connection_client
        )
        options = connection_pool.connection_kwargs
        self.store = options["store"]
        template = connection_pool.connection_class(**options)
        self._caller = caller_of(self.store, template)
        self._call: Callable[[tuple[Any, ...]], Any] = self._caller.call

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command and return its parsed reply."""
        if self.connection is not None or NEVER_DECODE in options:
            return super().execute_command(*args, **options)
        try:
            response = self._call(args)
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
        return callback(response, **options)

    def close(self) -> None:
        """Close the connections, and the store when this client opened it."""
        super().close()
        self.connection_pool.disconnect()
        self._caller.reset()
        if self.owns_store:
            self.store.close()

    def __del__(self) -> None:
        """Leave the store to its other clients; it closes when the last of them is gone."""
