"""The topology as JSON: what the metadata store keeps and what messages carry.

```json
{"format": 1, "cluster": "…", "version": 7,
 "nodes": [{"id": "n1", "address": "127.0.0.1:7001", "client_address": "127.0.0.1:6379"}],
 "shards": [{"id": "s1", "epoch": 3, "state": "running", "authority": "n1", "semi": 1,
             "floor": {"epoch": 3, "seq": 90}, "failed_over_at": 0.0, "slots": "0-5460",
             "members": [{"node": "n1", "role": "full", "state": "ready", "since_version": 6}]}]}
```

An unknown format is refused; fields of a known format are never reused for something else.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from aidb.cluster.history import Position
from aidb.cluster.model import Member, MemberState, NodeRecord, Role, Shard, ShardState, Topology
from aidb.cluster.slots import SlotRanges
from aidb.errors import CorruptionError, InvalidError

FORMAT: Final = 1


class UnknownFormatError(InvalidError):
    """A newer program wrote the topology."""


def encode_topology(topology: Topology) -> bytes:
    """The document as bytes; equal topologies give equal bytes."""
    document = {
        "format": FORMAT,
        "cluster": topology.cluster_id,
        "version": topology.version,
        "nodes": [asdict(node) for node in topology.nodes],
        "shards": [_shard_fields(shard) for shard in topology.shards],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode_topology(data: bytes) -> Topology:
    """The inverse of :func:`encode_topology`.

    Raises:
        UnknownFormatError: A newer format.
        CorruptionError: Not such a document, or one that contradicts itself.
    """
    try:
        document = json.loads(data)
        _check_format(document["format"])
        topology = Topology(
            cluster_id=_text(document["cluster"]),
            version=int(document["version"]),
            nodes=tuple(NodeRecord(**node) for node in document["nodes"]),
            shards=tuple(_shard(shard) for shard in document["shards"]),
        )
        topology.check()
    except UnknownFormatError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptionError(f"not a topology: {error}; restore the metadata store") from error
    return topology


def _check_format(found: object) -> None:
    if found != FORMAT:
        raise UnknownFormatError(
            f"topology of format {found}; this program knows {FORMAT}: upgrade it"
        )


def _shard_fields(shard: Shard) -> dict[str, Any]:
    return {
        "id": shard.id,
        "epoch": shard.epoch,
        "state": shard.state,
        "authority": shard.authority,
        "semi": shard.semi,
        "floor": asdict(shard.floor),
        "failed_over_at": shard.failed_over_at,
        "slots": str(shard.slots),
        "members": [asdict(member) for member in shard.members],
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _shard(shard: dict[str, Any]) -> Shard:
    members = (
        Member(
            node=_text(member["node"]),
            role=Role(member["role"]),
            state=MemberState(member["state"]),
            since_version=int(member["since_version"]),
        )
        for member in shard["members"]
    )
    authority = shard["authority"]
    return Shard(
        id=_text(shard["id"]),
        epoch=int(shard["epoch"]),
        state=ShardState(shard["state"]),
        authority=None if authority is None else _text(authority),
        members=tuple(members),
        slots=SlotRanges.parse(shard["slots"]),
        semi=int(shard["semi"]),
        floor=Position(int(shard["floor"]["epoch"]), int(shard["floor"]["seq"])),
        failed_over_at=float(shard["failed_over_at"]),
    )
