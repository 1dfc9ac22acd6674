import functools
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import fit, make_chunk, restore
from nag_jax.fitting.state import init_state
from nag_jax.system.errors import InputError

KEY = jax.random.key(7)
DESCRIPTION = {"what": "toy"}


class Stopped(Exception):  # noqa: N818
    """What a progress callback raises in place of a kill."""


@pytest.fixture(scope="module")
def run(toy):
    """Fits the toy problem; keyword arguments override."""
    return lambda **options: fit(toy.init, toy.loss, KEY, toy.data, **(toy.options | options))


@pytest.fixture(scope="module")
def uninterrupted(run):
    return jax.device_get(run())


def stop_at(step, log=None):
    def progress(done, total, loss):
        if log is not None:
            log.append((done, total, loss))
        if done == step:
            raise Stopped

    return progress


def test_the_loss_falls(run, toy):
    log = []
    params = run(num_steps=100, progress=stop_at(None, log))
    done, total, losses = zip(*log, strict=True)
    assert done == tuple(range(0, 101, 5))
    assert set(total) == {100}
    assert np.isnan(losses[0])
    assert np.mean(losses[-3:]) < 0.5 * losses[1]
    x, y = toy.data
    assert np.mean((x @ params["w"] + params["b"] - (y + 2.0)) ** 2) < 1.5
    assert abs(params["b"] - 2.0) < 0.6


def test_the_length_of_chunks_changes_nothing_but_rounding(run, uninterrupted):
    found = run(chunk_steps=7)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), found, uninterrupted)


def test_other_keys_fit_otherwise(run, toy, uninterrupted):
    found = fit(toy.init, toy.loss, jax.random.key(8), toy.data, **toy.options)
    assert np.abs(found["w"] - uninterrupted["w"]).max() > 1e-3


@pytest.mark.parametrize(("step", "resumed_from"), [(0, 0), (5, 0), (10, 10), (15, 10), (20, 20)])
def test_stopped_and_resumed_is_the_same_bit_for_bit(run, uninterrupted, tmp_path, assert_same, step, resumed_from):
    """With a checkpoint every second chunk, after a stop in any chunk, also one without a checkpoint."""
    with pytest.raises(Stopped), Checkpoints(tmp_path / "run", DESCRIPTION) as checkpoints:
        run(checkpoints=checkpoints, checkpoint_every=10, progress=stop_at(step))
    log = []
    with Checkpoints(tmp_path / "run", DESCRIPTION) as checkpoints:
        found = run(checkpoints=checkpoints, checkpoint_every=10, progress=stop_at(None, log))
    assert log[0][0] == resumed_from
    assert log[-1][0] == 20
    assert_same(jax.device_get(found), uninterrupted)


def test_a_finished_fit_takes_no_step_and_writes_nothing(run, uninterrupted, tmp_path, assert_same, contents):
    with Checkpoints(tmp_path / "run", DESCRIPTION) as checkpoints:
        run(checkpoints=checkpoints)
    before, log = contents(tmp_path), []
    with Checkpoints(tmp_path / "run", DESCRIPTION) as checkpoints:
        found = run(checkpoints=checkpoints, progress=stop_at(None, log))
    assert [done for done, *_ in log] == [20]
    assert contents(tmp_path) == before
    assert_same(jax.device_get(found), uninterrupted)


@pytest.mark.parametrize(("every", "saved"), [(1, [5, 10, 15, 20]), (8, [10, 20]), (15, [15, 20]), (100, [20])])
def test_checkpoints_come_after_whole_chunks_and_at_the_end(run, tmp_path, every, saved):
    with Checkpoints(tmp_path, DESCRIPTION, max_to_keep=10) as checkpoints:
        run(checkpoints=checkpoints, checkpoint_every=every)
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == saved


def test_saved_states_are_those_of_their_step_though_training_went_on(toy, tmp_path, assert_same):
    """Saving is asynchronous and states are donated: a save must not see the next chunk's numbers in its buffers."""
    width = 300

    def init(key):
        return {"w": jax.random.normal(key, (width, width))}

    def loss(params, key, data):
        return jnp.mean((params["w"] @ jax.random.normal(key, (width,)) - data) ** 2)

    chunk = make_chunk(loss, toy.optimizer, ema_decay=0.9)
    init_key, step_key = jax.random.split(KEY)
    state = jax.jit(lambda key: init_state(init(key), toy.optimizer))(init_key)
    expected = {}
    for step in range(1, 7):
        state, _ = chunk(state, step_key, 1.0, 1)
        expected[step] = jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)
    with Checkpoints(tmp_path, DESCRIPTION, max_to_keep=10) as checkpoints:
        options = toy.options | {"num_steps": 6, "chunk_steps": 1, "checkpoint_every": 1}
        fit(init, loss, KEY, 1.0, checkpoints=checkpoints, **options)
    for step in range(6, 0, -1):
        found = restore(init, toy.optimizer, Checkpoints(tmp_path, DESCRIPTION), toy.mesh)
        assert_same(jax.device_get(found), expected[step])
        shutil.rmtree(tmp_path / str(step))


def test_a_checkpoint_that_cannot_be_restored_stops_the_fit_before_a_step(run, tmp_path, contents):
    with Checkpoints(tmp_path, DESCRIPTION) as checkpoints:
        run(checkpoints=checkpoints, num_steps=5)
    before, log = contents(tmp_path), []
    with pytest.raises(InputError, match="of another model"), Checkpoints(tmp_path, {"what": "more"}) as checkpoints:
        run(checkpoints=checkpoints, progress=stop_at(None, log))
    assert log == []
    assert contents(tmp_path) == before


def test_a_loss_that_is_not_finite_is_refused_with_its_step(toy, tmp_path):
    """A parameter that climbs by 0.1 a step passes 0.55 after six; what was saved before is kept."""

    def loss(params, key, data):
        return jnp.where(params["p"] > 0.55, jnp.nan, -params["p"])

    options = toy.options | {"optimizer": optax.sgd(0.1), "chunk_steps": 4, "checkpoint_every": 1}
    with (
        pytest.raises(InputError, match=r"the training loss is nan at step 6: lower the learning rate or the clipping"),
        Checkpoints(tmp_path, DESCRIPTION) as checkpoints,
    ):
        fit(lambda key: {"p": jnp.zeros(())}, loss, KEY, (), checkpoints=checkpoints, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["4"]
