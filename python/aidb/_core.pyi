"""Types of the native module, proven by stubtest."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from types import GenericAlias, TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, final, overload

from typing_extensions import Buffer, disjoint_base

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_Durability: TypeAlias = Literal["none", "everysec", "sync"]
_Ttl: TypeAlias = float | timedelta
_Pairs: TypeAlias = Mapping[bytes, bytes] | Iterable[tuple[Buffer, Buffer]]

__version__: str

__all__ = [
    "Batch",
    "Caller",
    "Change",
    "Changes",
    "Chunks",
    "Codec",
    "Conversation",
    "Database",
    "Events",
    "ManualClock",
    "Operation",
    "RedisExport",
    "RedisImport",
    "RedisStore",
    "Scan",
    "Server",
    "Snapshot",
    "StandingClock",
    "Store",
    "__version__",
    "check_file",
    "check_references",
    "database_files",
    "inspect_file",
    "option_names",
    "redis_fingerprint",
    "redis_namespace",
    "redis_string",
    "repair",
    "server_setting_names",
]

def check_file(directory: str | PathLike[str], path: str | PathLike[str], /) -> list[str]: ...
def check_references(directory: str | PathLike[str], /) -> list[str]: ...
def database_files(directory: str | PathLike[str], /) -> list[tuple[Path, str, int]]: ...
def inspect_file(path: str | PathLike[str], rows_max: int, /) -> dict[str, Any]: ...
def option_names() -> list[str]: ...
def redis_fingerprint(payload: Buffer, /) -> int: ...
def redis_namespace(database: Database, number: int, /) -> str: ...
def redis_string(key: Buffer, value: Buffer, /) -> tuple[bytes, bytes]: ...
def repair(directory: str | PathLike[str], /) -> dict[str, Any]: ...

@final
class ManualClock:
    def __new__(cls, now: float = ...) -> Self: ...
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def advance(self, seconds: float, /) -> None: ...

@final
class StandingClock:
    def __new__(cls, now_ms: int, /) -> Self: ...

@final
class RedisImport:
    def __new__(cls, database: Database, /, *, replace: bool) -> Self: ...
    def open(self, path: str | PathLike[str]) -> tuple[int, int]: ...
    def load(self, seconds: float) -> tuple[int, bool]: ...
    def apply(self, commands: Buffer) -> tuple[int, bool]: ...
    def progress(self) -> tuple[str, int, int, str, str] | None: ...
    def save(self, place: tuple[str, int, int, str, str]) -> None: ...
    def clear(self) -> None: ...
    def lengths(self) -> list[int]: ...
    def fingerprint(self, database: int, key: Buffer) -> int | None: ...
    def report(self) -> dict[str, Any]: ...

@final
class RedisExport:
    def __new__(
        cls, database: Database, path: str | PathLike[str], /, *, with_json: bool
    ) -> Self: ...
    def total(self) -> int: ...
    def step(self, seconds: float) -> bool: ...
    def report(self) -> dict[str, Any]: ...

@disjoint_base
class Store:
    def __new__(
        cls,
        database: Database,
        name: str,
        /,
        *,
        create: bool = True,
        ttl: _Ttl | None = None,
        compression: str | None = None,
        blob_bytes_min: int | None = None,
    ) -> Self: ...
    @overload
    def __getitem__(self, key: Buffer, /) -> bytes: ...
    @overload
    def __getitem__(self, key: slice[Any, Any, Any], /) -> Scan[tuple[bytes, bytes]]: ...
    def __setitem__(self, key: Buffer, value: Buffer, /) -> None: ...
    def __delitem__(self, key: Buffer | slice[Any, Any, Any], /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __reversed__(self) -> Iterator[bytes]: ...
    @overload
    def get(self, key: Buffer, /, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, /, default: bytes | _T) -> bytes | _T: ...
    def put(
        self,
        key: Buffer,
        value: Buffer,
        /,
        *,
        ttl: _Ttl | None = None,
        expires_at: float | None = None,
        durability: _Durability | None = None,
    ) -> None: ...
    def delete(self, key: Buffer, /, *, durability: _Durability | None = None) -> None: ...
    def delete_range(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        durability: _Durability | None = None,
    ) -> None: ...
    def get_many(self, keys: Iterable[Buffer], /) -> list[bytes | None]: ...
    def put_many(
        self,
        pairs: _Pairs,
        /,
        *,
        ttl: _Ttl | None = None,
        expires_at: float | None = None,
        durability: _Durability | None = None,
    ) -> None: ...
    def put_if(
        self,
        key: Buffer,
        value: Buffer | None,
        /,
        *,
        expected: Buffer | None,
        ttl: _Ttl | None = None,
        expires_at: float | None = None,
        durability: _Durability | None = None,
    ) -> bool: ...
    def take(self, key: Buffer, /, *, durability: _Durability | None = None) -> bytes | None: ...
    def expiry(self, key: Buffer, /) -> tuple[bool, float | None]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[False] = False,
        with_expiry: Literal[False] = False,
    ) -> Scan[tuple[bytes, bytes]]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[True],
        values_only: Literal[False] = False,
        with_expiry: Literal[False] = False,
    ) -> Scan[bytes]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[True],
        with_expiry: Literal[False] = False,
    ) -> Scan[bytes]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[False] = False,
        with_expiry: Literal[True],
    ) -> Scan[tuple[bytes, bytes, float | None]]: ...
    def batch(self, *, durability: _Durability | None = None) -> Batch: ...
    def snapshot(self) -> Snapshot: ...
    def compact(self) -> None: ...
    def options(self) -> dict[str, Any]: ...
    @property
    def closed(self) -> bool: ...

@disjoint_base
class Database(Store):
    def __new__(cls, path: str | PathLike[str] | None, options: dict[str, Any], /) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def seq(self) -> int: ...
    @property
    def durable_seq(self) -> int: ...
    def close(self) -> None: ...
    def flush(self) -> None: ...
    def sync(self) -> None: ...
    def checkpoint(self, target: str | PathLike[str], /) -> None: ...
    def ingest(
        self, tables: Sequence[str | PathLike[str]], /, *, namespace: Store | None = None
    ) -> dict[str, int]: ...
    def scrub(self) -> dict[str, Any]: ...
    def changes(self, since: int = 0) -> Changes: ...
    def pin_log(self, name: str, seq: int, /) -> None: ...
    def unpin_log(self, name: str, /) -> None: ...
    def namespaces(self) -> list[str]: ...
    def drop_namespace(self, name: str, /) -> None: ...
    def stats(self) -> dict[str, Any]: ...
    def native_events(self) -> Events: ...
    def recovery(self) -> dict[str, int]: ...

@disjoint_base
class Snapshot:
    @overload
    def __getitem__(self, key: Buffer, /) -> bytes: ...
    @overload
    def __getitem__(self, key: slice[Any, Any, Any], /) -> Scan[tuple[bytes, bytes]]: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __reversed__(self) -> Iterator[bytes]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    @overload
    def get(self, key: Buffer, /, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, /, default: bytes | _T) -> bytes | _T: ...
    def get_many(self, keys: Iterable[Buffer], /) -> list[bytes | None]: ...
    def keys(self) -> Scan[bytes]: ...
    def values(self) -> Scan[bytes]: ...
    def items(self) -> Scan[tuple[bytes, bytes]]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[False] = False,
        with_expiry: Literal[False] = False,
    ) -> Scan[tuple[bytes, bytes]]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[True],
        values_only: Literal[False] = False,
        with_expiry: Literal[False] = False,
    ) -> Scan[bytes]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[True],
        with_expiry: Literal[False] = False,
    ) -> Scan[bytes]: ...
    @overload
    def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
        keys_only: Literal[False] = False,
        values_only: Literal[False] = False,
        with_expiry: Literal[True],
    ) -> Scan[tuple[bytes, bytes, float | None]]: ...
    def namespace(self, name: str, /) -> Snapshot: ...
    @property
    def seq(self) -> int: ...
    def close(self) -> None: ...

@final
class Batch:
    def put(
        self,
        key: Buffer,
        value: Buffer,
        /,
        *,
        ttl: _Ttl | None = None,
        expires_at: float | None = None,
        namespace: Store | None = None,
    ) -> None: ...
    def delete(self, key: Buffer, /, *, namespace: Store | None = None) -> None: ...
    def delete_range(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        namespace: Store | None = None,
    ) -> None: ...
    def annotate(self, note: Buffer, /) -> None: ...
    def __setitem__(self, key: Buffer, value: Buffer, /) -> None: ...
    def __delitem__(self, key: Buffer, /) -> None: ...
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def clear(self) -> None: ...
    def commit(self) -> None: ...
    def discard(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class Scan(Generic[_T_co]):
    @classmethod
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __next__(self) -> _T_co: ...
    def to_arrow(self) -> Any: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class Chunks:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Iterable[object]: ...

@final
class Events:
    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[str, dict[str, Any]]: ...
    @property
    def missed(self) -> int: ...
    def close(self) -> None: ...

@final
class Changes:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Change: ...

@final
class Change:
    @property
    def seq(self) -> int: ...
    @property
    def operations(self) -> list[Operation]: ...

@final
class Operation:
    @property
    def kind(self) -> Literal["put", "delete", "delete_range", "annotation"]: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def stop(self) -> bytes | None: ...
    @property
    def expires_at(self) -> float | None: ...

def server_setting_names() -> list[str]: ...

@final
class Codec:
    def __new__(
        cls,
        *,
        encode: Callable[[Any], Buffer],
        decode: Callable[[bytes], Any],
        make_error: Callable[[str], Exception],
        decodes: bool,
        is_utf8: bool,
    ) -> Self: ...
    def pack(self, commands: list[tuple[Any, ...]]) -> bytes: ...

@final
class Conversation:
    def say(self, args: tuple[Any, ...], /) -> None: ...
    def sendall(self, data: Buffer, /) -> None: ...
    def read(self, *, raw: bool = False, timeout: float | None = None) -> tuple[Any, bool]: ...
    def can_read(self, timeout: float | None = ...) -> bool: ...
    def offer(self, data: Buffer, /) -> None: ...
    def advance(self, *, waits: bool = False) -> tuple[str, float | None]: ...
    def take(self, *, raw: bool = False) -> tuple[Any, bool] | None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def shutdown(self, how: object, /) -> None: ...

@final
class Caller:
    def call(self, args: tuple[Any, ...], /) -> Any: ...
    def attempt(self, args: tuple[Any, ...], /) -> Any: ...
    def reset(self) -> None: ...

@final
class RedisStore:
    def __new__(
        cls,
        directory: str | PathLike[str] | None,
        /,
        *,
        on_recovery_progress: Callable[[int, int], object] | None = None,
        **settings: Any,
    ) -> Self: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def closed(self) -> bool: ...
    def conversation(self, codec: Codec) -> Conversation: ...
    def caller(self, codec: Codec, prelude: list[tuple[Any, ...]]) -> Caller: ...
    def close(self) -> None: ...

@final
class Server:
    def __new__(
        cls,
        directory: str | PathLike[str],
        /,
        *,
        on_recovery_progress: Callable[[int, int], object] | None = None,
        appendfsync: str = ...,
        bulk_bytes_max: int = ...,
        clients_max: int = ...,
        compression: str = ...,
        host: str = ...,
        idle_timeout_s: int = ...,
        memory_bytes: int = ...,
        output_buffer_bytes_max: int = ...,
        output_buffer_bytes_soft: int = ...,
        output_buffer_soft_s: int = ...,
        pool_threads_max: int = ...,
        port: int = ...,
        protected_mode: bool = ...,
        query_buffer_bytes_max: int = ...,
        reactors: int = ...,
        repair_log: bool = ...,
        stop_grace_ms: int = ...,
        requirepass: str = ...,
        users: list[str] = ...,
        aclfile: Path | None = ...,
        rename_commands: list[tuple[str, str]] = ...,
        plaintext: bool = ...,
        tls_auth_clients: str = ...,
        tls_ca_cert_file: Path | None = ...,
        tls_cert_file: Path | None = ...,
        tls_handshake_s: int = ...,
        tls_key_file: Path | None = ...,
        tls_port: int | None = ...,
        unixsocket: Path | None = ...,
        unixsocketperm: int | None = ...,
        tcp_keepalive_s: int = ...,
    ) -> Self: ...
    @property
    def addresses(self) -> list[tuple[str, int]]: ...
    @property
    def tls_addresses(self) -> list[tuple[str, int]]: ...
    @property
    def recovery(self) -> tuple[int, int, int]: ...
    def reload_certificates(self) -> None: ...
    def wait(self, seconds: float) -> str | None: ...
    def stop(self) -> None: ...
