"""Streams at tiny sizes with untrained networks: what the files hold doesn't depend on how they came about."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from experiments import runs
from nag_jax import spaces
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.tasks import learn
from nag_jax.tasks.aim import PROGRESS, make_aim
from nag_jax.tasks.stream import Batches

N = 150


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A small table, which is soon read."""
    space = spaces.make("nasbench201")
    path = tmp_path_factory.mktemp("table") / "mine.csv"
    natives = space.to_native(space.all_tokens()[::101])
    path.write_text("".join(["arch,acc\n", *(f"{native},{i}\n" for i, native in enumerate(natives))]))
    return path


def untrained(run):
    """What `learn` would return, without learning anything; one cell in many is invalid."""
    guidance = make_aim(run.predictor.init(jax.random.key(1)), 0.0, [1.0] * len(PROGRESS), scale=1.0)
    return learn.Learned(
        run.space.all_tokens(), run.model.init(jax.random.key(0)), np.zeros((0, 8)), np.asarray, guidance
    )


@pytest.fixture(scope="module")
def start(load, table):
    """Runs a stream of N samples: (workdir, chunk size, devices, overrides) -> results.json."""
    make_mesh = parallel.make_mesh

    def run(path, chunk_size=40, *overrides, devices=1):
        source = ("evaluator.name=table", f"evaluator.path={table}", "evaluator.metric=acc", "mode=stream")
        sizes = (f"num_samples={N}", f"stream.chunk_size={chunk_size}", "sampler.num_steps=3")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learn, "learn", untrained)
            patch.setattr(learn.parallel, "make_mesh", lambda: make_mesh(devices))
            runs.run(load("smoke", *source, *sizes, *overrides), path)
        return json.loads((path / "results.json").read_text())

    return run


def files(path):
    return {file.name: file.read_bytes() for file in sorted((path / "samples").iterdir())}


def rows(path) -> Any:
    frames = [pd.read_parquet(file) for file in sorted((path / "samples").iterdir())]
    return pd.concat(frames, ignore_index=True).astype({"architecture": object})


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """An undisturbed stream, which no test changes."""
    path = tmp_path_factory.mktemp("stream") / "whole"
    start(path)
    return path


@pytest.fixture
def undisturbed(whole, tmp_path):
    """A copy of it, to be disturbed."""
    return Path(shutil.copytree(whole, tmp_path / "undisturbed"))


def test_rows_are_numbered_samples(whole, nb201):
    assert list(files(whole)) == [f"{chunk:08}.parquet" for chunk in range(4)]
    found = rows(whole)
    assert found["index"].tolist() == list(range(N))
    tokens = nb201.from_native(found["architecture"].tolist())
    assert len(np.unique(tokens, axis=0)) > N // 2
    assert found["valid"].all()
    assert found["predicted"].nunique() > N // 2


def test_results_count_what_the_files_hold(whole, nb201):
    results = json.loads((whole / "results.json").read_text())
    tokens = nb201.from_native(rows(whole)["architecture"].tolist())
    assert (results["samples"], results["valid"], results["files"]) == (N, N, 4)
    assert results["distinct"] == len(np.unique(tokens, axis=0))
    assert results["distinct_canonical"] == len(np.unique(nb201.canonical(tokens)))
    assert results["samples_per_second"] > 0


@pytest.mark.parametrize("chunk_size", [7, 1000])
def test_samples_are_the_same_to_the_last_bit_in_any_chunks(chunk_size, start, whole, tmp_path):
    start(tmp_path / "other", chunk_size)
    pd.testing.assert_frame_equal(rows(tmp_path / "other"), rows(whole), check_exact=True)


@pytest.mark.parametrize(("chunk_size", "devices"), [(16, 2), (40, 8)])
def test_architectures_are_the_same_on_any_number_of_devices(chunk_size, devices, start, whole, tmp_path):
    start(tmp_path / "other", chunk_size, devices=devices)
    pd.testing.assert_frame_equal(rows(tmp_path / "other"), rows(whole), rtol=1e-4, atol=1e-5)


