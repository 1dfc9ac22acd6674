"""Exported networks against ours: as many parameters, and the same outputs of the same images with the same weights."""

import importlib
import runpy
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.export.variables import Variables, random_variables
from nag_jax.spaces.blueprint import Blueprint

TOLERANCE = 1e-4
"""By how much outputs may differ, as a share of the largest; float32 sums in another order make it some 1e-6."""
_IMAGES = 2


class Reference(NamedTuple):
    """Our network with its weights, which are random where it isn't trained.

    Attributes:
        variables: its parameters and batch statistics.
        params: how many parameters.
        images: `[B, r, r, 3]`.
        logits: its outputs `[B, num_classes]`.
    """

    variables: Variables
    params: int
    images: np.ndarray
    logits: np.ndarray


class Check(NamedTuple):
    """What an exported network was found to be.

    Attributes:
        params: its parameters, as many as ours.
        difference: the largest of its outputs from ours, as a share of our largest output.
    """

    params: int
    difference: float


def make_reference(blueprint: Blueprint, variables: Variables | None = None) -> Reference:
    """Evaluates our network on random images, with these weights or random ones."""
    variables = random_variables(blueprint) if variables is None else variables
    shape = (_IMAGES, *blueprint.image_shape)
    images = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    logits = jax.jit(blueprint.network.apply)(variables, images)
    return Reference(variables, blueprint.num_params(), images, np.asarray(logits))


def check_flax(path: Path, reference: Reference) -> Check:
    """Checks a Flax module, whose variables must be named as ours are."""
    network = runpy.run_path(str(path))["Network"]()
    shapes = jax.eval_shape(network.init, jax.random.key(0), reference.images[:1])
    params = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
    _check_params(path, reference, params)
    logits = jax.jit(network.apply)(reference.variables, reference.images)
    return Check(params, _difference(path, reference, np.asarray(logits)))


def check_torch(path: Path, reference: Reference) -> Check:
    """Checks a PyTorch module, through its own `state_dict_from_flax`. Needs PyTorch."""
    torch: Any = importlib.import_module("torch")
    module = runpy.run_path(str(path))
    network = module["Network"]().eval()
    params = sum(value.numel() for value in network.parameters())
    _check_params(path, reference, params)
    network.load_state_dict(module["state_dict_from_flax"](reference.variables))
    with torch.no_grad():
        logits = network(torch.tensor(_channels_first(reference.images))).numpy()
    return Check(params, _difference(path, reference, logits))


def check_onnx(path: Path, reference: Reference) -> Check:
    """Checks an ONNX file with the weights of the reference, by onnx's own evaluator. Needs onnx."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    statistics = (".mean", ".var")
    trained = [tensor for tensor in model.graph.initializer if not tensor.name.endswith(statistics)]
    params = sum(int(np.prod(tensor.dims)) for tensor in trained)
    _check_params(path, reference, params)
    (logits,) = ReferenceEvaluator(model).run(None, {"images": _channels_first(reference.images)})
    return Check(params, _difference(path, reference, np.asarray(logits)))


def _check_params(path: Path, reference: Reference, params: int) -> None:
    if params != reference.params:
        raise RuntimeError(f"{path} has {params:,} parameters, and our network {reference.params:,}")


def _difference(path: Path, reference: Reference, logits: np.ndarray) -> float:
    scale = float(np.abs(reference.logits).max()) or 1.0
    difference = float(np.abs(logits - reference.logits).max()) / scale
    if not difference <= TOLERANCE:
        raise RuntimeError(f"outputs of {path} differ from our network's by {difference:.2g} of the largest")
    return difference


def _channels_first(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
