"""Runs of Weights & Biases, in the project of WANDB_PROJECT, or nag_jax."""

import importlib
import os
from pathlib import Path
from typing import Any

from nag_jax.system.events import Event, Listener
from nag_jax.system.extras import check_installed
from nag_jax.trackers import scalars


def tracker(run: str, folder: Path) -> Listener:
    """Logs every number of a run into a W&B run of its name.

    Args:
        run: what the run is called.
        folder: the folder of the run, where W&B keeps its files.

    Raises:
        InputError: the package wandb isn't installed.
    """
    check_installed("wandb", extra="wandb", needed_by="the tracker wandb")
    wandb: Any = importlib.import_module("wandb")
    folder.mkdir(parents=True, exist_ok=True)
    started = wandb.init(project=os.environ.get("WANDB_PROJECT", "nag_jax"), name=run, dir=str(folder), resume="allow")
    read = scalars.reader()

    def listen(event: Event) -> None:
        for scalar in read(event):  # each curve has steps of its own, which W&B's one counter can't have
            started.log({scalar.name: scalar.value, f"{scalar.name} (step)": scalar.step})

    return listen
