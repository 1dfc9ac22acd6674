"""The page of `experiments.bench.transfer`."""

from typing import Any

import numpy as np

from experiments.bench import machine
from nag_jax.reports.statistics import mean_interval

RANKED = 300
"""Labels that are paid in the predictor's order, to find where the optimum stands."""
SEARCHED = 100
"""Labels that a search of CIFAR may pay for."""
GRAPH_LABELS = (10, 20, 40)
SCALES = (1.0, 2.0)
"""How much the data set counts for a prior that learns for data sets."""
COMPARED = ("random", "mean rank elsewhere", "nearest data set's")
BOTH = "mean rank elsewhere, of the mean with test"
"""The same by what the meta-predictor learns."""
OWN = "its own ten best"
"""The ten best by the new data set's own validation figures, which nobody has: what a perfect ranking would give."""


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of the parts that are known, each with what made it."""
    return machine.sections(
        known,
        {
            "ranking": ("MetaD2A's evaluation triples", _ranking),
            "cifar": (
                "CIFAR-10 and CIFAR-100 without one label of theirs: generated, ranked, labelled in that order",
                _cifar,
            ),
            "cifar_prior": ("CIFAR-10 and CIFAR-100: a prior, a predictor, or both", _cifar_prior),
            "cifar_search": ("Search that starts where transfer ends", _cifar_search),
            "graph": ("NAS-Bench-Graph, each data set from the other eight", _graph),
            "graph_prior": ("NAS-Bench-Graph: a prior, a predictor, or both", _graph_prior),
            "graph_search": ("NAS-Bench-Graph, search that starts where transfer ends", _graph_search),
        },
    )


def _ranking(found: dict[str, list[float]]) -> list[str]:
    """The table of `transfer.run_ranking`."""
    return [
        "Spearman correlation (target: .76 with its own embedding; a Gaussian process on means of class names and path "
        "counts: .741).",
        "",
        "| the data set is known by | Spearman |",
        "|---|---|",
        *(f"| {name} | {_interval(values, 3)} |" for name, values in found.items()),
    ]


def _cifar(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_cifar`."""
    lines = [
        f"Test accuracy, %. Labels to the test optimum among the first {RANKED} (targets: 10 and 20); best of ten "
        "(targets: 94.2 and 72.8).",
        "",
        "| data set | median labels to the optimum | best of the first | best of ten | mean of ten |",
        "|---|---|---|---|---|",
    ]
    for name, seeds in found.items():
        cells = [_interval([s[k] for s in seeds], 2) for k in ("best_of_first", "best_of_10", "mean_of_10")]
        lines.append(f"| {name} | {_median([s['labels_to_optimum'] for s in seeds], RANKED)} | {' | '.join(cells)} |")
    return lines


