"""The one owner of the native data plane. Its threads serve clients; none of them needs Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aidb._core import Server
from aidb.config import Settings


@dataclass(frozen=True)
class Recovery:
    """What opening the database had to replay from its log."""

    batches: int
    torn_bytes: int
    duration_ms: int


class DataPlane:
    """A running data plane; a context manager that stops it gracefully.

    **Concurrency**: :meth:`wait` may run in one thread while another one calls :meth:`stop`.
    """

    def __init__(
        self, settings: Settings, on_recovery_progress: Callable[[int, int], object] | None = None
    ) -> None:
        """Open the database and listen. When it returns, clients can connect.

        Args:
            settings: Everything that can be set.
            on_recovery_progress: Called with bytes of the log replayed and bytes in all.

        Raises:
            InvalidError: The address cannot be had, or the directory is of another program.
            UnavailableError: Another process has the database or the port.
            CorruptionError: Stored bytes are damaged.
        """
        storage, server = settings.storage, settings.server
        self._native = Server(
            storage.directory,
            on_recovery_progress=on_recovery_progress,
            appendfsync=storage.appendfsync,
            memory_bytes=storage.memory_bytes,
            compression=storage.compression,
            repair_log=storage.repair_log,
            stop_grace_ms=server.stop_grace_s * 1000,
            requirepass=server.requirepass.get_secret_value(),
            rename_commands=list(server.rename_commands.items()),
            users=[user.get_secret_value() for user in server.users],
            **server.model_dump(
                exclude={"stop_grace_s", "requirepass", "users", "rename_commands"}
            ),
        )

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Pairs of address and port it listens on."""
        return self._native.addresses

    @property
    def tls_addresses(self) -> list[tuple[str, int]]:
        """Pairs of address and port it listens on with TLS."""
        return self._native.tls_addresses

    def reload_certificates(self) -> None:
        """Read the certificates again, for new connections.

        Raises:
            InvalidError: A file is wrong; the old certificates stay in use.
        """
        self._native.reload_certificates()

    @property
    def recovery(self) -> Recovery:
        """What opening replayed."""
        return Recovery(*self._native.recovery)

    def wait(self, seconds: float) -> str | None:
        """Reason why the server should end, as soon as there is one, or None after ``seconds``."""
        return self._native.wait(seconds)

    def stop(self) -> None:
        """Finish running commands, send replies, make everything durable, close the database.

        Raises:
            Error: The last writes may not be durable; the message says why.
        """
        self._native.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
