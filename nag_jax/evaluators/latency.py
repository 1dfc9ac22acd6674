"""The evaluator that times: what the compiled network of an architecture takes on this device."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nag_jax.datasets.examples import Parts
from nag_jax.evaluators.base import OfWholeSpace
from nag_jax.evaluators.networks import digest, networks_of
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.system.names import check_name
from nag_jax.system.processor import processor
from nag_jax.training.latency import Protocol, compiled, timed

METRICS = {
    "latency": Metric("latency", unit="ms", direction="min", split="none"),
    "latency_spread": Metric("latency_spread", unit="ms", direction="min", split="none"),
}


class LatencyEvaluator(OfWholeSpace):
    """Times architectures of a space. Made by `load`.

    Attributes:
        name: the name in the registry.
        space: the space of the architectures.
        metrics: the median of the rounds, and their interquartile range.
        objective: the one to search by.
        batch_size: 1, since every network is compiled by itself.
        noisy: True, as no two measurements are equal; the ledger keeps the first.
        fingerprint: tells devices, protocols, shapes of images and sizes of networks apart.
    """

    name = "latency"
    batch_size = 1
    noisy = True

    def __init__(
        self, space: Any, network: AnyNetwork, shape: tuple[int, ...], protocol: Protocol, objective: str, *facts: Any
    ):
        self.space: Space = space
        self.metrics = dict(METRICS)
        self.objective = objective
        self.protocol = protocol
        self._network, self._shape = network, shape
        self.fingerprint = digest(space.fingerprint, shape, dataclasses.asdict(protocol), describe_device(), *facts)

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Times tokens `[B, W]` one after the other; see `Evaluator`."""
        shape = self.protocol.batch, *self._shape
        calls = [_program(self._network, tuple(row), shape) for row in np.asarray(tokens).tolist()]
        found = [timed(call, self.protocol) for call in calls]
        return {name: np.array([each[i] for each in found], np.float64) for i, name in enumerate(METRICS)}


def load(
    *,
    data: Parts,
    sizes: dict[str, int],
    space: Any = None,
    metric: str = "latency",
    batch: int = 1,
    rounds: int = 11,
) -> LatencyEvaluator:
    """Makes the evaluator.

    Args:
        data: the parts of a data set, whose shape and number of classes the networks have.
        sizes: the sizes of the networks, as the space's `any_network` takes them; {} for its own.
        space: the space of the architectures; NAS-Bench-201 by default.
        metric: what to search by.
        batch: images per call.
        rounds: how often the clock is read, the median of which counts.

    Raises:
        InputError: the space has no networks for the data, there is no such size or metric, or a number can't be.
    """
    check_name(metric, METRICS, "metric")
    chosen, network = networks_of(space, data, sizes)
    protocol = Protocol(batch=batch, rounds=rounds)
    shape = data.training.inputs.shape[1:]
    return LatencyEvaluator(chosen, network, shape, protocol, metric, sizes, len(data.classes))


@functools.lru_cache(maxsize=32)
def _program(network: AnyNetwork, tokens: tuple[int, ...], shape: tuple[int, ...]) -> Callable[[], Any]:
    """The compiled network of an architecture; compiling takes far longer than timing."""
    return compiled(network.blueprint(np.array(tokens, np.int32)), shape)


def describe_device() -> list[str]:
    """What latencies are those of: the device, or the processor and its cores where that is the device."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return [device.platform, device.device_kind]
    return [device.platform, processor(), str(os.cpu_count())]
