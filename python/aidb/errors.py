"""What can go wrong, by what the caller should do about it.

Every error says what, where and the remedy. ``effect`` tells, after a failed write, whether it may
have happened: ``"none"`` (it did not) or ``"unknown"`` (only a read can tell). Absence is a value,
never an error.
"""

from __future__ import annotations

from typing import Literal, NoReturn

Effect = Literal["none", "unknown"]


class Error(Exception):
    """Base of every aidb error."""

    effect: Effect

    def __init__(self, message: str, *, effect: Effect = "none") -> None:
        super().__init__(message)
        self.effect = effect

    def __reduce__(self) -> tuple[object, tuple[type[Error], str, Effect]]:
        return (_restore, (type(self), str(self), self.effect))


class InvalidError(Error, ValueError):
    """The call is wrong: fix it."""


class ConflictError(Error):
    """Somebody else changed the data first: read again, retry."""


class NotOwnerError(Error):
    """Another node owns the key: refresh the topology."""


class UnavailableError(Error):
    """Temporarily impossible: back off, retry."""


class ExhaustedError(Error):
    """Out of room or over a limit: an operator must act."""


class ClosedError(Error):
    """The handle is closed: stop using it."""


class FencedError(ClosedError):
    """This node lost its right to serve the data: stop using it."""


class CorruptionError(Error):
    """Stored bytes are damaged: stop, keep evidence, restore."""


class InternalError(Error):
    """A bug in aidb."""


def _restore(kind: type[Error], message: str, effect: Effect) -> Error:
    return kind(message, effect=effect)


def fail(message: str) -> NoReturn:
    """Raises an :class:`InternalError`."""
    raise InternalError(message)


def invariant(holds: object, message: str) -> None:
    """Raises an :class:`InternalError` unless ``holds``; says what must have been true."""
    if not holds:
        fail(message)
