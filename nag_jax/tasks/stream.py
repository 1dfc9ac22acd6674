"""The task `stream`: guided samples without end, in Parquet files, in constant memory.

`samples/00000000.parquet` and so on hold `config.stream.chunk_size` rows each, the last one the rest. A row:

    index         int64     the sample's number, from 0; the sample depends on the seed and this alone
    architecture  string    in the space's own notation; null where invalid
    valid         bool      whether it decodes to an architecture of the space
    predicted     float32   the predictor's mean in its own units, higher is better, or the predicted utility of
                            several objectives; null where invalid
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.settings import Generate
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.tasks import learn
from nag_jax.tasks.aim import predicted_utility
from nag_jax.tasks.check import check_fields
from nag_jax.tasks.contract import Task
from nag_jax.tasks.learn import Learned, Run, make_sampler
from nag_jax.tasks.learn_plan import notes_of, plan_labels, plan_learning, plan_sampling
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.workdir import Workdir

MOST_SAMPLES = 2**31 - 2**24
"""Samples are numbered by int32, the last batch included."""
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Tokens `[B, N]`, valid `[B]` and predicted `[B]` of consecutive samples."""


class Streamed(NamedTuple):
    """What came of a stream; its samples are in files.

    Attributes:
        run: the run, checked.
        counts: samples, those that are valid, those that differ, and those that compute different things.
        files: how many there are.
        rate: samples per second of those that were made now; None where none were.
    """

    run: Run
    counts: dict[str, int]
    files: int
    rate: float | None


def check(config: Generate, workdir: Workdir) -> Run:
    """See `learn.check`; also refuses more samples than can be numbered, and a stream without pyarrow."""
    check_fields(config)
    check_installed("pyarrow", extra="parquet", needed_by="a stream")
    if config.num_samples > MOST_SAMPLES:
        raise InputError(
            f"config.num_samples is {config.num_samples:,}, and a stream has {MOST_SAMPLES:,} at most: ask for fewer, "
            "and for more with another config.seed"
        )
    return learn.check(config, workdir)


def run(ready: Run) -> Streamed:
    """Makes the files that are missing, with the samples that an undisturbed run has there."""
    parallel.on_first(ready.claim)
    missing = parallel.from_first(lambda: _missing(ready))
    rate = write_samples(ready, learn.learn(ready), missing)
    with ready.phases("counts", "file") as progress:
        counts = parallel.from_first(lambda: count(ready, progress))
    return Streamed(ready, counts, _num_chunks(ready), rate)


def plan(ready: Run) -> Plan:
    """What `run` would do and cost."""
    config = ready.config
    missing, files = parallel.from_first(lambda: _missing(ready)), _num_chunks(ready)
    batch = config.stream.batch_size * ready.mesh.size
    batches = sum(len(_span(ready, chunk)) for chunk in missing) / batch
    return Plan(
        setting=ready,
        metric=ready.metric,
        labels=plan_labels(ready, {}),
        samples={f"guided in {files:,} files": config.num_samples},
        work=[*plan_learning(ready), plan_sampling(ready, "samples", batch, pools=batches)],
        done=[f"{files - len(missing):,} of {files:,} files"] if len(missing) < files else [],
        notes=notes_of(ready),
    )


def task() -> Task:
    """The task."""
    return Task(check, plan, run)


def write_samples(run: Run, learned: Learned, missing: list[int]) -> float | None:
    """Writes the missing files; returns the samples per second, or None where there is nothing to write."""
    if not missing:
        return None
    sizes = [len(_span(run, chunk)) for chunk in missing]
    batches = make_batches(run, learned)
    start = time.perf_counter()
    with run.phases("samples", "sample") as progress:
        for i, chunk in enumerate(missing):
            rows = batches.rows(_span(run, chunk))
            if parallel.is_first():
                _write(run, chunk, rows)
            progress(sum(sizes[: i + 1]), sum(sizes))
    return round(sum(sizes) / (time.perf_counter() - start), 1)


