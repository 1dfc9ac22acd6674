"""Takes an architecture home: as string, JSON, drawing, Flax module, PyTorch module and ONNX file.

    python -m experiments.export runs/nb201                          (its best, into runs/nb201/export)
    python -m experiments.export runs/nb201 --architecture=3         (its third best)
    python -m experiments.export runs/nb201 --architecture='|nor_conv_3x3~0|+|...|'
    python -m experiments.export --space=nasbench201 --architecture='|nor_conv_3x3~0|+|...|' --out=mine

The modules and the ONNX file need nothing of nag_jax. Each is checked to have as many parameters as our network, and
the same outputs with the same weights, as far as PyTorch and onnx are installed. Weights are those that a run of the
mode `train` kept, which are written beside them with a model card (README.md), and otherwise random.
"""

import argparse
import difflib
import json
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nag_jax import spaces
from nag_jax.export import Blueprint, Export, export_network
from nag_jax.export.model_card import model_card
from nag_jax.reports.architectures import draw_architectures
from nag_jax.reports.facts import git_commit, versions
from nag_jax.reports.page.story import label
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.capabilities import Buildable, Drawable, HasCosts
from nag_jax.system import started
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict

from . import command_line
from .compilation_cache import use_compilation_cache
from .finished import Candidate, FinishedRun
from .terminal import console, number

BEST = "BEST"
_COMPARED = 1000
"""Architectures of a run that a misspelt one is compared with."""


class Choice(NamedTuple):
    """The architecture to export.

    Attributes:
        space: its space.
        tokens: `[N]`.
        run: the run that it's from, if any.
        rank: among the run's, from 1; None where it was given as a string.
        predicted: what the run predicted of it, if it did.
    """

    space: NodeSpace
    tokens: np.ndarray
    run: FinishedRun | None = None
    rank: int | None = None
    predicted: float | None = None

    @property
    def native(self) -> str:
        """The space's own string."""
        return self.space.to_native(self.tokens[None])[0]

    def blueprint(self) -> Blueprint | None:
        """Its network, of the sizes that a run trained it with; None where the space has none."""
        if self.run is not None:
            return self.run.blueprint(self.tokens)
        return self.space.blueprint(self.tokens) if isinstance(self.space, Buildable) else None


