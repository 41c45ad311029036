"""What differs from the topology becomes a decision, and doubt becomes an alarm."""

from __future__ import annotations

from dataclasses import replace

from aidb.cluster.health import Health, Sighting, assess_node, is_mass_failure
from aidb.cluster.history import History, Reign
from aidb.cluster.model import Member, MemberState, NodeRecord, Shard, ShardState, Topology
from aidb.cluster.orders import Report
from aidb.cluster.supervision import (
    Alarm,
    Decision,
    Elect,
    LetFollow,
    LetResume,
    Seen,
    SetState,
    assess_cluster,
)
from aidb.cluster.timing import Timings

TIMINGS = Timings()
PRIMARY = Report(
    "a", "s", epoch=3, is_primary=True, history=History((Reign(3, 1, "a"),), 10),
    topology_version=9, settled_version=9,
)  # fmt: skip
FOLLOWER = Report("b", "s", epoch=3, follows="a")


def topology(state: MemberState = MemberState.READY, semi: int = 0, **shard: object) -> Topology:
    members = (Member("a"), Member("b", state=state, since_version=9))
    found = Shard("s", 3, ShardState.RUNNING, "a", members, semi=semi)
    nodes = tuple(NodeRecord(name, name) for name in "ab")
    return Topology("c", 9, nodes, (replace(found, **shard),))  # type: ignore[arg-type]


def decide(
    found: Topology,
    *reports: Report,
    failed: str = "",
    now: float = 1000.0,
) -> list[Decision]:
    known = {report.node: report for report in (PRIMARY, FOLLOWER, *reports)}
    health = {node: Health.FAILED if node in failed else Health.HEALTHY for node in known}
    return assess_cluster(found, Seen(health, known, now), TIMINGS)


def test_a_shard_that_is_as_it_shall_be_needs_nothing() -> None:
    assert decide(topology()) == []


def test_a_failed_or_restarted_primary_is_replaced() -> None:
    assert decide(topology(), failed="a") == [Elect("s", "a failed")]
    (restarted,) = decide(topology(), replace(PRIMARY, is_primary=False))
    assert isinstance(restarted, Elect)
    assert isinstance(decide(topology(state=MemberState.READY, epoch=4))[0], Elect)


def test_half_done_and_first_elections_are_finished() -> None:
    for state in (ShardState.ELECTING, ShardState.INITIALIZING):
        assert isinstance(decide(_in(state))[0], Elect)
    assert decide(_in(ShardState.STOPPED)) == []


def _in(state: ShardState) -> Topology:
    found = topology()
    return found.with_shard(replace(found.shards[0], state=state))


def test_a_primary_that_its_replicas_hear_is_left_alone() -> None:
    (alarm,) = decide(topology(), replace(FOLLOWER, hold_s=2.0), failed="a")
    assert isinstance(alarm, Alarm)
    assert "answers its replicas" in alarm.why


def test_a_shard_fails_over_once_a_minute() -> None:
    (alarm,) = decide(topology(failed_over_at=950.0), failed="a")
    assert isinstance(alarm, Alarm)
    assert decide(topology(failed_over_at=930.0), failed="a") == [Elect("s", "a failed")]


def test_a_mass_failure_is_doubted() -> None:
    assert not is_mass_failure(1, 1)
    assert not is_mass_failure(1, 3)
    assert is_mass_failure(2, 3)
    assert is_mass_failure(2, 6)
    assert not is_mass_failure(2, 7)
    other = Shard("t", 1, ShardState.RUNNING, "b", (Member("b"),))
    alone = topology().with_shard(replace(topology().shards[0], members=(Member("a"),)))
    decisions = decide(alone.with_shard(other), failed="ab")
    assert [type(decision) for decision in decisions] == [Alarm, Alarm]


def test_a_member_that_follows_somebody_else_is_told() -> None:
    for report in (replace(FOLLOWER, follows=None), replace(FOLLOWER, epoch=2)):
        assert decide(topology(), report) == [LetFollow("s", "b")]


def test_a_member_counts_after_the_primary_saw_it_caught_up() -> None:
    found = topology(MemberState.SYNCING)
    caught_up = replace(PRIMARY, caught_up=("b",))
    assert decide(found, caught_up) == [SetState("s", "b", MemberState.READY)]
    assert decide(found, replace(caught_up, topology_version=8)) == []
    assert decide(found) == []


def test_a_failed_member_leaves_in_two_steps_and_never_the_last_that_writes_need() -> None:
    assert decide(topology(), failed="b") == [SetState("s", "b", MemberState.LEAVING)]
    assert decide(topology(semi=1), failed="b") == []
    leaving = topology(MemberState.LEAVING)
    assert decide(leaving, failed="b") == [SetState("s", "b", MemberState.SYNCING)]
    assert decide(leaving, replace(PRIMARY, settled_version=8), failed="b") == []


def test_a_primary_left_paused_is_told_to_go_on() -> None:
    assert decide(topology(), replace(PRIMARY, is_paused=True)) == [LetResume("s", "a")]


def test_silence_and_a_failed_probe_together_make_a_failure() -> None:
    seen = Sighting(0.0).heard(PRIMARY, 1.0)
    assert assess_node(seen, 1.1, TIMINGS) is Health.SUSPECT
    seen = seen.heard(PRIMARY, 1.5)
    assert assess_node(seen, 1.6, TIMINGS) is Health.HEALTHY
    assert assess_node(seen, 3.1, TIMINGS) is Health.SUSPECT
    assert assess_node(seen.missed(), 2.9, TIMINGS) is Health.SUSPECT
    assert assess_node(seen.missed(), 3.1, TIMINGS) is Health.FAILED
    assert assess_node(seen.missed().excused(3.0), 3.1, TIMINGS) is not Health.FAILED
    back = seen.missed().heard(PRIMARY, 4.0)
    assert assess_node(back, 4.1, TIMINGS) is Health.SUSPECT
    assert assess_node(back.heard(PRIMARY, 4.5), 4.6, TIMINGS) is Health.HEALTHY
