# pyright: reportArgumentType=false
"""What others read of finished runs: their architectures, best first, whatever the mode."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.finished import FinishedRun
from nag_jax.evaluators import Metric
from nag_jax.settings import Generate
from nag_jax.settings.space import Space
from nag_jax.spaces import NASBench201
from nag_jax.spaces.nasbench201 import OPERATIONS
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict
from nag_jax.tasks.workdir import Workdir
from nag_jax.trials import Ledger

SPACE = NASBench201()
CELLS = [f"|{name}~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|" for name in OPERATIONS[1:]]


class Labels:
    """An evaluator whose labels are a cell's place in `CELLS`, and none for the last."""

    name, fingerprint, space, batch_size = "labels", "v1", SPACE, 2

    def __init__(self, direction):
        self.metrics = {"place": Metric("place", direction=direction)}

    def __call__(self, tokens):
        places = [CELLS.index(native) for native in SPACE.to_native(tokens)]
        return {"place": np.array([np.nan if place == 3 else float(place) for place in places])}


def write_run(path, mode, **results):
    path.mkdir(parents=True)
    config = {"name": "mine", "mode": mode, "seed": 0, "space": {"name": "nasbench201"}, "evaluator": {}}
    (path / "config.json").write_text(json.dumps(config))
    (path / "results.json").write_text(json.dumps({"config": config, "versions": {}, **results}))
    return path


def pay(path, direction, cells, purpose="search"):
    path.parent.mkdir(exist_ok=True)
    with Ledger.open(path, Labels(direction)) as ledger:
        ledger.label(SPACE.from_native(cells), purpose)


def natives(run, most=10):
    return [candidate.architecture for candidate in run.candidates(most)]


@pytest.mark.parametrize(("direction", "order"), [("max", [2, 1, 0]), ("min", [0, 1, 2])])
def test_a_search_ranks_all_that_was_paid_for(tmp_path, direction, order):
    path = write_run(tmp_path / "run", "search", objective={"metric": "place", "direction": direction})
    pay(path / "one" / "0.db", direction, CELLS[:2])
    pay(path / "two" / "0.db", direction, [CELLS[3], CELLS[2], CELLS[1]])
    run = FinishedRun(path)
    assert natives(run) == [CELLS[i] for i in order]
    assert len(run.trials()) == 5
    assert run.is_ranked


def test_a_stream_ranks_by_prediction_across_files(tmp_path):
    path = write_run(tmp_path / "run", "stream")
    (path / "samples").mkdir()
    for number, rows in enumerate(([(0, 0.5), (1, 0.9), (1, 0.9), (None, None)], [(2, 0.7), (1, 0.9)])):
        cells = [None if cell is None else CELLS[cell] for cell, _ in rows]
        table = {
            "architecture": pa.array(cells, pa.string()).dictionary_encode(),
            "predicted": pa.array([predicted for _, predicted in rows], pa.float32()),
        }
        pq.write_table(pa.table(table), path / "samples" / f"{number:08}.parquet")
    run = FinishedRun(path)
    assert natives(run) == [CELLS[1], CELLS[2], CELLS[0]]
    assert natives(run, 2) == [CELLS[1], CELLS[2]]
    assert run.candidates(1)[0].predicted == pytest.approx(0.9)


def test_a_guided_pool_comes_after_what_was_paid_for_at_the_end(tmp_path):
    path = write_run(tmp_path / "run", "generate", objective={"metric": "place", "direction": "max"})
    pools, predicted = ["guided"] * 3 + ["unconditional"], [0.9, 0.8, 0.7, 0.6]
    frame = pd.DataFrame({"pool": pools, "arch": [CELLS[i] for i in (0, 3, 1, 2)], "predicted": predicted})
    frame.to_csv(path / "architectures.csv", index=False)
    pay(path / "trials.db", "max", [CELLS[2]], "training")
    pay(path / "trials.db", "max", [CELLS[0], CELLS[1]], "final")
    run = FinishedRun(path)
    assert natives(run) == [CELLS[1], CELLS[0], CELLS[3]]
    assert [candidate.predicted for candidate in run.candidates(3)] == [0.7, 0.9, 0.8]


def test_under_constraints_alone_the_feasible_stand_in_the_files_order(tmp_path):
    path = write_run(tmp_path / "run", "generate")
    pools, feasible = ["constrained"] * 3 + ["unconditional"], [True, False, True, True]
    pd.DataFrame({"pool": pools, "arch": CELLS, "feasible": feasible}).to_csv(path / "architectures.csv", index=False)
    run = FinishedRun(path)
    assert natives(run) == [CELLS[0], CELLS[2]]
    assert not run.is_ranked


def test_what_is_no_finished_run_is_refused(tmp_path):
    path = write_run(tmp_path / "mine", "stream")
    with pytest.raises(InputError, match=r"there is no run .*mini \(did you mean .*mine\?\)"):
        FinishedRun(tmp_path / "mini")
    with pytest.raises(InputError, match=r"no config.json, so it isn't a run \(did you mean .*mine\?\)"):
        FinishedRun(tmp_path)
    (path / "results.json").write_text("{")
    with pytest.raises(InputError, match=r"results\.json is not readable"):
        FinishedRun(path)
    (path / "results.json").unlink()
    with pytest.raises(InputError, match="isn't finished: start it again with the same command"):
        FinishedRun(path)


SPACE_FILE = """
from nag_jax.spaces import NASBench201


def make():
    return NASBench201()
"""


def test_a_space_of_ones_own_is_kept_with_the_run(tmp_path, monkeypatch):
    """So that it is found from anywhere, and when the file has changed or gone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_space.py").write_text(SPACE_FILE)
    path = tmp_path / "run"
    config = to_dict(Generate(space=Space(name="my_space.py:make")))
    Workdir(path).claim(config)
    (path / "results.json").write_text(json.dumps({"config": config, "versions": {}}))
    (tmp_path / "my_space.py").unlink()
    monkeypatch.chdir("/")
    run = FinishedRun(path)
    assert run.space().name == "nasbench201"
    assert run.config.utility.name == config["utility"]["name"]
