"""Meshes, shardings and processes: every device holds the parameters and its share of the batch."""

import functools
import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax._src import distributed  # whose store of keys and values has no public name
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from nag_jax.system.errors import InputError

AXIS = "data"
HEARTBEAT_SECONDS = 30
"""Without a sign of life for so long, a process counts as dead, and all others end."""
_FOREVER_MS = 10 * 365 * 24 * 3600 * 1000
_answers = itertools.count()
_ARRAY = "nag_jax.array"
"""The key that stands for an array in the JSON of an answer."""
_KINDS = "biuf"
"""Of arrays that are given to other processes, as `numpy.dtype.kind` has them: booleans and numbers."""


def start(coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Joins the processes of one run, before anything else touches a device.

    Args:
        coordinator: address HOST:PORT at which process 0 listens.
        num_processes: how many there are.
        process_id: which one this is, from 0.

    All are found out by JAX where they are None, on TPUs and under Slurm, Open MPI and Kubernetes.

    Raises:
        InputError: JAX can't find them out, or the others don't come.
    """
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
        )
        _connect()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the processes of the run can't be joined ({str(error).splitlines()[0]}): start all of them, each with "
            "--distributed --coordinator=HOST:PORT --num_processes=N --process_id=I"
        ) from error


def _connect() -> None:
    """Has all devices exchange something: Gloo waits only half a minute for the first time, and compiling may last."""
    multihost_utils.sync_global_devices("nag_jax")
    mesh = make_mesh()
    fetch(jax.jit(lambda: jax.numpy.zeros(mesh.size, jax.numpy.float32), out_shardings=batched(mesh))())


def is_first() -> bool:
    """Whether this is process 0, the one that writes."""
    return jax.process_index() == 0


def on_first(function: Callable[[], Any]) -> Any:
    """Has process 0 alone run `function()`, for what it does; all must call this, in the same order, and wait for it.

    Returns its result in process 0 and None in the others, and takes as long as that takes. An InputError is raised by
    all.
    """
    result = None

    def run() -> None:
        nonlocal result
        result = function()

    from_first(run)
    return result


def from_first(function: Callable[[], Any]) -> Any:
    """The answer of `function()`, run by process 0 alone and given to all; see `on_first`.

    The answer is made of what JSON has, and of arrays of numbers: every process gets it as it comes back from that, so
    tuples are lists. It travels so, and not as a pickle, since whoever reaches the coordinator's port may write there.

    Raises:
        InputError: `function` raised it.
        TypeError: the answer holds something else.
    """
    client, name = distributed.global_state.client, f"nag_jax/{next(_answers)}"
    if not is_first():
        assert client is not None
        return _opened(client.blocking_key_value_get_bytes(name, _FOREVER_MS))

    def send(**message: Any) -> bytes:
        packed = _packed(message)
        if jax.process_count() > 1:
            assert client is not None
            client.key_value_set_bytes(name, packed)
        return packed

    try:
        answer = function()
    except InputError as error:
        send(refused=str(error))
        raise
    return _opened(send(answer=answer))


def _opened(packed: bytes) -> Any:
    """The answer in a message; raises what the first process raised."""
    message = _unpacked(packed)
    if "refused" in message:
        raise InputError(message["refused"])
    return message["answer"]


def _packed(tree: Any) -> bytes:
    """JSON, whose arrays follow as they lie in memory: the length of the text in 8 bytes, the text, the arrays."""
    arrays: list[bytes] = []

    def describe(value: Any) -> dict[str, Any]:
        value = np.asarray(value) if isinstance(value, jax.Array) else value
        if not isinstance(value, np.ndarray) or value.dtype.kind not in _KINDS:
            raise TypeError(f"a {type(value).__name__} can't be given to other processes")
        arrays.append(value.tobytes())
        return {_ARRAY: [value.dtype.str, list(value.shape), sum(map(len, arrays[:-1]))]}

    text = json.dumps(tree, default=describe).encode()
    return b"".join([len(text).to_bytes(8, "big"), text, *arrays])


def _unpacked(packed: bytes) -> Any:
    start = 8 + int.from_bytes(packed[:8], "big")

    def restore(found: dict[str, Any]) -> Any:
        if _ARRAY not in found:
            return found
        dtype, shape, offset = found[_ARRAY]
        assert np.dtype(dtype).kind in _KINDS
        values = np.frombuffer(packed, dtype, math.prod(shape), start + offset)
        return values.reshape(shape).copy()  # which may be written to

    return json.loads(packed[8:start], object_hook=restore)


def fetch(tree: Any) -> Any:
    """Arrays cut over the devices of all processes as whole NumPy arrays, in every process."""
    return jax.tree.map(
        lambda x: jax.device_get(x) if x.is_fully_addressable else multihost_utils.process_allgather(x, tiled=True),
        tree,
    )


def make_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh with the single axis `data` over the first `num_devices` devices of all processes (default: all).

    Raises:
        InputError: there are fewer.
    """
    devices = jax.devices()[:num_devices]
    if num_devices is not None and len(devices) != num_devices:
        raise InputError(f"a mesh of {num_devices} devices was asked for, and there are {jax.device_count()}")
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def make_local_mesh() -> Mesh:
    """A mesh as `make_mesh` makes it over the devices of this process alone, for what the first process does alone."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


@functools.cache
def compiler_options() -> dict[str, str] | None:
    """XLA's options for programs that evaluate networks step after step, as `jit` takes them.

    On CPUs XLA hands products, and by default whatever lies around them, to a library which is slow at the latter. With
    products alone in it, samplers take a tenth to a sixth less time. The option is experimental, so this is None where
    the compiler doesn't know it.
    """
    if jax.default_backend() != "cpu":
        return None
    # With the second kind alone, elementwise work stays on one core.
    kinds = "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
    options = {"xla_cpu_experimental_ynn_fusion_type": kinds}
    try:
        jax.jit(lambda: 0.0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:
        return None
    return options


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh: Mesh) -> NamedSharding:
    """The leading axis is cut into equal shares, one per device; it must be a multiple of the mesh's size."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def padded_size(n: int, mesh: Mesh) -> int:
    """The least multiple of the mesh's size that holds n samples."""
    return math.ceil(n / mesh.size) * mesh.size
