"""The terminal output of the command line: plans, and summaries of outcomes."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table

from nag_jax.evaluators import Metric
from nag_jax.reports.page import page
from nag_jax.reports.page.story import label
from nag_jax.reports.searched import report_at
from nag_jax.reports.statistics import FEWEST_SAMPLES
from nag_jax.reports.trajectories import FEWEST_SEEDS
from nag_jax.system import parallel, started
from nag_jax.system.errors import escaped, shown
from nag_jax.tasks.constrained import Constrained
from nag_jax.tasks.generate import Generated
from nag_jax.tasks.plan import Plan, words_of_seeds
from nag_jax.tasks.searched import Search, Searched
from nag_jax.tasks.setting import Setting
from nag_jax.tasks.stream import Streamed
from nag_jax.tasks.train import Trained


def console() -> Console:
    """A console that takes brackets, control characters and the like in names of metrics and folders for text."""
    return _Console(markup=False, emoji=False, highlight=False)


class _Console(Console):
    """A console that escapes what isn't printable, whatever it is made to print; its own colours stay."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped(segment.text))


def announce(run: Setting) -> None:
    """Says in a line what will run and where, in the first process; beside the progress, not among the results."""
    if not parallel.is_first():
        return
    config = run.config
    seeds = words_of_seeds(config) if config.mode == "search" else f"seed {config.seed}"
    what = f"{config.name}: {config.mode} in {run.space.name}, evaluator {run.evaluator.name}{_rows_of(run)}, {seeds}"
    if run.rows is not None:
        what += f" (of {len(run.rows):,} architectures alone: others stand for the nearest one)"
    print(shown(f"{what}, on {_devices()}, into {run.workdir.path}"), file=sys.stderr, flush=True)


def summarize(outcome: Any, results: dict[str, Any]) -> None:
    """Prints what came of a run, given its `results.json`."""
    tell = {
        Constrained: _constrained,
        Generated: _generated,
        Searched: _searched,
        Streamed: _streamed,
        Trained: _trained,
    }.get(type(outcome))
    if tell is not None:
        tell(outcome.run, results)


def show(plan: Plan) -> None:
    """Prints the plan, in the first process."""
    if not parallel.is_first():
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    for name, text in _rows(plan).items():
        table.add_row(name, text)
    terminal = console()
    config = plan.setting.config
    terminal.print(f"plan of {config.name}, mode {config.mode}, whose input has been checked:")
    terminal.print(table)
    terminal.print("Nothing was trained, paid for or written. Without --dry_run it runs.")


def _rows(plan: Plan) -> dict[str, str]:
    run = plan.setting
    labels = [f"{name} {wanted:,} ({paid:,} paid)" for name, (wanted, paid) in plan.labels.items()]
    done = [f"{work.name} {work.done:,} of {work.count:,} {work.unit}" for work in plan.work if work.done]
    rows = {
        "workdir": f"{run.workdir.path}: {_state(run.workdir.path)}",
        "space": run.space.name,
        "evaluator": f"{run.evaluator.name}{_rows_of(run)}{_describe(plan.metric)}",
        "constraints": "; ".join(map(str, run.constraints.constraints)),
        "strategies": plan.strategies,
        "labels to pay": f"{plan.to_pay:,}" + (f": {', '.join(labels)}" if labels else ""),
        "samples": ", ".join(f"{n:,} {name}" for name, n in plan.samples.items()),
        "already done": "; ".join([*done, *plan.done]),
        "devices": _devices(),
        "memory": _memory(plan),
        "time": _time(plan),
    }
    return {name: text for name, text in rows.items() if text}


def _devices() -> str:
    processes = f", {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}{processes}"


def _state(path: Path) -> str:
    """What is in a workdir, in words."""
    if (path / "results.json").exists():
        return "a finished run, whose reports are written again from what is kept"
    return "a run that was begun and goes on" if (path / "config.json").exists() else "new"


def _memory(plan: Plan) -> str:
    most = max(plan.work, key=lambda work: work.memory or 0, default=None)
    if most is None or most.memory is None:
        return ""
    return f"about {most.memory / 2**20:,.0f} MiB a device for {most.name}, as XLA plans it, beside Python's own"


def _rows_of(run: Setting) -> str:
    """How many rows of a table of the user's own became how many architectures; nothing for other evaluators."""
    if run.evaluator.name != "table":
        return ""
    table: Any = run.evaluator
    count = len(table.architectures())
    same = "" if table.num_distinct == count else f", {table.num_distinct:,} of which compute different things"
    return f" ({table.rows:,} rows, {count:,} architectures{same})"


def _describe(metric: Metric | None) -> str:
    if metric is None:
        return ", no objective"
    split = "" if metric.split == "none" else f", {metric.split} split"
    unit = f" in {metric.unit}" if metric.unit else ""
    return f", objective {metric.label}{unit} ({metric.direction}{split})"


