"""Load real data, serve it, read it back, kill the server in the middle of a load, lose nothing.

1. `aidb load` puts Python's own library (every file of it) and a word list into a directory, as
   strings of the Redis data model.
2. `aidb serve` serves the directory; redis-py reads every file back and compares it with the disk,
   redis-cli asks for a few.
3. Four threads load more through redis-py, remembering what was acknowledged, until the server is
   killed with SIGKILL.
4. The directory is served again: every acknowledged write must be there.

Run: python examples/quickstart.py
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

STDLIB = Path(sysconfig.get_paths()["stdlib"])
WORDS = Path("/usr/share/dict/words")
WRITERS = 4
KILL_AFTER_S = 1.0
AIDB = (sys.executable, "-m", "aidb")


def stdlib_files() -> dict[str, Path]:
    """Python's own modules by their path below the library."""
    found = (path for path in STDLIB.rglob("*.py") if path.is_file() and not path.is_symlink())
    return {
        path.relative_to(STDLIB).as_posix(): path
        for path in found
        if "site-packages" not in path.parts and "test" not in path.parts
    }


def word_list(target: Path) -> int:
    """Write a list of words, one per line: the system's, or those of the library's own sources."""
    if WORDS.exists():
        words = set(WORDS.read_text().split())
    else:
        text = " ".join(path.read_text(errors="replace") for path in STDLIB.glob("*.py"))
        words = {word for word in text.split() if word.isalpha() and word.isascii()}
    target.write_text("".join(f"{word}\n" for word in sorted(words)))
    return len(words)


def load(database: Path, work: Path) -> tuple[dict[str, Path], int]:
    """Load files and words with the command line."""
    files = stdlib_files()
    tree = work / "tree"
    for name, path in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tree / name)
    words = word_list(work / "words.txt")
    for source, prefix in ((tree, "file:"), (work / "words.txt", "word:")):
        command = [*AIDB, "load", str(database), str(source), "--redis", "0", "--prefix", prefix]
        print(f"$ aidb load DIR {source.name} --redis 0 --prefix {prefix}", flush=True)
        subprocess.run(command, check=True)
    return files, words


@contextmanager
def served(database: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server on the directory, and its port; stopped at the end if it still runs."""
    command = [*AIDB, "serve", str(database), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server, port_of(server.stdout)
    finally:
        server.terminate()
        server.wait(timeout=30)


def port_of(lines: Iterator[str]) -> int:
    """The port that the server says it listens on."""
    for line in lines:
        for word in line.replace(",", " ").split():
            _, colon, digits = word.rpartition(":")
            if colon and digits.isdigit():
                return int(digits)
    raise SystemExit("the server ended before it listened")


def read_back(port: int, files: dict[str, Path], words: int) -> None:
    """Compare every file with what the server has; ask redis-cli too."""
    client = redis.Redis(port=port)
    names = sorted(files)
    for start in range(0, len(names), 100):
        chunk = names[start : start + 100]
        values = client.mget([f"file:{name}" for name in chunk])
        for name, value in zip(chunk, values, strict=True):
            expect(value == files[name].read_bytes(), f"{name} differs from the file on disk")
    expect(client.dbsize() == len(files) + words, "the number of keys is wrong")
    print(f"redis-py: {len(files)} files and {words} words are there, byte for byte")
    if shutil.which("redis-cli"):
        command = ["redis-cli", "-p", str(port), "strlen", "file:os.py"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        expect(int(shown) == files["os.py"].stat().st_size, "redis-cli sees another size")
        print(f"$ redis-cli strlen file:os.py\n(integer) {shown}")


def write_until_killed(port: int, writer: int, acknowledged: list[int]) -> None:
    """Set keys one by one and remember the last that was acknowledged."""
    client = redis.Redis(port=port)
    number = 0
    try:
        while True:
            client.set(f"load:{writer}:{number}", f"value {number}")
            acknowledged[writer] = number
            number += 1
    except redis.RedisError:
        return


def kill_in_the_middle(server: subprocess.Popen[str], port: int) -> list[int]:
    """Load from several threads, kill the server, and return what each thread got acknowledged."""
    acknowledged = [-1] * WRITERS
    writers = [
        threading.Thread(target=write_until_killed, args=(port, writer, acknowledged))
        for writer in range(WRITERS)
    ]
    for thread in writers:
        thread.start()
    time.sleep(KILL_AFTER_S)
    server.send_signal(signal.SIGKILL)
    for thread in writers:
        thread.join()
    print(f"killed the server; {sum(acknowledged) + WRITERS} writes had been acknowledged")
    return acknowledged


def verify(port: int, acknowledged: list[int]) -> None:
    """Every acknowledged write must be there, and nothing that was never sent."""
    client = redis.Redis(port=port)
    for writer, last in enumerate(acknowledged):
        for start in range(0, last + 1, 1000):
            numbers = range(start, min(start + 1000, last + 1))
            values = client.mget([f"load:{writer}:{number}" for number in numbers])
            for number, value in zip(numbers, values, strict=True):
                expect(
                    value == b"value %d" % number, f"acknowledged write {writer}:{number} is lost"
                )
        expect(client.get(f"load:{writer}:{last + 2}") is None, "a write that was never sent")
    print("restarted: every acknowledged write is there")


def expect(claim: bool, otherwise: str) -> None:
    """Stop with ``otherwise`` unless ``claim`` holds."""
    if not claim:
        raise SystemExit(f"FAILED: {otherwise}")


def main() -> None:
    """Run all of it in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        database = work / "db"
        files, words = load(database, work)
        with served(database) as (server, port):
            read_back(port, files, words)
            acknowledged = kill_in_the_middle(server, port)
        with served(database) as (_, port):
            verify(port, acknowledged)
            client = redis.Redis(port=port)
            expect(client.get("file:os.py") == files["os.py"].read_bytes(), "os.py is gone")


if __name__ == "__main__":
    main()
