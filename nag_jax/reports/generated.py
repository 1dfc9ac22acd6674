"""The report of generation: results.json, architectures.csv, figures and report.html."""

from typing import Any

import jax
import numpy as np
import pandas as pd

from nag_jax.evaluators.reporting import ReportingView, reporting_view
from nag_jax.generators.contract import Samples, all_valid
from nag_jax.generators.gaussian import losses
from nag_jax.generators.gaussian.parametrization import posterior_score
from nag_jax.reports import beside, facts, figures, metrics
from nag_jax.reports.architectures import draw_best
from nag_jax.reports.page import page
from nag_jax.spaces import whole
from nag_jax.spaces.capabilities import has_posterior
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys
from nag_jax.tasks.generate import Generated
from nag_jax.tasks.learn import Run
from nag_jax.tasks.pool import tally
from nag_jax.trials import Ledger

_LOSS_SAMPLES = 4096


class Truth:
    """What architectures of the table are truly worth, for reports: the objective, or the utility of several."""

    def __init__(self, run: Run, view: ReportingView):
        self.sign = run.metric.sign
        self._objectives = run.objectives
        self._view = view
        self._covers = run.evaluator.covers
        values = self._view.worth(self._objectives)
        finite = np.isfinite(values)
        self.tokens, self.all = self._view.architectures()[finite], values[finite]

    def of(self, tokens: np.ndarray) -> np.ndarray:
        """Finite values of those tokens `[B, N]` that the table has."""
        values = self._view.worth_of(tokens[self._covers(tokens)], self._objectives)
        return values[np.isfinite(values)]

    @property
    def best(self) -> float:
        """The best value of the table."""
        return self._view.best_worth(self._objectives)


def known_truth(run: Run) -> Truth | None:
    """The evaluator's table, or None where it has none: what needs it is then left out of the report."""
    try:
        return Truth(run, reporting_view(run.evaluator, run.space))
    except InputError:
        return None


def write(outcome: Generated) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    with outcome.run.workdir.ledger(outcome.run.evaluator) as ledger:
        return _write(outcome.run, ledger, outcome)


def _write(run: Run, ledger: Ledger, outcome: Generated) -> dict[str, Any]:
    truth = known_truth(run)
    with run.phases("report"):
        predictions = outcome.learned.predict(truth.tokens) if truth else None
        pools = {"random": all_valid(run.space.random(run.key("random"), run.config.num_samples))}
        pools |= outcome.pools
        held_out = run.config.score.train_fraction < 1
        training = outcome.learned.training_tokens if held_out else None

        def describe(pool):
            values = describe_values(truth, pool, predictions) if truth else describe_predictions(outcome, pool)
            return describe_pool(run, pool, training) | values

        described = {name: describe(pool) for name, pool in pools.items()}
        sweep = [{"scale": scale, **describe(pool)} for scale, pool in outcome.sweep.items()]
        baselines = beside.describe(outcome, described["guided"], describe)
        best = describe_best(run, truth, outcome)
        draw(run, truth, outcome, pools, sweep, predictions)
        run.workdir.write(
            "architectures.csv", lambda path: list_architectures(run, ledger, outcome).to_csv(path, index=False)
        )
    results = {
        "objective": {
            **facts.of_objective(run),
            "best_of_table": truth.best if truth else None,
            "facts": getattr(run.evaluator, "facts", {}),
        },
        "constraints": [str(constraint) for constraint in run.constraints.constraints],
        "best": best,
        "pools": described,
        "baselines": baselines,
        "expected_distinct_share": metrics.expected_distinct(run.space.size, run.config.num_samples),
        "sweep": sweep,
        "score_network": score_loss(run, outcome.learned.score_params, outcome.learned.training_tokens)
        if run.generator.learns
        else None,
        **facts.of_run(run, ledger),
    }
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    return results


def valid_distinct(samples: Samples) -> np.ndarray:
    """The distinct valid architectures of a pool, tokens `[D, N]`."""
    tokens = samples.tokens[samples.valid]
    return tokens[metrics.distinct(tokens)]


def describe_pool(run: Run, samples: Samples, training_tokens) -> dict[str, Any]:
    """Metrics of a pool, and the share of its samples that keep to the constraints if there are any."""
    found = metrics.pool_metrics(run.space, samples, training_tokens=training_tokens)._asdict()
    if run.constraints:
        feasible = run.constraints.hold(samples.tokens[samples.valid])
        found["feasible_share"] = float(feasible.sum() / len(samples.tokens))
    return found


def describe_values(truth: Truth, samples: Samples, predictions) -> dict[str, Any]:
    """True values of a pool's distinct architectures, against the table."""
    found = {}
    values = truth.of(valid_distinct(samples))
    if len(values):
        found |= {f"value_{name}": value for name, value in metrics.quality(values)._asdict().items()}
        found["value_best"] = found["value_max" if truth.sign > 0 else "value_min"]
        found["pool_regret"] = metrics.pool_regret(truth.sign * truth.all, truth.sign * values)
        found["guidance_gap"] = metrics.guidance_gap(truth.sign * truth.all, predictions, truth.sign * values)
    return found


def describe_predictions(outcome: Generated, samples: Samples) -> dict[str, Any]:
    """The mean prediction of a pool's distinct architectures, which stands for values that nobody knows."""
    tokens = valid_distinct(samples)
    return {"predicted_mean": float(outcome.learned.predict(tokens).mean())} if len(tokens) else {}


