"""Forward noising processes dx = f(x, t) dt + g(t) dw on t in [0, 1] (Song et al., ICLR 2021, section 3.4).

All three have a Gaussian marginal `x_t = alpha(t) x_0 + sigma(t) z`, which is all that losses, parametrisations and
most kernels need; Euler-Maruyama also needs the coefficients f and g. Everything is float32.
"""

import abc
import dataclasses

import jax.numpy as jnp
from jax import Array

from nag_jax.system.errors import InputError
from nag_jax.system.keys import expand, normal


@dataclasses.dataclass(frozen=True)
class SDE(abc.ABC):
    """A forward process; hashable, so that it can be a static argument. Has no step count.

    Attributes:
        t_min: the least time at which the score is trained and sampled.
    """

    @property
    @abc.abstractmethod
    def t_min(self) -> float:
        """The least time at which the score is trained and sampled."""

    @abc.abstractmethod
    def alpha(self, t: Array) -> Array:
        """Scale of the data in x_t; same shape as t."""

    @abc.abstractmethod
    def sigma(self, t: Array) -> Array:
        """Standard deviation of the noise in x_t; same shape as t."""

    @abc.abstractmethod
    def coefficients(self, x: Array, t: Array) -> tuple[Array, Array]:
        """Drift `[B, N, V]` and diffusion `[B]` at x `[B, N, V]` and t `[B]`."""

    def marginal(self, x0: Array, t: Array) -> tuple[Array, Array]:
        """Mean `[B, N, V]` and standard deviation `[B]` of x_t given x_0 `[B, N, V]`, at t `[B]`."""
        return expand(self.alpha(t), x0) * x0, self.sigma(t)

    def diffuse(self, keys: Array, x0: Array, t: Array) -> Array:
        """Draws x_t `[B, N, V]` given clean x0 `[B, N, V]` at times t `[B]`, one key per sample."""
        mean, std = self.marginal(x0, t)
        return mean + expand(std, x0) * normal(keys, x0.shape[1:])

    def prior(self, keys: Array, shape: tuple[int, ...]) -> Array:
        """Draws x_1 `[B, *shape]`, one key per sample."""
        return self.sigma(jnp.ones((), jnp.float32)) * normal(keys, shape)


@dataclasses.dataclass(frozen=True)
class VESDE(SDE):
    """Variance exploding: `sigma(t) = sigma_min (sigma_max / sigma_min)^t`, no drift.

    The process that starts at t = 0 has variance `sigma(t)^2 - sigma_min^2`; like its authors we use `sigma(t)^2`,
    which takes the data at t = 0 as already noised by `sigma_min`.
    """

    sigma_min: float = 0.1
    sigma_max: float = 5.0

    @property
    def t_min(self) -> float:
        """1e-5, as published."""
        return 1e-5

    def alpha(self, t):
        """1."""
        return jnp.ones_like(t)

    def sigma(self, t):
        """Geometric between `sigma_min` and `sigma_max`."""
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t

    def coefficients(self, x, t):
        """Zero drift; `g = sigma(t) sqrt(2 ln(sigma_max / sigma_min))`."""
        rate = 2.0 * jnp.log(self.sigma_max / self.sigma_min)
        return jnp.zeros_like(x), self.sigma(t) * jnp.sqrt(rate)


@dataclasses.dataclass(frozen=True)
class VPSDE(SDE):
    """Variance preserving: `f = -beta(t) x / 2`, `g^2 = beta(t)`, beta linear from `beta_min` to `beta_max`."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    @property
    def t_min(self) -> float:
        """1e-3, as published."""
        return 1e-3

    def beta(self, t):
        """Noise rate at t, the same shape."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def _log_alpha(self, t):
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def alpha(self, t):
        """`exp(-1/2 integral of beta)`."""
        return jnp.exp(self._log_alpha(t))

    def sigma(self, t):
        """`sqrt(1 - alpha^2)`."""
        return jnp.sqrt(-jnp.expm1(2.0 * self._log_alpha(t)))

    def coefficients(self, x, t):
        """Drift and diffusion of the class docstring."""
        return -0.5 * expand(self.beta(t), x) * x, jnp.sqrt(self.beta(t))


@dataclasses.dataclass(frozen=True)
class SubVPSDE(VPSDE):
    """Sub-variance preserving: the drift and mean of `VPSDE`, `sigma = 1 - alpha^2`, so a smaller variance."""

    def sigma(self, t):
        """`1 - alpha^2`."""
        return -jnp.expm1(2.0 * self._log_alpha(t))

    def coefficients(self, x, t):
        """The drift of `VPSDE`; `g^2 = beta (1 - alpha^4)`."""
        drift, diffusion = super().coefficients(x, t)
        return drift, diffusion * jnp.sqrt(-jnp.expm1(4.0 * self._log_alpha(t)))


REGISTRY = {"ve": VESDE, "vp": VPSDE, "sub_vp": SubVPSDE}


def make(name: str, **options) -> SDE:
    """Makes the SDE of that name (`ve`, `vp` or `sub_vp`).

    Raises:
        InputError: no SDE has that name.

    Example:
        >>> make("ve", sigma_max=10.0)
        VESDE(sigma_min=0.1, sigma_max=10.0)
    """
    if name not in REGISTRY:
        raise InputError(f"unknown SDE {name!r}: use one of {sorted(REGISTRY)}")
    return REGISTRY[name](**options)
