"""Recipes: all numbers of a training in one place."""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Self

from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, RATE, one_of, option

if TYPE_CHECKING:
    import optax


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How something is trained: the numbers that a fit takes, which `nag_jax.settings` has for each network.

    Example:
        >>> from nag_jax.settings.score import Score
        >>> dataclasses.replace(Score().training, num_steps=100).batch_size
        256
    """

    num_steps: int = option(MISSING, "The number of updates.", COUNT)
    batch_size: int = option(MISSING, "How many architectures or labels an update learns from.", COUNT)
    learning_rate: float = option(MISSING, "The learning rate of Adam after the warm-up.", POSITIVE)
    warmup_steps: int = option(MISSING, "How many updates the learning rate takes to grow linearly.", NOT_NEGATIVE)
    decay: str = option(MISSING, "How the learning rate goes on: down to 0, or constant.", one_of("cosine", "constant"))
    clip_norm: float = option(MISSING, "The bound on the global norm of the gradient.", POSITIVE)
    weight_decay: float = option(MISSING, "The weight decay of AdamW.", NOT_NEGATIVE)
    ema_decay: float = option(
        MISSING, "The decay of the moving average of the parameters, which is what is used in the end.", RATE
    )
    chunk_steps: int = option(
        MISSING, "How many updates are compiled into one program, between two reports of progress.", COUNT
    )
    checkpoint_every: int = option(
        MISSING, "How many updates lie between two checkpoints; results don't depend on it.", COUNT
    )

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The recipe with other numbers, by field.

        Raises:
            InputError: there is no field of that name.
        """
        known = [field.name for field in dataclasses.fields(self)]
        if unknown := sorted(set(changes) - set(known)):
            raise InputError(f"training has no field {unknown}: use {known}")
        return dataclasses.replace(self, **changes)

    def optimizer(self) -> "optax.GradientTransformation":
        """See `state.make_optimizer`, which says what it raises."""
        from nag_jax.fitting.state import make_optimizer  # configs are made of recipes, and load at once

        return make_optimizer(
            learning_rate=self.learning_rate,
            num_steps=self.num_steps,
            warmup_steps=self.warmup_steps,
            decay=self.decay,
            clip_norm=self.clip_norm,
            weight_decay=self.weight_decay,
        )
