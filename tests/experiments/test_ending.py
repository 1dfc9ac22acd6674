"""How commands end: a full disk is one line, whoever writes."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest

from experiments import command_line
from nag_jax.fitting import checkpoint
from nag_jax.system.errors import InputError


class StorageError(Exception):
    """An error of SQLite, TensorStore or Arrow, as far as its words go."""


def raise_from(error, cause):
    try:
        raise cause
    except Exception as first:
        raise error from first


FULL = {
    "write": lambda: Path("/dev/full").write_text("x"),
    "quota": lambda: raise_from(OSError(errno.EDQUOT, "Disk quota exceeded", "runs/a"), ValueError("x")),
    "sqlite": lambda: raise_from(StorageError("database or disk is full"), ValueError("x")),
    "tensorstore": lambda: raise_from(
        StorageError("RESOURCE_EXHAUSTED: Error writing\nFailed writing: [No space left on device]"), ValueError("x")
    ),
    "cause": lambda: raise_from(RuntimeError("save failed"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    "our own": lambda: raise_from(InputError("can't be saved"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
}


@pytest.mark.parametrize("what", FULL)
def test_a_full_disk_is_one_line(what, capsys, listening):
    with pytest.raises(SystemExit) as ended, command_line.ending("experiments.main"):
        FULL[what]()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: the disk is full (")
    assert error.endswith("): make room and run it again\n")


def test_a_defect_keeps_its_traceback(capsys, listening):
    with pytest.raises(ZeroDivisionError), command_line.ending("experiments.main"):
        _ = 1 / 0
    assert capsys.readouterr().err == ""


def test_no_room_for_a_checkpoint_is_found_out_before_it_is_begun(tmp_path, monkeypatch, capfd):
    """TensorStore would say it in as many tracebacks as there are arrays."""
    monkeypatch.setattr(checkpoint.tempfile, "TemporaryFile", lambda dir: io.FileIO("/dev/full", "w"))
    with pytest.raises(OSError, match="No space left"), checkpoint.Checkpoints(tmp_path / "score", {}) as checkpoints:
        checkpoints.save(1, {"weights": np.zeros(10)})
    assert not list(tmp_path.glob("score/1*"))
    assert "Traceback" not in capfd.readouterr().err
