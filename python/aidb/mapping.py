"""The mapping interface over a native store: what is not needed on the hot path.

``get``, ``[]``, ``in``, ``len`` and ``del`` are native methods and come first in the method
resolution order. Everything that would need two steps in a plain ``MutableMapping`` is atomic here.
"""

from __future__ import annotations

from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from aidb._core import Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

_T = TypeVar("_T")
_MISSING: Any = object()


class Keys(KeysView[bytes]):
    """The keys of a store in key order; always current."""

    _mapping: StoreMapping

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._mapping)

    def __reversed__(self) -> Iterator[bytes]:
        return reversed(self._mapping)


class Values(ValuesView[bytes]):
    """The values of a store in key order; always current."""

    _mapping: StoreMapping

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._mapping.scan(values_only=True))

    def __reversed__(self) -> Iterator[bytes]:
        return iter(self._mapping.scan(values_only=True, reverse=True))

    def __contains__(self, value: object) -> bool:
        return any(value == mine for mine in self)


class Items(ItemsView[bytes, bytes]):
    """The pairs of a store in key order; always current."""

    _mapping: StoreMapping

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._mapping.scan())

    def __reversed__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._mapping.scan(reverse=True))


class StoreMapping(Store, MutableMapping[bytes, bytes]):
    """A native store completed to a ``MutableMapping[bytes, bytes]``, ordered by key."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def keys(self) -> KeysView[bytes]:
        """A view of the keys in key order; iterating reads lazily."""
        return Keys(self)

    def values(self) -> ValuesView[bytes]:
        """A view of the values in key order; iterating reads lazily."""
        return Values(self)

    def items(self) -> ItemsView[bytes, bytes]:
        """A view of the pairs in key order; iterating reads lazily."""
        return Items(self)

    @overload
    def pop(self, key: Buffer, /) -> bytes: ...
    @overload
    def pop(self, key: Buffer, /, default: bytes) -> bytes: ...
    @overload
    def pop(self, key: Buffer, /, default: _T) -> bytes | _T: ...
    def pop(self, key: Buffer, /, default: Any = _MISSING) -> Any:
        """Removes a key and returns its value, atomically."""
        value = self.take(key)
        if value is not None:
            return value
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[bytes, bytes]:
        """Removes the last pair in key order and returns it, atomically."""
        while True:
            last = next(self.scan(keys_only=True, reverse=True, limit=1), None)
            if last is None:
                raise KeyError("popitem(): the store is empty")
            value = self.take(last)
            if value is not None:
                return last, value

    def setdefault(self, key: Buffer, default: Buffer = b"", /) -> bytes:
        """Returns the value of a key, storing ``default`` first when it is absent, atomically."""
        while True:
            value = self.get(key)
            if value is not None:
                return value
            if self.put_if(key, default, expected=None):
                return bytes(default)

    def update(  # type: ignore[override]
        self, pairs: Mapping[bytes, bytes] | Iterable[tuple[Buffer, Buffer]] = (), /
    ) -> None:
        """Stores many pairs in one atomic batch."""
        self.put_many(pairs)

    def clear(self) -> None:
        """Removes every key at once, whatever their number."""
        self.delete_range()

    def __eq__(self, other: object) -> bool:
        """Whether a mapping holds the same pairs; reads lazily, stops at the first difference."""
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        others = cast("Mapping[object, object]", other)
        if len(self) != len(others):
            return False
        return all(others.get(key, _MISSING) == value for key, value in self.scan())
