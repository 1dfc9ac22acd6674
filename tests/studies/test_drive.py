"""Workers of an executor: none waits for another, results are stored as they come, and failures are trials."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import nag_jax as nag
from configs import nb201_search
from experiments import runs
from nag_jax import spaces
from nag_jax.system.errors import InputError
from nag_jax.trials import executors, read_trials

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("dask", "ray", "slurm")]


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


def convolutions(architecture):
    return architecture.count("nor_conv_3x3") + 0.01 * architecture.count("skip")


def opened(space, ledger=None, **options):
    given = {"objectives": {"convolutions": "max"}, "strategy": "regularized_evolution", "initial": 4} | options
    return nag.study(space, ledger=ledger, progress=False, **given)


@pytest.mark.parametrize("name", ["inline", "threads", "processes", *SLOW])
def test_every_executor_runs_a_study_to_its_end(name, space, tmp_path):
    packages = {"dask": "distributed", "ray": "ray", "slurm": "submitit"}
    if name in packages:
        pytest.importorskip(packages[name])
    options: dict[str, Any] = {"cluster": "local", "address": str(tmp_path / "jobs")} if name == "slurm" else {}
    with opened(space, tmp_path / "mine.db") as study:
        worth = study.optimize(convolutions, 5, executor=name, workers=2, **options)
        assert len(worth) == len(study.trials) == 5
        assert study.pending == []
        for trial in study.trials:
            assert trial.values == {"convolutions": convolutions(trial.architecture)}
            assert trial.cost is not None
        workers = {trial.worker for trial in study.trials}
    mine = any(worker.endswith(f":{os.getpid()}") for worker in workers)
    assert mine == (name in ("inline", "threads"))
    assert len(read_trials(tmp_path / "mine.db")) == 5


def test_no_worker_waits_for_another(space):
    """One trial takes as long as all others together, and there is no barrier at which they wait for it."""
    slow, began = threading.Event(), []

    def value(architecture):
        began.append(architecture)
        if len(began) == 1:
            assert slow.wait(30)
        if len(began) == 8:
            slow.set()
        return convolutions(architecture)

    with opened(space) as study:
        study.optimize(value, 8, executor="threads", workers=3)
        assert len(study.trials) == 8
        assert not any(trial.failed for trial in study.trials)
        assert study.trials[0].architecture != began[0]


def test_exceptions_are_failed_trials_with_their_traceback(space):
    def value(architecture):
        if "skip" in architecture:
            raise MemoryError("no room for it")
        return convolutions(architecture)

    with opened(space) as study:
        study.optimize(value, 8, executor="threads", workers=2, retries=1)
        failed = [trial for trial in study.trials if trial.failed]
        assert failed
        for trial in failed:
            assert trial.brief_reason == "MemoryError: no room for it (attempt 2)"
            assert 'raise MemoryError("no room for it")' in trial.reason
        assert {trial.failed for trial in study.trials if "skip" not in trial.architecture} <= {False}


def test_without_catching_an_exception_ends_the_search_and_gives_back_the_rest(space, tmp_path):
    def value(architecture):
        if "skip" in architecture:
            raise MemoryError("no room for it")
        return convolutions(architecture)

    evaluator = nag.evaluator(value, space, metric="convolutions", catch=False)
    for executor in ("threads", None):
        with opened(space, objectives=None, evaluator=evaluator) as study:
            with pytest.raises(MemoryError, match="no room"):
                study.optimize(budget=20, executor=executor)
            assert study.pending == []
            assert not any(trial.failed for trial in study.trials)


def test_an_exception_is_a_failed_trial_of_a_search_too(space):
    def value(architecture):
        return 1 / (architecture.count("skip") - 1)

    found = nag.search(
        space,
        nag.evaluator(value, space),
        strategy="random_search",
        budget=12,
        progress=False,
    )
    assert 0 < sum(value != value for value in found.values) < 12


@pytest.mark.slow  # starts processes
def test_what_takes_too_long_or_kills_its_worker_fails_alone(space):
    def value(architecture):
        if architecture.count("skip") > 1:
            os._exit(9)
        if architecture.count("avg") > 1:
            time.sleep(60)
        return convolutions(architecture)

    with opened(space) as study:
        study.optimize(value, 8, executor="processes", workers=2, timeout=2.0)
        reasons = [trial.brief_reason for trial in study.trials]
        for trial, reason in zip(study.trials, reasons, strict=True):
            if trial.architecture.count("skip") > 1:
                assert "its worker ended" in reason
                assert reason.endswith("(attempt 2)")
            elif trial.architecture.count("avg") > 1:
                assert reason == "it took more than 2 s and was stopped"
            else:
                assert not trial.failed
        assert len({reason[:10] for reason in reasons}) == 3


def test_threads_that_never_end_are_said_to(space):
    end = threading.Event()

    def value(architecture):
        end.wait(20)
        return 1.0

    with opened(space) as study:
        with pytest.raises(InputError, match="all 2 workers are busy"):
            study.optimize(value, 8, executor="threads", workers=2, timeout=0.3)
        end.set()
        assert [trial.brief_reason for trial in study.trials] == ["it took more than 0.3 s and was stopped"] * 2


def test_an_executor_of_ones_own_is_left_open(space):
    with ThreadPoolExecutor(2) as pool, opened(space) as study:
        study.optimize(convolutions, 6, executor=pool, workers=2)
        assert pool.submit(int, "3").result() == 3
        with pytest.raises(InputError, match="takes no options"):
            study.optimize(convolutions, 7, executor=pool, address="here")


def test_two_drivers_share_a_budget(space, tmp_path):
    path = tmp_path / "mine.db"

    def drive():
        with opened(space, path) as other:
            other.optimize(convolutions, 12, executor="threads", workers=2)

    with opened(space, path) as one:
        thread = threading.Thread(target=drive)
        thread.start()
        one.optimize(convolutions, 12, executor="threads", workers=2)
        thread.join()
    trials = read_trials(path)
    assert len(trials) == 12
    assert len({trial.key for trial in trials}) == 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executor": "dusk"}, "unknown executor 'dusk'"),
        ({"executor": "threads", "workers": 0}, "workers .* at least 1"),
        ({"executor": "threads", "timeout": 0}, "timeout .* more than 0"),
        ({"executor": "threads", "retries": -1}, "retries .* at least 0"),
        ({"executor": "threads", "address": "here"}, "has no option"),
    ],
)
def test_what_is_refused(space, options, words):
    with opened(space) as study, pytest.raises(InputError, match=words):
        study.optimize(convolutions, 5, **options)


def test_names_of_executors():
    assert set(executors.REGISTRY) == {"inline", "threads", "processes", "dask", "ray", "slurm"}
    with executors.make("inline") as inline:
        assert isinstance(inline.submit(int, "x").exception(), ValueError)


def test_an_evaluator_must_measure_the_objectives(space):
    with opened(space) as study:
        with pytest.raises(InputError, match=r"doesn't measure \['convolutions'\]"):
            study.optimize(nag.evaluator(convolutions, space, metric="others"), 5)
        graphs = spaces.make("nasbench_graph")
        other = nag.evaluator(lambda architecture: 1.0, graphs, metric="convolutions")
        with pytest.raises(InputError, match="is of nasbench_graph, the study of nasbench201"):
            study.optimize(other, 5)


def test_the_command_line_searches_by_workers(tmp_path):
    config = nb201_search.get_config("smoke")
    config.run = ("regularized_evolution",)
    config.executor.name, config.executor.workers = "threads", 3
    results = runs.run(config, tmp_path / "run")
    assert results["labels"]["paid"] == config.search.budget
    config.executor.name = ""  # what is finished is finished, whatever ran it
    assert runs.run(config, tmp_path / "run")["best"] == results["best"]
    config.executor.name, config.executor.address = "threads", "here"
    with pytest.raises(InputError, match=r"executor 'threads' has no option \['address'\]"):
        runs.prepare(config, tmp_path / "other")
