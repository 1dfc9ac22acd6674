"""The state of a fit, and one step of it as a pure function."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from nag_jax.system.errors import InputError
from nag_jax.system.once import once

LossFn = Callable[[Any, jax.Array, Any], jax.Array]
"""(params, key, data) -> scalar loss; draws its own batch and noise from the key."""


class TrainState(flax.struct.PyTreeNode):
    """Everything that a fit needs to go on.

    Attributes:
        step: int32, updates done.
        params: parameters.
        ema: their exponential moving average, which is what is used afterwards.
        opt_state: the optimiser's state.
    """

    step: jax.Array
    params: Any
    ema: Any
    opt_state: Any


@once
def make_optimizer(
    *, learning_rate: float, num_steps: int, warmup_steps: int, decay: str, clip_norm: float, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam(W) with global-norm clipping, a linear warm-up and then a `"cosine"` decay to 0 or a `"constant"` rate.

    Raises:
        InputError: the decay is none of those.
    """
    if decay not in ("cosine", "constant"):
        raise InputError(f"unknown decay {decay!r}: use 'cosine' or 'constant'")
    warmup = optax.linear_schedule(0.0, learning_rate, warmup_steps)
    if decay == "cosine":
        rest = optax.cosine_decay_schedule(learning_rate, max(1, num_steps - warmup_steps))
    else:
        rest = optax.constant_schedule(learning_rate)
    schedule = optax.join_schedules([warmup, rest], [warmup_steps])
    return optax.chain(optax.clip_by_global_norm(clip_norm), optax.adamw(schedule, weight_decay=weight_decay))


def init_state(params: Any, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first step. The average starts as a copy of the parameters."""
    return TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), optimizer.init(params))


def train_step(
    state: TrainState,
    key: jax.Array,
    data: Any,
    *,
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    ema_decay: float,
) -> tuple[TrainState, jax.Array]:
    """One update with the key `fold_in(key, step)`; returns the new state and the loss before it.

    The average warms up as `min(ema_decay, (1 + n) / (10 + n))` after n updates.
    """
    loss, grads = jax.value_and_grad(loss_fn)(state.params, jax.random.fold_in(key, state.step), data)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    step = state.step + 1
    decay = jnp.minimum(ema_decay, (1.0 + step) / (10.0 + step))
    ema = jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, state.ema, params)
    return TrainState(step, params, ema, opt_state), loss