class Batches:
    """A stream in batches of one size, each begun while the one before it is in use.

    Batches start at multiples of their size however they are read, so a sample is always made in the same place of
    the same compiled program: whatever the files' size, it comes out the same to the last bit.

    Args:
        launch: number of a batch -> its rows, which needn't be ready yet.
        size: rows of a batch.
        count: batches in all.
    """

    def __init__(self, launch: Callable[[int], Any], size: int, count: int):
        self._launch = launch
        self._size = size
        self._count = count
        self._begun: dict[int, Any] = {}

    def rows(self, span: range) -> Rows:
        """The rows of consecutive samples."""
        batches = range(span.start // self._size, math.ceil(span.stop / self._size))
        columns = zip(*(self._read(batch) for batch in batches), strict=True)
        first = span.start - batches.start * self._size
        tokens, valid, predicted = (np.concatenate(column)[first : first + len(span)] for column in columns)
        return tokens, valid, predicted

    def _read(self, batch: int) -> Rows:
        near = range(batch, min(batch + 2, self._count))
        self._begun = {i: self._begun[i] if i in self._begun else self._launch(i) for i in near}
        return parallel.fetch(self._begun[batch])


def make_batches(run: Run, learned: Learned) -> Batches:
    """The stream of the run: generated and predicted on the devices."""
    sampler = make_sampler(run, guided=True)
    size = run.config.stream.batch_size * run.mesh.size
    key = run.key("stream")
    params, guidance = jax.device_put((learned.score_params, learned.guidance), parallel.replicated(run.mesh))

    @jax.jit
    def predicted(predictor_params, scales, tokens):
        x = run.space.encode(tokens)
        means = run.predictor.apply(predictor_params, x, jnp.zeros(x.shape[0], jnp.float32)).mean(axis=-1)
        return predicted_utility(run.objectives, scales, means)

    def launch(batch):
        samples = sampler.launch(key, size, params, guidance, start=batch * size)
        return samples.tokens, samples.valid, predicted(guidance["params"], guidance["scales"], samples.tokens)

    return Batches(launch, size, math.ceil(run.config.num_samples / size))


def count(run: Run, progress: Callable[[int, int], None]) -> dict[str, int]:
    """Counts what the files hold, one at a time; what differs takes memory for at most the space's architectures."""
    import pyarrow.parquet as pq

    samples = valid = 0
    seen: set[str] = set()
    for chunk in range(_num_chunks(run)):
        table = pq.read_table(_path(run, chunk), columns=["architecture"], read_dictionary=["architecture"])
        column = table.column("architecture").combine_chunks()
        samples += len(column)
        valid += len(column) - column.null_count
        seen.update(column.drop_null().unique().to_pylist())
        progress(chunk + 1, _num_chunks(run))
    tokens = run.space.from_native(sorted(seen))
    return {
        "samples": samples,
        "valid": valid,
        "distinct": len(seen),
        "distinct_canonical": len(np.unique(run.space.canonical(tokens))),
    }


def _num_chunks(run: Run) -> int:
    return math.ceil(run.config.num_samples / run.config.stream.chunk_size)


def _missing(run: Run) -> list[int]:
    """Numbers of the files that aren't written yet."""
    return [chunk for chunk in range(_num_chunks(run)) if not _is_written(run, chunk)]


def _span(run: Run, chunk: int) -> range:
    """Numbers of the samples of a file."""
    size = run.config.stream.chunk_size
    return range(chunk * size, min((chunk + 1) * size, run.config.num_samples))


def _path(run: Run, chunk: int) -> Path:
    return run.workdir.path / "samples" / f"{chunk:08}.parquet"


def _is_written(run: Run, chunk: int) -> bool:
    """Whether a file is there; raises InputError if it isn't what the run wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = _path(run, chunk)
    if not path.exists():
        return False
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} can't be read ({error}): delete it to have it made again") from error
    if rows != len(_span(run, chunk)):
        raise InputError(f"{path} has {rows:,} rows instead of {len(_span(run, chunk)):,}: delete it to make it again")
    return True


def _write(run: Run, chunk: int, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tokens, valid, predicted = rows
    natives = np.full(len(tokens), None, object)
    natives[valid] = run.space.to_native(tokens[valid])
    table = pa.table(
        {
            "index": pa.array(np.asarray(_span(run, chunk)), pa.int64()),
            "architecture": pa.array(natives, pa.string()).dictionary_encode(),
            "valid": pa.array(valid, pa.bool_()),
            "predicted": pa.array(predicted, pa.float32(), mask=~valid),
        }
    )
    run.workdir.write(f"samples/{chunk:08}.parquet", lambda path: pq.write_table(table, path))
