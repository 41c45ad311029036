"""Time as the control plane needs it: to read, and to wait for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Protocol


class Timing(Protocol):
    """Time of one process."""

    def now(self) -> float:
        """Seconds since the Unix epoch; for records that outlive the process."""
        ...

    def monotonic(self) -> float:
        """Seconds of this machine that never go back and count while it is suspended."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        ...


async def wait_for(timing: Timing, woken: asyncio.Event, seconds: float) -> None:
    """Let time pass until somebody sets the event, at most so long; clears the event."""
    sleeping = asyncio.ensure_future(timing.sleep(seconds))
    waking = asyncio.ensure_future(woken.wait())
    try:
        await asyncio.wait([sleeping, waking], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()
        woken.clear()


class SystemTiming:
    """The machine's clocks and the running event loop."""

    __slots__ = ()

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine started, suspended time included: leases go on there."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take before somebody acts, in seconds.

    A primary acknowledges until `lease_s - lease_margin_s` after it asked for its lease; nobody is
    promoted before `lease_s + lease_margin_s` after it was granted. The two margins are what two
    clocks may differ over one lease: 1 s of 4 s.
    """

    heartbeat_s: float = 0.5
    heartbeats_missed: int = 3
    """As many missed heartbeats make a suspicion; a failed probe confirms it."""
    probe_timeout_s: float = 0.5
    lease_s: float = 4.0
    lease_margin_s: float = 0.5
    round_s: float = 0.25
    """Between two looks of the coordinator at everything, when nothing happens."""
    round_min_s: float = 0.02
    """Between two looks when much happens."""
    order_timeout_s: float = 1.0
    election_grace_s: float = 1.0
    """How long an asynchronous shard waits for further answers before it takes the best one."""
    leadership_s: float = 5.0
    """Lease of the leading coordinator in the metadata store."""
    leadership_margin_s: float = 1.0
    """A leader stops acting this long before its lease can end."""
    failover_interval_s: float = 60.0
    """At least this long between two failovers of one shard."""
    stall_s: float = 1.0
    """A round this late means the coordinator itself stood still."""
    switchover_s: float = 2.0
    """How long the target of a switchover may take to catch up while writes wait."""

    @property
    def suspect_after_s(self) -> float:
        """Silence that makes a suspicion."""
        return self.heartbeat_s * self.heartbeats_missed

    @property
    def serves_s(self) -> float:
        """A primary serves this long after it asked for a lease that was granted."""
        return self.lease_s - self.lease_margin_s

    @property
    def leads_s(self) -> float:
        """A leader acts this long after it asked the store to go on."""
        return self.leadership_s - self.leadership_margin_s

    @property
    def safe_after_s(self) -> float:
        """Nobody may be promoted earlier than this after the last lease was granted."""
        return self.lease_s + self.lease_margin_s


DEFAULTS: Final = Timings()
