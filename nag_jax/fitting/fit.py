"""The fit loop: chunks of steps in one compiled scan each, with a checkpoint and a progress report between them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.fitting.recipe import Recipe
from nag_jax.fitting.state import LossFn, TrainState, init_state, train_step
from nag_jax.system import interrupts, parallel
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

Progress = Callable[[int, int, float], None]
"""Called with the steps done, the steps in all and the mean loss of the last chunk (NaN if there was none)."""


@jax.enable_x64(False)  # what optimizers make of the flag would round otherwise, and end in other parameters
def fit(
    init: Callable[[jax.Array], Any],
    loss_fn: LossFn,
    key: jax.Array,
    data: Any,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int,
    mesh: jax.sharding.Mesh,
    ema_decay: float,
    chunk_steps: int = 100,
    checkpoints: Checkpoints | None = None,
    checkpoint_every: int = 500,
    progress: Progress | None = None,
) -> Any:
    """Fits parameters and returns their moving average, as NumPy arrays.

    A step depends on the key, its number and the data alone, so a fit that was stopped at any moment goes on from its
    newest checkpoint and ends with the same parameters.

    Args:
        init: key -> fresh parameters.
        loss_fn: the loss, (params, key, data) -> scalar; see `state.LossFn`.
        key: the key of all the randomness of the fit.
        data: what the loss draws its batches from, any pytree of arrays.
        optimizer: what `state.make_optimizer` returned.
        num_steps: steps in all.
        mesh: parameters and data go to all its devices.
        ema_decay: the decay of the moving average.
        chunk_steps: steps per compiled chunk; chunks end at its multiples.
        checkpoints: where to save and whence to go on; None keeps nothing.
        checkpoint_every: steps between checkpoints, rounded up to whole chunks; the last step is always saved.
        progress: called after each chunk.

    Raises:
        InputError: the loss is not finite, or the newest checkpoint can't be restored.
    """
    init_key, step_key = jax.random.split(key)
    everywhere = parallel.replicated(mesh)
    if checkpoints is not None and checkpoints.latest_step() is not None:
        state = restore(init, optimizer, checkpoints, mesh)
    else:
        state = make_init(init, optimizer, mesh)(init_key)
    chunk = make_chunk(loss_fn, optimizer, ema_decay=ema_decay)
    data = jax.device_put(data, everywhere)
    done = saved = int(state.step)
    if progress is not None:
        progress(done, num_steps, float("nan"))
    while done < num_steps:
        interrupts.check()
        n = min(num_steps - done, chunk_steps - done % chunk_steps)
        state, losses = chunk(state, step_key, data, n)
        losses = np.asarray(losses)
        if not np.isfinite(losses).all():
            raise InputError(
                f"the training loss is {losses[~np.isfinite(losses)][0]} at step "
                f"{done + int(np.argmin(np.isfinite(losses)))}: lower the learning rate or the clipping norm"
            )
        done += n
        if checkpoints is not None and (done == num_steps or done - saved >= checkpoint_every):
            checkpoints.save(done, state)
            saved = done
        if progress is not None:
            progress(done, num_steps, float(losses.mean()))
    if checkpoints is not None:
        checkpoints.close()
    return jax.device_get(state.ema)


def fit_recipe(
    init: Callable[[jax.Array], Any],
    loss_fn: LossFn,
    key: jax.Array,
    data: Any,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
) -> Any:
    """`fit` by the numbers of a recipe; the loss draws batches of its own, of the recipe's size."""
    return fit(
        init,
        loss_fn,
        key,
        data,
        optimizer=recipe.optimizer(),
        num_steps=recipe.num_steps,
        mesh=mesh,
        ema_decay=recipe.ema_decay,
        chunk_steps=recipe.chunk_steps,
        checkpoints=checkpoints,
        checkpoint_every=recipe.checkpoint_every,
        progress=progress,
    )


@once
def make_init(
    init: Callable[[jax.Array], Any], optimizer: optax.GradientTransformation, mesh: jax.sharding.Mesh
) -> Callable[[jax.Array], TrainState]:
    """Compiles key -> the state before the first step, on all devices of the mesh."""
    return jax.jit(lambda key: init_state(init(key), optimizer), out_shardings=parallel.replicated(mesh))


@once
def make_chunk(
    loss_fn: LossFn, optimizer: optax.GradientTransformation, *, ema_decay: float
) -> Callable[[TrainState, jax.Array, Any, int], tuple[TrainState, jax.Array]]:
    """Compiles (state, key, data, n) -> (state after n steps, losses `[n]`); n is static, the state is donated."""
    step = functools.partial(train_step, loss_fn=loss_fn, optimizer=optimizer, ema_decay=ema_decay)

    @functools.partial(jax.jit, static_argnums=3, donate_argnums=0)
    def chunk(state, key, data, n):
        return jax.lax.scan(lambda state, _: step(state, key, data), state, length=n)

    return chunk


def restore(
    init: Callable[[jax.Array], Any],
    optimizer: optax.GradientTransformation,
    checkpoints: Checkpoints,
    mesh: jax.sharding.Mesh,
) -> TrainState:
    """The newest state of a fit, on the devices of this mesh, whatever number wrote it.

    Raises:
        InputError: see `Checkpoints.restore`.
    """
    abstract = jax.eval_shape(lambda key: init_state(init(key), optimizer), jax.random.key(0))
    return checkpoints.restore(abstract_like(abstract, parallel.replicated(mesh)))
