"""Trackers: runs in TensorBoard, MLflow and Weights & Biases, as listeners of their events.

`REGISTRY` maps a tracker's name to the function that makes one: (name of the run, its folder) -> listener.
"""

from pathlib import Path

from nag_jax.system.events import Listener
from nag_jax.system.options import find
from nag_jax.trackers import mlflow, tensorboard, wandb

REGISTRY = {"mlflow": mlflow.tracker, "tensorboard": tensorboard.tracker, "wandb": wandb.tracker}

__all__ = ["REGISTRY", "make"]


def make(name: str, run: str, folder: str | Path) -> Listener:
    """The tracker of that name, as a `callback` of `fit`, `generate` and `search` takes it.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own with the same arguments.
        run: what the run is called there.
        folder: where those write that write files.

    Raises:
        InputError: there is no such tracker, or its package isn't installed.

    Example:
        >>> make("none", "my run", "folder")
        Traceback (most recent call last):
            ...
        nag_jax.system.errors.InputError: unknown tracker 'none': use one of ['mlflow', 'tensorboard', 'wandb'], ...
    """
    return find("tracker", name, REGISTRY)(run, Path(folder))
