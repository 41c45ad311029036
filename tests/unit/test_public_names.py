"""The public face: what is exported, and what importing it costs."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import aidb
from aidb import errors

PUBLIC = {
    "Batch", "Change", "Changes", "ClosedError", "ConflictError", "CorruptionError", "Database",
    "Error", "ExhaustedError", "FencedError", "InternalError", "InvalidError", "Namespace",
    "NotOwnerError", "OpenOptions", "Operation", "Scan", "Snapshot", "UnavailableError",
    "__version__", "open",
}  # fmt: skip


def test_the_package_exports_exactly_its_public_names() -> None:
    assert set(aidb.__all__) == PUBLIC
    assert all(hasattr(aidb, name) for name in PUBLIC)


def test_importing_is_light() -> None:
    program = "import aidb, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "aidb._core" in loaded
    assert not loaded & {"pydantic", "asyncio", "logging", "typing_extensions", "difflib", "http"}


def test_hot_methods_are_native() -> None:
    for name in ("get", "put", "delete", "__getitem__", "__setitem__", "__contains__", "__len__"):
        assert type(getattr(aidb.Database, name)).__name__ in {
            "method_descriptor",
            "wrapper_descriptor",
        }


@pytest.mark.parametrize(
    "kind",
    [
        errors.InvalidError,
        errors.ConflictError,
        errors.NotOwnerError,
        errors.UnavailableError,
        errors.ExhaustedError,
        errors.ClosedError,
        errors.FencedError,
        errors.CorruptionError,
        errors.InternalError,
    ],
)
def test_every_error_says_its_effect_and_can_be_pickled(kind: type[errors.Error]) -> None:
    error = kind("what happened", effect="unknown")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.effect) == (kind, "what happened", "unknown")
    assert kind("x").effect == "none"
    assert isinstance(error, aidb.Error)


def test_invalid_is_a_value_error_and_fenced_is_closed() -> None:
    assert issubclass(aidb.InvalidError, ValueError)
    assert issubclass(aidb.FencedError, aidb.ClosedError)


def test_an_invariant_that_does_not_hold_is_an_internal_error() -> None:
    errors.invariant(1, "fine")
    with pytest.raises(errors.InternalError, match="two is one"):
        errors.invariant(0, "two is one")


def test_native_errors_carry_class_and_effect(db: aidb.Database) -> None:
    with pytest.raises(aidb.InvalidError) as caught:
        db.put(b"k" * 70_000, b"v")
    assert caught.value.effect == "none"
    assert isinstance(caught.value, ValueError)