def _time(plan: Plan) -> str:
    """The estimate, and what it rests on."""
    known = [work for work in plan.work if work.seconds is not None and work.left]
    parts = [f"{work.name} {work.left:,} {work.unit} of {_duration(work.seconds or 0)}" for work in known]
    if not known:
        return ". ".join(["not known" if plan.notes else "a few seconds: nothing is left to compute", *plan.notes])
    estimate = f"about {_duration(plan.seconds)}, and compiling for the first time: {'; '.join(parts)}"
    return ". ".join([f"{estimate} (timed just now, and labels by the ledgers as far as they are paid)", *plan.notes])


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60), ("s", 1)):
        if seconds >= 2 * length or unit == "s":
            break
    if unit != "s":
        return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def _generated(run: Setting, results: dict[str, Any]) -> None:
    """Prints the summary: pools against each other, what was paid, the best found."""
    objective, best = results["objective"], results["best"]
    about = ", ".join(filter(None, [objective["unit"], objective["split"], objective["evaluator"]]))
    table = Table(title=f"{label(objective)} ({about}), {run.config.num_samples:,} samples a pool")
    table.add_column("pool", no_wrap=True)
    columns = {
        "valid": ("validity_argmax", "{:.1%}".format),
        "distinct": ("distinct", "{:,}".format),
        "feasible": ("feasible_share", "{:.1%}".format),
        "predicted": ("predicted_mean", number),
        "mean": ("value_mean", number),
        "best": ("value_best", number),
        "pool regret": ("pool_regret", number),
        "guidance gap": ("guidance_gap", number),
    }
    columns = {
        title: column
        for title, column in columns.items()
        if any(pool.get(column[0]) is not None for pool in results["pools"].values())
    }
    for title in columns:
        table.add_column(title, justify="right")
    for name, pool in results["pools"].items():
        table.add_row(name, *(show(pool[k]) if pool.get(k) is not None else "" for k, show in columns.values()))
    terminal = console()
    terminal.print(table)
    regret = ""
    if best["regret"] is not None:
        regret = f", {best['regret']:.3g} from the table's best {objective['best_of_table']:.6g}"
    terminal.print(
        f"best of the {best['of']} paid at the end: {best['architecture']}\n"
        f"  {best['value']:.6g} {objective['unit']}{regret}",
        soft_wrap=True,
    )
    paid = ", ".join(f"{count} for {purpose}" for purpose, count in results["labels"]["by_purpose"].items())
    terminal.print(
        f"labels paid: {results['labels']['paid']} ({paid}); {sum(results['seconds'].values()):.0f} s; "
        f"everything is in {run.workdir.path}, told in {page.NAME}",
        soft_wrap=True,
    )


def number(value: float) -> str:
    """A value of a metric, as summaries print it."""
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def _constrained(run: Setting, results: dict[str, Any]) -> None:
    """Prints the pools against each other."""
    table = Table(title=f"{'; '.join(results['constraints'])}, {run.config.num_samples:,} samples a pool")
    table.add_column("pool", no_wrap=True)
    for title in ("valid", "distinct", "feasible", "diversity of the feasible, layers"):
        table.add_column(title, justify="right")
    for name, pool in results["pools"].items():
        diversity = pool["feasible_diversity"]
        table.add_row(
            name,
            f"{pool['validity_argmax']:.1%}",
            f"{pool['distinct']:,}",
            f"{pool['feasible_share']:.1%}",
            "" if diversity is None else f"{diversity:.2f}",
        )
    terminal = console()
    terminal.print(table)
    times = results["times_fewer_samples_than_filtering"]
    terminal.print(
        ("filtering would find none; " if times is None else f"{times:.1f} times fewer samples than by filtering; ")
        + f"{sum(results['seconds'].values()):.0f} s; everything is in {run.workdir.path}, told in {page.NAME}",
        soft_wrap=True,
    )


def _streamed(run: Setting, counts: dict[str, Any]) -> None:
    """Prints what a stream holds."""
    console().print(
        f"{counts['samples']:,} samples, {counts['valid']:,} valid, {counts['distinct']:,} that differ, "
        f"{counts['distinct_canonical']:,} that compute different things; they are in {run.workdir.path / 'samples'}",
        soft_wrap=True,
    )


