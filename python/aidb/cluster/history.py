"""Positions in the log of a shard, and how two logs that may have forked come together again.

A shard's log is a sequence of reigns: each promotion begins one, under an epoch that nobody used
before. Two nodes with the same (epoch, first seq, node) hold the same batches of that reign as far
as both have them; so the last common reign, cut at the shorter of its two ends, is where they part.
A sequence number alone says nothing: after a fork the same number names different batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aidb.errors import invariant


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The last batch somebody has: ordered by epoch, then by sequence number."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


START: Final = Position(0, 0)
"""Before the first batch."""


@dataclass(frozen=True, slots=True)
class Reign:
    """One epoch of a shard: `node` wrote every batch from `first_seq` on, until the next reign."""

    epoch: int
    first_seq: int
    node: str


@dataclass(frozen=True, slots=True)
class History:
    """The reigns of one log, oldest first, and its last sequence number.

    Epochs ascend strictly; first sequence numbers do not descend (a reign may write nothing).
    """

    reigns: tuple[Reign, ...] = ()
    end_seq: int = 0

    def __post_init__(self) -> None:
        for earlier, later in zip(self.reigns, self.reigns[1:], strict=False):
            invariant(earlier.epoch < later.epoch, f"epochs descend: {earlier}, {later}")
            invariant(earlier.first_seq <= later.first_seq, f"reigns overlap: {earlier}, {later}")

    @property
    def position(self) -> Position:
        """What elections compare: the last epoch begun and the last batch."""
        return Position(self.reigns[-1].epoch if self.reigns else 0, self.end_seq)

    def end_of(self, index: int) -> int:
        """Last sequence number of the reign at `index`; below its first one when it wrote none."""
        if index + 1 < len(self.reigns):
            return self.reigns[index + 1].first_seq - 1
        return self.end_seq

    def settled(self, epoch: int) -> Position:
        """The last batch of the reigns up to `epoch`, and the last of those reigns begun."""
        last = 0
        for index, reign in enumerate(self.reigns):
            if reign.epoch > epoch:
                return Position(last, self.end_of(index - 1) if index else 0)
            last = reign.epoch
        return Position(last, self.end_seq)

    def cut(self, seq: int) -> History:
        """The history of the same log without the batches after `seq`."""
        kept = tuple(reign for reign in self.reigns if reign.first_seq <= seq)
        return History(kept, min(seq, self.end_seq))


@dataclass(frozen=True, slots=True)
class Continue:
    """The replica's log is a prefix of the primary's: send what follows `seq`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Diverged:
    """The replica holds `lost` batches that the primary never had: save them, cut at `seq`."""

    seq: int
    lost: int


@dataclass(frozen=True, slots=True)
class FullSync:
    """The logs share nothing that the primary still has: copy a checkpoint."""

    why: str


Resumption = Continue | Diverged | FullSync


def fork_seq(ours: History, theirs: History) -> int | None:
    """Last sequence number up to which both logs are the same; None: they share no reign."""
    indices = {reign: index for index, reign in enumerate(theirs.reigns)}
    for index in range(len(ours.reigns) - 1, -1, -1):
        reign = ours.reigns[index]
        if reign in indices:
            end = min(ours.end_of(index), theirs.end_of(indices[reign]))
            return max(end, reign.first_seq - 1)
    return None


def plan_resumption(primary: History, retained_from: int, replica: History) -> Resumption:
    """How a replica gets the log of its primary.

    Args:
        primary: The log of the primary.
        retained_from: First sequence number that the primary's log still holds.
        replica: The log of the replica.
    """
    if replica.end_seq == 0 and retained_from <= 1:
        return Continue(0)
    fork = fork_seq(primary, replica)
    if fork is None:
        return FullSync("the logs have no reign in common")
    if fork + 1 < retained_from:
        return FullSync(f"batch {fork + 1} is needed, the log begins at {retained_from}")
    if replica.end_seq > fork:
        return Diverged(fork, replica.end_seq - fork)
    return Continue(fork)
