"""Checkpoints with Orbax: asynchronous, pruned, and refused where they belong to something else."""

import json
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from nag_jax.errors import InputError


class Checkpoints:
    """The checkpoints of one fit, newest last, each with a description of what was fitted.

    Args:
        directory: where they are or will be; made at the first save.
        description: JSON-like facts (space, network, SDE, ...) that must agree for a checkpoint to be restored.
        max_to_keep: older ones are deleted.
    """

    def __init__(self, directory: Path | str, description: dict[str, Any], *, max_to_keep: int = 2):
        self.directory = Path(directory).absolute()
        self._description = json.loads(json.dumps(description))
        self._max_to_keep = max_to_keep
        self._manager = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None where there is none."""
        steps = [int(path.name) for path in self.directory.glob("*") if path.name.isdigit()]
        return max(steps, default=None)

    def save(self, step: int, state: Any) -> None:
        """Starts saving the state; returns as soon as it may be changed. `close` waits for the rest."""
        if self._manager is None:
            options = ocp.CheckpointManagerOptions(max_to_keep=self._max_to_keep, create=True)
            self._manager = ocp.CheckpointManager(self.directory, options=options)
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), description=ocp.args.JsonSave(self._description))
        self._manager.save(step, args=items)

    def restore(self, target: Any) -> Any:
        """Restores the newest checkpoint.

        Args:
            target: a tree of `jax.ShapeDtypeStruct` with shardings, which the result will have, on any number of
                devices.

        Raises:
            InputError: there is no checkpoint, it can't be read, or it describes something else. Nothing is changed.
        """
        step = self.latest_step()
        if step is None:
            raise InputError(f"no checkpoint in {self.directory}: name a folder that holds one, as RUN/score")
        path = self.directory / str(step)
        self._check_description(path)
        options = ocp.CheckpointManagerOptions(read_only=True)
        try:
            with ocp.CheckpointManager(self.directory, options=options) as manager:
                items = ocp.args.Composite(state=ocp.args.StandardRestore(target))
                return manager.restore(step, args=items)["state"]
        except Exception as error:  # Orbax and TensorStore raise whatever their storage layer does
            raise InputError(
                f"checkpoint {path} can't be restored ({_first_line(error)}): "
                "delete it to train again, or put back an intact copy"
            ) from error

    def close(self) -> None:
        """Waits until everything is on disk."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def _check_description(self, path: Path) -> None:
        try:
            with ocp.CheckpointManager(self.directory, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
                items = ocp.args.Composite(description=ocp.args.JsonRestore())
                found = manager.restore(int(path.name), args=items)["description"]
        except Exception as error:  # as in `restore`
            raise InputError(
                f"checkpoint {path} can't be read ({_first_line(error)}): "
                "delete it to train again, or put back an intact copy"
            ) from error
        wrong = [k for k in sorted({*found, *self._description}) if found.get(k) != self._description.get(k)]
        if wrong:
            differences = "; ".join(f"{k}: {found.get(k)} there, {self._description.get(k)} here" for k in wrong)
            raise InputError(
                f"checkpoint {path} is of another model ({differences}): "
                "use a config that agrees, or another checkpoint"
            )


def abstract_like(state: Any, sharding: jax.sharding.Sharding) -> Any:
    """The target for `Checkpoints.restore`: shapes and types of a (possibly abstract) state, with one sharding."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), state)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
