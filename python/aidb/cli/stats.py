"""``aidb stats``: what a database holds and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aidb.cli.opening import directory_argument, json_option, opened
from aidb.cli.output import duration_text, print_facts, print_json, print_table, size_text


@click.command("stats")
@directory_argument
@json_option
def stats_command(directory: Path, as_json: bool) -> None:
    """Show keys, sizes, levels, cache, amplification and stalls of DIR.

    Counters start when a process opens the database: of a directory nobody has open they show what
    opening it did.
    """
    with opened(directory) as database:
        stats = dict(database.stats())
        recovery = dict(database.recovery())
        namespaces = database.namespaces()
    figures = derived(stats)
    if as_json:
        print_json(stats | {"derived": figures, "recovery": recovery, "namespaces": namespaces})
        return
    print_facts(_facts(stats, figures, recovery, namespaces), title=str(directory))
    click.echo()
    print_table(
        ["level", "tables", "entries", "bytes"],
        [
            [str(row["level"]), str(row["tables"]), str(row["entries"]), size_text(row["bytes"])]
            for row in stats["levels"]
        ],
    )


def derived(stats: dict[str, Any]) -> dict[str, float | None]:
    """Ratios that say more than the counters they come from; ``None`` where nothing was counted."""
    reads = stats["cache_hits"] + stats["cache_misses"]
    written = (
        stats["log_bytes_written"]
        + stats["flush_bytes_written"]
        + stats["compaction_bytes_written"]
    )
    tables = sum(row["bytes"] for row in stats["levels"])
    # Everything below the last filled level is a newer version of something or not yet merged.
    last = max((row["bytes"] for row in stats["levels"] if row["bytes"]), default=0)
    return {
        "write_amplification": _ratio(written, stats["user_bytes_written"]),
        "space_amplification": _ratio(tables, last),
        "cache_hit_rate": _ratio(stats["cache_hits"], reads),
        "blob_dead_share": _ratio(stats["blob_dead_bytes"], stats["blob_bytes"]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _facts(
    stats: dict[str, Any],
    figures: dict[str, float | None],
    recovery: dict[str, Any],
    namespaces: list[str],
) -> list[tuple[str, str]]:
    facts = [
        ("live keys", f"{stats['live_keys']:,}"),
        ("namespaces", ", ".join(namespaces)),
        ("last sequence number", str(stats["visible_seq"])),
        ("durable up to", str(stats["durable_seq"])),
        ("on disk", size_text(stats["disk_bytes"])),
        ("log", size_text(stats["log_bytes"])),
        (
            "memtables",
            f"{size_text(stats['memtable_bytes'])}, {stats['frozen_memtables']} being flushed",
        ),
        (
            "blob files",
            (
                f"{stats['blob_files']}, {size_text(stats['blob_bytes'])}, "
                f"dead {_percent(figures['blob_dead_share'])}"
            ),
        ),
        (
            "block cache",
            (
                f"{size_text(stats['cache_bytes'])} of {size_text(stats['cache_capacity'])}, "
                f"hit rate {_percent(figures['cache_hit_rate'])}"
            ),
        ),
        ("write amplification", _times(figures["write_amplification"])),
        ("space amplification", _times(figures["space_amplification"])),
        ("flushes, compactions", f"{stats['flushes']}, {stats['compactions']}"),
        (
            "write stalls",
            (
                f"{stats['stall_count']}, in all {duration_text(stats['stall_ns'] / 1e9)}, "
                f"longest {duration_text(stats['stall_max_ns'] / 1e9)}"
            ),
        ),
        (
            "recovery at open",
            (
                f"{recovery['batches_replayed']} batches, {size_text(recovery['bytes_replayed'])}, "
                f"in {duration_text(recovery['duration_ms'] / 1e3)}"
            ),
        ),
    ]
    if recovery["torn_bytes"]:
        facts.append(("torn tail cut", size_text(recovery["torn_bytes"])))
    if stats["read_only_reason"]:
        facts.append(("read-only because", stats["read_only_reason"]))
    return facts


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"
