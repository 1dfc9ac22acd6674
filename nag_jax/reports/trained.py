"""The report of a training: its weights, results.json, report.html; the test part is touched here, not before."""

from collections import Counter
from typing import Any

import numpy as np
from scipy import stats

from nag_jax.reports import facts
from nag_jax.reports.page import page
from nag_jax.reports.statistics import mean_interval
from nag_jax.system.weights_file import flat, write_weights
from nag_jax.tasks.train import Trained, Weights
from nag_jax.training.run import CURVE, Evaluated

WEIGHTS = "weights.safetensors"
_CONFIDENCE = 0.95


def write(outcome: Trained) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    run, data = outcome.run, outcome.run.evaluator.setting.data
    tested = [test(outcome, weights) for weights in outcome.weights]
    with run.workdir.ledger(run.evaluator) as ledger:
        trials = ledger.trials()
        reasons = Counter(trial.reason for trial in trials if trial.reason)
        labels = facts.of_labels(ledger.num_failed, ledger.paid_by_purpose(), reasons)
    results = {
        "trained": {
            "architecture": run.space.to_native(outcome.tokens[None])[0],
            "params": run.evaluator.setting.network.blueprint(outcome.tokens).num_params(),
            "weights": WEIGHTS,
            "kept": tested[0],
            "seeds": tested,
            "test_accuracy_of_seeds": _of_seeds([each["test_accuracy"] for each in tested]),
        },
        "objective": facts.of_objectives(run.objectives) | {"evaluator": run.evaluator.name, "space": run.space.name},
        "dataset": {
            "name": data.name,
            "classes": list(data.classes),
            "shape": list(data.training.inputs.shape[1:]),
            "examples": {name: getattr(data, name).size for name in ("training", "validation", "test")},
            "mean": data.mean,
            "std": data.std,
        },
        "stages": [
            {"purpose": rung.purpose, "count": labels["by_purpose"][rung.purpose], "epochs": rung.epochs}
            for rung in run.ladder.rungs
            if rung.purpose in labels["by_purpose"]
        ],
        "training_seconds": sum(trial.cost or 0.0 for trial in trials),
        "labels": labels,
        **facts.of_setting(run),
    }
    run.workdir.write(WEIGHTS, lambda path: write_weights(path, flat(outcome.weights[0].variables)))
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    return results


def test(outcome: Trained, weights: Weights) -> dict[str, Any]:
    """The test accuracy of one training in %, with its 95 % interval, beside what is known from before."""
    setting = outcome.run.evaluator.setting
    part = setting.data.test
    accuracy = Evaluated(setting, part).accuracy(weights.run.state.average, outcome.tokens)
    right = round(accuracy / 100 * part.size)
    interval = stats.binomtest(right, part.size).proportion_ci(_CONFIDENCE, method="wilson")
    return {
        "seed": weights.seed,
        "test_accuracy": accuracy,
        "low": 100 * interval.low,
        "high": 100 * interval.high,
        **dict(zip(CURVE, weights.run.curve[weights.run.epochs - 1].tolist(), strict=True)),
        "epochs": weights.run.epochs,
    }


def _of_seeds(accuracies: list[float]) -> dict[str, float]:
    found = mean_interval(np.array(accuracies), confidence=_CONFIDENCE)
    return {"estimate": found.estimate, "low": found.low, "high": found.high}
