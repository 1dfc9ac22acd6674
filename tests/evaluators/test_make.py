import subprocess
import sys

import pytest

from nag_jax import evaluators
from nag_jax.system.errors import InputError


def test_an_unknown_evaluator_gets_the_names():
    with pytest.raises(
        InputError,
        match=r"'tabel': did you mean 'table'\?.*analog_nasbench, command, latency, mobilenet_v3, nas_bench_graph",
    ):
        evaluators.make("tabel")


def test_an_unknown_option_gets_the_options(table_path):
    with pytest.raises(InputError, match=r"option of the evaluator 'table' 'metrik': did you mean 'metric'"):
        evaluators.make("table", path=table_path, metrik="valid_acc")


@pytest.mark.parametrize("options", [{"metric": "acc"}, {"metric": "acc", "path": None}])
def test_a_missing_option_is_named(options):
    with pytest.raises(InputError, match="the evaluator 'table' needs the option 'path'"):
        evaluators.make("table", **options)


def test_importing_evaluators_loads_no_pandas():
    code = "import sys, nag_jax.evaluators; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
