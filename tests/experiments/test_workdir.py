import json
import os
import warnings

import pytest

from nag_jax.system.errors import InputError
from nag_jax.tasks.workdir import Workdir

CONFIG = {"seed": 0, "space": {"name": "nasbench201"}, "sweep": (0.0, 1.0)}


def test_a_claimed_folder_knows_its_config(tmp_path):
    path = tmp_path / "runs" / "mine"
    Workdir(path).claim(CONFIG)
    assert json.loads((path / "config.json").read_text()) == {**CONFIG, "sweep": [0.0, 1.0]}
    Workdir(path).check(CONFIG)


def test_checking_changes_nothing(tmp_path):
    Workdir(tmp_path / "mine").check(CONFIG)
    assert not (tmp_path / "mine").exists()


def test_another_config_is_refused_by_its_differences(tmp_path):
    claimed = Workdir(tmp_path)
    claimed.claim(CONFIG)
    del claimed
    other = {**CONFIG, "seed": 1, "space": {"name": "nasbench_graph"}}
    with pytest.raises(InputError) as caught:
        Workdir(tmp_path).check(other)
    assert "seed: 0 there, 1 here; space.name: 'nasbench201' there, 'nasbench_graph' here" in str(caught.value)


def test_a_new_field_is_a_difference(tmp_path):
    claimed = Workdir(tmp_path)
    claimed.claim(CONFIG)
    del claimed
    with pytest.raises(InputError, match="temperature: None there, 1 here"):
        Workdir(tmp_path).check({**CONFIG, "temperature": 1})


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path):
    first, second = Workdir(tmp_path), Workdir(tmp_path)
    first.claim(CONFIG)
    for attempt in (second.check, second.claim):
        with pytest.raises(InputError, match="in use by another process"):
            attempt(CONFIG)
    with warnings.catch_warnings(record=True, action="always") as warned:
        del first
    assert not warned
    second.check(CONFIG)
    second.claim(CONFIG)


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", ".partial-config.json"]])
def test_a_run_killed_before_it_wrote_its_config_can_go_on(left, tmp_path):
    for name in left:
        (tmp_path / name).write_text("{")
    Workdir(tmp_path).check(CONFIG)
    Workdir(tmp_path).claim(CONFIG)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "lock"]


def test_a_file_is_whole_or_absent(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.write("a/b.txt", lambda path: path.write_text("first"))

    def fail(path):
        path.write_text("sec")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        workdir.write("a/b.txt", fail)
    assert (tmp_path / "a" / "b.txt").read_text() == "first"
    workdir.write("a/b.txt", lambda path: path.write_text("third"))
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_json_is_strict(tmp_path):
    value = {"nan": float("nan"), "inf": [float("inf"), 1.5], "tuple": (1, 2)}
    path = Workdir(tmp_path).write_json("value.json", value)
    assert json.loads(path.read_text()) == {"nan": None, "inf": [None, 1.5], "tuple": [1, 2]}
