"""Benchmarks around the sampler: processes that start, host work, many samples, many devices.

Everything here that depends on how a process began is measured in a process of its own.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from configs import nb201
from experiments import runs
from experiments.compilation_cache import use_compilation_cache
from nag_jax.spaces import NASBench201
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.tasks import stream
from nag_jax.tasks.learn import Learned, Run, learn, make_sampler

DEVICES = 8
REPETITIONS = 3
STREAMS = (100_000, 1_000_000, 10_000_000)
"""Samples of the streams whose memory is measured."""
UNGUIDED = "identity"


def host_work(n: int) -> dict[str, float]:
    """Seconds to decode, canonicalise and de-duplicate n NAS-Bench-201 cells, and to write them as strings."""
    space = NASBench201()
    space.canonical(space.all_tokens()[:1])  # makes its table
    x = np.asarray(space.encode(space.from_index(np.random.default_rng(0).integers(0, space.size, n))))
    marks = [time.perf_counter()]
    tokens, valid = map(np.asarray, space.decode(x))
    marks.append(time.perf_counter())
    keys = space.canonical(tokens[valid])
    marks.append(time.perf_counter())
    first = distinct_rows(keys)
    marks.append(time.perf_counter())
    space.to_native(tokens[valid])
    marks.append(time.perf_counter())
    decode, canonical, distinct, native = np.diff(marks).round(3).tolist()
    return {
        "architectures": n,
        "classes": len(first),
        "seconds": round(decode + canonical + distinct, 3),
        "decoding": decode,
        "canonical keys": canonical,
        "distinct keys": distinct,
        "strings, not counted": native,
    }


def train(config: str, path: Path) -> Path:
    """The workdir `path`, in which a stream of that config has learned everything."""
    command = _command(config, path, 1000, 1000)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def first_sample(config: str, path: Path) -> dict[str, float]:
    """Least seconds from a process's start to its first file of 1,000 samples: programs cached, networks trained."""
    found = []
    for _ in range(REPETITIONS):
        with _copy(path, 1000, 1000) as copy:
            start = time.perf_counter()
            with _process(_command(config, copy, 1000, 1000)) as process:
                while process.poll() is None and not (copy / "samples" / "00000000.parquet").exists():
                    time.sleep(0.005)
                found.append(time.perf_counter() - start)
    return {"samples": 1000, "seconds": round(min(found), 2)}


def device_cost(config: str, path: Path, n: int) -> dict[str, float]:
    """CPU seconds of the same n guided samples on 1 and on 8 virtual devices."""
    one, many = (_measure("sample", config, path, n, JAX_NUM_CPU_DEVICES=str(count))[0] for count in (1, DEVICES))
    return {
        "samples": n,
        "CPU seconds, 1 device": round(one, 4),
        f"CPU seconds, {DEVICES} devices": round(many, 4),
        "ratio": round(many / one, 3),
    }


def stream_rate(config: str, path: Path, n: int) -> dict[str, float]:
    """Samples per second of n samples into ten files, once compiled, against as many batches kept in memory."""
    streamed, in_memory = _measure("stream", config, path, n)
    return {
        "samples": n,
        "streamed a second": round(streamed),
        "in memory a second": round(in_memory),
        "ratio": round(streamed / in_memory, 3),
    }


def peak_memory(config: str, path: Path, sizes: Sequence[int]) -> dict[str, int]:
    """Greatest resident memory in MiB of whole unguided streams of those numbers of samples.

    Guidance would take nearly four times as long; its arrays are of one batch, whatever the stream's size.
    """
    found = {}
    for n in sizes:
        with _copy(path, n, 50_000, transform=UNGUIDED) as copy:
            command = [*_command(config, copy, n, 50_000), f"--config.guidance.transform={UNGUIDED}"]
            with _process(command) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                found[f"{n:,}"] = round(usage.ru_maxrss / 1024)
    return found


def _command(config: str, path: Path, n: int, chunk_size: int) -> list[str]:
    sizes = [f"--config.num_samples={n}", f"--config.stream.chunk_size={chunk_size}"]
    run = [f"--config={config}", f"--workdir={path}", "--config.mode=stream"]
    return [sys.executable, "-m", "experiments.main", *run, *sizes]


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen]:
    """A silent process, which has ended well when this has."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, command)
    finally:
        if process.poll() is None:
            process.kill()


@contextlib.contextmanager
def _copy(path: Path, n: int, chunk_size: int, **guidance: str) -> Iterator[Path]:
    """A copy of a trained workdir without its samples, as that of a stream of other sizes and fields of guidance."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "run")
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("samples", "results.json"))
        config = json.loads((copy / "config.json").read_text())
        config["num_samples"], config["stream"]["chunk_size"] = n, chunk_size
        config["guidance"].update(guidance)
        (copy / "config.json").write_text(json.dumps(config))
        yield copy


def _measure(what: str, config: str, path: Path, n: int, **environment: str) -> list[float]:
    """What `main` prints in a process of its own."""
    with _copy(path, n, max(1, n // 10)) as copy:
        command = [sys.executable, "-m", "experiments.bench.scale", what, config, str(copy), str(n)]
        job = subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE)
    return json.loads(job.stdout.splitlines()[-1])


def main(what: str, config_file: str, path: Path, n: int) -> None:
    """Measures `"sample"` or `"stream"` with the networks of a trained workdir and prints a list of numbers."""
    use_compilation_cache()
    config = nb201.get_config(config_file.partition(":")[2])
    config.mode, config.num_samples, config.stream.chunk_size = "stream", n, max(1, n // 10)
    run = runs.prepare(config, path)
    learned = learn(run)
    print(json.dumps(_sample_seconds(run, learned) if what == "sample" else _rates(run, learned)))


def _sample_seconds(run: Run, learned: Learned) -> list[float]:
    sampler, n = make_sampler(run, guided=True), run.config.num_samples
    arguments = run.key("guided"), n, learned.score_params, learned.guidance
    sampler(*arguments)
    start = time.process_time()
    for _ in range(REPETITIONS):
        sampler(*arguments)
    return [(time.process_time() - start) / REPETITIONS]


def _rates(run: Run, learned: Learned) -> list[float]:
    stream.write_samples(run, learned, list(range(10)))
    written = sorted(path.stat().st_mtime for path in (run.workdir.path / "samples").iterdir())
    streamed = 9 * run.config.stream.chunk_size / (written[-1] - written[0])
    sampler, size = make_sampler(run, guided=True), run.config.stream.batch_size * run.mesh.size
    arguments = run.key("stream"), size, learned.score_params, learned.guidance
    sampler(*arguments)
    start = time.perf_counter()
    kept = [sampler(*arguments) for _ in range(0, run.config.num_samples, size)]
    return [streamed, size * len(kept) / (time.perf_counter() - start)]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
