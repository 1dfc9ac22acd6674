"""Meshes and shardings: every device holds the parameters and its share of the batch."""

import math

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def make_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh with the single axis `data` over the first `num_devices` devices of all processes (default: all)."""
    devices = jax.devices()[:num_devices]
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh: Mesh) -> NamedSharding:
    """The leading axis is cut into equal shares, one a device; it must be a multiple of the mesh's size."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def padded_size(n: int, mesh: Mesh) -> int:
    """The least multiple of the mesh's size that holds n samples."""
    return math.ceil(n / mesh.size) * mesh.size
