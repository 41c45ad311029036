"""The tree of settings. Each has one default, here; units are part of the names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from aidb.errors import InvalidError
from aidb.units import parse_duration, parse_size

_MIB = 1 << 20


def _size(value: object) -> object:
    """Accept ``"64MB"`` where bytes are meant; leave the rest to pydantic."""
    if isinstance(value, str) and not value.isdigit():
        try:
            return parse_size(value)
        except InvalidError as error:
            raise ValueError(str(error)) from error
    return value


def _seconds(value: object) -> object:
    """Accept ``"10s"`` where seconds are meant."""
    if isinstance(value, str) and not value.isdigit():
        try:
            return parse_duration(value)
        except InvalidError as error:
            raise ValueError(str(error)) from error
    return value


def _mode(value: object) -> object:
    """Accept ``"700"``, or the number 700, as octal digits."""
    try:
        return int(str(value), 8)
    except ValueError:
        return value


def _lines(value: object) -> object:
    return (
        [line for line in value.splitlines() if line.strip()] if isinstance(value, str) else value
    )


Bytes = Annotated[int, BeforeValidator(_size)]
Seconds = Annotated[int, BeforeValidator(_seconds)]
Mode = Annotated[int, BeforeValidator(_mode)]
Lines = Annotated[tuple[SecretStr, ...], BeforeValidator(_lines)]


class Section(BaseModel):
    """A group of settings: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StorageSettings(Section):
    """Where the data is and how safe and large it may be."""

    directory: Path = Field(default=Path("data"), description="Directory of the database.")
    appendfsync: Literal["always", "everysec", "no"] = Field(
        default="everysec", description="When an acknowledged write is on the disk."
    )
    memory_bytes: Bytes = Field(
        default=1024 * _MIB, ge=64 * _MIB, description="Memory for caches and memtables."
    )
    compression: Literal["none", "lz4", "snappy", "zstd"] = Field(
        default="lz4", description="Codec of table blocks."
    )
    repair_log: bool = Field(
        default=False, description="Open a database whose log is damaged by cutting it there."
    )


class ServerSettings(Section):
    """Sockets, threads and what clients may do."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Addresses to listen on, separated by blanks; one with `-` may be missing.",
    )
    port: int = Field(default=6379, ge=0, le=65535, description="Port; 0 = any free one.")
    plaintext: bool = Field(default=True, description="Serve clients without TLS on `port`.")
    tls_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port for TLS; 0 = any free one, none = no TLS."
    )
    tls_cert_file: Path | None = Field(
        default=None, description="PEM file: certificate of the server, then those above it."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file: its private key.")
    tls_ca_cert_file: Path | None = Field(
        default=None, description="PEM file: roots of the certificates of clients."
    )
    tls_auth_clients: Literal["yes", "no", "optional"] = Field(
        default="yes", description="Whether clients show certificates."
    )
    tls_handshake_s: Seconds = Field(default=10, ge=1, description="Longest TLS handshake.")
    unixsocket: Path | None = Field(
        default=None, description="Socket in the file system to listen at, too."
    )
    unixsocketperm: Mode | None = Field(
        default=None, ge=0, le=0o777, description="Its permissions in octal digits, such as `700`."
    )
    reactors: int = Field(default=0, ge=0, le=256, description="Threads; 0 = one per two cores.")
    pool_threads_max: int = Field(
        default=32, ge=1, le=1024, description="Most threads for commands that wait."
    )
    clients_max: int = Field(default=10_000, ge=1, description="Most connections.")
    idle_timeout_s: Seconds = Field(
        default=0, ge=0, description="Idle time after which a client is closed; 0 = never."
    )
    tcp_keepalive_s: Seconds = Field(default=300, ge=0, description="Keep-alive; 0 = none.")
    bulk_bytes_max: Bytes = Field(
        default=512 * _MIB, ge=_MIB, le=512 * _MIB, description="Longest argument."
    )
    query_buffer_bytes_max: Bytes = Field(
        default=1024 * _MIB, ge=_MIB, le=2048 * _MIB, description="Longest unfinished request."
    )
    output_buffer_bytes_max: Bytes = Field(
        default=1024 * _MIB, ge=0, description="Most waiting reply bytes; 0 = no limit."
    )
    output_buffer_bytes_soft: Bytes = Field(
        default=64 * _MIB, ge=0, description="Waiting reply bytes tolerated for a while."
    )
    output_buffer_soft_s: Seconds = Field(default=60, ge=0, description="That while.")
    protected_mode: bool = Field(
        default=True, description="Without a password, refuse clients of other machines."
    )
    requirepass: SecretStr = Field(
        default=SecretStr(""), description="Password of clients; empty = none is asked for."
    )
    users: Lines = Field(
        default=(),
        description="Users as `name rule …`, see ACL SETUSER; one per line in the environment.",
    )
    aclfile: Path | None = Field(
        default=None, description="File of users for ACL LOAD and ACL SAVE; instead of `users`."
    )
    rename_commands: dict[str, str] = Field(
        default={}, description="Other names of commands; an empty one takes the command away."
    )
    stop_grace_s: Seconds = Field(
        default=5, ge=0, description="Time for replies to be sent when stopping."
    )


class Settings(Section):
    """Everything that can be set."""

    storage: StorageSettings = StorageSettings()
    server: ServerSettings = ServerSettings()
