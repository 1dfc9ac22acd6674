"""Quality of guided generation on the default config: five seeds, mean and 95 % interval.

    python -m experiments.bench.quality

Writes experiments/results/quality.md and quality.json. Each seed is a whole run of `configs/nb201.py`, with its own
score network, labels and predictor, kept in --workdir so that a stopped benchmark goes on. Under half a minute a
seed on two cores.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import logging

from configs import nb201
from experiments import command_line, runs
from experiments.bench import machine
from experiments.compilation_cache import use_compilation_cache
from nag_jax.reports.statistics import mean_interval

FIGURES: dict[str, tuple[Callable[[dict[str, Any]], float], str]] = {
    "denoising loss / closed-form minimum": (lambda r: r["score_network"]["ratio"], "at most 1.02"),
    "seconds of score network training": (lambda r: r["seconds"]["score network"], "at most 120"),
    "unconditional: valid by threshold, %": (
        lambda r: 100 * r["pools"]["unconditional"]["validity_threshold"],
        "at least 99.9",
    ),
    "unconditional: valid by argmax, %": (
        lambda r: 100 * r["pools"]["unconditional"]["validity_argmax"],
        "at least 99.9",
    ),
    "unconditional: distinct, %": (lambda r: 100 * r["pools"]["unconditional"]["distinct_share"], "96.9 ± 1.2"),
    "random draws: distinct, %": (lambda r: 100 * r["pools"]["random"]["distinct_share"], "expected 96.9"),
    "guided: distinct of 1,000": (lambda r: r["pools"]["guided"]["distinct"], "at least 500"),
    "guided: guidance gap": (lambda r: r["pools"]["guided"]["guidance_gap"], "at most 0.10"),
    "guided: pool regret": (lambda r: r["pools"]["guided"]["pool_regret"], "at most 0.5"),
    "guided: mean accuracy": (lambda r: r["pools"]["guided"]["value_mean"], ""),
    "unconditional: mean accuracy": (lambda r: r["pools"]["unconditional"]["value_mean"], ""),
    "random draws: mean accuracy": (lambda r: r["pools"]["random"]["value_mean"], ""),
    "best of the 10 paid: from the table's best": (lambda r: r["best"]["regret"], "at most 0.3"),
    "labels paid": (lambda r: r["labels"]["paid"], "210"),
}


def main() -> None:
    """Runs the seeds and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/quality"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    found = []
    for seed in range(arguments.seeds):
        config = nb201.get_config()
        config.seed = seed
        path = arguments.workdir / f"seed{seed}"
        finished = path / "results.json"
        runs.run(config, path) if not finished.exists() else None
        found.append(json.loads(finished.read_text()))
    figures = {name: [float(get(r)) for r in found] for name, (get, _) in FIGURES.items()}
    curve = [
        {"scale": points[0]["scale"]}
        | {k: [p[k] for p in points] for k in ("distinct", "value_mean", "guidance_gap", "pool_regret")}
        for points in zip(*(r["sweep"] for r in found), strict=True)
    ]
    about = machine.describe("python -m experiments.bench.quality")
    arguments.results.mkdir(parents=True, exist_ok=True)
    stored = {"about": about, "figures": figures, "curve": curve}
    (arguments.results / "quality.json").write_text(json.dumps(stored, indent=1) + "\n")
    text = "\n".join(
        [*machine.heading("Quality of guided generation", about), *_table(figures), "", *_curve(curve), ""]
    )
    (arguments.results / "quality.md").write_text(text)
    print(text)


def _interval(samples: list[float], digits: int) -> str:
    interval = mean_interval(samples)
    return f"{interval.estimate:.{digits}f} ± {interval.half_width:.{digits}f}"


def _table(figures: dict[str, list[float]]) -> list[str]:
    seeds = len(next(iter(figures.values())))
    rows = [
        f"NAS-Bench-201, `analog_nasbench` baseline accuracy on CIFAR-10 (%), {seeds} seeds, mean ± 95 % interval, n = "
        "1,000.",
        "",
        "| figure | measured | worst to best seed | target |",
        "|---|---|---|---|",
    ]
    for name, samples in figures.items():
        target = FIGURES[name][1]
        rows.append(f"| {name} | {_interval(samples, 3)} | {min(samples):.3f} to {max(samples):.3f} | {target} |")
    return rows


def _curve(curve: list[dict[str, Any]]) -> list[str]:
    rows = [
        "The curve over guidance scales (the scale of the default config is 1):",
        "",
        "| scale | distinct of 1,000 | mean accuracy | guidance gap | pool regret |",
        "|---|---|---|---|---|",
    ]
    for point in curve:
        cells = (
            _interval(point["distinct"], 0),
            _interval(point["value_mean"], 2),
            _interval(point["guidance_gap"], 3),
            _interval(point["pool_regret"], 3),
        )
        rows.append(f"| {point['scale']:g} | " + " | ".join(cells) + " |")
    return rows


if __name__ == "__main__":
    with command_line.ending("experiments.bench.quality"):
        main()
