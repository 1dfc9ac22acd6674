import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.system import parallel
from nag_jax.system.errors import InputError

DESCRIPTION = {"space": "nasbench201", "width": 64, "shape": (8, 7), "rate": 0.1}
ONE = parallel.replicated(parallel.make_mesh(1))


def state(step):
    """A state whose large leaf is stored apart from the index, and whose numbers say the step."""
    rng = np.random.default_rng(step)
    leaves = {
        "large": rng.standard_normal((64, 64)).astype(np.float32),
        "small": {"count": np.int32(step), "vector": rng.standard_normal(3).astype(np.float32)},
    }
    return jax.device_put(leaves, ONE)


TARGET = abstract_like(jax.eval_shape(lambda: state(0)), ONE)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the checkpoints of steps 5 and 10. Tests must not change it."""
    folder = tmp_path_factory.mktemp("written")
    with Checkpoints(folder, DESCRIPTION) as checkpoints:
        for step in (5, 10):
            checkpoints.save(step, state(step))
    return folder


@pytest.fixture
def copied(written, tmp_path):
    """Such a folder of one's own."""
    return shutil.copytree(written, tmp_path / "copied")


def refuse(folder, contents, *, description=DESCRIPTION, target=TARGET):
    """The one line with which restoring is refused; asserts that nothing stored was touched."""
    before = contents(folder)
    with pytest.raises(InputError) as error, Checkpoints(folder, description) as checkpoints:
        checkpoints.restore(target)
    assert contents(folder) == before
    assert "\n" not in str(error.value)
    return str(error.value)


# Saving and restoring


def test_the_newest_is_restored_and_nothing_touched(written, contents, assert_same):
    before = contents(written)
    with Checkpoints(written, DESCRIPTION) as checkpoints:
        assert checkpoints.latest_step() == 10
        assert_same(checkpoints.restore(TARGET), state(10))
    assert contents(written) == before


def test_nothing_is_made_before_the_first_save(tmp_path):
    with Checkpoints(tmp_path / "new", DESCRIPTION) as checkpoints:
        assert checkpoints.latest_step() is None
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("keep", [1, 3])
def test_pruning_keeps_the_newest(tmp_path, keep, assert_same):
    with Checkpoints(tmp_path, DESCRIPTION, max_to_keep=keep) as checkpoints:
        for step in range(1, 6):
            checkpoints.save(step, state(step))
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == list(range(6 - keep, 6))
    assert_same(Checkpoints(tmp_path, DESCRIPTION).restore(TARGET), state(5))


def test_a_relative_folder_stays_where_it_was_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoints = Checkpoints("here", DESCRIPTION)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with checkpoints:
        checkpoints.save(1, state(1))
    assert (tmp_path / "here" / "1").is_dir()


def test_a_half_written_newest_one_does_not_count(copied, assert_same):
    """As after a kill: Orbax writes under another name and renames at the end."""
    half = copied / "15.orbax-checkpoint-tmp"
    shutil.copytree(copied / "10", half)
    shutil.rmtree(half / "description")
    next((half / "state").glob("**/manifest.ocdbt")).write_bytes(b"")
    with Checkpoints(copied, DESCRIPTION) as checkpoints:
        assert checkpoints.latest_step() == 10
        assert_same(checkpoints.restore(TARGET), state(10))
        checkpoints.save(15, state(15))
    assert_same(Checkpoints(copied, DESCRIPTION).restore(TARGET), state(15))


def test_saving_leaves_no_hold_on_the_state(tmp_path, assert_same):
    """States are donated to the next step as soon as `save` returns."""
    advance = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + 1, state), donate_argnums=0)
    now = jax.device_put({"w": jnp.zeros((512, 1024))}, ONE)
    with Checkpoints(tmp_path, DESCRIPTION, max_to_keep=10) as checkpoints:
        for step in range(1, 6):
            before, now = now, advance(now)
            assert before["w"].is_deleted()
            checkpoints.save(step, now)
            for _ in range(3):
                now = advance(now)
    for step in range(5, 0, -1):
        restored = Checkpoints(tmp_path, DESCRIPTION).restore(abstract_like(now, ONE))
        assert_same(restored, {"w": np.full((512, 1024), 4 * step - 3, np.float32)})
        shutil.rmtree(tmp_path / str(step))


# What is refused


