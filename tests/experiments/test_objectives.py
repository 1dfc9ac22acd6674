"""Two objectives from the config to the report, in every mode, with an evaluator and a utility of the user's own."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from configs import nb201, nb_graph_bo
from experiments.finished import FinishedRun
from experiments.runs import run, show_plan
from nag_jax.system.errors import InputError
from nag_jax.trials import read_trials

MINE = '''
import numpy as np

from nag_jax.evaluators import Metric


class Cells:
    name, batch_size, fingerprint = "cells", 64, "counts of operations"
    metrics = {"power": Metric("power", unit="W"), "size": Metric("size", unit="M", direction="min")}

    def __init__(self, *, space, metric="power"):
        self.space, self.objective, self.num_distinct = space, metric, space.num_canonical

    def covers(self, tokens):
        return np.asarray(self.space.contains(tokens))

    def __call__(self, tokens):
        ops = self.space.to_ops(tokens)
        power = 3.0 * (ops == 3).sum(axis=1) + 2.0 * (ops == 2).sum(axis=1)
        return {"power": np.where((ops == 0).all(axis=1), np.nan, power), "size": 1.0 * (ops == 3).sum(axis=1)}


def balance(*, price=0.5):
    """Power less what its size costs."""
    return lambda values: values[..., 0] + price * values[..., 1]
'''


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A file with an evaluator of two metrics, and a utility."""
    path = tmp_path_factory.mktemp("mine") / "my_objectives.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def finished(mine, tmp_path_factory):
    """A generation by both objectives, whose ideal cells are full of 1x1 convolutions: 3x3 ones cost 5 and bring 3."""
    config: Any = nb201.get_config("smoke")
    config.evaluator.update({"name": f"{mine}:Cells", "metric": "power"})
    config.objectives = ("power", "size")
    config.utility.name = f"{mine}:balance"
    config.utility.price = 5.0
    config.guidance.sweep = (1.0,)
    config.score.network.width = 8
    path = tmp_path_factory.mktemp("runs") / "generated"
    run(config, path)
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of graphs for accuracy and latency."""
    config: Any = nb_graph_bo.get_config("smoke")
    config.objectives = ("validation", "latency")
    config.utility.update({"name": "chebyshev", "weights": (1.0, 10.0), "ideal": (90.0, 0.0)})
    config.run, config.seeds, config.search.second = ("local_search", "random_search"), 2, ""
    config.search.report = ""
    config.search.stop_at_best = True
    path = tmp_path_factory.mktemp("runs") / "searched"
    run(config, path)
    return path


def results_of(path):
    return json.loads((path / "results.json").read_text())


def test_a_search_is_told_and_reports_the_utility(searched):
    results, rows = results_of(searched), pd.read_csv(searched / "trajectories.csv")
    assert [about["metric"] for about in results["objective"]["objectives"]] == ["validation", "latency"]
    assert (results["objective"]["metric"], results["reported"]["metric"]) == ("utility", "utility")
    expected = -np.maximum(90.0 - rows["validation"], 10.0 * rows["latency"])
    np.testing.assert_allclose(rows["utility"], expected, rtol=1e-6)
    for _, seed in rows.groupby(["strategy", "seed"]):
        np.testing.assert_allclose(seed["best_so_far"], np.maximum.accumulate(seed["utility"]))
        np.testing.assert_allclose(seed["utility_of_best"], seed["best_so_far"])
    best = results["best"]
    assert best["value"] == pytest.approx(rows["utility"].max())
    assert best["value"] <= results["objective"]["best_of_table"]
    validation, latency = best["objectives"]["validation"], best["objectives"]["latency"]
    assert best["value"] == pytest.approx(-max(90.0 - validation, 10.0 * latency))


def test_the_page_of_a_search_shows_every_objective(searched):
    page = (searched / "report.html").read_text()
    assert "utility of validation in %, higher is better; latency in ms, lower is better" in page
    assert "its latency" in page


def test_an_export_takes_the_best_by_the_utility(searched):
    first = FinishedRun(searched).candidates(1)[0].architecture
    assert first == results_of(searched)["best"]["architecture"]


@pytest.mark.slow
def test_generation_aims_at_a_utility_of_your_own(finished):
    results, rows = results_of(finished), pd.read_csv(finished / "architectures.csv")
    paid = rows[rows["label_utility"].notna()]
    assert len(paid)
    np.testing.assert_allclose(paid["label_utility"], paid["label_power"] - 5.0 * paid["label_size"])
    assert results["best"]["value"] == pytest.approx(
        results["best"]["objectives"]["power"] - 5.0 * results["best"]["objectives"]["size"]
    )
    by_cell = rows[rows["pool"] == "guided"].set_index("arch")["predicted"]
    final = [trial.architecture for trial in read_trials(finished / "trials.db") if trial.purpose == "final"]
    predicted = np.asarray(by_cell[final])
    assert (np.diff(predicted) <= 0).all()
    assert predicted[0] <= 5 * 12.0  # in watts, not in the predictor's own unit, in which all are within about 3
    assert np.ptp(by_cell) > 5.0
    guided, random = (results["pools"][name]["predicted_mean"] for name in ("guided", "random"))
    assert guided > random
    page = (finished / "report.html").read_text()
    assert "utility of power in W, higher is better; size in M, lower is better" in page
    assert "its size" in page


@pytest.mark.slow
def test_a_stream_of_both_predicts_the_utility(finished, mine, tmp_path):
    config: Any = nb201.get_config("smoke")
    config.update(json.loads((finished / "config.json").read_text()))
    config.mode, config.score.checkpoint = "stream", str(finished / "score")
    run(config, tmp_path / "stream")
    rows = pq.read_table(tmp_path / "stream" / "samples").to_pandas().dropna()
    listed = pd.read_csv(finished / "architectures.csv").drop_duplicates("arch").set_index("arch")["predicted"]
    both = rows[rows["architecture"].isin(listed.index)]
    assert len(both)
    np.testing.assert_allclose(both["predicted"], listed[both["architecture"].astype(str)], rtol=1e-3, atol=1e-2)


def test_several_objectives_need_a_utility(tmp_path):
    config: Any = nb_graph_bo.get_config("smoke")
    config.objectives = ("validation", "latency")
    with pytest.raises(InputError, match="of one objective, found 2: use 'weighted_sum'"):
        show_plan(config, tmp_path / "run")
    config.utility.update({"name": "weighted_sum", "weights": (1.0,)})
    with pytest.raises(InputError, match="as many weights as objectives, 2, found 1"):
        show_plan(config, tmp_path / "run")
    config.objectives = ("validation", "latncy")
    with pytest.raises(InputError, match=r"unknown metric of config\.objectives 'latncy': did you mean 'latency'"):
        show_plan(config, tmp_path / "run")
