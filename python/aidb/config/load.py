"""Loading settings from their sources, with every problem reported at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from aidb.config.tree import Section, Settings
from aidb.errors import InvalidError

ENVIRONMENT_PREFIX = "AIDB_"


@dataclass(frozen=True)
class LoadedSettings:
    """Settings and, by dotted name, where each value came from."""

    settings: Settings
    origins: Mapping[str, str]

    def describe(self) -> Iterator[tuple[str, object, str]]:
        """Dotted name, value and origin of every setting, in the order of the tree."""
        for section, model in _sections().items():
            values = getattr(self.settings, section)
            for name in model.model_fields:
                dotted = f"{section}.{name}"
                yield dotted, getattr(values, name), self.origins.get(dotted, "default")


def load_settings(
    *,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
) -> LoadedSettings:
    """Merge the sources; a later one wins: file, environment, flags.

    Args:
        file: TOML file with a table per section.
        environment: Environment variables; only ``AIDB_<SECTION>_<NAME>`` counts.
        flags: Values by dotted name, such as ``server.port``; None means not given.

    Raises:
        InvalidError: Unknown names, values out of range, an unreadable file; all in one message.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    sources = [
        *_from_file(file, problems),
        *_from_environment(environment, problems),
        *((name, value, f"flag for {name}") for name, value in flags.items() if value is not None),
    ]
    for name, value, origin in sources:
        values[name] = value
        origins[name] = origin
    settings = _validate(values, origins, problems)
    if problems or settings is None:
        raise InvalidError("the settings are wrong:\n  " + "\n  ".join(problems))
    return LoadedSettings(settings, origins)


def _sections() -> dict[str, type[Section]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def _names() -> list[str]:
    return [
        f"{section}.{name}" for section, model in _sections().items() for name in model.model_fields
    ]


def _from_file(file: Path | None, problems: list[str]) -> Iterator[tuple[str, object, str]]:
    if file is None:
        return
    try:
        document: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"cannot read {file}: {error.strerror}; check --config")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file} is not TOML: {error}")
        return
    sections = _sections()
    for section, table in document.items():
        if section not in sections:
            problems.append(_unknown(f"section [{section}]", section, list(sections), str(file)))
        elif isinstance(table, dict):
            yield from _from_table(section, cast("dict[str, object]", table), file, problems)
        else:
            problems.append(f"{file}: {section} must be a table; write [{section}]")


def _from_table(
    section: str, table: dict[str, object], file: Path, problems: list[str]
) -> Iterator[tuple[str, object, str]]:
    known = list(_sections()[section].model_fields)
    for name, value in table.items():
        if name in known:
            yield f"{section}.{name}", value, str(file)
        else:
            problems.append(_unknown(f"setting {section}.{name}", name, known, str(file)))


def _from_environment(
    environment: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[str, object, str]]:
    variables = {f"{ENVIRONMENT_PREFIX}{name.replace('.', '_').upper()}": name for name in _names()}
    prefixes = tuple(f"{ENVIRONMENT_PREFIX}{section.upper()}_" for section in _sections())
    for variable, value in sorted(environment.items()):
        if variable in variables:
            yield variables[variable], value, f"environment {variable}"
        elif variable.startswith(prefixes):
            problems.append(
                _unknown(f"variable {variable}", variable, list(variables), "environment")
            )


def _unknown(what: str, name: str, known: list[str], origin: str) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
    return f"{origin}: unknown {what}; did you mean {nearest[0]}?"


def _validate(
    values: Mapping[str, object], origins: Mapping[str, str], problems: list[str]
) -> Settings | None:
    tree: dict[str, dict[str, object]] = {}
    for dotted, value in values.items():
        section, name = dotted.split(".", 1)
        tree.setdefault(section, {})[name] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        for detail in error.errors():
            dotted = ".".join(str(part) for part in detail["loc"][:2])
            origin = origins.get(dotted, "default")
            problems.append(f"{origin}: {dotted}={detail['input']!r}: {detail['msg']}")
        return None
