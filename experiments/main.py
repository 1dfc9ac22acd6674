"""The command line: `python -m experiments.main --config=configs/nb201.py`."""

import importlib
import itertools
import os
import re
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from nag_jax import parallel
from nag_jax.errors import InputError

MODES = ("generate", "search", "stream")
"""Modules of `experiments` with a function `run`."""

_CONFIG = config_flags.DEFINE_config_file("config", None, "Config file, as configs/nb201.py or configs/nb201.py:smoke.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; by default runs/ and the config's name, with -stream for a stream."
)
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Joins the processes of a run over several machines.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where JAX can't find it out itself.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are, likewise.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0, likewise.")


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, in JAX_COMPILATION_CACHE_DIR or the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(home / "nag_jax" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def main(argv: list[str]) -> None:
    """Runs the config's mode in its workdir; exits with 2 and one line where the input is wrong."""
    try:
        if len(argv) > 1:
            raise InputError(f"unexpected argument {argv[1]!r}: overrides look like --config.seed=1")
        config = _CONFIG.value
        if config.mode not in MODES:
            raise InputError(f"unknown mode {config.mode!r}: use one of {sorted(MODES)}")
        logging.set_verbosity(logging.ERROR)  # Orbax warns of every checkpoint that it opens to read
        use_compilation_cache()
        if _DISTRIBUTED.value:
            parallel.start(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
        name = f"{config.name}-stream" if config.mode == "stream" else config.name
        importlib.import_module(f"experiments.{config.mode}").run(config, Path(_WORKDIR.value or Path("runs") / name))
    except InputError as error:
        _fail(str(error))
    except Exception:
        if not _DISTRIBUTED.value:
            raise
        _fail_for_all()


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a misspelt or ill-typed one, or a missing config, ends with one line and status 2."""
    named = [argument.partition("=")[2] for argument in argv if argument.lstrip("-").startswith("config=")]
    named += [value for flag, value in itertools.pairwise(argv) if flag in ("-config", "--config")]
    if named and not Path(named[-1].partition(":")[0]).is_file():
        _fail(f"there is no config file {named[-1].partition(':')[0]!r}: use one of configs/*.py")
    try:
        rest = flags.FLAGS(argv)
    except (AttributeError, KeyError) as error:  # what ml_collections raises for a misspelt field
        field, close = re.search(r"\w+", str(error)), re.search(r'Did you mean "(\w+)"', str(error))
        hint = f"did you mean {close[1]!r}?" if close else "its fields stand in the config file"
        _fail(f"the config has no field {field[0] if field else str(error)!r}: {hint}")
    except flags.Error as error:
        _fail(str(error).rpartition("Error: ")[2])
    if _CONFIG.value is None:
        _fail("name a config, as --config=configs/nb201.py")
    return rest


def _fail(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def _fail_for_all() -> NoReturn:
    """Ends this process at once: an orderly exit would wait for the others, which wait for this one."""
    traceback.print_exc()
    print(
        "error: a process of this run has ended, this one or one that it was waiting for: start all of them again with "
        "the same --workdir, on as many machines as you like, and the run goes on where it was",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
