"""TensorBoard's event files, written into the folder `tensorboard` of the run."""

import atexit
from pathlib import Path

from nag_jax.system.events import Event, Listener
from nag_jax.system.extras import check_installed
from nag_jax.trackers import scalars


def tracker(run: str, folder: Path) -> Listener:
    """Writes every number of a run; see `tensorboard --logdir FOLDER`.

    Args:
        run: what the run is called.
        folder: the folder of the run.

    Raises:
        InputError: the package tensorboardX isn't installed.
    """
    check_installed("tensorboardX", extra="tensorboard", needed_by="the tracker tensorboard")
    from tensorboardX import SummaryWriter

    # Its thread writes every second, so that what a kill loses is little and who watches waits for nothing.
    writer = SummaryWriter(str(folder / "tensorboard"), flush_secs=1, filename_suffix=f".{run}")
    atexit.register(writer.close)
    read = scalars.reader()

    def listen(event: Event) -> None:
        for scalar in read(event):
            writer.add_scalar(scalar.name, scalar.value, scalar.step, walltime=event.time)

    return listen
