"""The scripts of docs/cluster.md, on a Dask cluster on loopback: the search ends, and goes on where it ended."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nag_jax.trials import read_trials

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"^```python\n# (\S+)\n(.*?)^```$", (ROOT / "docs" / "cluster.md").read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.slow  # starts a cluster
def test_the_search_of_the_page_ends_on_a_cluster(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)  # where workers begin, too
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        for name, block in BLOCKS:
            (tmp_path / name).write_text(block.replace("tcp://head:8786", cluster.scheduler_address))
        for budget in (12, 14):
            script = tmp_path / "search.py"
            script.write_text(script.read_text().replace("budget=12", f"budget={budget}"))
            job = subprocess.run(
                [sys.executable, "search.py"], env=os.environ, capture_output=True, text=True, timeout=500
            )
            assert job.returncode == 0, job.stderr
            assert job.stdout.startswith(f"{budget} trials, the best: |")
    trials = read_trials(tmp_path / "mine.db")
    assert len({trial.key for trial in trials}) == len(trials) == 14
    for trial in trials:
        cell = trial.architecture
        assert trial.values == {"accuracy": 80.0 + 2.0 * cell.count("nor_conv_3x3") + cell.count("skip_connect")}
    assert "study" in (tmp_path / "study.html").read_text()
