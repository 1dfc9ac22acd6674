"""Rules: functions that say which combinations of classes count as architectures."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.system.errors import InputError

Rule = Callable[[jax.Array], jax.Array]
"""Tokens int32 `[B, N]` -> bool `[B]`, written with `jax.numpy` or array methods."""
LEAST_SHARE_LEFT = 0.01
"""Of random combinations, for spaces too large to list: at 1 %, a draw by rejection takes 100 attempts on average."""


def check_rule(space: str, rule: Rule, num_nodes: int) -> None:
    """Raises InputError where a rule can't be compiled or doesn't return bool `[B]`."""
    example = jax.ShapeDtypeStruct((3, num_nodes), jnp.int32)
    try:
        found = jax.eval_shape(rule, example)
    except jax.errors.JAXTypeError as error:
        raise InputError(
            f"space {space!r}: the rule valid can't be compiled ({type(error).__name__}): write it for all "
            "tokens [B, N] at once with jax.numpy, without NumPy, if or for over them"
        ) from error
    if getattr(found, "shape", None) != (3,) or found.dtype != bool:
        raise InputError(f"space {space!r}: the rule valid must return bool [B] for tokens [B, N], found {found}")


def check_some_left(space: str, left: int, combinations: int) -> None:
    """Raises InputError where a rule leaves no choice among all combinations."""
    if left < 2:
        raise InputError(f"space {space!r}: the rule valid leaves {left} of {combinations:,} combinations: loosen it")


def check_share_left(space: str, kept: int, draws: int) -> None:
    """Raises InputError where a rule keeps too few of some random combinations to draw by rejection."""
    if kept < LEAST_SHARE_LEFT * draws:
        raise InputError(
            f"space {space!r}: {kept} of {draws:,} random combinations keep to the rule valid, too few to draw by "
            f"rejection (at least {LEAST_SHARE_LEFT:.0%}): say it by when, let nodes allow fewer classes, or loosen it"
        )


def draw_by_rejection(rule: Rule, draw: Callable[[jax.Array], jax.Array], key: jax.Array) -> jax.Array:
    """The first of some draws that keeps to the rule, tokens `[N]`. Jittable.

    Args:
        rule: keeps some of all draws.
        draw: key -> tokens `[N]`.
        key: attempt i draws by `fold_in(key, i)`.
    """

    def attempt(i):
        return i, draw(jax.random.fold_in(key, i))

    def is_outside(state):
        return ~rule(state[1][None])[0]

    return jax.lax.while_loop(is_outside, lambda state: attempt(state[0] + 1), attempt(jnp.int32(0)))[1]


def listed_posterior(every: np.ndarray, log_likelihood) -> jax.Array:
    """Marginal class probabilities `[B, N, V]`, given evidence about every node, of equally likely architectures.

    Args:
        every: the architectures, tokens `[S, N]`.
        log_likelihood: `[B, N, V]`.
    """
    entries = jax.nn.one_hot(jnp.asarray(every), log_likelihood.shape[-1], dtype=jnp.float32).reshape(len(every), -1)
    evidence = log_likelihood.reshape(log_likelihood.shape[0], -1)
    weights = jax.lax.map(lambda row: jax.nn.softmax(entries @ row) @ entries, evidence, batch_size=256)
    return weights.reshape(log_likelihood.shape)
