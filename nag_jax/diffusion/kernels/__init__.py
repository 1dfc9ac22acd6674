"""Kernels: one reverse-time update each."""

from nag_jax.diffusion.kernels.ancestral import ancestral
from nag_jax.diffusion.kernels.base import Kernel
from nag_jax.diffusion.kernels.dpm_solver import dpm_solver
from nag_jax.diffusion.kernels.euler_maruyama import euler_maruyama
from nag_jax.diffusion.kernels.langevin import langevin
from nag_jax.diffusion.kernels.reverse_diffusion import reverse_diffusion
from nag_jax.diffusion.sde import SDE
from nag_jax.errors import InputError

REGISTRY = {
    "ancestral": ancestral,
    "dpm_solver": dpm_solver,
    "euler_maruyama": euler_maruyama,
    "langevin": langevin,
    "reverse_diffusion": reverse_diffusion,
}


def make(name: str, sde: SDE, **options) -> Kernel:
    """Makes the kernel of that name for an SDE.

    Raises:
        InputError: no kernel has that name.

    Example:
        >>> from nag_jax.diffusion import sde
        >>> make("langevin", sde.make("ve"), norm="batch").coupled
        True
    """
    if name not in REGISTRY:
        raise InputError(f"unknown kernel {name!r}: use one of {sorted(REGISTRY)}")
    return REGISTRY[name](sde, **options)
