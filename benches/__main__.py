"""``python -m benches [NAME...]``: the benchmarks named, or all of them, one after the other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

NAMES = (
    "engine",
    "engine_sustained",
    "engine_open",
    "library_overhead",
    "server",
    "server_beyond_memory",
    "embedded_redis",
)


def main() -> int:
    """Run them; options (``--full``, ``--rounds 5``) go to each."""
    arguments = sys.argv[1:]
    chosen = [name for name in arguments if name in NAMES]
    options = [argument for argument in arguments if argument not in NAMES]
    for name in chosen or NAMES:
        if importlib.util.find_spec(f"benches.{name}") is None:
            continue
        print(f"\n== {name} ==", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benches.{name}", *options], check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
