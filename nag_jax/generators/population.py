r"""Populations: weighted architectures in a score network's place, whose score is known exactly and needs no training.

The denoised estimate under a weighted empirical distribution of architectures m_j with log-weights l_j is

.. math:: E[x_0 | x_t] = \sum_j w_j m_j, \quad w = softmax_j(l_j - |x_t - \alpha m_j|^2 / (2 \sigma^2))

(Diffusion Evolution, arXiv 2410.02543, and EDNAG, arXiv 2504.17827, have noised individuals in place of clean ones, for
which it is no posterior mean.) With all architectures of a space it is the space's own score; with weights by a
predictor, the exact guided sampler; with some of them, a generator that can only return what lies between those.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.generators.contract import Generator
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.known_score import KnownScore, unlearned
from nag_jax.generators.gaussian.parametrization import ScoreFn, denoised_to_score
from nag_jax.spaces.capabilities import TokenSpace
from nag_jax.system.errors import InputError
from nag_jax.system.keys import expand

_HALVINGS = 40
"""Of the temperature's logarithm, over 24 powers of e: to 2e-11 of one."""


@dataclasses.dataclass(frozen=True)
class Population(KnownScore):
    """What stands in a score network's place: a population, whose parameters are what `weigh` returns.

    Attributes:
        space: the space of the architectures.
        sde: the forward process.
    """

    space: TokenSpace

    @property
    def description(self) -> dict[str, Any]:
        """What it is, as `ScoreModel.description`."""
        return {"parametrization": "population"}

    def init(self, key) -> dict[str, Any]:
        """A population of one, to be replaced by what `weigh` returns."""
        return weigh(np.asarray(self.space.random(key, 1)), np.zeros(1))

    def score_fn(self, params) -> ScoreFn:
        """The score (x `[B, N, V]`, t `[B]`) -> `[B, N, V]`."""
        atoms = self.space.encode(jnp.asarray(params["tokens"]))
        flat = atoms.reshape(atoms.shape[0], -1)

        def score(x, t):
            # All atoms have the same norm, so that products are all that tells distances apart.
            near = jnp.matmul(x.reshape(x.shape[0], -1), flat.T, precision=jax.lax.Precision.HIGHEST)
            evidence = expand(self.sde.alpha(t) / self.sde.sigma(t) ** 2, near) * near
            weights = jax.nn.softmax(params["log_weights"][None] + evidence, axis=-1)
            denoised = jnp.matmul(weights, flat, precision=jax.lax.Precision.HIGHEST)
            return denoised_to_score(denoised.reshape(x.shape), x, t, self.sde)

        return score


def population(model: Population, kernels: Sequence[Kernel], *, final: str = "denoise") -> Generator:
    """The generator of a population; its parameters are what `weigh` returns, which compiles nothing anew.

    Args:
        model: the population's space and process.
        kernels: updates of the reverse process, correctors first.
        final: how a sample ends; see `sampler.make_sampler`.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.contract import sample
        >>> from nag_jax.generators.gaussian import kernels, sde
        >>> from nag_jax.system.keys import sample_keys
        >>> model = Population(spaces.make("nasbench201"), sde.make("ve"))
        >>> generator = population(model, [kernels.make("ancestral", model.sde)])
        >>> atoms = np.asarray(model.space.random(jax.random.key(0), 5))
        >>> found = sample(generator, weigh(atoms, np.zeros(5)), sample_keys(jax.random.key(1), 8), num_steps=20)
        >>> {row.tobytes() for row in np.asarray(found.tokens)} <= {row.tobytes() for row in atoms}
        True
    """
    return unlearned(model, kernels, final=final)


def weigh(tokens: np.ndarray, log_weights: np.ndarray) -> dict[str, Any]:
    """A population: tokens `[A, N]` and what they weigh, logarithms `[A]` up to a constant.

    Raises:
        InputError: there is none, or not one finite or minus infinite weight each.
    """
    log_weights = np.asarray(log_weights, np.float64)
    if not len(tokens) or log_weights.shape != (len(tokens),) or not np.isfinite(log_weights.max()):
        raise InputError(
            f"a population needs a log-weight for each of its architectures, {len(tokens)}, at least one of them "
            f"finite, found {list(log_weights.shape)}: give them one each"
        )
    return {
        "tokens": np.asarray(tokens, np.int32),
        "log_weights": np.asarray(log_weights - log_weights.max(), np.float32),
    }


def temper(values: np.ndarray, share: float) -> np.ndarray:
    """Log-weights `[A]`, values over a temperature, at which the effective number of architectures is a share of them.

    The effective number is `1 / sum w^2` of the weights w; a fixed temperature would let one architecture take over as
    soon as it stands out.

    Args:
        values: how good each architecture is, `[A]`, finite, in any unit.
        share: more than 0 and at most 1.

    Example:
        >>> weights = np.exp(temper(np.arange(100.0), 0.05))
        >>> round(float(weights.sum() ** 2 / (weights**2).sum()), 2)
        5.0
    """
    if not 0 < share <= 1:
        raise InputError(f"a share must be more than 0 and at most 1, found {share}: give one as 0.05")
    values = np.asarray(values, np.float64)
    values = (values - values.max()) / (values.std() or 1.0)
    wanted = max(1.0, share * len(values))
    low, high = -12.0, 12.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(values / np.exp(middle))
        low, high = (middle, high) if weights.sum() ** 2 / (weights**2).sum() < wanted else (low, middle)
    return values / np.exp(high)
