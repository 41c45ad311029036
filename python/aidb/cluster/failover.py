"""Who shall lead a shard next, and what the next step towards that is. Pure.

An election takes an epoch that nobody had (`TakeEpoch`), makes the members promise to leave all
lower ones (`AskFence`), chooses the one that holds everything acknowledged (`choose_successor`),
tells it (`Tell`) and publishes it (`Publish`). Nobody acknowledges a write before the reign is
published: a lease is granted for published reigns only. So a coordinator that finds an election
half done takes a further epoch and starts again; whoever was told in between acknowledged nothing.

Everything acknowledged is on

- the authority, the node of the last published reign, if its log still reaches the floor; and
- with `semi` = k > 0, on k of the N voters, so on at least one of any N - k + 1 of them. The
  primary counts only voters; a member becomes one only after the primary reported that it caught
  up, and ceases to be one only after the others are known to hold everything without it.

With k = 0 a failover may lose what only the primary had. The loss is estimated from what it last
reported, and above a limit only an operator may order it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aidb.cluster.history import START, Position
from aidb.cluster.model import Shard, ShardState
from aidb.cluster.orders import Report


@dataclass(frozen=True, slots=True)
class TakeEpoch:
    """Record that the shard is electing, at the next epoch."""


@dataclass(frozen=True, slots=True)
class AskFence:
    """Ask these members to promise the epoch and to say what they hold."""

    nodes: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Let the lease of the last primary end: coordinator's monotonic time."""

    at: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the winner."""

    node: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Record the winner as primary; its reign began at this position."""

    node: str
    floor: Position


@dataclass(frozen=True, slots=True)
class Blocked:
    """Only more answers or an operator can help."""

    why: str


Step = TakeEpoch | AskFence | WaitUntil | Tell | Publish | Blocked


@dataclass(frozen=True, slots=True)
class Wish:
    """What the one who ordered an election wants."""

    target: str | None = None
    """Of a switchover: this member, if it holds as much as the authority."""
    is_forced: bool = False
    """An operator accepts the loss."""


ANY: Final = Wish()
"""Whoever is best."""


@dataclass(frozen=True, slots=True)
class Election:
    """What a coordinator knows of the election that it leads. Lost with it, never needed again."""

    epoch: int
    asked_at: float
    answers: Mapping[str, Report] = field(default_factory=dict)
    """Of members that promised the epoch."""
    promoted: Report | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The rest that decides: time and limits."""

    now: float
    safe_at: float
    """From then on no lease of an earlier reign is valid."""
    last_known: Position
    """What the authority last reported."""
    grace_s: float
    loss_max: int
    """Batches that an asynchronous failover may lose by itself."""


def next_step(shard: Shard, election: Election | None, wish: Wish, around: Circumstances) -> Step:
    """What an election does next.

    Args:
        shard: As the metadata store has it.
        election: What is known of the election of its epoch; None before the epoch is taken.
        wish: Why it is held.
        around: Time and limits.
    """
    if shard.state is ShardState.RUNNING or election is None or election.epoch != shard.epoch:
        return TakeEpoch()
    if election.promoted is not None:
        reign = election.promoted.history.reigns[-1]
        return Publish(election.promoted.node, Position(reign.epoch, reign.first_seq - 1))
    successor = choose_successor(shard, election, wish, around)
    if isinstance(successor, str):
        # A member that promised the epoch acknowledges nothing below it; otherwise time must tell.
        if shard.authority in election.answers or shard.authority is None:
            return Tell(successor)
        return Tell(successor) if around.now >= around.safe_at else WaitUntil(around.safe_at)
    return successor


def choose_successor(
    shard: Shard, election: Election, wish: Wish, around: Circumstances
) -> str | AskFence | Blocked:
    """The member to promote, or why there is none yet."""
    missing = tuple(node for node in shard.full_members if node not in election.answers)
    whole = {node: answer for node, answer in election.answers.items() if answer.is_complete}
    if shard.authority is None:
        return _choose_first(whole, missing)
    settled = {node: a.history.settled(shard.floor.epoch) for node, a in whole.items()}
    if settled.get(shard.authority, START) >= shard.floor and shard.authority in settled:
        return _choose_beside_authority(shard, shard.authority, settled, wish)
    if wish.is_forced and settled and around.now >= election.asked_at + around.grace_s:
        return _best(settled, settled)
    if shard.semi:
        return _choose_by_votes(shard, settled, missing)
    return _choose_asynchronous(shard, settled, missing, election, around)


def _choose_beside_authority(
    shard: Shard, authority: str, settled: Mapping[str, Position], wish: Wish
) -> str:
    """The authority answered and has everything; a voter may have more, which costs nothing."""
    best = _best(settled, (authority, *_votes(shard, settled)))
    target = wish.target
    if target is not None and target in settled and settled[target] >= settled[best]:
        return target
    return authority if settled[authority] >= settled[best] else best


def _choose_by_votes(
    shard: Shard, settled: Mapping[str, Position], missing: tuple[str, ...]
) -> str | AskFence | Blocked:
    votes = _votes(shard, settled)
    needed = max(1, len(shard.voters) - shard.semi + 1)
    if len(votes) >= needed and len(shard.voters) >= shard.semi:
        return _best(settled, votes)
    why = f"{len(votes)} of {len(shard.voters)} voters answered, {needed} must"
    return AskFence(missing, why) if missing else Blocked(why)


def _choose_asynchronous(
    shard: Shard,
    settled: Mapping[str, Position],
    missing: tuple[str, ...],
    election: Election,
    around: Circumstances,
) -> str | AskFence | Blocked:
    votes = _votes(shard, settled)
    if missing and (not votes or around.now < election.asked_at + around.grace_s):
        return AskFence(missing, "waiting for the primary or for a replica that was caught up")
    if not votes:
        return Blocked("no member that answers was caught up: start one, or restore a backup")
    best = _best(settled, votes)
    loss = around.last_known.seq - settled[best].seq
    if loss > around.loss_max:
        why = (
            f"{best} lacks about {loss} batches, {around.loss_max} are allowed: force the failover"
        )
        return AskFence(missing, why) if missing else Blocked(why)
    return best


def _choose_first(
    whole: Mapping[str, Report], missing: tuple[str, ...]
) -> str | AskFence | Blocked:
    """The first primary of a shard: everybody must answer, so that no data is passed over."""
    if missing:
        return AskFence(missing, "the first election of a shard needs every member")
    if not whole:
        return Blocked("the shard has no member with a complete log")
    return max(sorted(whole), key=lambda node: whole[node].position)


def _votes(shard: Shard, settled: Mapping[str, Position]) -> list[str]:
    return [node for node in shard.voters if node in settled]


def _best(settled: Mapping[str, Position], nodes: Iterable[str]) -> str:
    # Ties go to the lower id, so that every coordinator chooses alike.
    return max(sorted(nodes), key=lambda node: settled[node])
