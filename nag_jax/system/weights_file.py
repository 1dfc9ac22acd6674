"""Weights that somebody else trained: named arrays from safetensors, npz or PyTorch files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.foreign import is_archive, read_npz
from nag_jax.system.inert_pickle import Opaque
from nag_jax.system.torch_file import is_torch_file, read_torch_file, widened

_WRAPPER = "state_dict"
"""Under which name PyTorch's checkpoints keep the weights where they keep more beside them."""
_TENSORS = "torch._utils._rebuild_"
"""How the names of functions begin that PyTorch's tensors of all kinds are made by."""
_DTYPES = {
    **{f"F{8 * size}": f"<f{size}" for size in (8, 4, 2)},
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    "BF16": "<u2",
    "BOOL": "?",
}
"""How the bytes of safetensors are read; NumPy has no bfloat16, whose bits are read as whole numbers at first."""


def write_weights(path: str | Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, str] | None = None) -> None:
    """Writes arrays by name, and facts of them, as a safetensors file. Needs safetensors."""
    import safetensors.numpy

    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    safetensors.numpy.save_file(content, path, dict(facts or {}))


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays by name, from a file of whichever of the formats its content is.

    Of a PyTorch file, the arrays of its dictionary, or of the dictionary under `state_dict` in it; what else it holds
    is left out. Its pickle is not executed; see `torch_file`. Numbers of bfloat16 become float32, exactly.

    Raises:
        InputError: the file is missing, damaged or of another format, or a PyTorch file without arrays by name, or its
            numbers are of 8 bits.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file of weights {path}: correct the path")
    try:
        if not is_torch_file(path):
            return _read_other(path)
    except ModuleNotFoundError as error:
        check_installed("safetensors", extra="weights", needed_by=f"{path}, unless it is an npz or PyTorch file,")
        raise InputError(f"{path} can't be read as weights ({error})") from error
    except Exception as error:  # a damaged file may raise nearly anything
        raise InputError(
            f"{path} can't be read as weights ({error}): expected an intact safetensors, npz or PyTorch file"
        ) from error
    return _tensors(path)


def _read_other(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        archived = is_archive(file)
    return read_npz(path) if archived else _read_safetensors(path)


def _tensors(path: Path) -> dict[str, np.ndarray]:
    content = read_torch_file(path)
    if isinstance(content, dict) and isinstance(content.get(_WRAPPER), dict):
        content = content[_WRAPPER]
    named = content.items() if isinstance(content, dict) else ()
    for name, value in named:
        if isinstance(value, Opaque) and value.name.startswith(_TENSORS):
            raise InputError(
                f"{path}: the tensor {name!r} is sparse, or of a type of numbers that isn't read: convert it"
            )
    arrays = {str(name): value for name, value in named if isinstance(value, np.ndarray)}
    if not arrays:
        raise InputError(f"{path} holds no arrays by name: use a file of weights, as of PyTorch's state_dict()")
    return arrays


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """See https://huggingface.co/docs/safetensors; the package's own reader for NumPy knows no bfloat16."""
    import safetensors

    arrays = {}
    for name, tensor in safetensors.deserialize(path.read_bytes()):
        if tensor["dtype"] not in _DTYPES:
            raise InputError(f"{name!r} holds numbers of {tensor['dtype']}, expected {', '.join(_DTYPES)}: widen them")
        array = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        arrays[name] = widened(array) if tensor["dtype"] == "BF16" else array
    return arrays


def flat(variables: Any) -> dict[str, np.ndarray]:
    """Nested variables as arrays by their path, as `params/stem/kernel`.

    Example:
        >>> flat({"params": {"stem": {"kernel": np.zeros(3)}}})
        {'params/stem/kernel': array([0., 0., 0.])}
    """
    from flax import traverse_util

    return {path: np.asarray(value) for path, value in traverse_util.flatten_dict(variables, sep="/").items()}


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of arrays by their path, as weights are stored.

    Example:
        >>> nested({"params/stem/kernel": 1.0})
        {'params': {'stem': {'kernel': 1.0}}}
    """
    from flax import traverse_util

    return traverse_util.unflatten_dict(dict(arrays), sep="/")
