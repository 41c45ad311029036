"""Keeps the tail short: sizes, banned words and calls, dead links, pure modules.

Run by ``make check``; prints one line per finding and exits with 1 when there is any. Everything
here is a rule of the house (CONTRIBUTING.md); there is no list of exceptions. A file is generated,
and exempt, when one of its first three lines says "generated".
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_LINES_MAX = 800
TEST_LINES_MAX = 1200
FUNCTION_LINES_MAX = 70
CAPABILITIES = 23
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
UNFINISHED = (r"\bTO[D]O\b", r"\bFIX[M]E\b", r"\bto[d]o!\(", r"\bunimpl[e]mented!\(")
PURE_PREFIXES = ("health", "failover", "placement", "scaling", "retention", "planner")
IMPURE_IMPORTS = {"asyncio", "logging", "os", "random", "socket", "subprocess", "threading", "time"}


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def tracked_files() -> list[str]:
    """Files that git knows or would add, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(name for name in set(listed.stdout.splitlines()) if (ROOT / name).is_file())


def is_test(path: str) -> bool:
    """Whether the larger limits for tests hold."""
    name = Path(path).name
    return (
        path.startswith(("tests/", "benches/"))
        or name.startswith(("tests", "test_"))
        or name.endswith("_tests.rs")
        or "/tests/" in path
    )


def is_generated(text: str) -> bool:
    """Whether a machine wrote the file."""
    return any("generated" in line.lower() for line in text.split("\n", 3)[:3])


def check_file_size(path: str, text: str) -> Iterator[Finding]:
    """Files of one idea each."""
    limit = TEST_LINES_MAX if is_test(path) else SOURCE_LINES_MAX
    lines = text.count("\n")
    if lines > limit:
        yield Finding(path, lines, f"{lines} lines, {limit} allowed: split by idea")


def check_name(path: str) -> Iterator[Finding]:
    """Names that say what is inside."""
    for part in Path(path).with_suffix("").parts:
        if part in BANNED_NAMES:
            yield Finding(path, 1, f"`{part}` says nothing: name the idea")


def check_todo(path: str, text: str) -> Iterator[Finding]:
    """Unfinished work belongs into an issue."""
    pattern = re.compile("|".join(UNFINISHED))
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            yield Finding(path, number, "unfinished work: finish it or open an issue")


def check_python(path: str, text: str) -> Iterator[Finding]:
    """Function sizes, banned calls and imports of pure modules."""
    tree = ast.parse(text, path)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Finding(path, node.lineno, f"`{node.name}` has {lines} lines: split it")
        elif isinstance(node, ast.Assert) and path.startswith(("python/", "tools/")):
            yield Finding(path, node.lineno, "assert is for tests: call errors.invariant")
    yield from check_purity(path, tree)
    yield from check_native(path, tree)


def check_purity(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Pure deciders take what they need and return a decision; they import no outside world."""
    if not (path.startswith("python/") and Path(path).stem.startswith(PURE_PREFIXES)):
        return
    for line, name in imports(tree):
        if name.split(".")[0] in IMPURE_IMPORTS:
            yield Finding(path, line, f"pure module imports `{name}`")


def check_native(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Only the faces of the library and the data plane's owner know the native module."""
    file = Path(path)
    faces = [Path("python/aidb") / face for face in ("", "redis", "migration")]
    if file.parent in faces or file == Path("python/aidb/server/data_plane.py"):
        return
    for line, name in imports(tree):
        if path.startswith("python/") and name == "aidb._core":
            yield Finding(path, line, "imports `aidb._core`: use the package's public names")


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every module imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            if node.module == "aidb":
                yield from ((node.lineno, f"aidb.{alias.name}") for alias in node.names)


def check_rust(path: str, text: str) -> Iterator[Finding]:
    """Function sizes, tests inside sources, unguarded escapes."""
    if not is_test(path):
        for match in re.finditer(r"^\s*mod tests \{", text, re.MULTILINE):
            yield Finding(path, line_of(text, match.start()), "tests live in a sibling tests.rs")
    plain = without_literals(text)
    for match in re.finditer(r"\bfn\s+(\w+)", plain):
        body = plain.find("{", match.end())
        stop = plain.find(";", match.end())
        if body < 0 or (0 <= stop < body and "[" not in plain[match.end() : stop]):
            continue
        lines = plain.count("\n", match.start(), closing_brace(plain, body)) + 1
        if lines > FUNCTION_LINES_MAX:
            where = line_of(plain, match.start())
            yield Finding(path, where, f"`{match[1]}` has {lines} lines: split it")


def line_of(text: str, offset: int) -> int:
    """Line number of an offset."""
    return text.count("\n", 0, offset) + 1


def closing_brace(text: str, opening: int) -> int:
    """Offset of the brace that closes the one at ``opening``."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, opening):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


def without_literals(text: str) -> str:
    """Rust source with comments and literals blanked, line breaks kept."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/"
        r'|b?r(#+)".*?"\1|b?r"[^"]*"'
        r'|b?"(?:\\.|[^"\\])*"'
        r"|b?'(?:\\[^\n]{1,8}?|[^\\'\n])'",
        re.DOTALL,
    )
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)


