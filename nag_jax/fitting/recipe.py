"""Recipes: all numbers of a training in one place."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import optax

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import Progress, fit
from nag_jax.fitting.state import LossFn, make_optimizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How something is trained: the numbers that a fit takes, as a `training` block of a config has them.

    Attributes:
        num_steps: steps in all.
        batch_size: architectures a step.
        learning_rate: after the warm-up.
        warmup_steps: steps in which it grows from 0.
        decay: `"cosine"` or `"constant"`.
        clip_norm: bound on the norm of gradients.
        weight_decay: of AdamW.
        ema_decay: of the moving average.
        chunk_steps: steps a compiled chunk.
        checkpoint_every: steps between checkpoints.

    Example:
        >>> from nag_jax.generators.gaussian.score_model import RECIPE
        >>> dataclasses.replace(RECIPE, num_steps=100).batch_size
        256
    """

    num_steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    decay: str
    clip_norm: float
    weight_decay: float
    ema_decay: float
    chunk_steps: int
    checkpoint_every: int

    def optimizer(self) -> optax.GradientTransformation:
        """See `state.make_optimizer`, which says what it raises."""
        return make_optimizer(
            learning_rate=self.learning_rate,
            num_steps=self.num_steps,
            warmup_steps=self.warmup_steps,
            decay=self.decay,
            clip_norm=self.clip_norm,
            weight_decay=self.weight_decay,
        )


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
