"""A server of ours for programs that expect Redis."""

from aidb.testing import aidb_embedded, aidb_redis, aidb_server, aidb_server_settings

__all__ = ["aidb_embedded", "aidb_redis", "aidb_server", "aidb_server_settings"]
