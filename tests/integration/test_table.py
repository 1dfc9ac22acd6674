"""A benchmark of the user's own, as a CSV or a Parquet file."""

import io

import numpy as np
import pandas as pd
import pytest

from nag_jax import evaluators, spaces
from nag_jax.evaluators.reporting import reporting_view


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def frame(space):
    """All cells in the official order, with the accuracy of `analog_nasbench` and the error that goes with it."""
    view = reporting_view(evaluators.make("analog_nasbench", space=space))
    accuracy = view.values(space.from_index(np.arange(space.size)), "baseline")
    natives = space.to_native(space.from_index(np.arange(space.size)))
    return pd.DataFrame({"arch": natives, "test_accuracy": accuracy, "error": 100.0 - accuracy})


def table_flags(path, metric, **fields):
    fields = {"name": "table", "path": path, "metric": metric, **fields}
    return [f"--config.evaluator.{field}={value}" for field, value in fields.items()]


def listed(run):
    return pd.read_csv(io.BytesIO(run.architectures))


def test_a_copy_of_the_default_table_gives_the_default_architectures(
    frame, smoke, refused, command_line, undisturbed, tmp_path
):
    path = tmp_path / "mine.csv"
    frame.to_csv(path, index=False)
    flags = table_flags(path, "test_accuracy", unit="%")
    job, run = smoke(*flags)
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    expected = undisturbed.architectures.replace(b"label_baseline", b"label_test_accuracy", 1)
    assert run.architectures == expected
    results = run.results
    assert results["objective"] == {
        "metric": "test_accuracy",
        "unit": "%",
        "direction": "max",
        "split": "test",
        "evaluator": "table",
        "space": "nasbench201",
        "best_of_table": 94.0664,
    }
    assert results["labels"] == undisturbed.results["labels"]
    assert results["best"] == undisturbed.results["best"]
    for name, pool in undisturbed.results["pools"].items():
        assert results["pools"][name] == pytest.approx(pool)

    changed = frame.copy()
    changed.loc[5, "test_accuracy"] += 0.5
    changed.to_csv(path, index=False)
    refused(*flags, workdir=run.path, says=("ledger of another table", "fingerprint", "or another workdir"))


@pytest.mark.slow
def test_an_objective_to_be_minimised_gives_the_same_architectures(frame, smoke, command_line, undisturbed, tmp_path):
    frame.to_parquet(tmp_path / "mine.parquet")
    job, run = smoke(*table_flags(tmp_path / "mine.parquet", "error", direction="min", unit="%", split="validation"))
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    columns = ["pool", "arch", "times_generated", "predicted"]
    pd.testing.assert_frame_equal(listed(run)[columns], listed(undisturbed)[columns])
    results, expected = run.results, undisturbed.results
    assert results["objective"]["direction"] == "min"
    assert results["objective"]["split"] == "validation"
    assert results["objective"]["best_of_table"] == pytest.approx(100 - 94.0664)
    assert results["best"]["architecture"] == expected["best"]["architecture"]
    assert results["best"]["value"] == pytest.approx(100 - expected["best"]["value"])
    assert results["best"]["regret"] == pytest.approx(expected["best"]["regret"])
    for name, pool in expected["pools"].items():
        for metric in ("pool_regret", "guidance_gap", "distinct"):
            assert results["pools"][name][metric] == pytest.approx(pool[metric])
        assert results["pools"][name]["value_best"] == pytest.approx(100 - pool["value_best"])
        assert results["pools"][name]["value_max"] == pytest.approx(100 - pool["value_min"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_of_a_part_of_the_space_is_enough(kind, frame, space, smoke, command_line, tmp_path):
    part = frame.sample(6000, random_state=0)
    path = tmp_path / f"part.{kind}"
    part.to_csv(path, index=False) if kind == "csv" else part.to_parquet(path)
    job, run = smoke(*table_flags(path, "test_accuracy"))
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    known = dict(zip(part["arch"], part["test_accuracy"], strict=True))
    trials = run.trials()
    assert len(trials) == 44
    assert all(row[2] in known for row in trials)
    assert run.results["objective"]["best_of_table"] == part["test_accuracy"].max()
    listing = listed(run)
    assert not listing["arch"].isin(part["arch"]).all(), "what the table doesn't have is generated and listed all the same"
    for name, rows in listing.groupby("pool"):
        values = [known[native] for native in rows["arch"] if native in known]
        pool = run.results["pools"][name]
        assert pool["distinct"] == len(rows) > len(values)
        assert pool["value_mean"] == pytest.approx(np.mean(values))
        best = np.sort(part["test_accuracy"])[-len(values) :].mean()
        assert pool["pool_regret"] == pytest.approx(best - np.mean(values))


@pytest.mark.slow
def test_a_table_smaller_than_the_pool(frame, smoke, command_line, tmp_path):
    """The pool may hold next to nothing that the table has: that is said in one line, after the labels were paid."""
    frame.sample(60, random_state=1).to_csv(tmp_path / "few.csv", index=False)
    job, run = smoke(*table_flags(tmp_path / "few.csv", "test_accuracy"))
    command_line.wait(job)
    assert "Traceback" not in job.stderr
    if job.status == 2:
        assert job.stderr.splitlines()[-1].startswith("error: no generated architecture")
        assert len(run.trials()) == 40
    else:
        assert job.status == 0
        assert 40 < len(run.trials()) <= 44


@pytest.mark.slow
def test_the_published_table(shared, smoke, command_line):
    table = shared / "data" / "nb201_cifar.csv"
    metric = pd.read_csv(table, nrows=1).columns[-1]
    for name in pd.read_csv(table, nrows=1).columns:
        if "cifar10" in name and "valid" in name:
            metric = name
    job, run = smoke(*table_flags(table, metric, unit="%"))
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    frame = pd.read_csv(table)
    assert run.results["objective"]["best_of_table"] == frame[metric].max()
