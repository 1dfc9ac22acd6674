"""MobileNetV3 with once-for-all's accuracy predictor: generating for an objective within a budget."""

import json
from typing import Any

import pytest

from configs import ofa_mbv3
from experiments.runs import run

pytestmark = pytest.mark.slow


def test_a_narrow_budget_and_an_objective_at_once(shared, tmp_path):
    config: Any = ofa_mbv3.get_config("smoke")
    config.evaluator.accuracy_file = str(shared / "data" / "ofa_acc_predictor.npz")
    config.constraints = "200e6 <= macs <= 220e6"
    config.labels.training = 60
    run(config, tmp_path)
    pools = json.loads((tmp_path / "results.json").read_text())["pools"]
    assert pools["guided"]["validity_argmax"] == 1.0
    assert pools["guided"]["feasible_share"] >= 0.98
    assert pools["guided"]["predicted_mean"] > pools["random"]["predicted_mean"]
