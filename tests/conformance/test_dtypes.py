"""Arrays and random numbers are float32 and int32 whatever `JAX_ENABLE_X64` says: no dtype is left to its default."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from nag_jax.system.keys import normal, sample_keys, uniform

ROOT = Path(__file__).resolve().parents[2]
DTYPE_AT = {
    **dict.fromkeys(("jnp.zeros", "jnp.ones", "jnp.empty"), 1),
    **dict.fromkeys(("jnp.full", "jax.random.normal", "jax.random.uniform", "jax.random.gumbel"), 2),
    **dict.fromkeys(("jnp.arange", "jnp.eye", "self.param"), 3),
    "jax.random.randint": 4,
    "jnp.linspace": 5,
    "jax.nn.one_hot": 9,  # by keyword only
}
"""Functions whose dtype depends on the flag unless it is given, and the place of that argument."""


PROGRAM = """
import json
import jax
import nag_jax

cells = nag_jax.space("nasbench201")
size = nag_jax.evaluator(lambda arch: arch.count("nor_conv_3x3") + 0.1 * arch.count("skip"), cells, metric="size")
model = nag_jax.fit(cells, num_steps=20, network={"width": 16, "num_blocks": 1}, batch_size=64, progress=False)
pool = nag_jax.generate(model, size, labels=20, num_samples=64, num_steps=10, progress=False)
drawn = cells.to_native(cells.random(jax.random.key(0), 5))
print(json.dumps([drawn, pool.architectures, pool.values.tolist()]))
"""
"""Generates with little of everything."""


def test_every_array_is_made_with_a_dtype():
    undecided = []
    for path in sorted((ROOT / "nag_jax").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            place = DTYPE_AT.get(ast.unparse(call.func).replace("jax.numpy", "jnp"))
            given = {keyword.arg for keyword in call.keywords}
            if place is not None and len(call.args) <= place and "dtype" not in given:
                undecided.append(f"{path.relative_to(ROOT)}, line {call.lineno}: {ast.unparse(call)}")
    assert not undecided


def test_random_numbers_are_the_same_with_64_bits():
    keys = sample_keys(jax.random.key(0), 5)
    drawn = normal(keys, (3,)), uniform(keys, low=1.0, high=2.0)
    with jax.enable_x64(True):
        wide = normal(sample_keys(jax.random.key(0), 5), (3,)), uniform(keys, low=1.0, high=2.0)
    for one, other in zip(drawn, wide, strict=True):
        assert other.dtype == np.float32
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_process_with_64_bits_generates_the_same():
    found = []
    for flag in ("0", "1"):
        environment = os.environ | {
            "JAX_ENABLE_X64": flag,
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "PYTHONPATH": str(ROOT),
        }
        job = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
        assert not job.returncode, job.stderr
        found.append(json.loads(job.stdout))
    assert found[1] == found[0]
