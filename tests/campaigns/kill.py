"""Kills runs of every mode at random moments, starts them again until they end, and counts what was lost.

    python -m tests.campaigns.kill --kills 60

Labels are counted against what the evaluators themselves have noted (counted.py), and what a killed run ends with is
compared by bytes with what an undisturbed one has. Ends with status 1 if anything was lost.
"""

import argparse
import collections
import dataclasses
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.trials import read_trials
from tests.campaigns import counted

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE = 300.0
"""Seconds within which a process ends that was sent a signal: XLA isn't interrupted while it compiles."""
TOO_LATE = 2.0
"""Seconds of a run's end, in which it has nothing more to pay for, and Python may not look at signals any more."""
TIMES = {"seconds", "samples_per_second", "versions", "devices", "git_commit", "command"}
"""Fields of results.json that differ from run to run."""
COUNTED = Path(counted.__file__)
MAIN = ("-m", "experiments.main")
COMMAND = shlex.join([sys.executable, "-S", str(COUNTED)])
BY_COMMAND = (
    "--config.evaluator.name=command",
    f"--config.evaluator.command={COMMAND}",
    "--config.evaluator.metric=accuracy",
)


@dataclasses.dataclass(frozen=True)
class Mode:
    """A way to pay for labels.

    Attributes:
        arguments: of Python; the folder of results is added.
        in_work: architectures that are evaluated at the same time, and may be cut short by a kill.
    """

    arguments: tuple[str, ...]
    in_work: int

    def command(self, folder: Path) -> list[str]:
        """The command that begins in a folder, and goes on there."""
        where = f"--workdir={folder}" if self.arguments[:2] == MAIN else str(folder)
        return [sys.executable, *self.arguments, where]


MODES = {
    "generate": Mode((*MAIN, "--config=configs/nb201.py:smoke", *BY_COMMAND, "--config.evaluator.workers=3"), 3),
    "search": Mode(
        (
            *MAIN,
            "--config=configs/nb201_bo.py:smoke",
            *BY_COMMAND,
            "--config.run=('bo_nag',)",
            "--config.seeds=1",
            "--config.search.budget=24",
        ),
        1,
    ),
    "stream": Mode(
        (
            *MAIN,
            "--config=configs/nb201.py:smoke",
            "--config.mode=stream",
            f"--config.evaluator.name={COUNTED}:cells",
        ),
        4,
    ),
    "transfer": Mode(
        (
            *MAIN,
            "--config=configs/nb_graph_transfer.py:smoke",
            f"--config.evaluator.name={COUNTED}:graphs",
            "--config.dataset.source=landmarks",
            "--config.labels.final=16",
        ),
        4,
    ),
    "api": Mode((str(COUNTED),), 1),
}


@dataclasses.dataclass
class Figures:
    """What is counted; all but the first three ought to be 0.

    Attributes:
        kills: of each signal.
        labels: stored at the ends of runs.
        cut_short: evaluations that kills fell into, which are asked for again.
        lost: labels that a ledger held and holds no more, or that had been given to a run which went on without them.
        twice: labels that were asked for although a ledger held them.
        signals_lost: after which a process went on, or didn't end with the status 130.
        tracebacks: on the terminal.
        different: results that aren't those of an undisturbed run.
        failed: attempts that ended by themselves, with an error.
    """

    kills: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    labels: int = 0
    cut_short: int = 0
    lost: int = 0
    twice: int = 0
    signals_lost: int = 0
    tracebacks: int = 0
    different: int = 0
    failed: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing was lost."""
        return not (self.lost or self.twice or self.signals_lost or self.tracebacks or self.different or self.failed)

    def __str__(self) -> str:
        by_signal = ", ".join(f"{count} {signal.Signals(number).name}" for number, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({by_signal}): {self.lost} labels lost, {self.twice} paid twice, "
            f"{self.signals_lost} signals lost, {self.tracebacks} tracebacks, {self.different} results that differ, "
            f"{self.failed} runs failed ({self.labels} labels paid, {self.cut_short} evaluations cut short)"
        )


class Trial:
    """One folder in which a mode is started and killed until it ends."""

    def __init__(self, mode: Mode, folder: Path, figures: Figures):
        self.mode, self.folder, self.figures = mode, folder, figures
        self.attempts = 0
        self.stored: list[tuple] = []
        self.log = folder.with_name(f"{folder.name}.asked")
        self.folder.mkdir(parents=True)
        self.seconds = 0.0

    def attempt(self, number: int = 0, after: float = PATIENCE) -> bool:
        """Starts the command, and sends the signal so many seconds after it listens; whether it ended by itself."""
        self.attempts += 1
        errors = self.folder.with_name(f"{self.folder.name}.stderr")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # runs this small mostly compile
            counted.FILE: str(self.log),
            counted.ATTEMPT: str(self.attempts),
        }
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                self.mode.command(self.folder), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr
            )
        while process.poll() is None and not listens(process.pid):
            time.sleep(0.001)
        start = time.monotonic()
        ended = ends(process, after)
        if not ended:
            process.send_signal(number)
            ended = ends(process, TOO_LATE) and process.returncode == 0
        if ended:
            self.seconds = time.monotonic() - start
            self.report(process.returncode != 0, "failed", f"status {process.returncode}", errors)
        else:
            self.figures.kills[number] += 1
            if not ends(process, PATIENCE):
                process.kill()
                process.wait()
            ends_by = {-number} if number == signal.SIGKILL else {130, -number} if self.is_done() else {130}
            self.report(process.returncode not in ends_by, "signals_lost", f"status {process.returncode}", errors)
        said = errors.read_text()
        self.report("Traceback" in said or "Exception ignored" in said, "tracebacks", "a traceback", errors)
        self.count()
        return ended

    def is_done(self) -> bool:
        """Whether all is written, after which Python's own exit gives signals back to the system."""
        return any((self.folder / name).exists() for name in ("results.json", "found.json"))

    def count(self) -> None:
        """Compares what is stored now with what was stored before and what was asked for meanwhile."""
        before, self.stored = self.stored, ledgers(self.folder)
        held, holds = ({architecture for architecture, *_ in trials} for trials in (before, self.stored))
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        asked = collections.Counter(line.split()[1] for line in lines if line.split()[0] == str(self.attempts))
        cut_short = asked.keys() - holds
        lost = len(set(before) - set(self.stored)) + max(0, len(cut_short) - self.mode.in_work)
        twice = len(asked.keys() & held) + asked.total() - len(asked)
        self.figures.cut_short += len(cut_short)
        self.report(lost, "lost", f"{lost} labels lost")
        self.report(twice, "twice", f"{twice} labels paid twice")

    def report(self, wrong: int, field: str, words: str, errors: Path | None = None) -> None:
        """Adds to a figure, and says where what was wrong can be looked at."""
        if wrong:
            setattr(self.figures, field, getattr(self.figures, field) + int(wrong))
            end = errors.read_text()[-2000:] if errors else ""
            print(f"{self.folder}, attempt {self.attempts}: {words}\n{end}", file=sys.stderr, flush=True)


