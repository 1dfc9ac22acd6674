"""Gives every reader of foreign bytes changed files, in a bounded child process, and counts what it should not do.

    python -m tests.campaigns.fuzz --cases 5000

A fault is code of a file that runs, a traceback (anything but an InputError), a message of more than one printable
line, a child that ends, hangs, or takes more than ten times its file and 1 GB. What a reader accepts although its
bytes were changed is listed with the reason. Ends with status 1 if there was a fault.
"""

import argparse
import collections
import dataclasses
import hashlib
import json
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("code run", "tracebacks", "crashes", "hangs", "over memory", "unprintable messages")
_FREE, _FACTOR = 2**30, 10
"""The bound of a child's memory: 1 GB and ten times the file."""
_PATIENCE = 60
"""Seconds without an answer after which a child hangs, on a busy machine."""
_FORBIDDEN = (
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pickle.find_class",
    "socket.connect",
)
"""Audit events (PEP 578) that no reader causes."""
_LONGEST = 2000


def main() -> None:
    """Runs the campaign and prints its figures; in a child, one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name holds this")
    parser.add_argument("--keep", type=Path, help="folder for the files that show a fault")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _Child(given.child, given.seed, given.only).run(given.first, given.cases)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = list(_results(given, Path(folder)))
    sys.exit(_report(results, given))


# The parent


def _results(given: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """What each case came to; a child that ends or hangs is followed by another."""
    first = 0
    while first < given.cases:
        process = _start(given, folder, first)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_forward, args=(process, lines), daemon=True).start()
        current: dict[str, Any] = {}
        while True:
            try:
                line = lines.get(timeout=_PATIENCE if current else 10 * _PATIENCE)
            except queue.Empty:
                process.kill()
                line = ""
            if not line:
                break
            current = json.loads(line)
            if "outcome" in current:
                first = current["case"] + 1
                yield current
        code = process.wait()
        if first < given.cases:
            if not current or "outcome" in current:
                raise SystemExit(
                    f"a child ended with {code} before its first case: {(folder / 'stderr').read_text()[-2000:]}"
                )
            hang = code == -signal.SIGKILL
            _keep(given, folder, current["reader"], current["case"])
            yield current | {"outcome": "hangs" if hang else "crashes", "detail": f"the child ended with {code}"}
            first = current["case"] + 1


def _start(given: argparse.Namespace, folder: Path, first: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.campaigns.fuzz", "--child", str(folder), "--first", str(first)]
    command += ["--cases", str(given.cases), "--seed", str(given.seed), "--only", given.only]
    with (folder / "stderr").open("w") as errors:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)


def _forward(process: subprocess.Popen, lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _keep(given: argparse.Namespace, folder: Path, reader: str, case: int) -> None:
    if given.keep is not None and (folder / "changed").is_file():
        given.keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "changed", given.keep / f"{reader.replace(' ', '_')}-{case}")


def _report(results: list[dict[str, Any]], given: argparse.Namespace) -> int:
    """Prints a line a reader, the first fault of each kind, and the figures."""
    by_reader = collections.defaultdict(collections.Counter)
    shown = set()
    for one in results:
        by_reader[one["reader"]][one["outcome"]] += 1
        if one["outcome"] in FAULTS and (key := (one["reader"], one["outcome"], one["detail"][:60])) not in shown:
            shown.add(key)
            print(f"FAULT {one['reader']}, case {one['case']}: {one['outcome']}: {one['detail']}")
    total: collections.Counter[str] = sum(by_reader.values(), collections.Counter())
    for name, counts in sorted(by_reader.items()):
        faults = ", ".join(f"{counts[kind]} {kind}" for kind in FAULTS if counts[kind])
        read = f"{counts['same']:5} read the same {counts['other']:5} read as other content"
        print(f"{name:36} {counts['refused']:5} refused {read}{' FAULTS: ' + faults if faults else ''}")
    whys = collections.defaultdict(list)
    for one in results:
        if one["outcome"] == "other" and one["reader"] not in whys[one["why"]]:
            whys[one["why"]].append(one["reader"])
    for why, names in whys.items():
        print(f"read as other content by {', '.join(names)}: {why}")
    faults = ", ".join(f"{total[kind]} {kind}" for kind in FAULTS)
    peak, longest = (max((one[key] for one in results if key in one), default=0) for key in ("peak", "seconds"))
    print(
        f"fuzz: {len(results)} cases of {len(by_reader)} readers, seed {given.seed}: {faults}; "
        f"{total['refused']} refused, "
        f"{total['same']} read the same, {total['other']} read as other content; most memory {peak // 2**20:,} MB, "
        f"longest {longest:.1f} s"
    )
    return int(any(total[kind] for kind in FAULTS))


# The child


class _Child:
    def __init__(self, folder: Path, seed: int, only: str):
        from tests.campaigns.readers import READERS

        self.folder, self.seed = folder, seed
        self.readers = {name: reader for name, reader in READERS.items() if only in name}
        self.intact: dict[str, tuple[Path, bytes, str]] = {}
        self.attacks: dict[str, list[bytes]] = {}
        self.events: list[str] = []
        for name, reader in self.readers.items():
            base = folder / "intact" / name.replace(" ", "_")
            if not base.exists():
                base.mkdir(parents=True)
                (folder / f"{base.name}.path").write_text(str(reader.make(base).relative_to(base)))
            path = Path((folder / f"{base.name}.path").read_text())
            place = self._fresh(base)
            self.intact[name] = path, (base / path).read_bytes(), _digest(reader.read(place / path))
            reader.read(self._fresh(base) / path)  # what is imported late is there from now on
        sys.addaudithook(self._audit)

    def run(self, first: int, cases: int) -> None:
        names = list(self.readers)
        virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        for case in range(first, cases):
            name, index = names[case % len(names)], case // len(names)
            content = self._changed(name, index)
            (self.folder / "changed").write_bytes(content)
            _print({"reader": name, "case": case})
            bound = _FREE + _FACTOR * len(content)
            resource.setrlimit(resource.RLIMIT_AS, (virtual + 2 * bound, resource.getrlimit(resource.RLIMIT_AS)[1]))
            start = time.monotonic()
            _print(
                {"reader": name, "case": case, **self._try(name, content, bound), "seconds": time.monotonic() - start}
            )

    def _changed(self, name: str, index: int) -> bytes:
        from tests.campaigns.mutations import mutate

        data = self.intact[name][1]
        if name not in self.attacks:
            self.attacks[name] = self.readers[name].attacks(data)
        if index < len(self.attacks[name]):
            return self.attacks[name][index]
        seed = int.from_bytes(hashlib.blake2b(f"{self.seed} {name} {index}".encode(), digest_size=8).digest())
        return mutate(np.random.default_rng(seed), data)

    def _try(self, name: str, content: bytes, bound: int) -> dict[str, Any]:
        from nag_jax.system.errors import InputError
        from tests.campaigns.originals import CANARY

        path, _, expected = self.intact[name]
        place = self._fresh(self.folder / "intact" / name.replace(" ", "_"))
        (place / path).write_bytes(content)
        self.events.clear()
        _forget_peak()
        try:
            outcome, detail = "other", ""
            if _digest(self.readers[name].read(place / path)) == expected:
                outcome = "same"
        except InputError as error:
            outcome, detail = "refused", str(error)
            if not detail.isprintable() or len(detail) > _LONGEST:
                outcome, detail = "unprintable messages", ascii(detail)[:300]
            if _ran_out(error):
                outcome, detail = "over memory", detail[:300]
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {ascii(str(error))[:200]} ({Path(last.filename).name}:{last.lineno})"
            outcome = "over memory" if _ran_out(error) else "tracebacks"
        peak = _peak()
        if peak > bound:
            outcome, detail = "over memory", f"{peak:,} bytes for a file of {len(content):,}"
        for canary in (Path(CANARY), place / CANARY):
            if canary.exists():
                canary.rmdir()
                self.events.append("a canary")
        if self.events:
            outcome, detail = "code run", ", ".join(self.events[:5])
        return {"outcome": outcome, "detail": detail[:400], "peak": peak, "why": self.readers[name].why}

    def _fresh(self, base: Path) -> Path:
        place = self.folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(base, place)
        return place

    def _audit(self, event: str, arguments: tuple) -> None:
        if event.startswith(_FORBIDDEN):
            self.events.append(event)


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _ran_out(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """The most resident memory since `_forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _digest(value: Any) -> str:
    """What a reader made of a file, to be compared."""
    found = hashlib.blake2b()
    _feed(found, value, 0)
    return found.hexdigest()


def _feed(found, value: Any, depth: int) -> None:
    found.update(type(value).__name__.encode())
    if depth > 20:
        return
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key, item in value.items():
            found.update(repr(key)[:1000].encode("utf-8", "replace"))
            _feed(found, item, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _feed(found, item, depth + 1)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _feed(found, getattr(value, field.name), depth + 1)
    elif hasattr(value, "__array__"):
        _feed(found, np.asarray(value), depth + 1)
    elif isinstance(value, str | int | float | bytes | bool | type(None)):
        found.update(repr(value).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
