"""The control plane: who owns which slots, who is primary, what happens when a node dies.

One round of it, from the top: agents (`agent`) send heartbeats; the leading coordinator
(`coordinator`, `leadership`) keeps what it saw (`health`), compares it with the topology
(`model`, persisted through `store`), and pure functions (`failover`, `placement`) say what to do
next. One executor (`election`, `switchover`) does it, step by step, and every step may be the last
one before a crash.

Nothing here is on the path of a request: with every coordinator dead, reads and writes go on. It
must not know the engine, sockets or Redis: nodes are reached through a `Transport`, their data
plane through a `DataPlane`, the time through `Timing`.
"""