def check_links(path: str, text: str) -> Iterator[Finding]:
    """Relative links of documents lead somewhere."""
    inside_fence = False
    for number, line in enumerate(text.splitlines(), 1):
        inside_fence ^= line.lstrip().startswith("```")
        if inside_fence:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            bare = target.split("#")[0]
            if bare and "://" not in bare and not bare.startswith("mailto:"):
                base = ROOT if bare.startswith("/") else (ROOT / path).parent
                if not (base / bare.lstrip("/")).exists():
                    yield Finding(path, number, f"broken link {target}")


def check_capabilities() -> Iterator[Finding]:
    """Every capability of the engine has tests, and they are where the table says."""
    path = "tests/CAPABILITIES.md"
    text = (ROOT / path).read_text()
    rows = {row[1] for row in re.finditer(r"^\| (A\d+) \|.*$", text, re.MULTILINE)}
    for number in range(1, CAPABILITIES + 1):
        if f"A{number}" not in rows:
            yield Finding(path, 1, f"capability A{number} has no row; add its tests")
    for found in re.finditer(r"`([^`]+)::([a-z0-9_]+)`", text):
        place, name = found.groups()
        line = line_of(text, found.start())
        if not (ROOT / place).is_file():
            yield Finding(path, line, f"{place} does not exist; name the tests of the capability")
        elif not re.search(rf"\b(fn|def) {name}\b", (ROOT / place).read_text()):
            yield Finding(
                path, line, f"{place} has no test {name}; name the tests of the capability"
            )


def check_dead_modules(paths: list[str]) -> Iterator[Finding]:
    """Every Rust file is part of its crate."""
    for path in (p for p in paths if p.startswith("crates/") and "/src/" in p):
        file = Path(path)
        if file.suffix != ".rs" or file.name in {"lib.rs", "main.rs"} or "bin" in file.parts:
            continue
        folder = file.parent.parent if file.name == "mod.rs" else file.parent
        name = file.parent.name if file.name == "mod.rs" else file.stem
        owners = [folder / "mod.rs", folder / "lib.rs", folder / "main.rs", Path(f"{folder}.rs")]
        sources = [(ROOT / o).read_text() for o in owners if (ROOT / o).is_file()]
        if not any(re.search(rf"\bmod {name};|/{name}\.rs\"", text) for text in sources):
            yield Finding(path, 1, "no module declares this file")


def check(path: str) -> Iterator[Finding]:
    """Every rule for one file."""
    suffix = Path(path).suffix
    if suffix not in {".rs", ".py", ".pyi", ".md", ".toml", ".sh"} and path != "Makefile":
        return
    text = (ROOT / path).read_text()
    if is_generated(text):
        return
    yield from check_name(path)
    yield from check_todo(path, text)
    if suffix in {".rs", ".py"}:
        yield from check_file_size(path, text)
    if suffix == ".py":
        yield from check_python(path, text)
    elif suffix == ".rs":
        yield from check_rust(path, text)
    elif suffix == ".md":
        yield from check_links(path, text)


def main() -> int:
    """Checks the tree."""
    paths = tracked_files()
    findings = [finding for path in paths for finding in check(path)]
    findings += check_dead_modules(paths)
    findings += check_capabilities()
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
