"""The command line: `python -m experiments.main --config=configs/nb201.py`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from experiments import generate
from nag_jax.errors import InputError

MODES = {"generate": generate.run}

_CONFIG = config_flags.DEFINE_config_file("config", None, "Config file, as configs/nb201.py or configs/nb201.py:smoke.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; by default runs/ and the config's name.")


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, in JAX_COMPILATION_CACHE_DIR or the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    if not jax.config.jax_compilation_cache_dir:
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
        logging.set_verbosity(logging.WARNING)
        use_compilation_cache()
        MODES[config.mode](config, Path(_WORKDIR.value or Path("runs") / config.name))
    except InputError as error:
        _fail(str(error))


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a misspelt or ill-typed one, or a missing config, ends with one line and status 2."""
    for argument in argv[1:]:
        name, _, value = argument.lstrip("-").partition("=")
        if name == "config" and not Path(value.partition(":")[0]).is_file():
            _fail(f"there is no config file {value.partition(':')[0]!r}: use one of configs/*.py")
    try:
        rest = flags.FLAGS(argv)
    except AttributeError as error:
        _fail(f"the config has no such field: {' '.join(str(error).split())}; its fields stand in the config file")
    except (flags.Error, InputError) as error:
        _fail(str(error))
    return rest


def _fail(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=parse_flags)
