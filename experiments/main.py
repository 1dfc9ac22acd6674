"""Generates neural architectures for an objective, searches for them, streams them into files, or trains them.

    python -m experiments.main                                           lists the configs
    python -m experiments.main --config=configs/nb201.py                 generates, about a minute on two cores
    python -m experiments.main --config=configs/nb201.py --dry_run       checks everything, prints the plan and stops
    python -m experiments.main --config=configs/nb201.py:smoke           the same path at tiny sizes
    python -m experiments.main --config=configs/nb201_search.py          one search, the best of 50 labels
    python -m experiments.main --config=configs/nb201_bo.py --config.seeds=3 --workdir=runs/mine

Flags:
    --config=FILE[:VARIANT]   what to do; every config has the variant smoke, and ours may be named without their folder
    --config.FIELD=VALUE      overrides a field, as --config.seed=1 or --config.labels.training=50
    --workdir=FOLDER          where results and all that is learned and paid for are kept (runs/ and the config's name)
    --dry_run                 checks all input, prints labels, samples, devices, memory and time, and changes nothing
    --tracker=NAME            logs the run in tensorboard, mlflow or wandb besides; may come several times
    --distributed             joins the processes of a run over several machines (docs/scaling.md)
    --helpfull                all other flags, which belong to libraries

Modes, --config.mode:
    generate   learns the space and the objective, generates architectures, and pays for the best
    search     strategies decide what to label next, seed by seed
    stream     any number of guided samples, into Parquet files
    front      generates one pool that covers the front of several objectives
    train      generates architectures, trains them on a data set, and keeps the weights of the best

The same command in the same workdir goes on where it stopped, be it by Ctrl-C or SIGKILL, and pays for nothing twice.

Exit codes: 0 done; 1 an error of ours, with a traceback; 2 something in the input is wrong, in one line that says what
mends it; 130 interrupted by Ctrl-C or SIGTERM.
"""

import ast
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from absl import app, flags, logging
from ml_collections import config_flags

from nag_jax.settings import Generate, Search
from nag_jax.settings.config import from_config
from nag_jax.system import started
from nag_jax.system.fields import leaves

from . import command_line
from .compilation_cache import use_compilation_cache

_HELP = {"-h", "-help", "--help"}
_USED_MOST = (
    *("seed", "num_samples", "evaluator.name", "evaluator.path", "evaluator.metric", "labels.training", "labels.final"),
    *("guidance.top_share", "constraints", "run", "seeds", "search.budget"),
)
_MOST_WIDTH = 56
"""Columns before the text of a line; longer values push it to the right."""
CONFIGS = Path(__file__).parents[1] / "configs"

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config, as configs/nb201.py, configs/nb201.py:smoke or nb201:smoke."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; by default runs/ and the config's name, with -stream for a stream."
)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Checks everything, prints what a run would do and cost, and stops.")
_TRACKER = flags.DEFINE_multi_string("tracker", [], "Where the run is logged besides: tensorboard, mlflow or wandb.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Joins the processes of a run over several machines.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where JAX can't find it out itself.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are, likewise.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0, likewise.")


