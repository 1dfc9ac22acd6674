"""Timing of calls, for benchmarks."""

import time
from collections.abc import Callable
from typing import Any

import jax


def best_seconds(function: Callable[..., Any], *arguments: Any, repetitions: int = 20) -> float:
    """Least time of a call, once compiled."""
    jax.block_until_ready(function(*arguments))
    found = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        found.append(time.perf_counter() - start)
    return min(found)
