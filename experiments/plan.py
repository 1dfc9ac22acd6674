"""What a run would do and cost, found out without doing it: what `--dry_run` prints.

Every mode has a function `plan` that makes the same checks as its `run`, claims no workdir and writes nothing.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import jax
from rich.table import Table

from experiments.config import Config
from experiments.measure import Work
from experiments.terminal import console
from nag_jax.evaluators import Metric
from nag_jax.system import parallel

if TYPE_CHECKING:
    from experiments.score import Setting


@dataclasses.dataclass
class Plan:
    """What a run would do.

    Attributes:
        setting: the run, checked.
        samples: what is generated, to how many.
        work: the phases that take time.
        labels: purpose to the labels that a finished run has paid for, and those paid already.
        metric: the objective; None where there is none.
        strategies: and seeds of a search, in words.
        done: what an earlier run has done, beside `work` and `labels`, in words.
        notes: what the estimate of time leaves out.
    """

    setting: "Setting"
    samples: dict[str, int]
    work: list[Work]
    labels: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    metric: Metric | None = None
    strategies: str = ""
    done: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def to_pay(self) -> int:
        """How many labels are left to pay for."""
        return sum(max(0, wanted - paid) for wanted, paid in self.labels.values())

    @property
    def seconds(self) -> float:
        """What is left of the phases that could be measured, without compiling."""
        return sum(work.left * (work.seconds or 0.0) for work in self.work)


def header(config: Config, path: Path) -> str:
    """What will run and where, in a line."""
    seeds = f"{config.get('seeds', 1)} from {config.seed}" if config.mode == "search" else config.seed
    return (
        f"{config.name}: {config.mode} in {config.space.name}, evaluator {config.evaluator.name}, seed {seeds}, "
        f"on {_devices()}, into {path}"
    )


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
        "evaluator": f"{run.evaluator.name}{_describe(plan.metric)}",
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
    most = max(plan.work, key=lambda work: work.memory or 0)
    if most.memory is None:
        return ""
    return f"about {most.memory / 2**20:,.0f} MiB a device for {most.name}, as XLA plans it, beside Python's own"


def _describe(metric: Metric | None) -> str:
    if metric is None:
        return ", no objective"
    split = "" if metric.split == "none" else f", {metric.split} split"
    unit = f" in {metric.unit}" if metric.unit else ""
    return f", objective {metric.name}{unit} ({metric.direction}{split})"


def _time(plan: Plan) -> str:
    """The estimate, and what it rests on."""
    known = [work for work in plan.work if work.seconds is not None and work.left]
    parts = [f"{work.name} {work.left:,} {work.unit} of {_duration(work.seconds or 0)}" for work in known]
    if not known:
        return ". ".join(["not known" if plan.notes else "a few seconds: nothing is left to compute", *plan.notes])
    estimate = f"about {_duration(plan.seconds)}, and compiling for the first time: {'; '.join(parts)}"
    return ". ".join([f"{estimate} (steps and samples timed just now, labels by the ledgers)", *plan.notes])


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60), ("s", 1)):
        if seconds >= 2 * length or unit == "s":
            break
    if unit != "s":
        return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
