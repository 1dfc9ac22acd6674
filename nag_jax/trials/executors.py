"""Executors by name: whatever runs trials, always as a `concurrent.futures.Executor`.

`REGISTRY` maps a name to the function that makes the executor; its keyword arguments are the options. Dask, Ray and
Slurm come with extras of their names.
"""

import importlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from nag_jax.evaluators.processes import WORKER_VARIABLE
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.options import check_options
from nag_jax.trials.calls import load, pickled, unpickled


class Inline(Executor):
    """Runs a call where it is submitted, before `submit` returns; for one worker, and for debugging."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A future that is done."""
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Waiting(ThreadPoolExecutor):
    """Threads of which each waits for one call that runs elsewhere, and stops it where it takes too long.

    Args:
        workers: the number of calls that run at the same time.
        timeout: seconds that a call may take; None for no limit.
    """

    def __init__(self, workers: int, timeout: float | None = None):
        super().__init__(workers, thread_name_prefix="trial")
        self.timeout = timeout

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A future of what comes of the call elsewhere."""
        return super().submit(self.elsewhere, pickled((fn, args, kwargs)))

    def elsewhere(self, call: bytes) -> Any:
        """What comes of a call, pickled; raises TimeoutError once it is stopped."""
        raise NotImplementedError


class Processes(Waiting):
    """Processes of their own, one a worker, each made anew where a call has killed it or took too long.

    So the death of one takes no other with it. They are spawned, since a fork of a process that uses JAX may hang; the
    main module of a script is imported by each, so it needs the usual `if __name__ == "__main__":`.

    Args:
        workers: the number of processes. Each finds its number, from 0, in the variable `NAG_JAX_WORKER`.
        timeout: seconds that a call may take; None for no limit.
    """

    def __init__(self, workers: int, timeout: float | None = None):
        super().__init__(workers, timeout)
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        for number in range(workers):
            self._free.put(number)

    def elsewhere(self, call: bytes) -> Any:
        """What comes of a call in the process of a free worker."""
        number = self._free.get()
        try:
            try:
                pool, is_new = self._pool(number)
                if is_new:  # no time limit counts its start, and what the call imports
                    pool.submit(load, call).result()
                return pool.submit(unpickled, call).result(self.timeout)
            except (TimeoutError, BrokenProcessPool):
                self._end(number)
                raise
        finally:
            self._free.put(number)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes; those that still work are killed where nobody waits."""
        if wait:
            super().shutdown(True, cancel_futures=cancel_futures)
        with self._lock:
            self._closed = True
        for number in list(self._pools):
            self._end(number)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _pool(self, number: int) -> tuple[ProcessPoolExecutor, bool]:
        """A worker's process, and whether it was just made."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor is shut down")
            is_new = number not in self._pools
            if is_new:
                spawn = multiprocessing.get_context("spawn")
                self._pools[number] = ProcessPoolExecutor(1, spawn, _number, (number,))
            return self._pools[number], is_new

    def _end(self, number: int) -> None:
        with self._lock:
            pool = self._pools.pop(number, None)
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            with suppress(OSError, ValueError):
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


class Slurm(Waiting):
    """Jobs of a Slurm cluster, by submitit; a job a trial.

    Args:
        executor: the executor of submitit.
        workers: the number of jobs at the same time.
        timeout: seconds that a job may take from its submission on; None for as long as the cluster lets it.
    """

    def __init__(self, executor: Any, workers: int, timeout: float | None = None):
        super().__init__(workers, timeout)
        self._executor = executor
        self._lock = threading.Lock()
        self._jobs: set[Any] = set()

    def elsewhere(self, call: bytes) -> Any:
        """What comes of a call in a job."""
        with self._lock:
            job = self._executor.submit(unpickled, call)
            self._jobs.add(job)
        stop = threading.Timer(self.timeout, job.cancel) if self.timeout else None
        try:
            if stop is not None:
                stop.daemon = True
                stop.start()
            return job.result()
        except Exception as error:
            if stop is not None and not stop.is_alive():
                raise TimeoutError from error
            raise
        finally:
            if stop is not None:
                stop.cancel()
            self._jobs.discard(job)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancels jobs that nobody waits for."""
        for job in [] if wait else list(self._jobs):
            with suppress(Exception):
                job.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)


class Dask(Executor):
    """Tasks of a Dask cluster.

    Args:
        client: the client of `distributed`, which is closed with the executor.
    """

    def __init__(self, client: Any):
        self._client = client
        # A task that dies is tried again by whoever asked for it, so that it is counted once.
        self._executor = client.get_executor(retries=0, pure=False)

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A future of a task."""
        return self._executor.submit(unpickled, pickled((fn, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancels tasks that nobody waits for, and leaves the cluster."""
        self._executor.shutdown(wait=wait)
        self._client.close()