def _cifar_search(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_cifar_search`."""
    lines = [
        "Validation accuracy is searched. Median labels until an architecture with the best test accuracy is labelled, "
        "as above (targets with the prior: 10 and 20), and until the best validation accuracy is, with which the "
        "search ends.",
        "",
        "| data set | to the test optimum, with the prior | from 10 random | to the validation optimum, with the prior "
        "| from 10 random |",
        "|---|---|---|---|---|",
    ]
    for name, strategies in found.items():
        medians = [_median(s[k], SEARCHED) for k in ("test", "validation") for s in strategies.values()]
        lines.append(f"| {name} | {' | '.join(medians)} |")
    return lines


def _graph(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_graph`."""
    names = ("generated", *COMPARED, BOTH, OWN)
    lines = [
        "Test regret of the best by validation of ten, in points (target: generated better than the three beside it on "
        "7 of 9). Those three see validation figures of other data sets alone; the column after them has what was "
        "learned from. The last one, the ten best by the new data set's own validation figures, shows what a perfect "
        "ranking by those would give.",
        "",
        f"| data set | {' | '.join(names)} | generated is best |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    wins: dict[str, int] = dict.fromkeys(("generated", OWN), 0)
    for dataset, regrets in found.items():
        means = {name: float(np.mean(values)) for name, values in regrets.items()}
        won = {name: means[name] < min(means[other] for other in COMPARED) for name in wins}
        wins = {name: wins[name] + won[name] for name in wins}
        cells = [_interval(regrets["generated"], 2), *(f"{means[name]:.2f}" for name in names[1:])]
        lines.append(f"| {dataset} | {' | '.join(cells)} | {'yes' if won['generated'] else 'no'} |")
    overall = [f"{np.mean([np.mean(regrets[name]) for regrets in found.values()]):.2f}" for name in names]
    lines.append(f"| mean | {' | '.join(overall)} | {wins['generated']} of {len(found)} |")
    return [*lines, "", f"A perfect ranking by validation would be best on {wins[OWN]} of {len(found)}."]


def _graph_prior(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_graph_prior`."""
    arms = list(next(iter(found.values()))["tens"])
    lines = [
        "Points of test accuracy below the best, means over the data sets; of each arm's order the tens are ten "
        "that follow each other, and the first ten are what is labelled. *Pick*: the best by validation of a ten, as "
        "above. *Mean*: all of a ten. What is drawn has no order, so that its tens are as good as each other; of a "
        "ranking the first ten's pick, beside the first ten tens', shows how much of it is luck.",
        "",
        "| order | pick of the first ten | pick of a ten | mean of a ten | pick of a ten, by data set |",
        "|---|---|---|---|---|",
    ]
    for arm in arms:
        of_each = [[np.asarray(tens) for tens in one["tens"][arm]] for one in found.values()]
        first = np.mean([np.mean([tens[0, 0] for tens in seeds]) for seeds in of_each])
        means = np.array([np.mean([tens.mean(axis=0) for tens in seeds], axis=0) for seeds in of_each])
        cells = ", ".join(f"{mean:.2f}" for mean in means[:, 0])
        lines.append(f"| {arm} | {first:.2f} | {means[:, 0].mean():.2f} | {means[:, 1].mean():.2f} | {cells} |")
    chosen = {
        kind: [f"{one['tilts'][kind]:g}" for one in found.values()] for kind in next(iter(found.values()))["tilts"]
    }
    tilts = "; ".join(f"{kind}: {', '.join(values)}" for kind, values in chosen.items())
    return [*lines, "", f"Data sets in order: {', '.join(found)}. Tilts that folds of the others chose: {tilts}."]


def _cifar_prior(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_cifar_prior`."""
    lines = [
        "Test accuracy, %, of tens as of NAS-Bench-Graph's, and labels to the test optimum in the order, median.",
        "",
        "| data set | order | labels to the optimum | best of the first ten | best of a ten | mean of a ten |",
        "|---|---|---|---|---|---|",
    ]
    for dataset, one in found.items():
        for arm, seeds in one["arms"].items():
            tens = [np.asarray(seed["tens"]) for seed in seeds]
            cells = [np.mean([each[0, 0] for each in tens]), *np.mean([each.mean(axis=0) for each in tens], axis=0)]
            labels = np.median([np.inf if seed["labels"] is None else seed["labels"] for seed in seeds])
            text = f"{labels:g}" if np.isfinite(labels) else "not drawn"
            lines.append(f"| {dataset} | {arm} | {text} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")
    tilts = ", ".join(f"{one['tilt']:g}" for one in found.values())
    return [*lines, "", f"Tilts that held-out triples chose: {tilts}."]


def _graph_search(found: dict[str, Any]) -> list[str]:
    """The table of `transfer.run_graph_search`."""
    at = [str(n) for n in GRAPH_LABELS]
    lines = [
        "Test figure of the best by validation, mean over seeds: with the prior, and from 10 random "
        "(target: better on 8 of 9).",
        "",
        "| data set | " + " | ".join(f"{n} labels" for n in at) + " |",
        "|---|" + "---|" * len(at),
    ]
    wins = {figure: dict.fromkeys(at, 0) for figure in ("test", "validation")}
    for dataset, strategies in found.items():
        ours, scratch = (strategies[name] for name in ("bo_nag", "bo_nag_scratch"))
        for figure, won in wins.items():
            for n in at:
                won[n] += ours[figure][n] > scratch[figure][n]
        cells = [f"{ours['test'][n]:.2f} to {scratch['test'][n]:.2f}" for n in at]
        lines.append(f"| {dataset} | {' | '.join(cells)} |")
    for label, figure in (("better", "test"), ("better by the validation figure", "validation")):
        lines.append(f"| {label} | " + " | ".join(f"{won} of {len(found)}" for won in wins[figure].values()) + " |")
    return lines


def _median(values: list[int | None], most: int) -> str:
    """Of labels, None where more than `most` would have been needed."""
    median = float(np.median([np.inf if n is None else n for n in values]))
    return f"{median:g}" if np.isfinite(median) else f"over {most}"


def _interval(samples: list[float], digits: int) -> str:
    if len(samples) < 2:
        return f"{samples[0]:.{digits}f}"
    interval = mean_interval(samples)
    return f"{interval.estimate:.{digits}f} ± {interval.half_width:.{digits}f}"
