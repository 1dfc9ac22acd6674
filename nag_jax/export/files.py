"""The files of an exported network, each checked as far as what is installed allows."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nag_jax.export.checks import Check, Reference, check_flax, check_onnx, check_torch, make_reference
from nag_jax.export.onnx_graph import write_model
from nag_jax.export.source import write_source
from nag_jax.export.variables import Variables
from nag_jax.fitting.checkpoint import save_variables
from nag_jax.spaces.blueprint import Blueprint
from nag_jax.system.weights_file import flat, write_weights

WEIGHTS, ORBAX = "weights.safetensors", "weights_orbax"
_LOADED = f"Its trained weights are in {WEIGHTS}: variables = read_variables({WEIGHTS!r}), which needs safetensors."
FLAX, TORCH, ONNX = "network_flax.py", "network_torch.py", "network.onnx"
_TO_WRITE = {ONNX: "onnx"}
_TO_CHECK = {ONNX: "onnx", TORCH: "torch"}
_INSTALL = {"onnx": "pip install 'nag-jax[onnx]'", "torch": "pip install torch"}


class Export(NamedTuple):
    """What became of one file.

    Attributes:
        written: whether it is there.
        check: what it was found to be, None where it couldn't be checked.
        missing: why it isn't written or checked, and what mends that; empty where it is both.

    Example:
        >>> Export(False, None, "pip install 'nag-jax[onnx]'").written
        False
    """

    written: bool
    check: Check | None
    missing: str = ""


def export_network(
    blueprint: Blueprint, folder: Path, *, about: str, variables: Variables | None = None
) -> dict[str, Export]:
    """Writes the modules and the ONNX file into a folder, and checks them against our network.

    The ONNX file is left out where the package onnx isn't installed, and the PyTorch module is not checked where
    PyTorch isn't.

    Args:
        blueprint: the blueprint of the architecture.
        folder: must exist.
        about: where it is from, a few lines.
        variables: its trained weights, which are written too: as safetensors, by Orbax, and into the ONNX file. None
            for a network that isn't trained, whose ONNX file has random ones.

    Returns:
        What became of each file.

    Raises:
        RuntimeError: an exported network isn't ours, which is a defect.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> blueprint = space.blueprint(space.from_index([0])[0])  # nothing but the stem and the head
        >>> sorted(export_network(blueprint, Path(), about="a cell"))
        ['network.onnx', 'network_flax.py', 'network_torch.py']
    """
    reference = make_reference(blueprint, variables)
    if variables is not None:
        write_weights(folder / WEIGHTS, flat(variables))
        save_variables(folder / ORBAX, variables)
        about = f"{about}\n\n{_LOADED}"
    return {
        FLAX: _export(folder / FLAX, reference, check_flax, _source(blueprint, "flax", about)),
        TORCH: _export(folder / TORCH, reference, check_torch, _source(blueprint, "torch", about)),
        ONNX: _export(folder / ONNX, reference, check_onnx, _model(blueprint, reference, about)),
    }


def _source(blueprint: Blueprint, framework: str, about: str) -> Callable[[Path], None]:
    return lambda path: write_source(path, blueprint, framework, about=about)


def _model(blueprint: Blueprint, reference: Reference, about: str) -> Callable[[Path], None]:
    return lambda path: write_model(
        path,
        blueprint.build,
        reference.variables,
        image_shape=blueprint.image_shape,
        about=f"{blueprint.title}. {about}",
    )


def _export(
    path: Path, reference: Reference, check: Callable[[Path, Reference], Check], write: Callable[[Path], None]
) -> Export:
    if missing := _missing(_TO_WRITE.get(path.name)):
        path.unlink(missing_ok=True)
        return Export(False, None, missing)
    write(path)
    if missing := _missing(_TO_CHECK.get(path.name)):
        return Export(True, None, missing)
    return Export(True, check(path, reference))


def _missing(package: str | None) -> str:
    if package is None or importlib.util.find_spec(package):
        return ""
    return f"{package} is not installed: {_INSTALL[package]}"
