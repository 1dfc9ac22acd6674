"""Zero-cost proxies: what an untrained network says of itself on one batch (Abdelfattah et al., ICLR 2021).

Architectures are an input of the compiled program, as in training, so that a space compiles one whatever is asked of.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.system.once import once
from nag_jax.training.step import is_kernel

PROXIES: tuple[str, ...] = ("gradient_norm", "jacobian_covariance", "synflow")
_LEAST = 1e-5
"""What is added to eigenvalues, as published."""
_SMALLEST = float(np.finfo(np.float32).tiny)
"""The least synflow that has a logarithm; that of a network whose output doesn't depend on its input is 0."""


def proxies(network: AnyNetwork, key: jax.Array, tokens, inputs, labels, *, num_classes: int) -> dict[str, float]:
    """The proxies of one architecture.

    `gradient_norm` is the sum over kernels of the norms of the loss's gradient. `jacobian_covariance` is the score of
    the correlation of examples' gradients (Mellor et al., 2020): the larger, the better the network tells examples
    apart at first. `synflow` is the logarithm of the sum over weights of their size times the gradient of the output,
    where all weights are positive and norms have the statistics that they start with (Tanaka et al., NeurIPS 2020).

    Args:
        network: the networks of the space.
        key: draws the weights; architectures that share one start alike as far as they are.
        tokens: the architecture, `[W]`.
        inputs: the batch, float32 `[B, h, w, 3]`.
        labels: its classes, int32 `[B]`.
        num_classes: K, the number of classes.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> network = space.any_network(num_classes=2, channels=2, cells=1, stages=1)
        >>> inputs, labels = np.random.default_rng(0).random((4, 4, 4, 3), np.float32), np.arange(4) % 2
        >>> found = proxies(network, jax.random.key(0), space.all_tokens()[4242], inputs, labels, num_classes=2)
        >>> sorted(found)
        ['gradient_norm', 'jacobian_covariance', 'synflow']
    """
    norm, correlation, flow = _program(network, num_classes)(key, tokens, inputs, labels)
    return {
        "gradient_norm": float(norm),
        "jacobian_covariance": _score(np.asarray(correlation, np.float64)),
        "synflow": float(np.log(max(float(flow), _SMALLEST))),
    }


@once
def _program(network: AnyNetwork, num_classes: int) -> Callable[..., tuple[jax.Array, jax.Array, jax.Array]]:
    """Compiles (key, tokens, inputs, labels) -> the norm, the correlation `[B, B]`, and the flow."""

    def measure(key, tokens, inputs, labels):
        variables = network.init(key, tokens, inputs[:1])
        params, statistics = variables["params"], variables["batch_stats"]

        def logits(params, inputs, train):
            return network.apply({"params": params, "batch_stats": statistics}, tokens, inputs, train=train)[0]

        def loss(params):
            return optax.softmax_cross_entropy_with_integer_labels(logits(params, inputs, True), labels).mean()

        def flow(params):
            return logits(params, jnp.ones_like(inputs[:1]), False).sum()

        norm = sum(jnp.linalg.norm(kernel) for kernel in _kernels(jax.grad(loss)(params)))
        slopes = jax.grad(lambda inputs: logits(params, inputs, True).sum())(inputs).reshape(len(inputs), -1)
        positive = jax.tree.map(jnp.abs, params)
        flows = zip(_kernels(positive), _kernels(jax.grad(flow)(positive)), strict=True)
        return norm, _correlation(slopes), sum((weight * jnp.abs(slope)).sum() for weight, slope in flows)

    return jax.jit(measure)


def _kernels(params: Any) -> list[jax.Array]:
    return [leaf for leaf in jax.tree.leaves(params) if is_kernel(leaf)]


def _correlation(slopes) -> jax.Array:
    """The correlation `[B, B]` of rows `[B, D]`; rows without a slope count as the same."""
    centred = slopes - slopes.mean(axis=1, keepdims=True)
    lengths = jnp.linalg.norm(centred, axis=1, keepdims=True)
    rows = centred / jnp.where(lengths > 0, lengths, 1.0)
    flat = lengths[:, 0] == 0
    return jnp.where(flat[:, None] & flat[None], 1.0, rows @ rows.T)


def _score(correlation: np.ndarray) -> float:
    """Mellor's score of a correlation: high where its eigenvalues are alike, as those of unlike examples are."""
    eigenvalues = np.maximum(np.linalg.eigvalsh(correlation), 0.0) + _LEAST
    return float(-(np.log(eigenvalues) + 1.0 / eigenvalues).sum())