def main(argv: list[str]) -> None:
    """Runs the config's mode in its workdir, or prints its plan."""
    if len(argv) > 1:
        command_line.fail(f"unexpected argument {argv[1]!r}: overrides look like --config.seed=1")
    config = _CONFIG.value
    logging.set_verbosity(logging.FATAL)  # Orbax warns of what it reads, and logs errors before it raises them
    use_compilation_cache()
    if _DISTRIBUTED.value:
        from nag_jax.system import parallel

        parallel.start(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    name = f"{config.name}-stream" if config.mode == "stream" else config.name
    from . import runs

    command_line.listen()  # JAX may have put a handler of its own in the place of ours
    path = Path(_WORKDIR.value or Path("runs") / name)
    runs.show_plan(config, path) if _DRY_RUN.value else runs.run(config, path, _TRACKER.value)


def config() -> Any:
    """The config that the flags name."""
    return _CONFIG.value


def workdir() -> Path | None:
    """The workdir that the flags name; None where they name none."""
    return Path(_WORKDIR.value) if _WORKDIR.value else None


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a misspelt or ill-typed one, or a missing config, ends with one line and status 2."""
    if _HELP & set(argv[1:]):
        others = [argument for argument in argv if argument not in _HELP]
        if others[1:]:
            _parse(others)
            print(list_fields(_CONFIG.value))
        else:
            print(f"{__doc__}\n{list_configs()}\n\n{list_used_most()}")
        sys.exit(0)
    if {"-helpfull", "--helpfull"} & set(argv[1:]):
        app.usage(writeto_stdout=True)
        sys.exit(0)
    if not argv[1:]:
        print(f"{list_configs()}\n\n{_how_to_run()}")
        sys.exit(0)
    return _parse(argv)


def _parse(argv: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(_with_files(argv))
    except (AttributeError, KeyError) as error:  # what ml_collections raises for a misspelt field
        field, close = re.search(r"\w+", str(error)), re.search(r'Did you mean "(\w+)"', str(error))
        hint = f"did you mean {close[1]!r}?" if close else "see --help beside --config=FILE"
        command_line.fail(f"the config has no field {field[0] if field else str(error)!r}: {hint}")
    except flags.Error as error:
        command_line.fail(str(error).rpartition("Error: ")[2])
    if _CONFIG.value is None:
        command_line.fail("name a config, as --config=configs/nb201.py")
    return rest


def _config_file(name: str) -> Path | None:
    """The file of a config: the one that is named, or else the one of ours that has this name; None without either."""
    path = Path(name)
    if path.is_file():
        return path
    ours = CONFIGS / f"{path.stem}.py"
    named = path.parent in (Path(), Path(CONFIGS.name)) and path.suffix in ("", ".py")
    return ours if named and path.stem and ours.is_file() else None


def _with_files(argv: list[str]) -> list[str]:
    """Arguments whose config is a file, as ml_collections wants it, where they may name one of ours."""
    changed = list(argv)
    for i, argument in enumerate(argv):
        flag, joined, value = argument.partition("=")
        if flag not in ("-config", "--config") or not (joined or argv[i + 1 :]):
            continue
        name, colon, variant = (value if joined else argv[i + 1]).partition(":")
        if (path := _config_file(name)) is None:
            command_line.fail(
                f"there is no config file {name!r}: use one of configs/*.py, by its name, or one of yours"
            )
        changed[i if joined else i + 1] = f"{flag + joined if joined else ''}{path}{colon}{variant}"
    return changed


def start(arguments: list[str]) -> None:
    """Runs what arguments say, which aren't those of this process."""
    app.run(main, argv=[sys.argv[0], *arguments], flags_parser=parse_flags)


def is_joined() -> bool:
    """Whether this process is one of several of a run."""
    return flags.FLAGS.is_parsed() and _DISTRIBUTED.value


def list_used_most() -> str:
    """The fields used most, a line each."""
    docs = {leaf.path: leaf.doc for settings in (Generate(constraints=""), Search()) for leaf in leaves(settings)}
    rows = {field: docs[field] for field in _USED_MOST}
    return _lines("Fields used most (--help beside --config=FILE lists all that it has, with their values):", rows)


def list_fields(config: Any) -> str:
    """All fields of a config with their values, a line each."""
    rows = {f"{leaf.path}={leaf.value}": leaf.doc for leaf in leaves(from_config(config))}
    return _lines(f"Fields of {config.name}, each overridden as --config.FIELD=VALUE:", rows)


def _how_to_run() -> str:
    program = shlex.join(started.program())
    if program.endswith("nag"):
        return (
            f"Run one with {program} run NAME, or its variant with {program} run NAME:smoke; see {program} run --help."
        )
    return "Run one with --config=FILE, or its variant with --config=FILE:smoke; see --help."


def _lines(title: str, rows: dict[str, str]) -> str:
    width = min(max(map(len, rows)), _MOST_WIDTH)
    return "\n".join([title, *(f"    {name:<{width}}   {text}" for name, text in rows.items())])


def list_configs() -> str:
    """The configs, a line each: the file, and the first line of its docstring."""
    lines = {}
    for path in sorted(CONFIGS.glob("[!_]*.py")):
        name = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path.stem
        lines[str(name)] = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    return _lines("Configs:", lines)


if __name__ == "__main__":
    with command_line.ending("experiments.main", loads=True, joined=is_joined):
        app.run(main, flags_parser=parse_flags)
