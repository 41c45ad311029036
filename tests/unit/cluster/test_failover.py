"""Who may lead: by what the members answered, never by who answered first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aidb.cluster.failover import (
    ANY,
    AskFence,
    Blocked,
    Circumstances,
    Election,
    Publish,
    Step,
    TakeEpoch,
    Tell,
    WaitUntil,
    Wish,
    next_step,
)
from aidb.cluster.history import History, Position, Reign
from aidb.cluster.model import Member, MemberState, Shard, ShardState
from aidb.cluster.orders import Report

REIGN = Reign(5, 101, "a")
AROUND = Circumstances(
    now=100.0, safe_at=90.0, last_known=Position(5, 200), grace_s=1.0, loss_max=10
)


def shard(semi: int = 1, **states: MemberState) -> Shard:
    """Elected from `a` at epoch 5 to whom epoch 6 brings; `a` led from batch 101 on."""
    members = [Member("a"), *(Member(node, state=state) for node, state in states.items())]
    return Shard(
        "s", 6, ShardState.ELECTING, "a", tuple(members), semi=semi, floor=Position(5, 100)
    )


READY = {"b": MemberState.READY, "c": MemberState.READY}


def answer(node: str, seq: int, *, reigns: tuple[Reign, ...] = (REIGN,)) -> Report:
    return Report(node, "s", epoch=6, history=History(reigns, seq))


def step(found: Shard, *answers: Report, wish: Wish = ANY, **around: float) -> Step:
    election = Election(6, 90.0, {report.node: report for report in answers})
    return next_step(found, election, wish, replace(AROUND, **around))  # type: ignore[arg-type]


def test_an_epoch_is_taken_before_anybody_is_asked() -> None:
    running = replace(shard(), state=ShardState.RUNNING)
    assert next_step(running, None, Wish(), AROUND) == TakeEpoch()
    assert next_step(running, Election(6, 90.0), Wish(), AROUND) == TakeEpoch()


def test_an_election_found_half_done_takes_a_further_epoch() -> None:
    assert next_step(shard(), None, Wish(), AROUND) == TakeEpoch()
    assert next_step(shard(), Election(5, 90.0), Wish(), AROUND) == TakeEpoch()


def test_with_semi_as_many_voters_answer_as_meet_every_acknowledged_write() -> None:
    asked = step(shard(1, **READY), answer("b", 150))
    assert isinstance(asked, AskFence)
    assert asked.nodes == ("a", "c")
    assert step(shard(1, **READY), answer("b", 150), answer("c", 151)) == Tell("c")
    assert step(shard(2, **READY), answer("b", 150)) == Tell("b")


def test_the_last_primary_is_enough_if_its_log_is_whole() -> None:
    assert step(shard(1, **READY), answer("a", 150), safe_at=999.0) == Tell("a")
    assert isinstance(step(shard(1, **READY), answer("a", 99)), AskFence)
    empty = Report("a", "s", epoch=6)
    assert isinstance(step(shard(1, **READY), empty), AskFence)
    half = replace(answer("a", 150), is_complete=False)
    assert isinstance(step(shard(1, **READY), half), AskFence)


def test_nobody_leads_while_the_old_lease_may_be_valid() -> None:
    answers = (answer("b", 150), answer("c", 151))
    assert step(shard(1, **READY), *answers, safe_at=104.5) == WaitUntil(104.5)
    # A primary that promised the epoch has stopped.
    assert step(shard(1, **READY), *answers, answer("a", 150), safe_at=104.5) == Tell("c")


def test_a_member_that_was_syncing_is_never_chosen() -> None:
    states = {"b": MemberState.READY, "c": MemberState.SYNCING}
    assert step(shard(1, **states), answer("b", 150), answer("c", 900)) == Tell("b")
    assert isinstance(step(shard(0, c=MemberState.SYNCING), answer("c", 150)), AskFence)


def test_one_that_is_leaving_still_votes() -> None:
    states = {"b": MemberState.READY, "c": MemberState.LEAVING}
    assert isinstance(step(shard(1, **states), answer("b", 150)), AskFence)
    assert step(shard(1, **states), answer("b", 150), answer("c", 160)) == Tell("c")


def test_what_an_unpublished_reign_left_does_not_outweigh_what_was_acknowledged() -> None:
    told = answer("b", 150, reigns=(REIGN, Reign(6, 151, "b")))
    assert step(shard(1, **READY), told, answer("c", 180)) == Tell("c")


def test_ties_go_to_the_lower_name() -> None:
    assert step(shard(1, **READY), answer("c", 150), answer("b", 150)) == Tell("b")


def test_a_switchover_takes_its_target_only_if_it_lacks_nothing() -> None:
    wish = Wish(target="c")
    whole = (answer("a", 150), answer("c", 150))
    assert step(shard(1, **READY), *whole, wish=wish) == Tell("c")
    behind = (answer("a", 151), answer("c", 150))
    assert step(shard(1, **READY), *behind, wish=wish) == Tell("a")


def test_an_asynchronous_shard_bounds_its_loss_and_asks_beyond() -> None:
    found = shard(0, **READY)
    assert step(found, answer("b", 195), now=100.0) == Tell("b")
    too_much = step(found, answer("b", 150), answer("c", 140), answer("a", 0))
    assert isinstance(too_much, Blocked)
    assert "50 batches" in too_much.why
    assert "force" in too_much.why
    forced = Wish(is_forced=True)
    assert step(found, answer("b", 150), answer("c", 140), wish=forced) == Tell("b")


def test_an_asynchronous_shard_waits_for_further_answers() -> None:
    assert isinstance(step(shard(0, **READY), answer("b", 200), now=90.5), AskFence)


def test_force_takes_what_is_there_but_never_half_a_copy() -> None:
    forced = Wish(is_forced=True)
    states = {"b": MemberState.SYNCING, "c": MemberState.SYNCING}
    half = replace(answer("c", 190), is_complete=False)
    assert step(shard(1, **states), answer("b", 120), half, wish=forced) == Tell("b")


def test_the_first_election_needs_every_member() -> None:
    found = replace(shard(1, **READY), authority=None, floor=Position(0, 0))
    assert isinstance(step(found, answer("a", 5), answer("b", 9)), AskFence)
    assert step(found, answer("a", 5), answer("b", 9), answer("c", 9)) == Tell("b")
    half = [replace(answer(node, 5), is_complete=False) for node in "abc"]
    assert isinstance(step(found, *half), Blocked)


def test_what_was_told_is_published_with_the_place_where_it_began() -> None:
    told = answer("b", 150, reigns=(REIGN, Reign(6, 151, "b")))
    election = Election(6, 90.0, {"b": told}, promoted=told)
    assert next_step(shard(1, **READY), election, Wish(), AROUND) == Publish("b", Position(6, 150))


@pytest.mark.parametrize("semi", [1, 2])
def test_too_few_voters_for_any_write_prove_nothing(semi: int) -> None:
    lonely = shard(semi, b=MemberState.SYNCING, c=MemberState.SYNCING)
    assert isinstance(step(lonely, answer("b", 150), answer("c", 150)), AskFence)
