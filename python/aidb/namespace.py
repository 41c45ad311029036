"""Namespaces: ordered maps of their own inside one database."""

from __future__ import annotations

from typing import Self

from aidb._core import Database
from aidb.mapping import StoreMapping


class Namespace(StoreMapping):
    """One named, ordered map of a database, with options of its own.

    Made by :meth:`aidb.Database.namespace`. All namespaces of a database share its log, its memory
    and its durability; a batch may write to several of them.
    """

    __slots__ = ("__weakref__", "_database", "_name")

    _database: Database
    _name: str

    def __new__(
        cls,
        database: Database,
        name: str,
        /,
        *,
        create: bool = True,
        ttl: float | None = None,
        compression: str | None = None,
        blob_bytes_min: int | None = None,
    ) -> Self:
        """Finds or creates the namespace; see :meth:`aidb.Database.namespace`."""
        namespace = super().__new__(
            cls,
            database,
            name,
            create=create,
            ttl=ttl,
            compression=compression,
            blob_bytes_min=blob_bytes_min,
        )
        namespace._database = database
        namespace._name = name
        return namespace

    @property
    def name(self) -> str:
        """Name of the namespace."""
        return self._name

    @property
    def database(self) -> Database:
        """The database that the namespace is part of."""
        return self._database

    def __reduce__(self) -> tuple[type[Namespace], tuple[Database, str]]:
        return (type(self), (self._database, self._name))

    def __repr__(self) -> str:
        return f"<aidb.Namespace {self._name!r} of {self._database!r}>"
