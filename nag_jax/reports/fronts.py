"""The report of a front: results.json, architectures.csv, figures and report.html."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from nag_jax.evaluators.reporting import reporting_view
from nag_jax.generators.contract import Samples, all_valid
from nag_jax.guidance import pareto
from nag_jax.objectives.fronts import Box, front_ranks, measure, non_dominated
from nag_jax.reports import facts, front_figures, metrics
from nag_jax.reports.architectures import draw_best
from nag_jax.reports.page import page
from nag_jax.system.errors import InputError
from nag_jax.tasks.front import Fronts, aim_at
from nag_jax.tasks.front_run import MEASUREMENTS, Run
from nag_jax.tasks.known import FORMULA, MEASURED, PAID, box_of

_DRAWN = 5


class Truth(NamedTuple):
    """The values of all architectures that every objective is known of, for reports.

    Attributes:
        tokens: `[R, N]`.
        values: `[R, M]`, higher is better.
        box: what counts: from the bounds, or the least values, to the greatest.
        front: rows of the true front.
        keys: canonical keys `[R]`.
    """

    tokens: np.ndarray
    values: np.ndarray
    box: Box
    front: np.ndarray
    keys: np.ndarray

    def of(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and keys of those of tokens `[B, N]` that are known."""
        rows = {row.tobytes(): i for i, row in enumerate(self.tokens)}
        found = [rows[row.tobytes()] for row in np.ascontiguousarray(tokens, np.int32) if row.tobytes() in rows]
        return self.values[found], self.keys[found]


def known_truth(run: Run) -> Truth | None:
    """What the tables behind the evaluators say; None where one of them has no table."""
    try:
        views = {PAID: reporting_view(run.evaluator, run.space) if run.of_kind(PAID) else None}
        measuring = run.measuring if run.of_kind(MEASURED) else None
        views[MEASURED] = None if measuring is None else reporting_view(measuring, run.space)
    except InputError:
        return None
    given = [view for view in views.values() if view is not None]
    if not given:
        return None
    tokens = given[0].architectures()
    for source in (run.evaluator if views[PAID] else None, run.measuring if views[MEASURED] else None):
        tokens = tokens if source is None else tokens[source.covers(tokens)]
    columns = []
    for metric, kind in zip(run.metrics, run.kinds, strict=True):
        view = views.get(kind)
        column = run.costs[metric.name].of(tokens) if kind == FORMULA else view.values(tokens, metric.name)  # pyright: ignore
        columns.append(metric.sign * np.asarray(column, np.float64))
    values = np.stack(columns, axis=1)
    good = np.isfinite(values).all(axis=1)
    tokens, values = np.ascontiguousarray(tokens[good], np.int32), values[good]
    box = box_of(values, run.worst)
    inside = np.where(box.inside(values)[:, None], values, np.nan)
    return Truth(tokens, values, box, non_dominated(inside), np.asarray(run.space.canonical(tokens)))


def write(outcome: Fronts) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    run, truth = outcome.run, known_truth(outcome.run)
    with run.phases("report"):
        pools = {"random": all_valid(np.asarray(run.space.random(run.key("random"), run.config.num_samples)))}
        pools |= outcome.pools | oracle(outcome)
        described = {name: describe(outcome, truth, samples) for name, samples in pools.items()}
        frame = list_architectures(outcome)
        run.workdir.write("architectures.csv", lambda path: frame.to_csv(path, index=False))
        draw(outcome, truth, pools)
    with run.workdir.ledger(run.evaluator) as ledger:
        labels = facts.of_labels(ledger.num_failed, ledger.paid_by_purpose(), {})
    results = {
        "front": {
            "objectives": [facts.of_metric(m) | {"kind": k} for m, k in zip(run.metrics, run.kinds, strict=True)],
            "bounds": run.config.aims.bounds,
            "redundant": [list(pair) for pair in outcome.learned.redundant],
            "models": outcome.learned.known.facts,
            "measurements": measurements(run),
            "of_table": None if truth is None else len(truth.front),
        },
        "space": run.space.name,
        "evaluator": run.evaluator.name,
        "chosen": [
            {"architecture": name, **values}
            for name, values in zip(
                run.space.to_native(outcome.final), in_units(run, outcome.final_values), strict=True
            )
        ],
        "pools": described,
        "labels": labels,
        **facts.of_setting(run),
    }
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    return results


