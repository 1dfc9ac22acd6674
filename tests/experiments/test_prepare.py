"""What a killed run may leave behind does not keep the next one from starting."""

import sqlite3
from types import SimpleNamespace

import pytest

from experiments import runs
from nag_jax import spaces
from nag_jax.system.errors import InputError
from nag_jax.tasks import check, setting


@pytest.fixture
def config(load, tmp_path_factory):
    """The smoke config with a small table, which is soon read."""
    space = spaces.make("nasbench201")
    table = tmp_path_factory.mktemp("table") / "mine.csv"
    natives = space.to_native(space.all_tokens()[::101])
    table.write_text("".join(["arch,acc\n", *(f"{native},{i}\n" for i, native in enumerate(natives))]))
    return load("smoke", "evaluator.name=table", f"evaluator.path={table}", "evaluator.metric=acc")


def test_a_fresh_workdir_is_claimed_and_holds_nothing_else(config, tmp_path):
    run = runs.prepare(config, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.json", "lock"]
    assert run.metric.name == "acc"


def test_checkpoints_that_were_never_finished_are_passed_over(config, tmp_path):
    runs.prepare(config, tmp_path)
    (tmp_path / "predictor").mkdir()
    (tmp_path / "score" / "20.orbax-checkpoint-tmp").mkdir(parents=True)
    runs.prepare(config, tmp_path)


def test_a_ledger_without_content_is_passed_over(config, tmp_path):
    runs.prepare(config, tmp_path)
    (tmp_path / "trials.db").touch()
    runs.prepare(config, tmp_path)
    tables = sqlite3.connect(tmp_path / "trials.db").execute("SELECT name FROM sqlite_master").fetchall()
    assert ("trials",) in tables


def test_a_step_without_content_is_refused(config, tmp_path):
    runs.prepare(config, tmp_path)
    (tmp_path / "score" / "20").mkdir(parents=True)
    with pytest.raises(InputError, match=r"score/20 can't be read .* delete it to train again"):
        runs.prepare(config, tmp_path)


def test_devices_need_not_share_batches_of_which_nothing_is_trained(config, tmp_path, monkeypatch):
    monkeypatch.setattr(check.parallel, "make_mesh", lambda: SimpleNamespace(size=2))
    config.score.training.batch_size = 3
    with pytest.raises(InputError, match="batch_size, 3, must be a multiple of the 2 devices"):
        runs.prepare(config, tmp_path / "run")
    monkeypatch.setattr(setting, "_restore_score", lambda run, folder: "what is trained already")
    config.score.checkpoint = str(tmp_path / "trained")
    assert runs.prepare(config, tmp_path / "run").score_params == "what is trained already"


def test_nothing_is_made_where_a_check_fails(config, tmp_path):
    config.score.checkpoint = str(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no checkpoint in"):
        runs.prepare(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "nowhere").exists()
