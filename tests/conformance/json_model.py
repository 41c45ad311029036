"""JSON documents as plain Python does them: random documents and paths, and what commands do."""

from __future__ import annotations

import json
import random
from typing import Any

Place = tuple[str | int, ...]
Step = tuple[str, Any]
NAMES = ["a", "b", "c", "key with blanks", "é", "$x"]
SCALARS: list[Any] = [None, True, False, 0, 1, -7, 2.5, "", "text", 'quote"', "é\n"]


def random_value(chance: random.Random, levels: int) -> Any:
    """A value of at most so many levels."""
    kind = chance.random()
    if levels == 0 or kind < 0.35:
        return chance.choice(SCALARS)
    size = chance.randrange(5)
    if kind < 0.65:
        return [random_value(chance, levels - 1) for _ in range(size)]
    return {chance.choice(NAMES): random_value(chance, levels - 1) for _ in range(size)}


def random_steps(chance: random.Random) -> list[Step]:
    """The steps of a path."""
    steps: list[Step] = []
    for _ in range(chance.randrange(4)):
        kind = chance.choice(["key", "key", "index", "all", "slice", "deep", "keys"])
        argument: Any = None
        if kind in ("key", "deep"):
            argument = chance.choice(NAMES)
        elif kind == "keys":
            argument = chance.sample(NAMES, 2)
        elif kind == "index":
            argument = chance.randrange(-3, 4)
        elif kind == "slice":
            argument = (chance.choice([None, 0, 1, -2]), chance.choice([None, 2, -1]))
        steps.append((kind, argument))
    # Several `..` reach a place more than once.
    return steps if sum(kind == "deep" for kind, _ in steps) < 2 else steps[:1]


def path_text(steps: list[Step]) -> str:
    """The path as JSONPath."""
    text = "$"
    for kind, argument in steps:
        match kind:
            case "key":
                text += f"[{json.dumps(argument, ensure_ascii=False)}]"
            case "deep":
                text += f"..[{json.dumps(argument, ensure_ascii=False)}]"
            case "keys":
                text += json.dumps(argument, ensure_ascii=False)
            case "index":
                text += f"[{argument}]"
            case "all":
                text += "[*]"
            case "slice":
                start, end = ("" if bound is None else bound for bound in argument)
                text += f"[{start}:{end}]"
    return text


def _children(value: Any) -> list[str | int]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _picked(value: Any, step: Step) -> list[str | int]:
    kind, argument = step
    children = _children(value)
    if kind == "all":
        return children
    if kind in ("key", "keys", "deep"):
        wanted = argument if kind == "keys" else [argument]
        return [name for name in wanted if isinstance(value, dict) and name in value]
    if not isinstance(value, list):
        return []
    if kind == "slice":
        return children[slice(*argument)]
    index = argument + len(value) if argument < 0 else argument
    return [index] if 0 <= index < len(value) else []


def get(document: Any, place: Place) -> Any:
    """The value at a place."""
    for step in place:
        document = document[step]
    return document


def select(document: Any, steps: list[Step]) -> list[Place]:
    """The places of a path, in order."""
    places: list[Place] = [()]
    for step in steps:
        found: list[Place] = []
        for place in places:
            todo = [place]
            while todo:
                here = todo.pop(0)
                value = get(document, here)
                found += [(*here, child) for child in _picked(value, step)]
                if step[0] == "deep":
                    todo = [(*here, child) for child in _children(value)] + todo
        places = found
    return places


def remove(document: Any, places: list[Place]) -> int:
    """Remove the outermost of some places; how many."""
    unique = set(places)
    outermost = [p for p in unique if not any(p[:n] in unique for n in range(len(p)))]
    # Within a list from its end.
    for place in sorted(outermost, key=lambda p: [s if isinstance(s, int) else 0 for s in p])[::-1]:
        del get(document, place[:-1])[place[-1]]
    return len(outermost)


def change(document: Any, place: Place, value: Any) -> Any:
    """Put a value at a place; the document."""
    if not place:
        return value
    get(document, place[:-1])[place[-1]] = value
    return document
