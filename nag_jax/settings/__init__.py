"""Settings: the one place of the defaults, the ranges and the documentation of every field of a run.

A block of a run is a frozen dataclass of documented fields; see `nag_jax.system.fields`, which also checks them.
Configs, the command line, the api, `docs/configuration.md` and `--help` read them here. Nothing heavy is imported.
"""

from nag_jax.settings.runs import Front, Generate, Search, Settings, Train, Transfer

__all__ = ["Front", "Generate", "Search", "Settings", "Train", "Transfer"]
