"""Prints results as tables and writes them as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benches import machine
from benches.harness import Results

RESULTS_DIR = Path(__file__).parent / "results"


def short_number(figure: float | None) -> str:
    """A figure in at most five characters: ``1.23M``, ``45.6K``."""
    if figure is None:
        return "-"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(figure) >= limit:
            return f"{figure / limit:.3g}{unit}"
    return f"{figure:.3g}"


def ratio_rows(results: Results, case: str, mean: bool = True) -> list[list[str]]:
    """Rows of a table: figures of every side, then ours divided by each peer's.

    ``mean`` adds their geometric mean, which says something where every row is a throughput.
    """
    ours, *peers = results.sides
    table: list[list[str]] = []
    ratios: dict[str, list[float]] = {peer: [] for peer in peers}
    for row in results.figures[case]:
        figures = {side: results.median_of(case, row, side) for side in results.sides}
        cells = [row, *(short_number(figures[side]) for side in results.sides)]
        for peer in peers:
            mine, other = figures[ours], figures[peer]
            if mine is None or not other:
                cells.append("-")
                continue
            ratios[peer].append(mine / other)
            cells.append(f"{mine / other:.2f}x")
        table.append(cells)
    if mean and any(ratios.values()):
        means = [_geometric_mean(ratios[peer]) for peer in peers]
        table.append(["geometric mean", *[""] * len(results.sides), *means])
    return table


def table_header(results: Results, first: str = "operations/s") -> list[str]:
    """Header that fits :func:`ratio_rows`."""
    ours, *peers = results.sides
    return [first, *results.sides, *(f"{ours}/{peer}" for peer in peers)]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well in a terminal."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])


def print_tables(results: Results, first: str = "operations/s", mean: bool = True) -> None:
    """Print one table per case; ``first`` names what its rows are."""
    for case in results.figures:
        print(f"\n{case} (median of {results.rounds} rounds)\n")
        print(text_table(table_header(results, first), ratio_rows(results, case, mean)))


def write_json(
    name: str, results: Results, options: Mapping[str, Any], out: Path | None, full: bool
) -> Path:
    """Write the results where the report finds them and return the file."""
    path = out or RESULTS_DIR / "local" / f"{name}{'-full' if full else ''}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "benchmark": name,
        "full": full,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine.describe(),
        "options": dict(options),
        "rounds": results.rounds,
        "sides": results.sides,
        "figures": results.figures,
        "extras": results.extras,
    }
    path.write_text(json.dumps(document, indent=1, sort_keys=False) + "\n")
    print(f"\nwritten to {path}")
    return path


def read_json(path: Path) -> tuple[dict[str, Any], Results]:
    """Read a document written by :func:`write_json`."""
    document = json.loads(path.read_text())
    results = Results(
        sides=document["sides"],
        rounds=document["rounds"],
        figures=document["figures"],
        extras=document["extras"],
    )
    return document, results


def _geometric_mean(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    return f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}x"
