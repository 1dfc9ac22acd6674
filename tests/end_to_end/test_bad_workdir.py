"""Workdirs and checkpoints that can't be used: refused before any training, and left as they are."""

import json
import random
import sqlite3

import pytest


@pytest.fixture
def run(undisturbed, tmp_path):
    """A copy of the undisturbed run."""
    return undisturbed.copy(tmp_path / "run")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path):
    path.write_bytes(random.Random(0).randbytes(path.stat().st_size))


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def contents(damage):
    """Damages all files of array contents: which of them are still in use depends on how saving was scheduled."""

    def apply(folder):
        for path in sorted(folder.glob("state/**/d/*")):
            damage(path)

    return apply


DAMAGES = {
    "contents cut off": contents(truncate),
    "a byte of the contents changed": contents(change_a_byte),
    "contents overwritten": contents(overwrite),
    "contents lost": contents(lambda path: path.unlink()),
    "manifest cut off": lambda folder: truncate(folder / "state" / "manifest.ocdbt"),
    "tree overwritten": lambda folder: overwrite(folder / "state" / "_METADATA"),
    "description cut off": lambda folder: truncate(folder / "description" / "metadata"),
}
RARE = ("contents overwritten", "contents lost", "tree overwritten")


@pytest.mark.parametrize(
    "damage", [pytest.param(name, marks=[pytest.mark.slow] if name in RARE else []) for name in DAMAGES]
)
def test_a_corrupt_checkpoint_of_the_score_network_is_refused(damage, run, refused):
    DAMAGES[damage](run.path / "score" / "40")
    refused(workdir=run.path, says=(f"{run.path}/score/40 can't be re", "delete it", "or put back an intact copy"))


def test_a_corrupt_checkpoint_of_the_predictor_is_refused(run, refused_at_the_terminal):
    """Where the reads that Orbax abandons would print tracebacks of their own."""
    DAMAGES["contents cut off"](run.path / "predictor" / "100")
    refused_at_the_terminal(
        workdir=run.path, says=(f"{run.path}/predictor/100 can't be restored", "delete it", "intact copy")
    )


def test_a_corrupt_checkpoint_from_elsewhere_is_refused(run, refused):
    DAMAGES["contents cut off"](run.path / "score" / "40")
    before = run.content()
    refused(f"--config.score.checkpoint={run.path / 'score'}", says=("score/40 can't be restored", "intact copy"))
    assert run.content() == before


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("score.network.width=32", "network.width: 16 there, 32 here"),
        pytest.param("score.network.num_blocks=2", "network.num_blocks: 1 there, 2 here", marks=pytest.mark.slow),
        ("score.parametrization=raw_score", "parametrization: denoiser there, raw_score here"),
        ("sde.name=vp", "sde: VESDE({'sigma_min': 0.1, 'sigma_max': 5.0}) there, VPSDE("),
        pytest.param("sde.ve.sigma_max=50", "'sigma_max': 50.0}) here", marks=pytest.mark.slow),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(override, says, undisturbed, refused):
    before = undisturbed.content()
    checkpoint = undisturbed.path / "score"
    refused(
        f"--config.score.checkpoint={checkpoint}",
        f"--config.{override}",
        says=(f"{checkpoint}/40 is of another model", says, "use a config that agrees, or another checkpoint"),
    )
    assert undisturbed.content() == before


def test_a_checkpoint_of_another_space_is_refused(run, refused):
    description = run.path / "score" / "40" / "description" / "metadata"
    description.write_text(description.read_text().replace('"nasbench201"', '"mobilenet_v3"'))
    refused(
        f"--config.score.checkpoint={run.path / 'score'}",
        says=("is of another model", "space: mobilenet_v3 there, nasbench201 here", "or another checkpoint"),
    )


def overwrite_header(path):
    path.write_bytes(b"not a database, " + path.read_bytes()[16:])


