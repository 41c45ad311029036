"""What the workers of job queues do."""

from __future__ import annotations


def add(left: int, right: int) -> int:
    """A job that succeeds."""
    return left + right


def divide(left: int, right: int) -> float:
    """A job that may fail."""
    return left / right
