"""A benchmark of the user's own, as a CSV or a Parquet file."""

import json

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
        "facts": {},
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
    columns = ["pool", "arch", "times_generated"]
    listed, as_accuracy = run.listing(), undisturbed.listing()
    pd.testing.assert_frame_equal(listed[columns], as_accuracy[columns])
    np.testing.assert_allclose(listed["predicted"], 100 - as_accuracy["predicted"], rtol=1e-5)  # in its own unit
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
    listing = run.listing()
    assert not listing["arch"].isin(part["arch"]).all(), (
        "what the table doesn't have is generated and listed all the same"
    )
    for name, rows in listing.groupby("pool"):
        values = [known[native] for native in rows["arch"] if native in known]
        pool = run.results["pools"][name]
        assert pool["distinct"] == len(rows) > len(values)
        assert pool["value_mean"] == pytest.approx(np.mean(values))
        best = np.sort(part["test_accuracy"])[-len(values) :].mean()
        assert pool["pool_regret"] == pytest.approx(best - np.mean(values))


@pytest.mark.slow
def test_nothing_left_to_pay_for_is_said_in_one_line(frame, space, smoke, command_line, tmp_path):
    """All but one of the table's cells are labelled in training, so the pool holds none to pay for at the end."""
    keys = space.canonical(space.from_native(list(frame["arch"])))
    frame.assign(key=keys).drop_duplicates("key")[:100].to_csv(tmp_path / "few.csv", index=False)
    few = table_flags(tmp_path / "few.csv", "test_accuracy")
    job, run = smoke(*few, "--config.labels.training=99", "--config.labels.final=1")
    assert command_line.wait(job).status == 2
    assert "Traceback" not in job.stderr
    last = job.stderr.splitlines()[-1]
    assert last.startswith(
        "error: no generated architecture is valid, within the constraints, known to the evaluator and still without"
    )
    assert "raise num_samples" in last
    assert len(run.trials()) == 99


@pytest.mark.slow
def test_the_published_table(shared, smoke, command_line):
    table = shared / "data" / "nb201_cifar.csv"
    job, run = smoke(*table_flags(table, "cifar10_valid_acc", unit="%"))
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    published = pd.read_csv(table).set_index("arch")
    results = run.results
    assert results["objective"]["split"] == "validation"
    assert results["objective"]["best_of_table"] == published["cifar10_valid_acc"].max()
    labels = {row[2]: json.loads(row[5]) for row in run.trials()}
    assert len(labels) == 44
    for native, label in labels.items():
        assert label["cifar10_valid_acc"] == published.loc[native, "cifar10_valid_acc"]
        assert label["cifar10_test_acc"] == published.loc[native, "cifar10_test_acc"]
    assert results["pools"]["guided"]["value_mean"] > results["pools"]["unconditional"]["value_mean"]
