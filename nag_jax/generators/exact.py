"""The exact generator: diffusion of a space whose beliefs have a closed form, so that there is nothing to learn."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from nag_jax.generators.contract import Generator
from nag_jax.generators.gaussian.generator import MakeScoreGuide
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.known_score import KnownScore, unlearned
from nag_jax.generators.gaussian.parametrization import ScoreFn, posterior_score
from nag_jax.spaces import NodeSpace
from nag_jax.system.errors import InputError


@dataclasses.dataclass(frozen=True)
class ClosedForm(KnownScore):
    """What stands in a score network's place: the score that follows from `NodeSpace.class_posterior`.

    Attributes:
        space: the space, whose architectures are diffused.
        sde: the forward process.

    Raises:
        InputError: the space has no closed form.
    """

    space: NodeSpace

    def __post_init__(self):
        if not self.space.has_posterior:
            raise InputError(
                f"{self.space.name} has no closed form, which the exact generator needs: set "
                "config.generator.name=gaussian, which learns"
            )

    @property
    def description(self) -> dict[str, Any]:
        """What it is, as `ScoreModel.description`."""
        return {"parametrization": "closed form"}

    def init(self, key) -> dict[str, Any]:
        """Parameters: there are none."""
        return {}

    def score_fn(self, params) -> ScoreFn:
        """The score (x `[B, N, V]`, t `[B]`) -> `[B, N, V]`."""
        return posterior_score(self.sde, self.space.class_posterior)


def exact(
    model: ClosedForm, kernels: Sequence[Kernel], *, final: str = "denoise", score_guide: MakeScoreGuide | None = None
) -> Generator:
    """The generator of a closed form: the reference for those that learn, and their stand-in where nothing is learned.

    Args:
        model: the closed form of the space.
        kernels: updates of the reverse process, correctors first.
        final: how a sample ends; see `sampler.make_sampler`.
        score_guide: makes guidance that needs the score itself; see `gaussian`.

    Example:
        >>> import jax
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.contract import sample
        >>> from nag_jax.generators.gaussian import kernels, sde
        >>> from nag_jax.system.keys import sample_keys
        >>> model = ClosedForm(spaces.make("nasbench201"), sde.make("ve"))
        >>> generator = exact(model, [kernels.make("ancestral", model.sde)])
        >>> bool(sample(generator, {}, sample_keys(jax.random.key(0), 8), num_steps=10).valid.all())
        True
    """
    return unlearned(model, kernels, final=final, score_guide=score_guide)
