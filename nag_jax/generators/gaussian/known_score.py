"""What stands in a score network's place where the score is known, so that there is nothing to learn."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nag_jax.generators.contract import Generator
from nag_jax.generators.gaussian.generator import MakeScoreGuide, gaussian
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.sde import SDE


@dataclasses.dataclass(frozen=True)
class KnownScore:
    """What models of a known score have in common; they add `description`, `init` and `score_fn`, as `ScoreModel` has.

    Attributes:
        space: the space, whose architectures are diffused.
        sde: the forward process.
    """

    space: Any
    sde: SDE

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return self.space.allowed.shape

    def loss(self, params, key, x0) -> jax.Array:
        """There is nothing to learn: 0."""
        return jnp.zeros((), jnp.float32)


def unlearned(
    model: Any, kernels: Sequence[Kernel], *, final: str = "denoise", score_guide: MakeScoreGuide | None = None
) -> Generator:
    """The generator of a `KnownScore`, which says of itself that it learns nothing; the arguments are `gaussian`'s."""
    return gaussian(model.space, model, kernels, final=final, score_guide=score_guide)._replace(learns=False)
