"""Architectures as independent choices: what draws of a space decide one by one, and single-choice moves change."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


class Choices(NamedTuple):
    """The choices behind an architecture; `Space.random` draws each of them alone, and then keeps to its rule.

    A choice may be without effect, as the class of a node that isn't there. Moves that change one choice so reach every
    architecture that the rule doesn't cut off, and the conditional distribution of a choice, given the others, is its
    prior times whatever else is asked.

    Attributes:
        log_prior: log-probabilities of the options of every choice, float32 `[R, C]`; minus infinity beyond the last
            option of a choice.
        settle: options int32 `[..., R]` -> the tokens `[..., N]` that they make, which may break the space's rule.
        read: tokens `[..., N]` of the space -> options `[..., R]` that make them.
        matters: tokens `[..., N]` of the space -> bool `[..., R]`, which choices have an effect.
        moving: bool `[R]`, the choices that architectures of the space differ in; None for all that have two options.
        log_weight: tokens `[..., N]` -> `[...]`, what draws are weighted by beside; None for nothing.

    Example:
        >>> choices = of_nodes(np.array([[True, False, True], [False, True, False]]))
        >>> choices.settle(jnp.array([1, 0])).tolist(), choices.read(jnp.array([2, 1])).tolist()
        ([2, 1], [1, 0])
    """

    log_prior: np.ndarray
    settle: Callable[[Array], Array]
    read: Callable[[Array], Array]
    matters: Callable[[Array], Array]
    moving: np.ndarray | None = None
    log_weight: Callable[[Array], Array] | None = None

    @property
    def open(self) -> np.ndarray:
        """The choices that moves may change, int32 of at most R."""
        several = self.counts > 1
        return np.flatnonzero(several if self.moving is None else several & self.moving).astype(np.int32)

    @property
    def counts(self) -> np.ndarray:
        """How many options each choice has, int32 `[R]`."""
        return np.isfinite(self.log_prior).sum(axis=1).astype(np.int32)

    def recall(self, keys, tokens) -> Array:
        """Options `[B, R]` of tokens `[B, N]` with one key each; choices without effect are drawn from their prior."""
        drawn = jax.vmap(lambda key: jax.random.categorical(key, jnp.asarray(self.log_prior)))(keys)
        return jnp.where(self.matters(tokens), self.read(tokens), drawn.astype(jnp.int32))

    def log_prior_of(self, tokens) -> Array:
        """How likely draws are tokens `[B, N]`: logarithms `[B]`, up to a constant where there is a rule."""
        terms = jnp.asarray(self.log_prior)[np.arange(len(self.log_prior)), self.read(tokens)]
        logs = jnp.where(self.matters(tokens), terms, 0.0).sum(axis=-1)
        return logs if self.log_weight is None else logs + self.log_weight(tokens)


def of_nodes(allowed: np.ndarray, log_odds: np.ndarray | None = None) -> Choices:
    """One choice per node: its class.

    Args:
        allowed: bool `[N, V]`, the classes that each node may take.
        log_odds: how often they are drawn, logarithms up to a constant per node `[N, V]`; None for equally often.
    """
    nodes, counts = np.arange(len(allowed)), allowed.sum(axis=1)
    # Allowed classes come first in each row, in their order; beyond them rows are padded with classes that don't count.
    classes = np.argsort(~allowed, axis=1, kind="stable")[:, : counts.max()]
    options = np.argsort(np.argsort(~allowed, axis=1, kind="stable"), axis=1)
    odds = np.zeros(allowed.shape) if log_odds is None else np.asarray(log_odds, np.float64)
    odds = np.take_along_axis(odds, classes, axis=1)
    odds = np.where(np.arange(classes.shape[1]) < counts[:, None], odds, -np.inf)
    return Choices(
        log_prior=(odds - np.logaddexp.reduce(odds, axis=1, keepdims=True)).astype(np.float32),
        settle=lambda chosen: jnp.asarray(classes, jnp.int32)[nodes, chosen],
        read=lambda tokens: jnp.asarray(options, jnp.int32)[nodes, tokens],
        matters=lambda tokens: jnp.ones(tokens.shape, bool),
    )
