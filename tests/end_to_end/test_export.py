"""`python -m experiments.export` on a run of the main job, and without a run."""

import importlib.util
import json

import pytest

from experiments import export

CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
HAS_ONNX = importlib.util.find_spec("onnx") is not None


@pytest.fixture
def refused(capsys):
    """Exports with these arguments, which must end with status 2 and one line that has all words of `says`."""

    def run(*arguments, says):
        with pytest.raises(SystemExit) as ended:
            export.main([str(argument) for argument in arguments])
        out, error = capsys.readouterr()
        assert (ended.value.code, out, error.count("\n")) == (2, "", 1)
        assert error.startswith("error: ")
        assert [word for word in says if word not in error] == [], error

    return run


def test_the_best_of_a_run_goes_home(undisturbed, tmp_path, capsys):
    export.main([str(undisturbed.path), f"--out={tmp_path / 'mine'}"])
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "mine" / "architecture.json").read_text())
    best = undisturbed.results["best"]
    assert written["native"] == best["architecture"] == (tmp_path / "mine" / "architecture.txt").read_text().strip()
    assert written["labels"][undisturbed.results["objective"]["metric"]] == best["value"]
    assert written["provenance"]["rank"] == 1
    assert written["provenance"]["commit"] == undisturbed.results["git_commit"]
    assert written["provenance"]["seed"] == undisturbed.results["config"]["seed"]
    assert len(written["nodes"]) == 8
    files = {path.name for path in (tmp_path / "mine").iterdir()}
    suffixes = ("txt", "json", "svg", "png")
    expected = {f"architecture.{suffix}" for suffix in suffixes} | {"network_flax.py", "network_torch.py"}
    assert files == expected | ({"network.onnx"} if HAS_ONNX else set())
    params = written["costs"]["params"]
    assert written["files"]["network_flax.py"]["check"]["params"] == params
    assert f"network_flax.py: checked: {params:,} parameters, as ours" in printed
    assert best["architecture"] in (tmp_path / "mine" / "network_torch.py").read_text()


def test_any_other_of_a_run_is_named_by_rank_or_string(undisturbed):
    run = export.FinishedRun(undisturbed.path)
    space = run.space()
    ranked = run.candidates(1)
    assert export.choose(space, run, "2").native == ranked[1].architecture
    assert export.choose(space, run, "best").native == ranked[0].architecture
    assert export.choose(space, run, CELL)[3:] == (None, None)


def test_what_can_not_be_exported_is_refused(undisturbed, tmp_path, refused):
    path, most = undisturbed.path, len(export.FinishedRun(undisturbed.path).candidates(1))
    before = undisturbed.content()
    for rank in ("0", "-1", most + 1):
        refused(path, f"--architecture={rank}", says=("no architecture of rank", f"use 1 to {most}"))
    misspelt = undisturbed.results["best"]["architecture"].replace("nor_conv", "conv")
    refused(path, f"--architecture={misspelt}", says=("did you mean '|nor_conv",))
    refused(path, "--architecture=bets", says=("use BEST, a rank from 1, or such a string",))
    refused(path.parent / "nb201-smok", says=("there is no run", "did you mean", "nb201-smoke"))
    refused(says=("name a run", "--space"))
    refused("--space=nasbench201", f"--architecture={CELL}", says=("--out",))
    refused("--space=nasbench201", f"--out={tmp_path}", says=("without a run", "BEST"))
    refused("--space=nb", f"--out={tmp_path}", f"--architecture={CELL}", says=("unknown space 'nb'",))
    (tmp_path / "file").touch()
    refused(path, f"--out={tmp_path / 'file'}", says=("can't be made", "--out"))
    assert undisturbed.content() == before


def test_without_networks_of_ours_string_json_and_drawing_are_written(tmp_path, capsys):
    export.main(["--space=nasbench_graph", "--architecture=0012|gcn|gat|fc|skip", f"--out={tmp_path}"])
    assert "only its string, JSON and drawing" in capsys.readouterr().out
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".json", ".svg", ".png"}
    written = json.loads((tmp_path / "architecture.json").read_text())
    assert written["edges"] == [[0, 1], [0, 2], [1, 3], [2, 4]]
    assert written["files"] == written["labels"] == {}
