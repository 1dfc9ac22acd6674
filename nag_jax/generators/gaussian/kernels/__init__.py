"""Kernels: one reverse-time update each."""

from nag_jax.generators.gaussian.kernels.ancestral import ancestral
from nag_jax.generators.gaussian.kernels.base import Kernel
from nag_jax.generators.gaussian.kernels.dpm_solver import dpm_solver
from nag_jax.generators.gaussian.kernels.euler_maruyama import euler_maruyama
from nag_jax.generators.gaussian.kernels.langevin import langevin
from nag_jax.generators.gaussian.kernels.reverse_diffusion import reverse_diffusion
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

REGISTRY = {
    "ancestral": ancestral,
    "dpm_solver": dpm_solver,
    "euler_maruyama": euler_maruyama,
    "langevin": langevin,
    "reverse_diffusion": reverse_diffusion,
}


@once
def make(name: str, sde: SDE, **options) -> Kernel:
    """Makes the kernel of that name for an SDE.

    Raises:
        InputError: no kernel has that name.

    Example:
        >>> from nag_jax.generators.gaussian import sde
        >>> make("langevin", sde.make("ve"), norm="batch").coupled
        True
    """
    if name not in REGISTRY:
        raise InputError(f"unknown kernel {name!r}: use one of {sorted(REGISTRY)}")
    return REGISTRY[name](sde, **options)
