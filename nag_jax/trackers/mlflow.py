"""Runs of MLflow, in its tracking server: the one of MLFLOW_TRACKING_URI."""

import importlib
import re
from pathlib import Path
from typing import Any

from nag_jax.system.events import Event, Listener
from nag_jax.system.extras import check_installed
from nag_jax.trackers import scalars


def tracker(run: str, folder: Path) -> Listener:
    """Logs every number of a run into an MLflow run of its name.

    Args:
        run: what the run is called.
        folder: the folder of the run, a tag there.

    Raises:
        InputError: the package mlflow isn't installed.
    """
    check_installed("mlflow", extra="mlflow", needed_by="the tracker mlflow")
    mlflow: Any = importlib.import_module("mlflow")
    started, read = mlflow.start_run(run_name=run, tags={"workdir": str(folder)}), scalars.reader()
    client = mlflow.MlflowClient()

    def listen(event: Event) -> None:
        for scalar in read(event):
            name = re.sub(r"[^\w./ -]", "_", scalar.name)  # what MLflow allows
            client.log_metric(started.info.run_id, name, scalar.value, round(1000 * event.time), scalar.step)

    return listen
