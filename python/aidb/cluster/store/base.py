"""The metadata store: a few hundred small keys, changed by transactions that compare first.

Every change gets the next revision of the whole store; a key remembers the revision of its last
change. A transaction whose comparisons all hold is applied as a whole under one revision, otherwise
nothing happens. A lease takes its keys with it when it ends. These are etcd's notions, which the
embedded stores offer as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One key."""

    key: str
    value: bytes
    revision: int
    """Of the store, when this key was last changed."""


@dataclass(frozen=True, slots=True)
class RevisionIs:
    """Holds while the key was last changed at this revision; 0: while it is absent."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class ValueIs:
    """Holds while the key has this value."""

    key: str
    value: bytes


Comparison = RevisionIs | ValueIs


@dataclass(frozen=True, slots=True)
class Put:
    """Set a key; with a lease it goes when the lease ends."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key; absent is fine."""

    key: str


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a transaction."""

    is_applied: bool
    revision: int
    """Of the store afterwards."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change that a watch saw: `item` is the key's new state, None when it is gone."""

    key: str
    item: Item | None
    revision: int


class MetadataStore(Protocol):
    """What every backend offers. All calls raise `UnavailableError` when the store is away.

    A call that changes something and fails that way may have happened: its error has the effect
    "unknown".
    """

    async def get(self, key: str) -> Item | None:
        """One key; None: absent."""
        ...

    async def range(self, prefix: str) -> list[Item]:
        """Every key that begins with `prefix`, in order of the keys."""
        ...

    async def transact(
        self, comparisons: Sequence[Comparison], changes: Sequence[Change]
    ) -> Outcome:
        """Apply all changes if all comparisons hold, else nothing.

        Raises:
            ConflictError: A lease of a change has ended; nothing happened.
        """
        ...

    async def grant(self, ttl_s: float) -> int:
        """A new lease; it ends `ttl_s` seconds after it was granted or last kept alive."""
        ...

    async def keep_alive(self, lease: int) -> bool:
        """Begin the lease's time anew; False: it has ended."""
        ...

    async def revoke(self, lease: int) -> None:
        """End a lease now."""
        ...

    def watch(self, prefix: str) -> AsyncIterator[Event]:
        """Changes of keys that begin with `prefix`, from now on, each once and in order."""
        ...

    async def close(self) -> None:
        """Let go of what the store holds open."""
        ...
