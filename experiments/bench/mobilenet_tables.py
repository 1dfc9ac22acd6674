"""The tables of `experiments.bench.mobilenet`."""

from typing import Any

from experiments.bench import machine
from experiments.bench.search_tables import write_comparison
from experiments.terminal import write_interval
from nag_jax.reports.statistics import mean_interval

GENERATOR = "bo_nag"


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of all parts that were measured; see `machine.keep_parts`."""
    tables = {
        "unconditional": _unconditional,
        "constrained": _constrained,
        "guided": _guided,
        "search": _search,
        "speed": _speed,
    }
    return machine.sections(known, {name: (name.capitalize(), table) for name, table in tables.items()})


def _speed(found: dict[str, Any]) -> list[str]:
    return [f"{found['networks']:,} guided networks in {found['seconds']:.1f} s, compiled (target: at most 20)."]


def _unconditional(found: dict[str, Any]) -> list[str]:
    return [
        "| figure | measured | target |",
        "|---|---|---|",
        f"| valid by argmax, % of {found['samples']:,} | {100 * found['validity_argmax']:.2f} | at least 99.9 |",
        f"| distinct, % | {100 * found['distinct_share']:.2f} | 100 |",
        f"| p that depths are as once-for-all draws them | {found['p_depths']:.2g} | above 0.01 |",
        f"| p that settings of layers are | {found['p_settings']:.2g} | above 0.01 |",
    ]


def _constrained(found: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Within ±2 % of a number of multiply-accumulates at 224 pixels (at least 95 %, diversity at least 90 %).",
        "",
        "| quantile of random ones | target, M | samples within, % | diversity, % of filtered | times fewer samples |",
        "|---|---|---|---|---|",
    ]
    for point in found:
        diversity = f"{100 * point['diversity_ratio']:.1f} ({point['filtered']} networks)"
        cells = (f"{point['quantile']:g}", f"{point['target'] / 1e6:.0f}", f"{100 * point['share']:.1f}", diversity)
        lines.append(f"| {' | '.join(cells)} | {point['times_fewer_samples']:.0f} |")
    return lines


def _guided(found: dict[str, list[float]]) -> list[str]:
    mean, best = (mean_interval(found[name])._asdict() for name in ("pool_mean", "pool_best"))
    return [
        f"Predictor trained on 200 labels, {len(found['pool_mean'])} seeds, accuracy in % by once-for-all's predictor: "
        f"mean of the pool of 1,000 {write_interval(mean)} (target: above 83.12, the best of 1,000 random networks), "
        f"best of the pool {write_interval(best)}, distinct {min(found['distinct']):.0f} or more.",
    ]


def _search(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, task in found.items():
        at = list(next(iter(task["strategies"].values()))["reported_after"])
        lines += [
            f"### {name}",
            "",
            f"Accuracy in %, {task['seeds']} seeds, {task['initial']} random labels first, which count; mean ± 95 % "
            "interval.",
            "",
            f"| strategy | {' | '.join(f'after {n}' for n in at)} |",
            "|---|" + "---|" * len(at),
        ]
        for strategy, results in task["strategies"].items():
            cells = [write_interval(results["reported_after"][n]) for n in at]
            lines.append(f"| {strategy} | {' | '.join(cells)} |")
        long = task["long"]["reported_after"]
        lines += ["", *(write_comparison(n, test, digits=3) for n, test in task["significance"].items())]
        lines += [f"* Regularized evolution after {list(long)[-1]}: {write_interval(long[list(long)[-1]])}.", ""]
    return lines
