"""Which packages a wheel holds: the library, and inside of it the command line and its configs.

In a checkout these two lie beside it. Where it is installed, such general names belong to its user, so that they are
`nag_jax.experiments` and `nag_jax.configs` there; benchmarks and notebooks stay in the checkout.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["nag_jax", "nag_jax.*"]), "nag_jax.configs", "nag_jax.experiments"],
    package_dir={"nag_jax.configs": "configs", "nag_jax.experiments": "experiments"},
)
