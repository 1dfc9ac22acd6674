"""Checkpoints with Orbax: asynchronous, pruned, and refused where they belong to something else."""

import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import tensorstore

from nag_jax.system.errors import InputError

_OVERHEAD = 2**20
"""Bytes of a checkpoint that aren't its arrays: descriptions and indices, of which each file fills whole blocks."""


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
        # Copies, since the next step may get the state's buffers. NumPy arrays are written whole, by the first process;
        # Orbax would cut replicated ones into a piece per device, each shape compiled: seconds per save.
        state = jax.tree.map(np.array, state)
        record = {"facts": self._description, "shapes": _shapes(state), "checksum": checksum(state)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), description=ocp.args.JsonSave(record))
        _check_room(self.directory, state)
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
        stored = self._check_record(path, _shapes(target))
        options = ocp.CheckpointManagerOptions(read_only=True)
        try:
            _read_through(path / "state")
            with ocp.CheckpointManager(self.directory, options=options) as manager:
                items = ocp.args.Composite(state=ocp.args.StandardRestore(target))
                state = manager.restore(step, args=items)["state"]
            if checksum(state) != stored:
                raise ValueError("its content has changed since it was saved")
            return state
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

    def _check_record(self, path: Path, shapes: dict[str, list[int]]) -> int:
        """Raises InputError unless the checkpoint is of what is fitted here; returns the checksum of its state."""
        try:
            with ocp.CheckpointManager(self.directory, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
                items = ocp.args.Composite(description=ocp.args.JsonRestore())
                record = manager.restore(int(path.name), args=items)["description"]
            facts, found_shapes, stored = dict(record["facts"]), dict(record["shapes"]), int(record["checksum"])
        except Exception as error:  # as in `restore`
            raise InputError(
                f"checkpoint {path} can't be read ({_first_line(error)}): "
                "delete it to train again, or put back an intact copy"
            ) from error
        differences = _differences(facts, self._description) or _differences(found_shapes, shapes)[:1]
        if differences:
            raise InputError(
                f"checkpoint {path} is of another model ({'; '.join(differences)}): "
                "use a config that agrees, or another checkpoint"
            )
        return stored


def save_variables(path: Path | str, variables: Any) -> None:
    """Saves variables as an Orbax checkpoint of their own, over what is there; waits until they are on disk."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(Path(path).absolute(), jax.tree.map(np.asarray, variables), force=True)


def abstract_like(state: Any, sharding: jax.sharding.Sharding) -> Any:
    """The target for `Checkpoints.restore`: shapes and types of a (possibly abstract) state, with one sharding."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), state)


def _differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    wrong = [key for key in sorted({*there, *here}) if there.get(key) != here.get(key)]
    return [f"{key}: {there.get(key)} there, {here.get(key)} here" for key in wrong]


def _shapes(state: Any) -> dict[str, list[int]]:
    """Shape of every leaf of a (possibly abstract) state, by its place."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): list(leaf.shape) for path, leaf in leaves}


def checksum(state: Any) -> int:
    """CRC-32 of all leaves. The storage has none of array contents, and restores changed ones without a word."""
    crc = 0
    for leaf in jax.tree.leaves(state):
        crc = zlib.crc32(np.asarray(leaf).tobytes(), crc)
    return crc


def _check_room(directory: Path, state: Any) -> None:
    """Raises OSError where a disk or a quota has no room for the state, which TensorStore says in many tracebacks."""
    with tempfile.TemporaryFile(dir=directory) as file:
        for size in (_OVERHEAD, *(leaf.nbytes for leaf in jax.tree.leaves(state))):
            file.write(bytes(size))


def _read_through(path: Path) -> None:
    """Reads the arrays of a saved state one by one, and raises on the first that is damaged.

    Orbax reads them all at once, and where one fails leaves tracebacks of the others on the terminal.
    """
    store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{path}/"}}
    names = [key.decode() for key in tensorstore.KvStore.open(store).result().list().result()]
    arrays = [name.removesuffix(".zarray") for name in names if name.endswith("/.zarray")]
    if not arrays:
        raise ValueError(f"{path} holds no arrays")
    for name in arrays:
        tensorstore.open({"driver": "zarr", "kvstore": {**store, "path": name}}, read=True).result().read().result()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
