"""A metadata store in etcd, through the JSON form of its version 3 interface.

Keys and values are base64 in every message. Revisions, leases and transactions are etcd's own.
Source: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/ and api_reference_v3.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import httpx

from aidb.cluster.store.base import (
    Change,
    Comparison,
    Event,
    Item,
    Outcome,
    Put,
    RevisionIs,
    ValueIs,
)
from aidb.errors import ConflictError, UnavailableError

TIMEOUT_S: Final = 2.0
_LEASE_MISSING: Final = "requested lease not found"


class EtcdStore:
    """A client of one etcd cluster. Use from one event loop."""

    def __init__(self, endpoints: Sequence[str], prefix: str, *, verify: Any = True) -> None:
        """Connects with the first call.

        Args:
            endpoints: Addresses like ``http://127.0.0.1:2379``; one that fails is passed over.
            prefix: Put before every key, so that clusters can share one etcd: ``/aidb/prod/``.
            verify: Of `httpx`: the certificates to trust.
        """
        self._endpoints = list(endpoints)
        self._prefix = prefix
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, verify=verify)

    async def get(self, key: str) -> Item | None:
        """As the protocol says."""
        reply = await self._post("kv/range", {"key": self._key(key)})
        return next((self._item(found) for found in reply.get("kvs", [])), None)

    async def range(self, prefix: str) -> list[Item]:
        """As the protocol says."""
        reply = await self._post("kv/range", {**self._below(prefix), "sort_order": "ASCEND"})
        return [self._item(found) for found in reply.get("kvs", [])]

    async def transact(
        self, comparisons: Sequence[Comparison], changes: Sequence[Change]
    ) -> Outcome:
        """As the protocol says."""
        body = {
            "compare": [self._comparison(comparison) for comparison in comparisons],
            "success": [self._change(change) for change in changes],
        }
        reply = await self._post("kv/txn", body)
        return Outcome(bool(reply.get("succeeded")), int(reply["header"]["revision"]))

    async def grant(self, ttl_s: float) -> int:
        """As the protocol says; etcd counts whole seconds, at least one."""
        reply = await self._post("lease/grant", {"TTL": max(1, round(ttl_s))})
        return int(reply["ID"])

    async def keep_alive(self, lease: int) -> bool:
        """As the protocol says."""
        reply = await self._post("lease/keepalive", {"ID": lease})
        return int(reply.get("result", reply).get("TTL", 0)) > 0

    async def revoke(self, lease: int) -> None:
        """As the protocol says."""
        try:
            await self._post("lease/revoke", {"ID": lease})
        except ConflictError:
            return  # it has ended already

    async def watch(self, prefix: str) -> AsyncIterator[Event]:
        """As the protocol says."""
        body = {"create_request": self._below(prefix)}
        url = f"{self._endpoints[0]}/v3/watch"
        try:
            async with self._client.stream("POST", url, json=body, timeout=None) as stream:
                async for line in stream.aiter_lines():
                    for found in json.loads(line).get("result", {}).get("events", []):
                        yield self._event(found)
        except httpx.HTTPError as error:
            raise UnavailableError(f"the watch of etcd at {url} broke: {error!r}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the first endpoint that answers; the others are tried before the caller hears of it.

        Asking twice is safe: everything but `grant` may happen twice, and a second lease ends.
        A transaction that compares revisions does not apply twice.
        """
        failure: Exception | None = None
        for endpoint in list(self._endpoints):
            try:
                response = await self._client.post(f"{endpoint}/v3/{path}", json=body)
            except httpx.HTTPError as error:
                failure = error
                self._pass_over(endpoint)
                continue
            if response.is_success:
                answer: dict[str, Any] = response.json()
                return answer
            if _LEASE_MISSING in response.text:
                raise ConflictError(f"etcd at {endpoint}: {_LEASE_MISSING}: it has ended")
            failure = UnavailableError(f"etcd at {endpoint}: {response.text}")
            self._pass_over(endpoint)
        known = ", ".join(self._endpoints)
        message = f"no etcd answers at {known}: {failure!r}; check that it runs"
        raise UnavailableError(message, effect="unknown") from failure

    def _pass_over(self, endpoint: str) -> None:
        self._endpoints.remove(endpoint)
        self._endpoints.append(endpoint)

    def _key(self, key: str) -> str:
        return _encoded((self._prefix + key).encode())

    def _below(self, prefix: str) -> dict[str, str]:
        first = (self._prefix + prefix).encode()
        # The last byte of a prefix is never FF: keys are UTF-8.
        end = first[:-1] + bytes([first[-1] + 1])
        return {"key": _encoded(first), "range_end": _encoded(end)}

    def _item(self, found: dict[str, Any]) -> Item:
        key = b64decode(found["key"]).decode().removeprefix(self._prefix)
        return Item(key, b64decode(found.get("value", "")), int(found["mod_revision"]))

    def _event(self, found: dict[str, Any]) -> Event:
        item = self._item(found["kv"])
        is_gone = found.get("type") == "DELETE"
        return Event(item.key, None if is_gone else item, item.revision)

    def _comparison(self, comparison: Comparison) -> dict[str, Any]:
        key = {"key": self._key(comparison.key), "result": "EQUAL"}
        match comparison:
            case RevisionIs(_, revision):
                return {**key, "target": "MOD", "mod_revision": revision}
            case ValueIs(_, value):
                return {**key, "target": "VALUE", "value": _encoded(value)}

    def _change(self, change: Change) -> dict[str, Any]:
        key = self._key(change.key)
        if isinstance(change, Put):
            value = _encoded(change.value)
            return {"request_put": {"key": key, "value": value, "lease": change.lease}}
        return {"request_delete_range": {"key": key}}


def _encoded(data: bytes) -> str:
    return b64encode(data).decode()