def describe_best(run: Run, truth: Truth | None, outcome: Generated) -> dict[str, Any]:
    """The best of the generated architectures that were paid for at the end."""
    i = int(_best_first(run, outcome)[0])
    value = float(run.objectives.worth(outcome.final_values)[i])
    return {
        "architecture": run.space.to_native(outcome.final[i : i + 1])[0],
        "value": value,
        "regret": abs(truth.best - value) if truth else None,
        "rank_by_predictor": i + 1,
        "of": len(outcome.final),
        **facts.of_values(run.objectives, outcome.final_values[i]),
    }


def _best_first(run: Run, outcome: Generated) -> np.ndarray:
    """The order of the labels paid at the end; failed ones, NaN, come last."""
    return np.argsort(-run.objectives.utilities(outcome.final_values), kind="stable")


def list_architectures(run: Run, ledger: Ledger, outcome: Generated) -> pd.DataFrame:
    """Every distinct generated architecture: pool, times generated, prediction, and its labels where they were paid."""
    paid = _paid(run, ledger)
    frames = []
    for name, samples in outcome.pools.items():
        unique, counts, predictions = tally(samples.tokens[samples.valid], outcome.learned.predict)
        columns = {
            "pool": name,
            "arch": run.space.to_native(unique),
            "times_generated": counts,
            "predicted": outcome.learned.in_units(predictions),
        }
        keys = run.space.canonical(unique).tolist()
        columns |= {f"label_{metric}": [labels.get(key) for key in keys] for metric, labels in paid.items()}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames[::-1], ignore_index=True)


def _paid(run: Run, ledger: Ledger) -> dict[str, dict[int | str, float]]:
    """The objectives and, where there are several, their utility, by the key of what was paid for."""
    trials = ledger.trials()
    values = run.objectives.of_each(trial.values for trial in trials)
    columns = run.objectives.in_units(values) | {run.metric.name: run.objectives.worth(values)}
    return {
        name: dict(zip([trial.key for trial in trials], column.tolist(), strict=True))
        for name, column in columns.items()
    }


def draw(run: Run, truth: Truth | None, outcome: Generated, pools, sweep, predictions) -> None:
    """Draws the figures as PNG and SVG into `figures/`: the best architectures, the pools, quality against diversity.

    Values are true ones where there is a table, predictions otherwise.
    """
    folder = run.workdir.path / "figures"
    folder.mkdir(exist_ok=True)
    unit = f" in {run.metric.unit}" if run.metric.unit else ""
    label = f"{run.metric.label}{unit}, {run.metric.split}"
    order = _best_first(run, outcome)[:5]
    worth = run.objectives.worth(outcome.final_values)
    titles = [f"{worth[i]:.2f} {run.metric.unit}" for i in order]
    draw_best(run.space, outcome.final[order], titles, folder)
    references, mean, sign = {}, "predicted_mean", 1.0
    if truth:
        references = {
            "best possible": metrics.top_means(truth.sign * truth.all),
            "predictor's own top": metrics.top_means(truth.sign * truth.all, predictions),
        }
        mean, sign = "value_mean", truth.sign
    else:
        label = f"prediction of {run.metric.label}, in the predictor's units"
    values = {name: _values(truth, outcome, samples) for name, samples in pools.items()}
    values = {name: found for name, found in values.items() if len(found)}
    if values:
        best = truth.best if truth else None
        figures.accuracy_histograms(values, best, folder / "histograms", label=label)
    curve = [
        figures.CurvePoint(point["scale"], point["distinct"], sign * point[mean]) for point in sweep if mean in point
    ]
    if curve:
        label = f"mean {label}" if sign > 0 else f"minus the mean {label}"  # so that up is better for costs too
        figures.quality_diversity(curve, folder / "quality_diversity", references=references, label=label)


def _values(truth: Truth | None, outcome: Generated, samples: Samples) -> np.ndarray:
    """Of every valid sample of a pool: its value where there is a table, otherwise its prediction."""
    tokens = samples.tokens[samples.valid]
    if truth:
        return truth.of(tokens)
    return outcome.learned.predict(tokens) if len(tokens) else np.zeros(0)


def score_loss(run: Run, params: Any, training_tokens: np.ndarray) -> dict[str, float]:
    """The published loss of the score network, and that of the closed form of the whole space, which is the minimum.

    The latter only where the space has a closed form.

    Both on the same architectures and noise, so that their ratio is free of most of the sampling error.
    """
    if run.model is None:
        return {}
    model, key = run.model, run.key("score loss")
    rows = jax.random.randint(key, (_LOSS_SAMPLES,), 0, len(training_tokens), np.int32)
    space, x0 = whole(run.space), run.space.encode(training_tokens[np.asarray(rows)])
    keys = sample_keys(key, _LOSS_SAMPLES)

    def loss_of(score_fn):
        return losses.score_matching(keys, score_fn, x0, model.sde)

    loss = float(jax.jit(lambda params: loss_of(model.score_fn(params)))(params))
    if not has_posterior(space):
        return {"loss": loss}
    minimum = float(jax.jit(lambda: loss_of(posterior_score(model.sde, space.class_posterior)))())
    return {"loss": loss, "closed_form": minimum, "ratio": loss / minimum}
