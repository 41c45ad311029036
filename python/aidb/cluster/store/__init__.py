"""Where the control plane keeps what must not be lost: in memory, in SQLite, or in etcd."""

from aidb.cluster.store.base import (
    Change,
    Comparison,
    Delete,
    Event,
    Item,
    MetadataStore,
    Outcome,
    Put,
    RevisionIs,
    ValueIs,
)

__all__ = [
    "Change",
    "Comparison",
    "Delete",
    "Event",
    "Item",
    "MetadataStore",
    "Outcome",
    "Put",
    "RevisionIs",
    "ValueIs",
]
