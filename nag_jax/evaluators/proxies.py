"""The evaluator of zero-cost proxies: what untrained networks say of their architectures, on one batch of your data."""

from typing import Any

import numpy as np

from nag_jax.datasets.examples import Parts
from nag_jax.evaluators.base import OfWholeSpace
from nag_jax.evaluators.networks import digest, networks_of
from nag_jax.fitting.checkpoint import checksum
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.system.keys import stream_key
from nag_jax.system.names import check_name
from nag_jax.training.proxies import PROXIES, proxies

METRICS = {name: Metric(name, direction="max", split="train") for name in PROXIES}


class ProxyEvaluator(OfWholeSpace):
    """Computes proxies of architectures of a space; nothing is trained. Made by `load`.

    Attributes:
        name: the name in the registry.
        space: the space of the architectures.
        metrics: the proxies.
        objective: the one to search by.
        batch_size: how many architectures are stored at once.
        fingerprint: tells data, sizes of networks and batches apart.
    """

    name = "proxies"
    batch_size = 16

    def __init__(self, space: Any, network: Any, batch: tuple[Any, Any, int], sizes: dict[str, int], objective: str):
        self.space: Space = space
        self.metrics = dict(METRICS)
        self.objective = objective
        self._network, self._batch = network, batch
        self.fingerprint = digest(space.fingerprint, sizes, [int(checksum(part)) for part in batch[:2]])

    def __call__(self, tokens: np.ndarray, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, W]`, whose weights a seed draws; see `Evaluator`."""
        inputs, labels, num_classes = self._batch
        key = stream_key(seed, "training")
        rows = [proxies(self._network, key, row, inputs, labels, num_classes=num_classes) for row in np.asarray(tokens)]
        return {name: np.array([row[name] for row in rows], np.float64) for name in self.metrics}


def load(
    *,
    data: Parts,
    sizes: dict[str, int],
    space: Any = None,
    metric: str = "synflow",
    examples: int = 64,
) -> ProxyEvaluator:
    """Makes the evaluator.

    Args:
        data: the parts of the data set, of which the training part alone is used.
        sizes: the sizes of the networks, as the space's `any_network` takes them; {} for its own.
        space: the space of the architectures; NAS-Bench-201 by default.
        metric: the proxy to search by.
        examples: the number of examples of the batch.

    Raises:
        InputError: no network of the space can be trained, there is no such size or metric, or the batch is no size.
    """
    check_name(metric, METRICS, "metric")
    chosen, network = networks_of(space, data, sizes)
    inputs, labels = (np.asarray(part)[:examples] for part in data.training[:2])
    return ProxyEvaluator(chosen, network, (inputs, labels, len(data.classes)), sizes, metric)
