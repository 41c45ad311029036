"""Moving in from Redis, and out to it: RDB files, and a live import over the replication protocol.

What decides is here, the bytes are in ``crates/rdb`` and ``crates/redis`` (``migration``). One live
import, from the top: :class:`~aidb.migration.live.LiveImport` asks a running Redis for its data
(:mod:`~aidb.migration.link`), loads the copy (:mod:`~aidb.migration.files`), applies the commands
that the source sends from then on, compares both sides (:mod:`~aidb.migration.verify`), and says
when clients can change over.
"""
