"""The compiled programs of training: tokens are their input, so a space has one of each, whatever is trained."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.system import parallel
from nag_jax.system.once import once
from nag_jax.training.augmentation import Batch, augment
from nag_jax.training.recipe import Recipe

Variables = dict[str, Any]
"""Flax's collections `params` and `batch_stats`."""


class State(NamedTuple):
    """A training between two steps.

    Attributes:
        step: int32, the steps done.
        losses: the sum of the losses of the epoch's steps.
        variables: the weights and running statistics.
        average: their moving average, which is what is evaluated.
        moments: the optimizer's state.
    """

    step: jax.Array
    losses: jax.Array
    variables: Variables
    average: Variables
    moments: Any


class Programs(NamedTuple):
    """What is compiled for a space. All arrays are on all devices of the mesh.

    Attributes:
        init: (key, tokens `[W]`, inputs) -> the state before the first step.
        advance: (state, key, tokens, inputs `[N, h, w, 3]`, labels `[N]`, stop) -> the state after the steps up to
            `stop`, which lie in one epoch. The state is donated.
        logits: (variables, tokens, inputs `[B, h, w, 3]`) -> float32 `[B, K]`.
    """

    init: Callable[..., State]
    advance: Callable[..., State]
    logits: Callable[..., jax.Array]


@once
def make_programs(network: AnyNetwork, recipe: Recipe, num_classes: int, mesh: Any) -> Programs:
    """Makes the programs, which compile at their first call.

    Args:
        network: the networks of the space.
        recipe: how they are trained.
        num_classes: K, the number of classes.
        mesh: every batch is cut over its devices.
    """
    everywhere, cut = parallel.replicated(mesh), parallel.batched(mesh)
    direction = make_direction(recipe)

    def init(key, tokens, inputs):
        variables = network.init(key, tokens, inputs[:1])
        average = jax.tree.map(jnp.copy, variables)
        return State(jnp.int32(0), jnp.float32(0), variables, average, direction.init(variables["params"]))

    def advance(state, key, tokens, inputs, labels, stop):
        steps = len(labels) // recipe.batch_size
        order_key, step_key = jax.random.split(key)
        order = jax.random.permutation(jax.random.fold_in(order_key, state.step // steps), len(labels))

        def step(state):
            place = state.step % steps
            rows = jax.lax.dynamic_slice(order, (place * recipe.batch_size,), (recipe.batch_size,))
            batch = Batch(inputs[rows], jax.nn.one_hot(labels[rows], num_classes, dtype=jnp.float32))
            batch = jax.lax.with_sharding_constraint(batch, cut)
            state = state._replace(losses=jnp.where(place == 0, 0.0, state.losses))
            return _step(state, step_key, tokens, batch, steps, network, direction, recipe)

        return jax.lax.while_loop(lambda state: state.step < stop, step, state)

    def logits(variables, tokens, inputs):
        found, _ = network.apply(_cast(variables, recipe), tokens, inputs.astype(recipe.dtype), train=False)
        return found.astype(jnp.float32)

    return Programs(
        jax.jit(init, out_shardings=everywhere),
        jax.jit(advance, donate_argnums=0, out_shardings=everywhere),
        jax.jit(logits, out_shardings=everywhere),
    )


def make_direction(recipe: Recipe) -> optax.GradientTransformation:
    """Where the optimizer goes at a learning rate of 1; only kernels decay."""
    decay = optax.add_decayed_weights(recipe.weight_decay, mask=lambda params: jax.tree.map(is_kernel, params))
    clip = optax.clip_by_global_norm(recipe.clip_norm)
    if recipe.optimizer == "adamw":
        return optax.chain(clip, optax.scale_by_adam(), decay)
    return optax.chain(clip, decay, optax.trace(recipe.momentum, nesterov=True))


def learning_rate(step, steps_per_epoch: int, recipe: Recipe):
    """The rate of a step: a linear warm-up, then half a cosine down to 0 at the end of all epochs. Jittable."""
    warmup, total = recipe.warmup_epochs * steps_per_epoch, recipe.epochs * steps_per_epoch
    done = jnp.clip((step - warmup) / (total - warmup), 0.0, 1.0)
    return recipe.learning_rate * jnp.minimum((step + 1) / max(1.0, warmup), 0.5 * (1.0 + jnp.cos(jnp.pi * done)))


def _step(state, key, tokens, batch, steps_per_epoch, network, direction, recipe):
    """One update, with the key `fold_in(key, step)`."""
    batch = augment(jax.random.fold_in(key, state.step), batch, recipe.augmentation)
    (loss, stats), gradient = jax.value_and_grad(_loss, has_aux=True)(
        state.variables["params"], state.variables["batch_stats"], tokens, batch, network, recipe
    )
    direct, moments = direction.update(gradient, state.moments, state.variables["params"])
    rate = learning_rate(state.step, steps_per_epoch, recipe)
    params = jax.tree.map(lambda weight, move: weight - rate * move, state.variables["params"], direct)
    variables, step = {"params": params, "batch_stats": stats}, state.step + 1
    decay = jnp.minimum(recipe.ema_decay, (1.0 + step) / (10.0 + step))
    average = jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, state.average, variables)
    return State(step, state.losses + loss, variables, average, moments)


def _loss(params, stats, tokens, batch, network, recipe):
    """The cross-entropy with smoothed labels, and the new running statistics."""
    variables = _cast({"params": params, "batch_stats": stats}, recipe)
    logits, stats = network.apply(variables, tokens, batch.inputs.astype(recipe.dtype), train=True)
    targets = optax.smooth_labels(batch.targets, recipe.label_smoothing)
    return optax.softmax_cross_entropy(logits.astype(jnp.float32), targets).mean(), stats


def _cast(variables: Variables, recipe: Recipe) -> Variables:
    """Variables whose weights have the type that is computed in; running statistics stay as they are."""
    return variables | {"params": jax.tree.map(lambda leaf: leaf.astype(recipe.dtype), variables["params"])}


def is_kernel(leaf) -> bool:
    """Whether a leaf of parameters is a kernel, and not a scale or an offset of channels."""
    return leaf.ndim > 1
