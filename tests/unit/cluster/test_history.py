"""Logs that fork come together where they parted, never by number alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidb.cluster.history import (
    Continue,
    Diverged,
    FullSync,
    History,
    Position,
    Reign,
    plan_resumption,
)
from aidb.errors import InternalError

A1 = Reign(1, 1, "a")


def test_a_prefix_continues() -> None:
    primary = History((A1, Reign(2, 11, "b")), 20)
    assert plan_resumption(primary, 1, History((A1,), 10)) == Continue(10)
    assert plan_resumption(primary, 1, primary) == Continue(20)
    assert plan_resumption(primary, 1, History()) == Continue(0)


def test_the_same_number_of_another_reign_diverges() -> None:
    primary = History((A1, Reign(2, 8, "b")), 20)
    replica = History((A1,), 20)
    assert plan_resumption(primary, 1, replica) == Diverged(7, 13)


def test_two_nodes_that_took_one_epoch_are_told_apart() -> None:
    primary = History((A1, Reign(2, 8, "b")), 20)
    replica = History((A1, Reign(2, 8, "c")), 9)
    assert plan_resumption(primary, 1, replica) == Diverged(7, 2)


def test_what_is_not_kept_needs_a_full_synchronization() -> None:
    primary = History((A1,), 20)
    assert isinstance(plan_resumption(primary, 15, History((A1,), 10)), FullSync)
    assert plan_resumption(primary, 11, History((A1,), 10)) == Continue(10)
    assert isinstance(plan_resumption(primary, 2, History()), FullSync)
    assert isinstance(plan_resumption(primary, 1, History((Reign(1, 1, "z"),), 3)), FullSync)


def test_settled_leaves_later_reigns_out() -> None:
    history = History((A1, Reign(3, 11, "b"), Reign(4, 11, "c")), 15)
    assert history.settled(0) == Position(0, 0)
    assert history.settled(2) == Position(1, 10)
    assert history.settled(3) == Position(3, 10)
    assert history.settled(9) == history.position == Position(4, 15)


def test_reigns_in_disorder_are_a_bug() -> None:
    with pytest.raises(InternalError):
        History((Reign(2, 1, "a"), Reign(1, 5, "b")), 9)
    with pytest.raises(InternalError):
        History((Reign(1, 9, "a"), Reign(2, 5, "b")), 9)


steps = st.lists(st.tuples(st.sampled_from(["left", "right"]), st.booleans()), max_size=40)


@given(st.integers(0, 8), steps)
def test_the_fork_is_where_two_logs_stop_being_equal(
    common: int, steps: list[tuple[str, bool]]
) -> None:
    """A log is a list of (epoch, value); the model compares the lists themselves."""
    logs = {side: [(1, n) for n in range(common)] for side in ("left", "right")}
    reigns = {side: [A1] for side in logs}
    epoch = 1
    for number, (side, begins) in enumerate(steps):
        if begins or reigns[side][-1].node != side:
            epoch += 1
            reigns[side].append(Reign(epoch, len(logs[side]) + 1, side))
        logs[side].append((reigns[side][-1].epoch, 100 + number))
    left, right = (History(tuple(reigns[s]), len(logs[s])) for s in ("left", "right"))
    same = 0
    for one, other in zip(logs["left"], logs["right"], strict=False):
        if one != other:
            break
        same += 1
    match plan_resumption(left, 1, right):
        case Continue(seq):
            assert seq == same == len(logs["right"])
        case Diverged(seq, lost):
            assert seq == same
            assert lost == len(logs["right"]) - same
        case other_answer:
            raise AssertionError(other_answer)