class Ray(Executor):
    """Tasks of a Ray cluster.

    Args:
        ray: the module, initialised.
        resources: the resources of a task, as `{"num_gpus": 0.5}`.
    """

    def __init__(self, ray: Any, resources: dict[str, Any]):
        self._ray = ray
        self._remote = ray.remote(max_retries=0, **resources)(unpickled)
        self._running: dict[Future, Any] = {}

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A future of a task."""
        reference = self._remote.remote(pickled((fn, args, kwargs)))
        future = reference.future()
        self._running[future] = reference
        future.add_done_callback(lambda done: self._running.pop(done, None))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancels tasks that nobody waits for."""
        for future, reference in list(self._running.items()):
            if not wait:
                self._ray.cancel(reference, force=True)
            else:
                with suppress(Exception):
                    future.result()


def inline(*, workers: int = 1, timeout: float | None = None) -> Executor:
    """Where the study is; workers are how many architectures are decided on at once, timeouts can't be kept."""
    return Inline()


def threads(*, workers: int, timeout: float | None = None) -> Executor:
    """Threads of this process, for trials that wait for something else: commands, servers, other machines."""
    return ThreadPoolExecutor(workers, thread_name_prefix="trial")


def processes(*, workers: int, timeout: float | None = None) -> Executor:
    """Processes of this machine."""
    return Processes(workers, timeout)


def dask(*, workers: int, timeout: float | None = None, address: str = "") -> Executor:
    """Workers of a Dask cluster: that of a scheduler's address, as `tcp://host:8786`, or one on this machine."""
    distributed = _imported("distributed", "dask")
    if address:
        client = distributed.Client(address, timeout=30)
    else:
        client = distributed.Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    return Dask(client)


def ray(
    *, workers: int, timeout: float | None = None, address: str = "", gpus: float = 0.0, cpus: float = 1.0
) -> Executor:
    """Tasks of a Ray cluster: that of an address, as `auto` or `ray://host:10001`, or one on this machine."""
    module = _imported("ray", "ray")
    if not module.is_initialized():
        given = {"address": address} if address else {"num_cpus": workers, "include_dashboard": False}
        module.init(log_to_driver=False, configure_logging=False, **given)
    return Ray(module, {"num_cpus": cpus, "num_gpus": gpus})


def slurm(
    *,
    workers: int,
    timeout: float | None = None,
    address: str = "slurm_jobs",
    cluster: str = "",
    gpus: int = 0,
    cpus: int = 1,
    partition: str = "",
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Executor:
    """Jobs of a Slurm cluster; the address is the folder of their logs, which all machines share.

    Args:
        workers: the number of jobs at the same time.
        timeout: seconds that a job may take from its submission on.
        address: the folder.
        cluster: `"local"` runs jobs as processes of this machine; empty finds Slurm.
        gpus: the number of GPUs of a job.
        cpus: the number of its cores.
        partition: the partition that it is submitted to; empty leaves it to Slurm.
        parameters: other parameters of `submitit.AutoExecutor`, as `{"slurm_account": "mine", "timeout_min": 600}`.
    """
    submitit = _imported("submitit", "slurm")
    executor = submitit.AutoExecutor(folder=address, cluster=cluster or None)
    given = {"gpus_per_node": int(gpus) or None, "cpus_per_task": cpus, "slurm_partition": partition or None}
    known = {name: value for name, value in given.items() if value is not None}
    executor.update_parameters(**known, **parameters)
    return Slurm(executor, workers, timeout)


REGISTRY: dict[str, Callable[..., Executor]] = {
    "dask": dask,
    "inline": inline,
    "processes": processes,
    "ray": ray,
    "slurm": slurm,
    "threads": threads,
}


def make(name: str, *, workers: int = 1, timeout: float | None = None, **options) -> Executor:
    """Makes the executor of that name.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own.
        workers: the number of trials at the same time.
        timeout: seconds that a trial may take, where the executor can stop one; None for no limit.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no executor has that name, it has no such option, or its package isn't installed.

    Example:
        >>> with make("threads", workers=2) as executor:
        ...     executor.submit(pow, 2, 5).result()
        32
    """
    if workers < 1:
        raise InputError(f"an executor needs at least 1 worker, found {workers}")
    return check(name, options)(workers=workers, timeout=timeout, **options)


def check(name: str, options: Mapping[str, Any]) -> Callable[..., Executor]:
    """The function that makes the executor of that name.

    Raises:
        InputError: there is none, or it has no such option.
    """
    return check_options("executor", name, REGISTRY, options, given=("workers", "timeout"))


def _number(number: int) -> None:
    os.environ[WORKER_VARIABLE] = str(number)


def _imported(package: str, extra: str) -> Any:
    check_installed(package, extra=extra, needed_by=f"the executor {extra!r}")
    return importlib.import_module(package)
