"""The gaussian family: diffusion of relaxed one-hot rows, behind the contract of generators."""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax.numpy as jnp

from nag_jax.generators.contract import Generator, Sampler, read
from nag_jax.generators.gaussian.guided import by_beliefs, by_scores, plain, score_to_beliefs
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.losses import perturb
from nag_jax.generators.gaussian.parametrization import ScoreFn
from nag_jax.generators.gaussian.sampler import FINAL_STEPS, Origin, make_sampler
from nag_jax.generators.gaussian.score_guides import ScoreGuide
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.spaces.capabilities import TokenSpace
from nag_jax.system.errors import InputError
from nag_jax.system.keys import expand
from nag_jax.system.once import once

MakeScoreGuide = Callable[[ScoreFn, Any], ScoreGuide]
"""(the unguided score, what guides are given) -> a guide of scores; making it evaluates nothing."""


class Model(Protocol):
    """What has a score: see `ScoreModel`, the one that learns."""

    @property
    def sde(self) -> SDE:
        """The forward process."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        ...

    @property
    def description(self) -> Mapping[str, Any]:
        """What a checkpoint of the parameters must agree with, beside the space and the process."""
        ...

    def init(self, key) -> Any:
        """Fresh parameters."""
        ...

    def score_fn(self, params) -> ScoreFn:
        """The score of these parameters."""
        ...

    def loss(self, params, key, x0) -> Any:
        """The training loss on clean architectures x0 `[B, N, V]`."""
        ...


@once
def gaussian(
    space: TokenSpace,
    model: Model,
    kernels: Sequence[Kernel],
    *,
    final: str = "denoise",
    score_guide: MakeScoreGuide | None = None,
) -> Generator:
    """The generator of a score network, or of what stands in its place.

    Args:
        space: the space whose architectures it learns.
        model: the score network and its parametrisation, a `ScoreModel`.
        kernels: updates of the reverse process, correctors first.
        final: how a sample ends; see `sampler.make_sampler`.
        score_guide: makes guidance that needs the score itself, as the published one does; it comes before the guide
            of beliefs.

    Raises:
        InputError: there is no kernel, or no such final step.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.gaussian import kernels, sde
        >>> from nag_jax.generators.gaussian.score_model import make_score_model
        >>> space = spaces.make("nasbench201")
        >>> model = make_score_model(space, sde.make("ve"), {"width": 8})
        >>> gaussian(space, model, [kernels.make("ancestral", model.sde)]).coupled
        False
    """
    if final not in FINAL_STEPS:
        raise InputError(f"unknown final step {final!r}: use one of {FINAL_STEPS}")
    if not kernels:
        raise InputError("a sampler needs at least one kernel, found none")

    def believe(params, keys, tokens, progress=None):
        x0 = space.encode(tokens)
        if progress is None:
            x, t, _ = perturb(keys, x0, model.sde)
        else:
            t = jnp.maximum(1.0 - progress, model.sde.t_min)
            x = model.sde.diffuse(keys, x0, t)
        return score_to_beliefs(model.score_fn(params)(x, t), x, t, model.sde)

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        score_fn = model.score_fn(params)
        score = plain(score_fn) if score_guide is None else by_scores(score_fn, score_guide(score_fn, args))
        relaxed = make_sampler(
            score if guide is None else by_beliefs(score, guide, args, model.sde),
            sde=model.sde,
            kernels=kernels,
            shape=model.shape,
            num_steps=num_steps,
            final=final,
            origin=None if start is None else _origin(space, start),
        )
        return Sampler(relaxed.init, relaxed.advance, lambda carry: read(space, relaxed.finish(carry)))

    coupled = any(kernel.coupled for kernel in kernels)
    if score_guide is not None:
        coupled |= score_guide(lambda x, t: x, collections.defaultdict(float)).coupled
    return Generator(
        init=model.init,
        loss=lambda params, key, tokens: model.loss(params, key, space.encode(tokens)),
        believe=believe,
        sampler=sampler,
        coupled=coupled,
        description=_describe(space, model),
    )


def _origin(space: TokenSpace, start) -> Origin:
    """Pure noise is the prior, around zero, whatever the tokens are."""
    begun = expand(start.progress > 0.0, start.tokens[..., None])
    return Origin(jnp.where(begun, space.encode(start.tokens), 0.0), 1.0 - start.progress)


def _describe(space: TokenSpace, model: Model) -> tuple[tuple[str, Any], ...]:
    """What a checkpoint of the parameters must agree with."""
    described = {
        "space": space.fingerprint,
        "nodes": space.width,
        "sde": f"{type(model.sde).__name__}({dataclasses.asdict(model.sde)})",
        **model.description,
    }
    return tuple(described.items())