def change_a_label(path):
    connection = sqlite3.connect(path)
    connection.execute(
        'UPDATE trials SET "values" = replace("values", \'"baseline": \', \'"baseline": 1\') WHERE id = 7'
    )
    connection.commit()
    connection.close()


def replace_by_text(path):
    path.write_text("arch,baseline\n")


def drop_a_page(path):
    content = path.read_bytes()
    path.write_bytes(content[:4096] + content[8192:])


@pytest.mark.parametrize(
    "damage",
    [
        overwrite_header,
        truncate,
        change_a_label,
        pytest.param(replace_by_text, marks=pytest.mark.slow),
        pytest.param(drop_a_page, marks=pytest.mark.slow),
    ],
)
def test_a_corrupt_ledger_is_refused(damage, run, refused):
    before = (run.path / "trials.db").read_bytes()
    damage(run.path / "trials.db")
    assert (run.path / "trials.db").read_bytes() != before
    refused(workdir=run.path, says=("trials.db is no readable ledger", "restore a copy of it", "or move it away"))


def test_a_database_that_is_no_ledger_is_refused(run, refused):
    (run.path / "trials.db").unlink()
    connection = sqlite3.connect(run.path / "trials.db")
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.commit()
    connection.close()
    refused(workdir=run.path, says=("trials.db is an SQLite database but no ledger", "use another workdir"))


def test_a_workdir_of_another_config_is_refused(run, refused):
    refused(
        "--config.seed=1",
        "--config.guidance.scale=0.5",
        workdir=run.path,
        says=(
            f"{run.path} belongs to another config",
            "seed: 0 there, 1 here",
            "guidance.scale: 1.0 there, 0.5 here",
            "name another --workdir",
            f"--config.score.checkpoint={run.path}/score",
        ),
    )


def test_a_workdir_of_another_variant_is_refused(run, refused, smoke_flag):
    refused(
        config=smoke_flag.removesuffix(":smoke"),
        workdir=run.path,
        says=("belongs to another config", "labels.training: 40 there, 200 here", "name another --workdir"),
    )


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "\x00\xff"])
def test_an_unreadable_config_in_the_workdir_is_refused(content, run, refused):
    (run.path / "config.json").write_bytes(content.encode("latin-1"))
    refused(workdir=run.path, says=(str(run.path), "name another --workdir"))


def test_a_workdir_that_is_a_file_is_refused(tmp_path, refused):
    path = tmp_path / "file"
    path.write_text("mine")
    refused(workdir=path, says=(f"workdir {path} is a file", "name a folder with --workdir"))


def test_a_workdir_below_a_file_is_refused(tmp_path, refused):
    (tmp_path / "file").write_text("mine")
    refused(workdir=tmp_path / "file" / "run", says=("can't be written", "name another --workdir"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_workdir_with_foreign_files_is_refused(tmp_path, refused):
    path = tmp_path / "thesis"
    path.mkdir()
    (path / "chapter.txt").write_text("mine")
    refused(workdir=path, says=(f"{path} holds files but no config.json", "name another --workdir"))


def test_only_one_of_two_processes_gets_the_workdir(run, undisturbed, smoke, command_line):
    first, _ = smoke(workdir=run.path)
    while "score network" not in first.stderr:
        assert not command_line.ended(first, 0.01), first.stderr[-2000:]
    second, _ = smoke(workdir=run.path)
    command_line.wait(second)
    assert second.status == 2
    assert second.stderr == (
        f"error: workdir {run.path} is in use by another process: wait for it, or name another --workdir\n"
    )
    command_line.kill(first)
    assert run.architectures == undisturbed.architectures
    assert run.trials() == undisturbed.trials()


def test_a_workdir_is_free_once_its_process_has_ended(run, refused):
    assert json.loads((run.path / "config.json").read_text())["seed"] == 0
    refused("--config.seed=2", workdir=run.path, says=("seed: 0 there, 2 here",))
    refused("--config.seed=2", workdir=run.path, says=("seed: 0 there, 2 here",))
