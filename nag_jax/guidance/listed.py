"""Conditioning on a list: guidance by constraints that so few architectures keep to that all of them can be listed."""

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.guidance.guide import Guide, stateless

MOST_LISTED = 2**16
"""Architectures of a list: a sum over more takes longer than anything else in a step."""
_LEAST = -3e4
"""Evidence less than that of a node's most likely class is as good as none; differences of it stay exact to 0.002."""


def listed_only(tokens: np.ndarray, num_classes: int) -> Guide:
    """Replaces beliefs by what they say of architectures of a list, as evidence about independent nodes.

    With p the class probabilities, an architecture of the list weighs the product of those of its classes, and
    `p'(n, c)` is the share of those with class c at node n. At the end, where p is nearly 0 or 1, one is left.

    Args:
        tokens: the list `[S, N]`.
        num_classes: V.

    Example:
        >>> from nag_jax.generators.contract import Beliefs
        >>> guide = listed_only(np.array([[0, 1], [1, 0]]), 2)
        >>> beliefs = Beliefs(jnp.log(jnp.array([[[0.8, 0.2], [0.5, 0.5]]])), jnp.ones(1))
        >>> bent, _ = guide.update(beliefs, (), keys=None, args={})
        >>> np.round(np.asarray(bent.probabilities(), float), 2).tolist()
        [[[0.8, 0.2], [0.2, 0.8]]]
    """
    entries = tokens[:, :, None] == np.arange(num_classes)
    # A node with two classes left needs the difference of their evidence alone; what all have in common adds nothing.
    varies = entries.any(axis=0) & ~entries.all(axis=0)
    first = varies & (np.cumsum(varies, axis=1) == 1)
    columns = np.nonzero((varies & ~first).reshape(-1))[0]
    chosen = entries.reshape(len(tokens), -1)[:, columns].astype(np.float32)
    baseline = np.argmax(np.where(varies.any(axis=1, keepdims=True), first, entries[0]), axis=1)

    def bend(beliefs, *, keys, args):
        batch, n, v = beliefs.logits.shape
        logits = beliefs.logits - beliefs.logits.max(axis=-1, keepdims=True)
        logits = jnp.maximum(logits, _LEAST)
        evidence = (logits - logits[:, np.arange(n), baseline][..., None]).reshape(batch, -1)[:, columns]
        weights = jax.nn.softmax(jnp.matmul(evidence, chosen.T, precision=jax.lax.Precision.HIGHEST), axis=-1)
        shares = jnp.matmul(weights, chosen, precision=jax.lax.Precision.HIGHEST)
        p = jnp.zeros((batch, n * v), jnp.float32).at[:, columns].set(shares).reshape(batch, n, v)
        rest = jnp.maximum(1.0 - p.sum(axis=-1), 0.0)
        return beliefs._replace(logits=jnp.log(p.at[:, np.arange(n), baseline].set(rest)))

    return stateless(bend)
