"""Generators: what learns a space and samples it; see `contract`.

`FAMILIES` names those that settings can ask for, and `nag_jax.tasks.build` makes.
"""

FAMILIES = ("gaussian", "exact", "masked")
