"""Draws, class probabilities and moments of trees of conditions, exactly: dynamic programmes in JAX.

One pass goes up the tree and one down. Each is repeated for the whole space as often as conditions hang on each other,
two or three times in most: that compiles to few products of matrices, where a loop over nodes would compile to one
operation per node.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.choices import Choices, of_nodes
from nag_jax.spaces.declared.conditions import Conditions

_LEAST = 1e-12
"""Smallest weight that is divided by: what is conditioned on a class of less probability doesn't count."""
# TensorFloat32, which GPUs multiply float32 by unless told otherwise, has 10 bits.
_einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


def draw(tree: Conditions, key) -> jax.Array:
    """Draws one architecture, tokens int32 `[N]`."""
    classes = draw_classes(tree, key)
    return tree.settled(classes, classes)


def draw_classes(tree: Conditions, key) -> jax.Array:
    """Draws the class that each node has if it is there, int32 `[N]`; these don't depend on each other."""
    return jax.random.categorical(key, jnp.asarray(tree.log_odds)).astype(jnp.int32)


def choices(tree: Conditions) -> Choices:
    """The classes that nodes have if they are there, as independent choices; see `draw_classes`."""
    every = of_nodes(tree.choices, tree.log_odds)

    def settle(chosen):
        classes = every.settle(chosen)
        return tree.settled(classes, classes)

    first = jnp.asarray(tree.choices.argmax(axis=1), jnp.int32)

    def read(tokens):
        return every.read(jnp.where(tree.present(tokens), tokens, jnp.broadcast_to(first, tokens.shape)))

    return Choices(every.log_prior, settle, read, tree.present)


def class_posterior(tree: Conditions, log_likelihood) -> jax.Array:
    """Marginal class probabilities `[B, N, V]`, given evidence about every node; see `NodeSpace.class_posterior`.

    Args:
        tree: the conditions.
        log_likelihood: `[B, N, V]`.
    """
    choices, opens = tree.choices[None], tree.opens[None]
    # Evidence is measured against a node's absence, so that absent nodes add nothing to sums over many nodes.
    absence = jnp.where(tree.conditional[None, :, None], log_likelihood[..., tree.absent, None], 0.0)
    own = jnp.where(choices, log_likelihood - absence + tree.log_prior[None], -jnp.inf)
    given = own
    for _ in range(tree.height):
        given = own + _to_parents(tree, jax.nn.logsumexp(given, axis=-1))
    of_present = jax.nn.softmax(given, axis=-1)
    p = of_present
    for _ in range(tree.height):
        of_parent = _of_parents(tree, p)
        there = (of_parent * opens).sum(axis=-1, keepdims=True)
        gone = (of_parent * ~opens).sum(axis=-1, keepdims=True)
        p = jnp.where(choices, of_present * there, jnp.where(_absences(tree), gone, 0.0))
        # Nodes that are always there have no parent.
        p = jnp.where(tree.conditional[None, :, None], p, of_present)
    return p


def conditional_moments(tree: Conditions, p, table) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of a sum over nodes, given the class of one node; see `NodeSpace.conditional_moments`.

    Args:
        tree: the conditions.
        p: marginal class probabilities `[B, N, V]`.
        table: what a node adds by its class `[N, V]`.
    """
    choices, opens, conditional = tree.choices[None], tree.opens[None], tree.conditional[None]
    table = jnp.asarray(table)[None]
    absence = jnp.where(conditional, table[..., tree.absent], 0.0)
    terms = jnp.where(choices, table - absence[..., None], 0.0)  # beyond those of absent nodes
    chosen = jnp.where(choices, p, 0.0)
    # Of a node with what hangs on it: given its class (below), and given that it is there (mean, variance).
    below, below_variance = jnp.broadcast_to(terms, p.shape), jnp.zeros(p.shape, jnp.float32)
    mean, variance = _mixture(chosen, below, below_variance)
    for _ in range(tree.height):
        below, below_variance = terms + _to_parents(tree, mean), _to_parents(tree, variance)
        mean, variance = _mixture(chosen, below, below_variance)
    # Of the whole sum, given a node's class: nodes that are always there are independent of each other.
    beside, beside_variance = (_others(jnp.where(conditional, 0.0, moment)) for moment in (mean, variance))
    total, total_variance = below + beside[..., None], below_variance + beside_variance[..., None]
    for _ in range(tree.height):
        weights, means, variances = (_of_parents(tree, values) for values in (p, total, total_variance))
        there = _mixture(weights * opens, means - mean[..., None], variances - variance[..., None])
        gone = _mixture(weights * ~opens, means, variances)
        total, total_variance = (
            jnp.where(
                conditional[..., None],
                jnp.where(_absences(tree), absent[..., None], own + rest[..., None]),
                always,
            )
            for own, rest, absent, always in zip(
                (below, below_variance), there, gone, (total, total_variance), strict=True
            )
        )
    return total + absence.sum(), jnp.maximum(total_variance, 0.0)


def _absences(tree: Conditions) -> np.ndarray:
    """Bool `[1, N, V]`: the class of absence of the nodes that may be absent."""
    return (tree.allowed & ~tree.choices)[None]


def _others(values) -> jax.Array:
    """The sums of the other values, of each of values `[B, N]`."""
    return values.sum(axis=-1, keepdims=True) - values


def _child_of(tree: Conditions) -> np.ndarray:
    """Float32 `[N, N]`: whether a node's (row's) condition is about another (column)."""
    return (np.eye(len(tree.parents))[tree.parents] * tree.conditional[:, None]).astype(np.float32)


def _to_parents(tree: Conditions, values) -> jax.Array:
    """The sums of values `[B, N]` of the nodes that hang on a node's class: `[B, N, V]`."""
    opened = values[..., None] * tree.opens[None].astype(np.float32)
    return _einsum("bkv,kn->bnv", opened, _child_of(tree))


def _of_parents(tree: Conditions, values) -> jax.Array:
    """Values `[B, N, V]` of the node that each node's condition is about; 0 for nodes that are always there."""
    return _einsum("bnv,kn->bkv", values, _child_of(tree))


def _mixture(weights, means, variances) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of mixtures whose components, with weights that need not sum to 1, are on the last axis."""
    weights = weights / jnp.maximum(weights.sum(axis=-1, keepdims=True), _LEAST)
    mean = (weights * means).sum(axis=-1)
    return mean, (weights * (jnp.maximum(variances, 0.0) + (means - mean[..., None]) ** 2)).sum(axis=-1)
