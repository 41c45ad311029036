"""Benchmarks of aidb against the stores people would otherwise use.

Every benchmark is a module run with ``python -m benches.<name>``: ``engine``, ``engine_sustained``,
``engine_open``, ``library_overhead``, ``server``. Each side of a comparison runs in a process of
its own; sides alternate (A B A B ...) for at least three rounds, and a figure is the median of
its rounds.
``harness`` runs the rounds, ``workload`` makes keys and values, ``stores`` adapts the peers,
``results`` prints tables and writes JSON, ``report`` turns the JSON into ``docs/performance.md``.

Nothing here asserts a time: machines are shared and noisy, so only ratios within one run count.
"""
