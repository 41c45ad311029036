"""Who is alive, as far as one coordinator can tell.

Silence alone makes a suspicion; a probe that fails as well makes a failure. A node counts as back
after two heartbeats in a row. Silence while the coordinator itself stood still proves nothing, so
after a stall everybody gets a fresh start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from aidb.cluster.orders import Report
from aidb.cluster.timing import Timings

STREAK: Final = 2
"""Heartbeats in a row that bring a failed node back."""


class Health(StrEnum):
    """What is thought of a node."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    """Silent; not yet confirmed by a probe."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Never heard of in this term, and not yet long enough silent."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a coordinator remembers of one node."""

    heard_at: float
    """Last heartbeat or answer; at first: when the coordinator began to listen."""
    report: Report | None = None
    streak: int = 0
    """Heartbeats since the node was last failed."""
    is_unreachable: bool = False
    """The last probe failed, and nothing was heard since."""

    def heard(self, report: Report, now: float) -> Sighting:
        """After a heartbeat or an answer."""
        return Sighting(now, report, self.streak + 1, is_unreachable=False)

    def missed(self) -> Sighting:
        """After a probe that got no answer."""
        return replace(self, streak=0, is_unreachable=True)

    def excused(self, now: float) -> Sighting:
        """After a stall of the coordinator: silence is counted from now on."""
        return replace(self, heard_at=max(self.heard_at, now), is_unreachable=False)


def assess_node(sighting: Sighting, now: float, timings: Timings) -> Health:
    """What to think of a node now."""
    is_silent = now - sighting.heard_at >= timings.suspect_after_s
    if is_silent:
        return Health.FAILED if sighting.is_unreachable else Health.SUSPECT
    if sighting.report is None:
        return Health.UNKNOWN
    return Health.HEALTHY if sighting.streak >= STREAK else Health.SUSPECT


def is_mass_failure(failed_primaries: int, primaries: int) -> bool:
    """Whether so many primaries fail at once that the coordinator should doubt itself.

    One is never a mass failure; otherwise a third is.
    """
    return failed_primaries > 1 and failed_primaries * 3 >= primaries
