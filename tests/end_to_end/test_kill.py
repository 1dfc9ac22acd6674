"""SIGKILL at chosen moments: the next run continues, pays for nothing twice, and ends with the same architectures.

Random moments, of all modes and with all signals, are those of tests/campaigns/kill.py.
"""

import functools
import re
import signal

import pytest


def check_finished(run, job, expected, stored):
    """The run ended as the undisturbed one did, and what was stored when it was killed is still there unchanged."""
    assert job.status == 0, job.stderr[-3000:]
    trials = run.trials()
    assert trials[: len(stored)] == stored
    assert len(trials) == 44
    assert run.architectures == expected.architectures
    assert run.results["labels"] == expected.results["labels"]
    assert run.results["pools"] == expected.results["pools"]
    assert not list(run.path.glob("**/.partial-*"))


def shows(job, text):
    """The moment at which the job has written the text to the terminal."""
    return lambda: text in job.stderr


def test_killed_killed_again_and_terminated(smoke, command_line, first_job, undisturbed):
    """In the training of the score network, then twice where the first labels are paid; told to stop, it says how."""
    job, run = smoke()
    command_line.kill_when(job, (run.path / "score" / "20").exists)
    assert run.trials() == []

    job, _ = smoke(workdir=run.path)
    command_line.kill_when(job, shows(job, "predictor  "))
    stored = run.trials()
    assert len(stored) == 40
    assert not (run.path / "predictor" / "100").exists()
    assert re.search(r"score network +: \d+\.\d s, 40 steps, loss=", first_job.stderr)
    assert re.search(r"score network +: \d+\.\d s, 40 steps \(20 restored\), loss=", job.stderr)

    job, _ = smoke(workdir=run.path)
    named = command_line.interrupt(job, shows(job, "predictor  "), signal.SIGTERM)
    assert run.trials() == stored
    check_finished(run, command_line(*named[3:]), undisturbed, stored)


MOMENTS = {
    "the workdir is claimed": lambda job, run: (run.path / "config.json").exists(),
    "a checkpoint is being written": lambda job, run: any(run.path.glob("score/*tmp*")),
    "the first labels are asked for": lambda job, run: "labels for training" in job.stderr,
    "the predictor is being written": lambda job, run: any(run.path.glob("predictor/*tmp*")),
    "the aim is measured": lambda job, run: "aim  " in job.stderr,
    "the guided pool is generated": lambda job, run: "guided samples" in job.stderr,
    "the last labels are asked for": lambda job, run: "labels of the best" in job.stderr,
    "architectures are written": lambda job, run: (run.path / "architectures.csv").exists(),
}


@pytest.mark.slow
def test_killed_at_every_moment(smoke, command_line, undisturbed):
    """One run, which is started again after each kill."""
    (job, run), stored = smoke(), []
    for came in MOMENTS.values():
        command_line.kill_when(job, functools.partial(came, job, run))
        assert run.trials()[: len(stored)] == stored
        stored = run.trials()
        job, _ = smoke(workdir=run.path)
    check_finished(run, command_line.wait(job), undisturbed, stored)
