"""The command `nag`, also as `python -m nag_jax`: its module lies within the library in a wheel, and beside it here."""

import importlib
from pathlib import Path


def main() -> None:
    """Does what the command line says; see `experiments/nag.py`."""
    installed = (Path(__file__).parent / "experiments").is_dir()
    importlib.import_module("nag_jax.experiments.nag" if installed else "experiments.nag").main()


if __name__ == "__main__":
    main()