@pytest.mark.parametrize("made", [True, False])
def test_no_checkpoint(tmp_path, contents, made):
    folder = tmp_path / "run"
    if made:
        folder.mkdir()
        (folder / "10.orbax-checkpoint-tmp").mkdir()
        (folder / "notes").mkdir()
    message = refuse(folder, contents)
    assert message == f"no checkpoint in {folder}: name a folder that holds one, as RUN/score"
    assert folder.exists() == made


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"space": "mobilenet_v3"}, "(space: nasbench201 there, mobilenet_v3 here)"),
        ({"width": 32, "rate": 0.2}, "(rate: 0.1 there, 0.2 here; width: 64 there, 32 here)"),
        ({"shape": (20, 9)}, "(shape: [8, 7] there, [20, 9] here)"),
        ({"depth": 3}, "(depth: None there, 3 here)"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_naming_the_difference(written, contents, other, difference):
    message = refuse(written, contents, description=DESCRIPTION | other)
    assert message == (
        f"checkpoint {written}/10 is of another model {difference}: use a config that agrees, or another checkpoint"
    )


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"small": {"count": TARGET["small"]["count"]}}, "['small']['vector']: [3] there, None here"),
        ({"more": TARGET["large"]}, "['more']: None there, [64, 64] here"),
        ({"large": TARGET["large"].update(shape=(64, 32))}, "['large']: [64, 64] there, [64, 32] here"),
        ({"large": TARGET["large"].update(shape=(65, 1)), "more": TARGET["large"]}, "['large']: [64, 64] there, [65, "),
    ],
)
def test_a_state_of_another_shape_is_refused_naming_the_first_difference(written, contents, change, difference):
    message = refuse(written, contents, target=TARGET | change)
    assert message.startswith(f"checkpoint {written}/10 is of another model ({difference}")
    assert message.endswith("here): use a config that agrees, or another checkpoint")


def important_files(folder):
    """What makes a checkpoint: the description, the index of arrays, and the data file."""
    newest = folder / "10"
    data = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    return {
        "description": newest / "description" / "metadata",
        "structure": newest / "state" / "_METADATA",
        "manifest": newest / "state" / "manifest.ocdbt",
        "index": next((newest / "state" / "d").iterdir()),
        "data": data,
    }


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        (part, damage)
        for part in ("description", "structure", "manifest", "index", "data")
        for damage in ("gone", "empty", "cut", "changed")
        if (part, damage) != ("structure", "gone")  # such a tree can do without
    ],
)
def test_a_damaged_checkpoint_is_refused_and_left_alone(copied, contents, part, damage):
    path = important_files(copied)[part]
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "gone":
        path.unlink()
    else:
        flipped = whole[:middle] + bytes([whole[middle] ^ 0x90]) + whole[middle + 1 :]
        path.write_bytes({"empty": b"", "cut": whole[:middle], "changed": flipped}[damage])
    message = refuse(copied, contents)
    assert message.startswith(f"checkpoint {copied}/10 can't be re")
    assert message.endswith("delete it to train again, or put back an intact copy")


def test_an_empty_step_folder_is_refused_and_left_alone(copied, contents):
    (copied / "15").mkdir()
    assert refuse(copied, contents).startswith(f"checkpoint {copied}/15 can't be read")


def test_a_description_that_is_none_is_refused(copied, contents):
    for text in ("[1, 2]", '"facts"', '{"facts": 3, "shapes": {}, "checksum": 0}', '{"facts": {}}'):
        (copied / "10" / "description" / "metadata").write_text(text)
        assert "can't be read" in refuse(copied, contents)


def test_refusing_prints_nothing(tmp_path):
    """Orbax reads all arrays at once, and its abandoned reads would print tracebacks of their own."""
    many = {str(i): np.full((64, 64), i, np.float32) for i in range(20)}
    with Checkpoints(tmp_path, DESCRIPTION) as checkpoints:
        checkpoints.save(10, jax.device_put(many, ONE))
    important_files(tmp_path)["index"].write_bytes(b"")
    code = f"""
from absl import logging
logging.set_verbosity(logging.ERROR)
import jax
from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
state = {{str(i): jax.ShapeDtypeStruct((64, 64), "float32") for i in range(20)}}
target = abstract_like(state, parallel.replicated(parallel.make_mesh()))
try:
    Checkpoints({str(tmp_path)!r}, {DESCRIPTION!r}).restore(target)
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"checkpoint {tmp_path}/10 can't be restored")
    assert done.stderr == ""
