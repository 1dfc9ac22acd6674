"""What the tests of runs share: configs as the command line would read them."""

import sys
from pathlib import Path
from unittest import mock

import pytest
from absl import flags
from ml_collections import config_flags

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def load():
    """(variant, *overrides) -> the config of configs/nb201.py, as the command line reads it."""

    def read(variant="", *overrides):
        values = flags.FlagValues()
        holder = config_flags.DEFINE_config_file("config", flag_values=values)
        file = f"{ROOT / 'configs' / 'nb201.py'}{':' if variant else ''}{variant}"
        arguments = ["main.py", f"--config={file}", *(f"--config.{override}" for override in overrides)]
        with mock.patch.object(sys, "argv", arguments):  # where ml_collections looks for the overrides
            values(arguments)
        return holder.value

    return read
