"""Weights that somebody else trained: named arrays from safetensors, npz or PyTorch files."""

import zipfile
from pathlib import Path

import numpy as np
import safetensors.numpy

from nag_jax.system.errors import InputError
from nag_jax.system.torch_file import is_torch_file, read_torch_file

_WRAPPER = "state_dict"
"""Under which name PyTorch's checkpoints keep the weights where they keep more beside them."""


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays by name, from a file of whichever of the formats its content is.

    Of a PyTorch file, the arrays of its dictionary, or of the dictionary under `state_dict` in it; what else it holds
    is left out. Its pickle is not executed; see `torch_file`.

    Raises:
        InputError: the file is missing, damaged or of another format, or a PyTorch file without arrays by name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file of weights {path}: correct the path")
    try:
        if is_torch_file(path):
            arrays = _tensors(path)
        elif zipfile.is_zipfile(path):
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored)
        else:
            arrays = safetensors.numpy.load_file(path)
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise nearly anything
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} can't be read as weights ({reason}): expected an intact safetensors, npz or PyTorch file"
        ) from error
    return arrays


def _tensors(path: Path) -> dict[str, np.ndarray]:
    content = read_torch_file(path)
    if isinstance(content, dict) and isinstance(content.get(_WRAPPER), dict):
        content = content[_WRAPPER]
    named = content.items() if isinstance(content, dict) else ()
    arrays = {str(name): value for name, value in named if isinstance(value, np.ndarray)}
    if not arrays:
        raise InputError(f"{path} holds no arrays by name: use a file of weights, as of PyTorch's state_dict()")
    return arrays
