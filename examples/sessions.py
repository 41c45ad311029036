"""A session store: records that expire, and an index by user kept consistent by batches.

Run: python examples/sessions.py
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from typing import Any

import aidb


class Sessions:
    """Sessions by token, and tokens by user; both sides expire together."""

    def __init__(self, db: aidb.Database, ttl_s: float) -> None:
        """Keep sessions in ``db`` for ``ttl_s`` seconds after they are made."""
        self._db, self._ttl_s = db, ttl_s

    def start(self, user: str, **data: Any) -> str:
        """Make a session and return its token."""
        token = secrets.token_urlsafe(16)
        record = json.dumps({"user": user, **data}).encode()
        with self._db.batch() as batch:
            batch.put(f"session:{token}".encode(), record, ttl=self._ttl_s)
            batch.put(f"user:{user}:{token}".encode(), b"", ttl=self._ttl_s)
        return token

    def find(self, token: str) -> dict[str, Any] | None:
        """The data of a session, or ``None`` when it is unknown, ended or expired."""
        record = self._db.get(f"session:{token}".encode())
        return None if record is None else json.loads(record)

    def of_user(self, user: str) -> list[str]:
        """Tokens of the user's live sessions."""
        prefix = f"user:{user}:".encode()
        return [key[len(prefix) :].decode() for key, _ in self._db.scan(prefix=prefix)]

    def end_all(self, user: str) -> int:
        """End every session of ``user``, at once."""
        tokens = self.of_user(user)
        with self._db.batch() as batch:
            for token in tokens:
                batch.delete(f"session:{token}".encode())
                batch.delete(f"user:{user}:{token}".encode())
        return len(tokens)


def main() -> None:
    """Make, find, end and outlive sessions."""
    with tempfile.TemporaryDirectory() as directory, aidb.open(directory) as db:
        sessions = Sessions(db, ttl_s=1800)
        phone, laptop = (
            sessions.start("ada", device="phone"),
            sessions.start("ada", device="laptop"),
        )
        assert sessions.find(phone) == {"user": "ada", "device": "phone"}
        assert sorted(sessions.of_user("ada")) == sorted([phone, laptop])
        print(f"ada has {len(sessions.of_user('ada'))} sessions")
        print(f"ended {sessions.end_all('ada')}; the phone now finds {sessions.find(phone)}")
        assert sessions.find(laptop) is None

        short = Sessions(db, ttl_s=0.2)
        token = short.start("grace")
        assert short.find(token) is not None
        deadline = time.monotonic() + 5
        while short.find(token) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert short.find(token) is None
        assert short.of_user("grace") == []
        print("the session of grace has expired, in both indexes")


if __name__ == "__main__":
    main()