def listens(pid: int) -> bool:
    """Whether a process has a handler of SIGTERM, as its command line installs one."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def ends(process: subprocess.Popen, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def ledgers(folder: Path) -> list[tuple]:
    """All that the ledgers of a folder hold, read from copies, for a reader may leave files behind."""
    found = []
    for path in sorted(folder.rglob("*.db")):
        with tempfile.TemporaryDirectory() as copy:
            for file in path.parent.glob(f"{path.name}*"):
                shutil.copy(file, copy)
            try:
                trials = read_trials(Path(copy) / path.name)
            except InputError as error:
                # Killed before its first commit, a ledger has no tables yet.
                print(f"{path}: {error}", file=sys.stderr)
                trials = []
        found += [(trial.architecture, trial.purpose, json.dumps(trial.values), path.name) for trial in trials]
    return found


def outcome(folder: Path) -> dict[str, bytes]:
    """What a run ends with, by file, without what takes another time in each run."""
    files = [*folder.rglob("*.csv"), *folder.rglob("*.parquet"), *folder.rglob("found.json")]
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    # In the order of architectures, since that of payment is up to the workers of a command.
    found["ledgers"] = json.dumps(sorted(ledgers(folder))).encode()
    for path in folder.glob("results.json"):
        found["results"] = json.dumps(without_times(json.loads(path.read_text()))).encode()
    return found


def without_times(value):
    """JSON without the fields that differ from run to run."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def campaign(kills: int, modes: list[str], seed: int, folder: Path) -> Figures:
    """Spreads the kills over the modes and the signals."""
    figures, rng, rounds = Figures(), np.random.default_rng(seed), itertools.count()
    for i, name in enumerate(modes):
        undisturbed = Trial(MODES[name], folder / name / "undisturbed", figures)
        undisturbed.attempt()
        expected, seconds = outcome(undisturbed.folder), undisturbed.seconds
        numbers = list(itertools.islice(itertools.cycle(SIGNALS), len(range(i, kills, len(modes)))))
        while numbers and not figures.failed:
            trial = Trial(MODES[name], folder / name / f"killed-{next(rounds)}", figures)
            while numbers and not trial.attempt(numbers[-1], rng.uniform(0, seconds)):
                numbers.pop()
            seconds = min(seconds, trial.seconds or seconds)  # machines have other things to do at times
            if not numbers:
                trial.attempt()
            found = outcome(trial.folder)
            differ = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
            trial.report(bool(differ), "different", f"{sorted(differ)} differ from an undisturbed run")
            figures.labels += len(trial.stored)
        print(f"after {name}: {figures}", file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Runs the campaign and prints its line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=60, help="signals in all")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="ways to pay for labels")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="where all is left to be looked at; a temporary one by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = campaign(given.kills, given.modes, given.seed, given.folder or Path(temporary))
    print(figures)
    sys.exit(0 if figures.good else 1)


if __name__ == "__main__":
    main()