def measurements(run: Run) -> dict[str, Any]:
    """What was measured, counted apart from labels."""
    if run.measuring is None or not run.of_kind(MEASURED):
        return {"paid": 0, "by_purpose": {}}
    with run.workdir.ledger(run.measuring, MEASUREMENTS) as ledger:
        by_purpose = ledger.paid_by_purpose()
    return {"paid": sum(by_purpose.values()), "by_purpose": by_purpose}


def in_units(run: Run, values: np.ndarray) -> list[dict[str, float]]:
    """Values `[B, M]` in the metrics' units, by name."""
    return [{m.name: m.sign * float(v) for m, v in zip(run.metrics, row, strict=True)} for row in values]


def oracle(outcome: Fronts) -> dict[str, Samples]:
    """Samplers without a generator, of the same models: the exact tilt, and the best by non-dominated sorting."""
    run, known = outcome.run, outcome.learned.known
    if not run.space.listable or run.config.aims.rule == "linear_sum":
        return {}
    every = run.space.all_tokens()
    args = aim_at(run, known, outcome.learned.reference, outcome.learned.spread)
    means, deviations = known.predict(every)
    deviations = np.hypot(deviations, args["softness"])
    n = run.config.num_samples
    log_prior = np.asarray(jax.jit(run.space.choices.log_prior_of)(every), np.float64)
    rows = pareto.exact_draws(run.config.seed, means, deviations, args["aims"], n, log_prior)
    predicted = known.to_units(means)
    inside = outcome.box.inside(predicted)
    ranks = front_ranks(np.where(inside[:, None], predicted, np.nan))
    return {
        "exact tilt": all_valid(every[rows]),
        "exhaustive, by non-dominated rank": all_valid(every[np.argsort(ranks, kind="stable")[:n]]),
    }


def describe(outcome: Fronts, truth: Truth | None, samples: Samples) -> dict[str, Any]:
    """Metrics of a pool, and how good it is beside the true front; where none is known, by its predictions."""
    run = outcome.run
    found = metrics.pool_metrics(run.space, samples)._asdict()
    tokens = np.unique(samples.tokens[samples.valid], axis=0)
    if not len(tokens):
        return found
    if truth is None:
        values = outcome.learned.known.values(tokens)
        found["predicted_hypervolume"] = measure(
            values, np.zeros(len(values)), values[non_dominated(values)], np.zeros(1), outcome.box
        ).hypervolume
        return found
    values, keys = truth.of(tokens)
    front = truth.front
    return found | measure(values, keys, truth.values[front], truth.keys[front], truth.box)._asdict()


def list_architectures(outcome: Fronts) -> pd.DataFrame:
    """Every distinct generated architecture: pool, predictions, and whether it is on the pool's front."""
    run, frames = outcome.run, []
    for name, samples in reversed(outcome.pools.items()):
        unique, counts = np.unique(samples.tokens[samples.valid], axis=0, return_counts=True)
        if not len(unique):
            continue
        values = outcome.learned.known.values(unique)
        columns: dict[str, Any] = {"pool": name, "arch": run.space.to_native(unique), "times_generated": counts}
        columns |= {f"predicted_{m.name}": m.sign * values[:, i] for i, m in enumerate(run.metrics)}
        frames.append(pd.DataFrame(columns | {"on_front": np.isin(np.arange(len(unique)), non_dominated(values))}))
    return pd.concat(frames, ignore_index=True)


def draw(outcome: Fronts, truth: Truth | None, pools: dict[str, Samples]) -> None:
    """Draws the fronts of two, three and more objectives, and a few of the architectures that were labelled."""
    run = outcome.run
    folder = run.workdir.path / "figures"
    folder.mkdir(exist_ok=True)
    points = {}
    for name in ("random", "guided"):
        tokens = np.unique(pools[name].tokens[pools[name].valid], axis=0)
        if len(tokens):
            points[name] = truth.of(tokens)[0] if truth else outcome.learned.known.values(tokens)
    labels = [f"{m.name} in {m.unit}" if m.unit else m.name for m in run.metrics]
    signs = np.array([m.sign for m in run.metrics])
    front = truth.values[truth.front] if truth is not None else None
    front_figures.draw_all(points, front, outcome.final_values, signs, labels, outcome.box, folder)
    if len(outcome.final):
        first = run.metrics[0]
        titles = [f"{first.sign * row[0]:.2f} {first.unit}" for row in outcome.final_values[:_DRAWN]]
        draw_best(run.space, outcome.final[:_DRAWN], titles, folder)
