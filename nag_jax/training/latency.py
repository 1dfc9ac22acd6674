"""The time that a network takes on this device, by a protocol that is the same for every network."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.spaces.blueprint import Blueprint
from nag_jax.system.errors import InputError

WEIGHT = 0.01
"""What all variables are: products of anything else take as long, but for numbers too small for normal floats."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a network is timed: compiled, on one device, from images that lie there to logits that are done.

    Attributes:
        batch: images per call.
        warmup: calls before the clock starts.
        rounds: how often the clock is read; the latency is the median of the rounds.
        seconds: the least time of a round, which calls follow each other in until it's over.

    Raises:
        InputError: a number is out of range.
    """

    batch: int = 1
    warmup: int = 5
    rounds: int = 11
    seconds: float = 0.005

    def __post_init__(self):
        if self.batch < 1 or self.warmup < 0 or self.rounds < 1 or self.seconds <= 0:
            raise InputError(
                "a protocol of latencies needs batch and rounds of at least 1, warmup of at least 0 and seconds of "
                f"more than 0, found {dataclasses.asdict(self)}: change those"
            )


class Latency(NamedTuple):
    """What a network takes per call, in ms.

    Attributes:
        median: the median of the rounds.
        spread: the interquartile range of the rounds.
    """

    median: float
    spread: float


def compiled(blueprint: Blueprint, shape: tuple[int, ...]) -> Callable[[], Any]:
    """A call of the network of one architecture, compiled, which is over when it returns.

    Args:
        blueprint: the network.
        shape: the shape of a batch of images, `(B, h, w, 3)`.
    """
    images = jax.device_put(np.ones(shape, np.float32), jax.local_devices()[0])
    module = blueprint.network
    shapes = jax.eval_shape(module.init, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, WEIGHT, leaf.dtype), shapes)
    placed = jax.device_put(variables, jax.local_devices()[0])
    call = jax.jit(module.apply).lower(placed, images).compile()
    return lambda: jax.block_until_ready(call(placed, images))


def timed(call: Callable[[], Any], protocol: Protocol, clock: Callable[[], float] = time.perf_counter) -> Latency:
    """What a call takes.

    Args:
        call: is over when it returns.
        protocol: how it is timed.
        clock: gives seconds.

    Example:
        >>> ticks = iter(range(100))
        >>> timed(lambda: None, Protocol(rounds=3, seconds=2.0), lambda: 0.5 * next(ticks))
        Latency(median=500.0, spread=0.0)
    """
    for _ in range(protocol.warmup):
        call()
    rounds = [_round(call, protocol.seconds, clock) for _ in range(protocol.rounds)]
    low, median, high = np.quantile(rounds, [0.25, 0.5, 0.75])
    return Latency(1000 * float(median), 1000 * float(high - low))


def _round(call: Callable[[], Any], least: float, clock: Callable[[], float]) -> float:
    """The mean seconds of calls that follow each other for so long."""
    began, calls, spent = clock(), 0, 0.0
    while spent < least:
        call()
        calls += 1
        spent = clock() - began
    return spent / calls
