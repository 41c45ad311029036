"""What a shard needs now, by what its members report. Pure; one call per shard and round.

The topology is what shall be, reports are what is. Every difference becomes a decision that may be
carried out any number of times: a leader that dies after deciding leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aidb.cluster.health import Health, is_mass_failure
from aidb.cluster.model import Member, MemberState, Role, Shard, ShardState, Topology
from aidb.cluster.orders import Report
from aidb.cluster.timing import Timings


@dataclass(frozen=True, slots=True)
class Elect:
    """Find a primary."""

    shard: str
    why: str


@dataclass(frozen=True, slots=True)
class LetFollow:
    """Make a member a replica of the primary."""

    shard: str
    node: str


@dataclass(frozen=True, slots=True)
class LetResume:
    """A primary still holds writes back for a switchover that nobody leads any more."""

    shard: str
    node: str


@dataclass(frozen=True, slots=True)
class SetState:
    """Record a new state of a member."""

    shard: str
    node: str
    state: MemberState


@dataclass(frozen=True, slots=True)
class Alarm:
    """An operator should know."""

    shard: str
    why: str


Decision = Elect | LetFollow | LetResume | SetState | Alarm


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at all nodes gave."""

    health: Mapping[str, Health]
    reports: Mapping[str, Report]
    """Last report of every node that ever reported."""
    now: float
    """Seconds since the Unix epoch."""


def assess_cluster(topology: Topology, seen: Seen, timings: Timings) -> list[Decision]:
    """Everything that should be done now, over all shards."""
    primaries = [shard.primary for shard in topology.shards if shard.primary]
    failed = sum(seen.health.get(node) is Health.FAILED for node in primaries)
    is_braked = is_mass_failure(failed, len(primaries))
    decisions: list[Decision] = []
    for shard in topology.shards:
        match shard.state:
            case ShardState.RUNNING:
                decisions += _assess_running(shard, seen, timings, is_braked=is_braked)
            case ShardState.ELECTING:
                decisions.append(Elect(shard.id, "an election was left half done"))
            case ShardState.INITIALIZING if shard.full_members:
                decisions.append(Elect(shard.id, "the shard has no primary yet"))
            case ShardState.INITIALIZING | ShardState.STOPPED:
                pass
    return decisions


def _assess_running(
    shard: Shard, seen: Seen, timings: Timings, *, is_braked: bool
) -> list[Decision]:
    primary = shard.authority or ""
    report = seen.reports.get(primary)
    match seen.health.get(primary, Health.UNKNOWN):
        case Health.FAILED:
            return [_assess_failure(shard, seen, timings, is_braked=is_braked)]
        case Health.HEALTHY if report is not None:
            if not report.is_primary or report.epoch != shard.epoch:
                return [Elect(shard.id, f"{primary} restarted: it no longer leads")]
            resume = [LetResume(shard.id, primary)] if report.is_paused else []
            return [*resume, *_assess_members(shard, report, seen)]
        case _:
            return []


def _assess_failure(shard: Shard, seen: Seen, timings: Timings, *, is_braked: bool) -> Decision:
    if is_braked:
        why = "a third of all primaries failed at once: no automatic failover, look at the network"
        return Alarm(shard.id, why)
    # Reports are seconds old; a hold in one means that the primary was alive to its replicas then.
    held = [
        member.node
        for member in shard.members
        if seen.health.get(member.node) is Health.HEALTHY and seen.reports[member.node].hold_s > 0
    ]
    if held:
        return Alarm(shard.id, f"{shard.authority} answers its replicas ({held}) but not me")
    if seen.now < shard.failed_over_at + timings.failover_interval_s:
        return Alarm(shard.id, "the last failover is less than a minute ago: waiting")
    return Elect(shard.id, f"{shard.authority} failed")


def _assess_members(shard: Shard, primary: Report, seen: Seen) -> list[Decision]:
    decisions: list[Decision] = []
    spare = len(shard.counted) - shard.semi
    for member in shard.members:
        if member.node == shard.authority:
            continue
        health = seen.health.get(member.node, Health.UNKNOWN)
        report = seen.reports.get(member.node)
        if health is Health.HEALTHY and report and not _follows(report, shard):
            decisions.append(LetFollow(shard.id, member.node))
        state = _next_state(member, primary, health, has_spare=spare > 0)
        if state is not None:
            spare -= state is MemberState.LEAVING
            decisions.append(SetState(shard.id, member.node, state))
    return decisions


def _follows(report: Report, shard: Shard) -> bool:
    return report.epoch == shard.epoch and report.follows == shard.authority


def _next_state(
    member: Member, primary: Report, health: Health, *, has_spare: bool
) -> MemberState | None:
    if member.role is not Role.FULL:
        return None
    primary_knows = primary.topology_version >= member.since_version
    is_settled = primary.settled_version >= member.since_version
    match member.state:
        case MemberState.SYNCING if primary_knows and health is Health.HEALTHY:
            return MemberState.READY if member.node in primary.caught_up else None
        case MemberState.READY if health is Health.FAILED and has_spare:
            return MemberState.LEAVING
        case MemberState.LEAVING if is_settled:
            return MemberState.SYNCING
        case _:
            return None
