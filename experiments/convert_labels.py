"""Conversion of old labels into the ledger of a run: the command `labels` of `experiments.convert`."""

import argparse
from pathlib import Path

from absl import flags

from nag_jax.evaluators import Evaluator
from nag_jax.settings.config import from_config
from nag_jax.settings.runs import Settings
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict
from nag_jax.tasks import build
from nag_jax.tasks.workdir import Workdir
from nag_jax.trials import Ledger, import_labels

from .main import parse_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command; the flags `--config` and `--workdir` of `experiments.main` come besides."""
    parser.add_argument(
        "path", type=Path, help="CSV or Parquet: a column arch, one for each metric, fidelity, seed, cost"
    )
    parser.add_argument("--ledger", type=Path, help="its file; by default the one of the run in the workdir")
    parser.add_argument("--origin", default="", help="whence the labels come; by default the file's name")


def run(given: argparse.Namespace, rest: list[str]) -> None:
    """Stores the labels of a table as trials.

    Args:
        given: what `add_arguments` reads.
        rest: flags of `experiments.main`, which say whose labels these are.

    Raises:
        InputError: the table, the config or the ledger is wrong.
    """
    parse_flags(["experiments.convert", *rest])
    config = from_config(flags.FLAGS.config)
    evaluator = build.make_evaluator(config, build.make_space(config))
    path = given.ledger or _ledger_of_run(config, evaluator)
    with Ledger.open(path, evaluator) as ledger:
        stored, known = import_labels(ledger, given.path, origin=given.origin)
    print(f"stored {stored:,} labels in {path}" + (f"; left out {known:,} that it had already" if known else ""))


def _ledger_of_run(config: Settings, evaluator: Evaluator) -> Path:
    """The ledger of the config's run, whose workdir is claimed for it."""
    if config.mode == "search":
        raise InputError("a search has a ledger for each strategy and seed: name the one, as --ledger=runs/x/bo/0.db")
    workdir = Workdir(Path(flags.FLAGS.workdir or Path("runs") / config.name))
    workdir.check(to_dict(config))
    workdir.claim(to_dict(config))
    return workdir.path / "trials.db"
