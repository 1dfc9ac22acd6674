import itertools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from nag_jax.system import parallel
from nag_jax.system.errors import InputError


@pytest.mark.parametrize(("asked", "size"), [(None, 8), (1, 1), (3, 3), (8, 8)])
def test_a_mesh_has_one_axis_over_the_first_devices(asked, size):
    mesh = parallel.make_mesh(asked)
    assert mesh.axis_names == ("data",) == (parallel.AXIS,)
    assert mesh.size == size
    assert mesh.devices.tolist() == jax.devices()[:size]
    assert mesh.axis_types == (AxisType.Auto,)


def test_a_mesh_of_more_devices_than_there_are_is_refused():
    with pytest.raises(InputError, match="a mesh of 9 devices was asked for, and there are 8"):
        parallel.make_mesh(9)


def test_replicated_arrays_are_whole_on_every_device():
    mesh = parallel.make_mesh(8)
    assert parallel.replicated(mesh).spec == PartitionSpec()
    x = jax.device_put(np.arange(6.0).reshape(3, 2), parallel.replicated(mesh))
    assert x.sharding.is_fully_replicated
    assert {shard.device for shard in x.addressable_shards} == set(jax.devices())
    for shard in x.addressable_shards:
        np.testing.assert_array_equal(shard.data, np.arange(6.0).reshape(3, 2))


def test_batches_are_cut_into_equal_shares_in_order():
    mesh = parallel.make_mesh(4)
    assert parallel.batched(mesh).spec == PartitionSpec("data")
    x = jax.device_put(np.arange(24.0).reshape(8, 3), parallel.batched(mesh))
    for i, shard in enumerate(sorted(x.addressable_shards, key=lambda shard: shard.device.id)):
        assert shard.device == mesh.devices[i]
        np.testing.assert_array_equal(shard.data, np.arange(24.0).reshape(8, 3)[2 * i : 2 * i + 2])


def test_a_batch_that_does_not_fit_is_what_padding_is_for():
    mesh = parallel.make_mesh(8)
    with pytest.raises(ValueError, match="partitioned 8 times, but the dimension size is 13"):
        jax.device_put(np.zeros((13, 2)), parallel.batched(mesh))
    padded = parallel.padded_size(13, mesh)
    x = jax.device_put(np.zeros((padded, 2)), parallel.batched(mesh))
    assert x.addressable_shards[0].data.shape == (2, 2)


@pytest.mark.parametrize(
    ("n", "devices", "size"), [(1, 1, 1), (13, 1, 13), (1, 8, 8), (8, 8, 8), (9, 8, 16), (1000, 3, 1002), (0, 2, 0)]
)
def test_padded_size(n, devices, size):
    assert parallel.padded_size(n, parallel.make_mesh(devices)) == size


def test_whole_arrays_are_fetched_from_all_devices():
    mesh = parallel.make_mesh(4)
    x = np.arange(24.0).reshape(8, 3)
    tree = {"cut": jax.device_put(x, parallel.batched(mesh)), "whole": jax.device_put(x, parallel.replicated(mesh))}
    found = parallel.fetch(tree)
    assert {type(leaf) for leaf in found.values()} == {np.ndarray}
    np.testing.assert_array_equal(found["cut"], x)
    np.testing.assert_array_equal(found["whole"], x)


def test_a_single_process_is_the_first_and_does_what_the_first_does():
    assert parallel.is_first()
    result = object()
    assert parallel.on_first(lambda: result) is result
    assert parallel.from_first(lambda: 3.5) == 3.5
    for call in (parallel.on_first, parallel.from_first):
        with pytest.raises(InputError, match="not this"):
            call(refuse)


def refuse():
    raise InputError("not this")


class Coordinator(dict):
    """JAX's store of keys and values, which all processes reach."""

    def key_value_set_bytes(self, name, value):
        assert isinstance(value, bytes)
        self[name] = value

    def blocking_key_value_get_bytes(self, name, timeout_ms):
        assert timeout_ms > 0
        return self[name]


@pytest.fixture
def as_process(monkeypatch):
    """Makes calls as process i of two, one after the other: (i, call) -> its result."""
    coordinator = Coordinator()
    monkeypatch.setattr(parallel.distributed.global_state, "client", coordinator)
    monkeypatch.setattr(jax, "process_count", lambda: 2)

    def run(i, call):
        monkeypatch.setattr(jax, "process_index", lambda: i)
        monkeypatch.setattr(parallel, "_answers", itertools.count())
        return call()

    run.coordinator = coordinator
    return run


ANSWERS = [
    None,
    {"networks": 2**63, "target": -0.1, "spread": [1e-300, 0.5]},
    [1, "a\x00\u2028", True, float("inf")],
    np.array([0.1, np.nan, -np.inf]),
    {
        "tokens": np.arange(6, dtype=np.int32).reshape(2, 3),
        "valid": np.array([[True], [False]]),
        "none": np.zeros((0, 4)),
    },
    np.float32(1e-8) * np.ones((2, 2), np.float32).T[:, ::-1],
    jnp.arange(3, dtype=jnp.float32),
]


@pytest.mark.parametrize(
    "answer",
    [object(), {1, 2}, np.array([None]), np.array(["a"]), b"bytes"],
    ids=["object", "set", "objects", "strings", "bytes"],
)
def test_what_is_no_json_and_no_numbers_is_not_given_away(answer):
    with pytest.raises(TypeError, match="can't be given to other processes"):
        parallel.from_first(lambda: answer)


def test_a_pickle_in_the_coordinator_is_not_executed(as_process, tmp_path):
    class Attack:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    as_process.coordinator["nag_jax/0"] = pickle.dumps({"answer": Attack()})
    with pytest.raises(ValueError):  # noqa: PT011 (JSON's own, which says nothing of this)
        as_process(1, lambda: parallel.from_first(dict))
    assert not (tmp_path / "executed").exists()


def test_joining_after_devices_were_used_is_refused():
    jax.devices()
    with pytest.raises(InputError, match=r"can't be joined .* --coordinator=HOST:PORT"):
        parallel.start("127.0.0.1:1", 2, 0)


def test_scans_may_carry_what_is_sharded():
    """With Explicit axes, the default of `jax.make_mesh`, a carry would need a sharding in its type."""
    mesh = parallel.make_mesh(8)

    @jax.jit
    def run(x):
        return jax.lax.scan(lambda x, _: (jax.numpy.roll(x, 1, axis=0), None), x, length=3)[0]

    x = np.arange(16.0)
    np.testing.assert_array_equal(run(jax.device_put(x, parallel.batched(mesh))), np.roll(x, 3))


def test_compiler_options_are_what_jit_takes_or_none(monkeypatch):
    options = parallel.compiler_options()
    assert jax.jit(lambda x: x + 1.0, compiler_options=options)(1.0) == 2.0
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert parallel.compiler_options.__wrapped__() is None
