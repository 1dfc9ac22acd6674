"""Reading an SQLite file where nothing can be written."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """The file, or a copy of it and its write-ahead log, where SQLite can't read the log in its place.

    It does so through an index in a file beside the log, which whoever writes to the log has made. Where there is none
    and the folder can't be written, as on a read-only file system, it makes that of the copy.

    Args:
        path: the SQLite file, which is there.
    """
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if not log.exists() or index.exists() or os.access(path.parent, os.W_OK):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        yield Path(folder) / path.name
