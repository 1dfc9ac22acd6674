"""The digest that NAS-Bench-101 calls a cell by: equal for the same graph, whatever the order of its vertices."""

import hashlib
from collections.abc import Sequence

import numpy as np


def digest(matrix: np.ndarray, labels: Sequence[int]) -> str:
    """The digest of one cell, 32 hexadecimal digits.

    A vertex begins as the MD5 of its out-degree, in-degree and label. As many times as there are vertices it becomes
    the MD5 of the sorted digests of those that it reads, of those that read it, and its own. The cell's is that of
    them all.

    Args:
        matrix: `[n, n]`, entry (source, target), with nothing but what lies on paths from input to output.
        labels: the labels of the vertices: -1 for the input, -2 for the output, and the number of an operation in
            between, in the order 3x3 convolution, 1x1 convolution, max-pooling.

    Example:
        >>> digest(np.array([[0, 1], [0, 0]]), [-1, -2])
        '043721b9c7fe8c5fad811d47d83132ec'
    """
    matrix = np.asarray(matrix, bool)
    reads = [np.nonzero(column)[0].tolist() for column in matrix.T]
    readers = [np.nonzero(row)[0].tolist() for row in matrix]
    own = [
        _md5(f"({len(after)}, {len(before)}, {label})")
        for before, after, label in zip(reads, readers, labels, strict=True)
    ]
    for _ in range(len(matrix)):
        own = [
            _md5(f"{_joined(own, before)}|{_joined(own, after)}|{name}")
            for before, after, name in zip(reads, readers, own, strict=True)
        ]
    return _md5(str(sorted(own)))


def _joined(names: Sequence[str], vertices: Sequence[int]) -> str:
    return "".join(sorted(names[vertex] for vertex in vertices))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