def test_fewer_samples_are_the_first_of_more(start, whole, tmp_path):
    start(tmp_path / "fewer", 40, "num_samples=50")
    pd.testing.assert_frame_equal(rows(tmp_path / "fewer"), rows(whole)[:50], check_exact=True)


@pytest.mark.parametrize("missing", [(3,), (1, 2, 3), (1,), ()])
def test_a_stream_goes_on_with_the_files_that_are_missing(missing, start, undisturbed, tmp_path):
    expected = files(undisturbed)
    kept = {name: (undisturbed / "samples" / name).stat().st_mtime_ns for name in expected}
    for chunk in missing:
        (undisturbed / "samples" / f"{chunk:08}.parquet").unlink()
    (undisturbed / "samples" / ".partial-00000001.parquet").write_bytes(b"half a fi")
    results = start(undisturbed)
    (undisturbed / "samples" / ".partial-00000001.parquet").unlink(missing_ok=True)
    assert files(undisturbed) == expected
    assert results["samples"] == N
    assert (results["samples_per_second"] is None) == (not missing)
    for name in expected:
        unchanged = (undisturbed / "samples" / name).stat().st_mtime_ns == kept[name]
        assert unchanged == (int(name[:8]) not in missing)


def test_a_damaged_file_is_refused(start, undisturbed):
    (undisturbed / "samples" / "00000002.parquet").write_bytes(b"half a fi")
    with pytest.raises(InputError, match=r"00000002.parquet can't be read .* delete it"):
        start(undisturbed)


def test_a_file_of_another_size_is_refused(start, undisturbed):
    (undisturbed / "samples" / "00000003.parquet").rename(undisturbed / "samples" / "00000000.parquet")
    with pytest.raises(InputError, match=r"00000000.parquet has 30 rows instead of 40: delete it"):
        start(undisturbed)


def test_invalid_samples_keep_their_row(start, tmp_path, monkeypatch):
    def contains(space, tokens):
        return original(space, tokens) & (tokens[:, 1] != 4)

    original = spaces.NASBench201.contains
    monkeypatch.setattr(spaces.NASBench201, "contains", contains)
    monkeypatch.setattr(learn, "sharded", ShardedSampler)  # compiled anew, not found among the programs of before
    results = start(tmp_path)
    found = rows(tmp_path)
    assert len(found) == N
    assert results["valid"] == found["valid"].sum() < N
    np.testing.assert_array_equal(found["architecture"].isna(), ~found["valid"])
    np.testing.assert_array_equal(found["predicted"].isna(), ~found["valid"])


def test_coupled_samples_are_refused_before_anything_is_made(start, tmp_path):
    coupled = ("sampler.kernels=('langevin','euler_maruyama')", "sampler.langevin.norm=batch")
    with pytest.raises(InputError, match=r"can't be streamed in chunks: set config.sampler.langevin.norm=sample"):
        start(tmp_path / "run", 40, *coupled)
    assert not (tmp_path / "run").exists()


def test_more_samples_than_can_be_numbered_are_refused(start, tmp_path):
    with pytest.raises(InputError, match="a stream has 2,130,706,432 at most: ask for fewer"):
        start(tmp_path / "run", 40, "num_samples=2_140_000_000")


# Batches


def make_batches(count):
    launched = []

    def launch(batch):
        launched.append(batch)
        numbers = np.arange(10 * batch, 10 * batch + 10)
        return jnp.asarray(numbers[:, None]), jnp.asarray(numbers % 3 == 0), jnp.asarray(numbers / 2)

    return Batches(launch, 10, count), launched


def test_any_cut_reads_the_same_rows_and_launches_each_batch_once():
    batches, launched = make_batches(4)
    for span in (range(4), range(4, 23), range(23, 30), range(30, 37)):
        tokens, valid, predicted = batches.rows(span)
        assert tokens[:, 0].tolist() == list(span)
        assert valid.tolist() == [i % 3 == 0 for i in span]
        assert predicted.tolist() == [i / 2 for i in span]
    assert launched == [0, 1, 2, 3]


def test_one_batch_is_begun_ahead_and_none_beyond_the_last():
    batches, launched = make_batches(3)
    batches.rows(range(5))
    assert launched == [0, 1]
    batches.rows(range(20, 25))
    assert launched == [0, 1, 2]
