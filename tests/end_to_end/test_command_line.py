"""What the command line says before, instead of and at the end of a run: help, configs, plans, interruptions."""

import signal
import subprocess
import sys

import pytest

from configs import nb201
from nag_jax.tasks import constrained, learn_plan, measure, search

MODES = {
    "generate": ("nb201.py", ()),
    "stream": ("nb201.py", ("--config.mode=stream",)),
    "search": ("nb201_bo.py", ()),
    "unlabelled": ("ofa_mbv3.py", ()),
    "transfer": ("nb_graph_transfer.py", ()),
}
"""Config and overrides of each way to run."""


@pytest.fixture
def arguments(root, tmp_path):
    """The smoke variant of a mode in a fresh workdir."""

    def of(mode):
        config, overrides = MODES[mode]
        return (f"--config={root / 'configs' / config}:smoke", f"--workdir={tmp_path / 'run'}", *overrides)

    return of


@pytest.fixture
def planned(in_process, monkeypatch):
    """Plans in process by a clock that has measured everything before: nothing is compiled in order to be timed."""

    def clock(*_, **__) -> tuple[float, int]:
        return 0.5, 2**20

    monkeypatch.setattr(measure, "measure_fit", clock)
    monkeypatch.setattr(search, "measure_strategy", lambda *_: 0.5)
    for module in (learn_plan, constrained):
        monkeypatch.setattr(module, "measure_sampler", clock)
    return lambda *arguments: in_process(*arguments, "--dry_run")


def rows(job):
    """The rows of a printed plan, each on one line."""
    found, name = {}, ""
    for line in job.stdout.splitlines()[1:-1]:
        name = line[:15].strip() or name
        found[name] = f"{found.get(name, '')} {line[15:].strip()}".strip()
    return found


def test_without_arguments_it_lists_the_configs(in_process, root):
    job = in_process()
    assert (job.status, job.stderr) == (0, "")
    for path in (root / "configs").glob("n*.py"):
        assert f"configs/{path.name} " in job.stdout
    assert (nb201.__doc__ or "").partition("\n")[0] in job.stdout
    assert max(map(len, job.stdout.splitlines())) < 160


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_short_and_names_what_matters(flag, in_process):
    job = in_process(flag)
    assert (job.status, job.stderr) == (0, "")
    assert len(job.stdout.splitlines()) < 60
    for word in (
        "--dry_run",
        "--workdir",
        "generate",
        "search",
        "stream",
        "configs/nb201_bo.py",
        "Exit codes",
        "130",
        "search.budget",
    ):
        assert word in job.stdout


def test_help_beside_a_config_lists_its_fields(command_line, smoke_flag):
    job = command_line(smoke_flag, "--config.seed=7", "--help")
    assert (job.status, job.stderr) == (0, "")
    rows = [row.split() for row in job.stdout.splitlines()[1:]]
    assert {"seed=7", "labels.training=40", "score.network.width=16"} <= {row[0] for row in rows}
    assert ["labels.final=4", "How", "many"] in [row[:3] for row in rows]


def test_helpfull_has_every_flag(command_line):
    job = command_line("--helpfull")
    assert (job.status, job.stderr) == (0, "")
    assert "--num_processes" in job.stdout
    assert "--verbosity" in job.stdout


def test_a_plan_of_a_fresh_run(command_line, arguments, tmp_path):
    job = command_line(*arguments("generate"), "--dry_run")
    assert (job.status, job.stderr) == (0, "")
    plan = rows(job)
    assert plan["workdir"].endswith("new")
    assert plan["labels to pay"] == "44: training 40 (0 paid), final 4 (0 paid)"
    assert plan["samples"].startswith("64 unconditional, 64 guided, 128 ")
    assert plan["devices"] == "1 x cpu"
    assert "MiB" in plan["memory"]
    assert "score network 40 steps" in plan["time"]
    assert "already done" not in plan
    assert not (tmp_path / "run").exists()


def test_a_plan_says_what_is_done_and_changes_nothing(planned, arguments, undisturbed, tmp_path):
    run = undisturbed.copy(tmp_path / "run")
    before = run.content()
    job = planned(*arguments("generate"))
    assert (job.status, job.stderr) == (0, "")
    plan = rows(job)
    assert "finished" in plan["workdir"]
    assert plan["labels to pay"] == "0: training 40 (40 paid), final 4 (4 paid)"
    assert plan["already done"] == "score network 40 of 40 steps; predictor 100 of 100 steps"
    assert "score network" not in plan["time"]
    assert run.content() == before


@pytest.mark.parametrize(
    ("mode", "row", "says"),
    [
        ("stream", "samples", "64 guided in 2 files"),
        ("search", "labels to pay", "120: initial design 50 (0 paid), search 70 (0 paid)"),
        ("search", "time", "random_search 24 labels of 0.5 s"),
        ("unlabelled", "constraints", "macs"),
        ("transfer", "labels to pay", "4: final 4 (0 paid)"),
    ],
)
def test_every_mode_has_a_plan(mode, row, says, planned, arguments, tmp_path):
    job = planned(*arguments(mode))
    assert (job.status, job.stderr) == (0, "")
    assert says in rows(job)[row]
    assert not (tmp_path / "run").exists()


def test_a_plan_of_what_is_wrong_is_refused(refused):
    refused("--dry_run", "--config.labels.final=65", says=("final, 65", "lower it"))
    refused("--dry_run", "--config.score.checkpoint=nowhere", says=("no checkpoint", "nowhere"))


@pytest.mark.parametrize("mode", MODES)
def test_an_interrupted_run_says_how_to_go_on(mode, command_line, arguments, tmp_path):
    job = command_line.start(*arguments(mode))
    command = command_line.interrupt(job, lambda: "score network" in job.stderr, signal.SIGINT)
    assert command == ["python", "-m", "experiments.main", *arguments(mode)]


def test_interrupted_before_it_begins(root, environment, smoke_flag, tmp_path):
    """While JAX is being imported."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "experiments.main", smoke_flag, f"--workdir={tmp_path / 'run'}"],
        cwd=root,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    says = ""
    while "numpy" not in says:
        says = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "interrupted: " in rest
    assert not (tmp_path / "run").exists()


def test_the_converter_ends_as_the_others_do(root, environment, tmp_path):
    job = subprocess.run(
        [sys.executable, "-m", "experiments.convert", "metad2a", "missing.pt", str(tmp_path / "out.npz")],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert job.returncode == 2
    assert job.stderr.startswith("error: ")
    assert job.stderr.count("\n") == 1