def main(arguments: list[str] | None = None) -> None:
    """Exports; exits with 2 and one line where the input is wrong."""
    parser = argparse.ArgumentParser(
        prog=started.usage_of("experiments.export"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished run")
    parser.add_argument("--architecture", default=BEST, help="BEST (the default), a rank from 1, or a native string")
    parser.add_argument("--space", help="of the architecture, where there is no run")
    parser.add_argument("--out", type=Path, help="folder to write into; RUN/export by default")
    given = parser.parse_args(arguments)
    try:
        if (given.run is None) == (given.space is None):
            raise InputError("name a run, or, for an architecture without one, its --space")
        if given.run is None and given.out is None:
            raise InputError("without a run, name the folder to write into with --out")
        run = None if given.run is None else FinishedRun(given.run)
        space = spaces.make(given.space) if run is None else run.space()
        use_compilation_cache()
        out = given.out if run is None else given.out or run.path / "export"
        export(choose(space, run, given.architecture), out)
    except InputError as error:
        command_line.fail(str(error))


def choose(space: NodeSpace, run: FinishedRun | None, wanted: str) -> Choice:
    """The architecture that the command line asks for.

    Raises:
        InputError: the run has no such rank, or the string is no architecture of the space.
    """
    if wanted.upper() != BEST and not wanted.lstrip("+-").isdigit():
        return _read(space, run, wanted)
    if run is None:
        raise InputError(f"without a run there is no architecture {wanted}: give its string")
    if wanted.upper() == BEST and not run.is_ranked:
        raise InputError(
            f"run {run.path} ranked nothing, it only kept to constraints: give --architecture a number, from 1 in the "
            f"order of {run.path / 'architectures.csv'}, or a string"
        )
    rank = 1 if wanted.upper() == BEST else int(wanted)
    found = run.candidates(max(rank, 1))
    if not 1 <= rank <= len(found):
        raise InputError(f"run {run.path} has no architecture of rank {rank}: use 1 to {len(found)}")
    candidate = found[rank - 1]
    return Choice(space, _tokens(space, candidate), run, rank, candidate.predicted)


def _tokens(space: NodeSpace, candidate: Candidate) -> np.ndarray:
    return space.from_native([candidate.architecture])[0]


def _read(space: NodeSpace, run: FinishedRun | None, wanted: str) -> Choice:
    try:
        return Choice(space, space.from_native([wanted])[0], run)
    except InputError as error:
        known = [candidate.architecture for candidate in run.candidates(_COMPARED)[:_COMPARED]] if run else []
        close = difflib.get_close_matches(wanted, known, 1)
        hint = f"; did you mean {close[0]!r}?" if close else "; use BEST, a rank from 1, or such a string"
        raise InputError(str(error).removeprefix("row 0: ") + hint) from error


def export(choice: Choice, out: Path) -> dict[str, Any]:
    """Writes everything into the folder `out`, prints what was checked, and returns what stands in the JSON."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} can't be made ({error}): name another folder with --out") from error
    blueprint = choice.blueprint()
    described = describe(choice, blueprint)
    (out / "architecture.txt").write_text(choice.native + "\n")
    if isinstance(choice.space, Drawable):
        label = _objective_label(choice, described["labels"])
        draw_architectures(choice.space, choice.tokens[None], [label], out / "architecture")
    weights = choice.run.weights(choice.native) if choice.run else None
    exports = {}
    if blueprint:
        exports = export_network(blueprint, out, about=about(choice, described), variables=weights)
    if choice.run and weights is not None:
        (out / "README.md").write_text(model_card(choice.run.results))
    described["files"] = {name: _file(found) for name, found in exports.items()}
    (out / "architecture.json").write_text(json.dumps(described, indent=1) + "\n")
    summarize(choice, exports, out)
    return described


def describe(choice: Choice, blueprint: Blueprint | None) -> dict[str, Any]:
    """The architecture, what it costs, what was paid to know of it, and where it is from."""
    space, row = choice.space, choice.tokens
    known = space.costs() if isinstance(space, HasCosts) else {}
    costs = {name: float(cost.of(row[None])[0]) for name, cost in known.items()}
    if blueprint:
        costs["params"] = blueprint.num_params()
    return {
        "native": choice.native,
        "space": space.name,
        "nodes": [{"node": node, "class": space.class_names[token]} for node, token in enumerate(row.tolist())],
        "edges": [list(edge) for edge in space.edges(row)],
        "costs": costs,
        "labels": paid_labels(choice),
        "predicted": choice.predicted,
        "provenance": provenance(choice),
    }


def paid_labels(choice: Choice) -> dict[str, float | None]:
    """The labels that the run paid for it, or for what computes the same thing; none where it paid for neither."""
    key = choice.space.canonical(choice.tokens[None]).tolist()[0]
    trials = choice.run.trials() if choice.run else []
    paid = next((trial for trial in trials if trial.key == key), None)
    return {} if paid is None else {name: value if value == value else None for name, value in paid.values.items()}


def provenance(choice: Choice) -> dict[str, Any]:
    """Where the architecture is from."""
    exporter = {"nag_jax": " ".join(filter(None, (versions()["nag-jax"], git_commit())))}
    if choice.run is None:
        return exporter
    results, config = choice.run.results, choice.run.config
    return {
        "run": str(choice.run.path),
        "rank": choice.rank,
        "config": config.name,
        "mode": config.mode,
        "seed": config.seed,
        "commit": results.get("git_commit"),
        "evaluator": to_dict(config.evaluator),
        "objective": choice.run.objective,
        "constraints": results.get("constraints", []),
        "versions": results["versions"],
        **exporter,
    }


def about(choice: Choice, described: dict[str, Any]) -> str:
    """What the exported files say of themselves."""
    source = described["provenance"]
    told = [f"It has {described['costs']['params']:,.0f} parameters and was exported by nag_jax {source['nag_jax']}."]
    if choice.run:
        rank = "" if choice.rank is None else f", rank {choice.rank}"
        told.append(f"From the run {source['run']} (config {source['config']}, seed {source['seed']}{rank}),")
        told.append(f"evaluator {source['evaluator']['name']}, commit {source['commit']}.")
        told += [f"Paid label: {label}." for label in [_objective_label(choice, described["labels"])] if label]
    return choice.native + "\n\n" + textwrap.fill(" ".join(told), 110, break_long_words=False, break_on_hyphens=False)


def summarize(choice: Choice, exports: dict[str, Export], out: Path) -> None:
    """Prints the architecture and what was checked."""
    terminal = console()
    terminal.print(choice.native, soft_wrap=True)
    if not exports:
        terminal.print(
            f"{choice.space.name} has no network of ours to export: only its string, JSON and drawing are written",
            soft_wrap=True,
        )
    else:
        for name, found in exports.items():
            terminal.print(f"{name}: {_verdict(found)}", soft_wrap=True)
    terminal.print(f"everything is in {out}", soft_wrap=True)


def _verdict(found: Export) -> str:
    if found.check is None:
        return f"not {'checked' if found.written else 'written'}: {found.missing}"
    params, difference = found.check
    return f"checked: {params:,} parameters, as ours; with equal weights, outputs differ by a share of {difference:.0g}"


def _file(found: Export) -> dict[str, Any]:
    check = found.check._asdict() if found.check else None
    return {"written": found.written, "check": check, "missing": found.missing}


def _objective_label(choice: Choice, labels: dict[str, float | None]) -> str:
    """The objective, as `accuracy 93.25 %`; empty where there is none or nobody paid for it."""
    objective = choice.run.objective if choice.run else None
    value = labels.get(objective["metric"]) if objective else None
    if objective is None or value is None:
        return ""
    return f"{label(objective)} {number(value)} {objective['unit']}".strip()


if __name__ == "__main__":
    with command_line.ending("experiments.export", goes_on=False):
        main()