def _trained(run: Setting, results: dict[str, Any]) -> None:
    """Prints what was trained, and how good it is."""
    found, data, labels = results["trained"], results["dataset"], results["labels"]["by_purpose"]
    kept, seeds = found["kept"], found["test_accuracy_of_seeds"]
    table = Table(title=f"{data['name']}: {', '.join(f'{n:,} {part}' for part, n in data['examples'].items())}")
    for title in ("seed", "epochs", "training loss", "validation, %", "test, %"):
        table.add_column(title, justify="right")
    for each in found["seeds"]:
        numbers = (each["training_loss"], each["validation_accuracy"], each["test_accuracy"])
        table.add_row(str(each["seed"]), str(each["epochs"]), *map(number, numbers))
    terminal = console()
    terminal.print(table)
    terminal.print(
        f"best of {results['stages'][0]['count']} that were generated: {found['architecture']}\n"
        f"  {found['params']:,} parameters, test accuracy {kept['test_accuracy']:.2f} % "
        f"(95 %: {kept['low']:.2f} to {kept['high']:.2f}), mean of the seeds {write_interval(seeds)} %",
        soft_wrap=True,
    )
    paid = ", ".join(f"{count} for {purpose}" for purpose, count in labels.items())
    terminal.print(
        f"trainings: {paid}; {results['training_seconds']:.0f} s of training, {sum(results['seconds'].values()):.0f} s "
        f"in all; weights and everything else are in {run.workdir.path}",
        soft_wrap=True,
    )


def _searched(run: Search, results: dict[str, Any]) -> None:
    """Prints what strategies reached, which can be told apart, and the best of all."""
    terminal = console()
    terminal.print(_reached(run, results))
    for n, test in results["significance"].items():
        best = test["best_baseline"]
        terminal.print(
            f"after {n}: {test['strategy']} minus the best baseline, {best}: "
            f"{write_difference(test['difference'][best], test['p'][best])}",
            soft_wrap=True,
        )
    if results["best"] is None:
        terminal.print(f"all {results['labels']['paid']:,} labels failed, so there is no best", soft_wrap=True)
    else:
        terminal.print(_best_of_search(results), soft_wrap=True)
        export = [*shlex.split(started.usage_of("experiments.export")), str(run.workdir.path)]
        terminal.print(f"take it home: {shlex.join(export)}", soft_wrap=True)
    terminal.print(f"everything is in {run.workdir.path}, told in {page.NAME}", soft_wrap=True)


def _reached(run: Search, results: dict[str, Any]) -> Table:
    """The table of strategies: what the best so far was worth after how many labels."""
    reported, seeds = results["reported"], results["seeds"]
    about = ", ".join(filter(None, [reported["unit"], reported["split"], run.evaluator.name]))
    of = "" if reported["metric"] == results["objective"]["metric"] else f" by {label(results['objective'])}"
    spread = f"mean of {seeds} seeds{' ± 95 %' * (seeds >= FEWEST_SAMPLES)}" if seeds > 1 else f"seed {run.config.seed}"
    table = Table(title=f"{label(reported)} ({about}) of the best{of}, {spread}")
    table.add_column("strategy", no_wrap=True)
    strategies = results["strategies"]
    counts = [n for n in report_at(run) if any(n in strategy["reported_after"] for strategy in strategies.values())]
    for n in counts:
        table.add_column(f"{n} labels", justify="right")
    knows_best = any("labels_to_optimum" in strategy for strategy in strategies.values())
    if knows_best:
        table.add_column("labels to optimum", justify="right")
    for name, strategy in strategies.items():
        cells = [write_interval(strategy["reported_after"].get(n)) for n in counts]
        cells += [_median(strategy.get("labels_to_optimum"), run.config.search.budget)] * knows_best
        table.add_row(name, *cells)
    return table


def _best_of_search(results: dict[str, Any]) -> str:
    """The best architecture, its values, and which label found it."""
    best, objective, reported = results["best"], results["objective"], results["reported"]
    values = [f"{label(objective)} {best['value']:.6g} {objective['unit']}".strip()]
    if reported["metric"] != objective["metric"]:
        values.append(f"{label(reported)} {best['reported']:.6g} {reported['unit']}".strip())
    if (optimum := objective.get("best_of_table")) is not None:
        values.append(f"{abs(optimum - best['value']):.3g} from the table's best")
    return (
        f"best of {results['labels']['paid']:,} labels: {best['architecture']}\n"
        f"  {', '.join(values)}; label {best['label']} of {best['strategy']}, seed {best['seed']}"
    )


def write_interval(interval: dict[str, Any] | None) -> str:
    """An interval of `results.json` for people, without its half where too few seeds say nothing of it."""
    if interval is None:
        return ""
    low, high = interval["low"], interval["high"]
    known = low is not None and low == low  # JSON has null for it
    return f"{interval['estimate']:.2f}" + (f" ± {(high - low) / 2:.2f}" if known else "")


def write_difference(difference: float | None, p: float | None, digits: int = 2) -> str:
    """A difference and its p for people, or in words why there is none; JSON has null for what isn't known."""
    if difference is None or difference != difference:
        return "unknown, for one of them has no label"
    if p is None or p != p:
        return f"{difference:+.{digits}f} (no p: fewer than {FEWEST_SEEDS} seeds can't show a difference at 5 %)"
    return f"{difference:+.{digits}f} (p = {p:.2g})"


def _median(labels: dict[str, Any] | None, budget: int) -> str:
    if labels is None:
        return ""
    return f"{labels['median']:g}" if np.isfinite(labels["median"]) else f"> {budget}"
