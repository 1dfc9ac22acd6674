"""The cases of `experiments.bench.where`: spaces, what is valuable in them, and what guides.

Values of declared spaces and of NAS-Bench-101 are random functions, another one for every seed, and what is sampled by
is the function itself: how good a predictor is isn't the question here. MobileNetV3 has a predictor that learned from
200 labels.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from configs import nb201, ofa_mbv3
from experiments.bench.sampling import BUDGET, fit
from nag_jax import spaces
from nag_jax.generators.contract import Generator
from nag_jax.guidance.additive import Additive
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.objectives import Metric, Objectives
from nag_jax.predictors import Predictor
from nag_jax.settings import sampler
from nag_jax.settings.config import from_config
from nag_jax.spaces import DagSpace, MobileNetV3, NodeSpace
from nag_jax.system.keys import stream_key
from nag_jax.system.once import jitted
from nag_jax.tasks import aim, build
from nag_jax.tasks.aim import Guidance

DRAWS, DEAR_DRAWS, PIECE = 2**20, 2**18, 2**16
"""Random architectures that targets are measured on, where values cost nothing and where a network gives them."""
PAIRS = 2
"""Pairs of nodes per node that a random value depends on: two thirds of its variance."""
CENTRES, REACH = 3, 3.0
"""Modes, and the distance beyond which all but the first fall off twice as steeply."""
JITTER = 0.1
"""Standard deviation of what tells architectures at one distance from a mode apart."""
WIDTHS = ["narrow", "middle", "wide"]
OBJECTIVES = Objectives((Metric("value"),))


class Case(NamedTuple):
    """What is sampled, for one seed.

    Attributes:
        space: the space of the architectures.
        generator: the generator of the space.
        params: its parameters.
        guidance: what guides, and what that aims at.
        args: what guides are given, but for the target.
        targets: what the value is to exceed, by the share of the architectures that do.
        predict: tokens `[B, N]` -> values `[B]`.
        hold: tokens `[B, N]` -> bool `[B]`, whether they keep to the constraints.
        modes: tokens `[B, N]` -> the mode that each is nearest to, where the value has several.
    """

    space: NodeSpace
    generator: Generator
    params: Any
    guidance: Guidance
    args: dict[str, Any]
    targets: dict[float, float]
    predict: Callable[[np.ndarray], np.ndarray]
    hold: Callable[[np.ndarray], np.ndarray]
    modes: Callable[[np.ndarray], np.ndarray] | None = None


class Declared(NamedTuple):
    """A case before it has a seed: the space, its value, and how the weights of that are drawn."""

    space: NodeSpace
    predictor: Predictor
    modes: Callable[[np.ndarray], np.ndarray] | None = None


def line(name: str, length: int, classes: list[str], **options: Any) -> DagSpace:
    """A declared space of nodes in a line that may all take the same classes."""
    nodes = {f"n{i}": classes for i in range(length)}
    return DagSpace(name, nodes=nodes, edges=list(zip(list(nodes), list(nodes)[1:], strict=False)), **options)


def free(length: int, classes: int) -> Declared:
    """A space without rules."""
    space = line(f"free{length}", length, [f"c{i}" for i in range(classes)])
    return Declared(space, random_value(space))


def ruled() -> Declared:
    """Ten layers of three widths whose sum is given, so that no single layer can be changed."""
    space = line("ruled", 10, WIDTHS, valid=lambda tokens: tokens.sum(axis=1) == 10)
    return Declared(space, random_value(space))


def graphs() -> Declared:
    """NAS-Bench-101, whose cells are connected graphs."""
    space = spaces.make("nasbench101")
    return Declared(space, random_value(space))


def separated() -> Declared:
    """Three modes of equal size that have no node in common; one of them attracts from far, the others from near."""
    space = line("separated", 10, WIDTHS)
    return Declared(space, modal_value(space), lambda tokens: np.asarray(_distances(space.encode(tokens)).argmin(1)))


MAKERS: dict[str, tuple[Callable[[], Declared], tuple[float, ...]]] = {
    "choices6": (lambda: free(6, 5), (5e-2, 1e-2, 1e-3)),
    "choices20": (lambda: free(20, 4), (5e-2, 1e-3, 1e-5)),
    "choices45": (lambda: free(45, 4), (5e-2, 1e-3, 1e-5)),
    "rules": (ruled, (5e-2, 1e-2, 1e-3)),
    "cells": (graphs, (5e-2, 1e-3, 1e-5)),
    "modes": (separated, (5e-2, 1e-2, 1e-3)),
}
"""Cases whose values are functions, and the shares of the space that they aim at."""
NETWORKS = {"networks": ("", (5e-2, 1e-3, 1e-5)), "budget": (BUDGET, (5e-2, 1e-3, 1e-4))}
"""Cases of MobileNetV3: their constraints, and the shares of what keeps to them."""


@functools.cache
def declared(name: str) -> Declared:
    """The case of that name, the same one every time, so that its samplers are compiled once."""
    return MAKERS[name][0]()


def random_value(space: NodeSpace) -> Predictor:
    """A function with a term for each class of each node, and one for each two classes of random pairs of nodes."""
    n, v = space.num_nodes, space.num_classes
    pairs = np.random.default_rng(0).integers(0, n, (2, PAIRS * n))

    def init(key):
        single, double = jax.random.split(key)
        return {
            "single": jax.random.normal(single, (n, v), jnp.float32),
            "double": jax.random.normal(double, (PAIRS * n, v, v), jnp.float32),
        }

    def apply(params, x, t, context=None, *, dropout_key=None):
        p = (x + 1.0) / 2.0
        double = jnp.einsum("bkv,kvw,bkw->b", p[:, pairs[0]], params["double"], p[:, pairs[1]])
        return (jnp.tensordot(p, params["single"], 2) + double)[:, None, None]

    return Predictor(init, apply)


def modal_value(space: NodeSpace) -> Predictor:
    """How near to a mode, with a little noise."""

    def init(key):
        return JITTER * jax.random.normal(key, (space.num_nodes, space.num_classes), jnp.float32)

    def apply(params, x, t, context=None, *, dropout_key=None):
        distances = _distances(x)
        steeper = jnp.where(jnp.arange(CENTRES, dtype=jnp.int32) > 0, jnp.maximum(distances - REACH, 0.0), 0.0)
        value = -(distances + steeper).min(axis=1) + jnp.tensordot((x + 1.0) / 2.0, params, 2)
        return value[:, None, None]

    return Predictor(init, apply)


def _distances(x) -> jax.Array:
    """In how many nodes x `[B, N, V]` differs from the modes, each of which has one class everywhere: `[B, modes]`."""
    return x.shape[1] - ((jnp.asarray(x) + 1.0) / 2.0).sum(axis=1)[:, :CENTRES]


def make(name: str, seed: int, workdir: Path, predictor: Path | None) -> Case:
    """The case of that name for one seed; the predictor is once-for-all's, for MobileNetV3."""
    if name in NETWORKS:
        assert predictor is not None, "MobileNetV3 has a predictor"
        return _networks(name, seed, workdir, predictor)
    return _function(name, seed)


def _function(name: str, seed: int) -> Case:
    space, predictor, modes = declared(name)
    config = nb201.get_config()
    config.generator.name = "exact"
    settings = from_config(config)
    generator = build.make_generator(settings, space, build.make_model(settings, space))
    guidance = aim.make_guidance(predictor, OBJECTIVES)
    weights = predictor.init(stream_key(seed, "value"))
    params = generator.init(jax.random.key(0))
    apply = jitted(predictor.apply)

    def predict(tokens):
        x = space.encode(jnp.asarray(tokens))
        return np.asarray(apply(weights, x, jnp.zeros(len(tokens), jnp.float32)))[:, 0, 0]

    tokens, values = _drawn(space, seed, DRAWS, predict, None)
    args = _aim(predictor, OBJECTIVES, weights, generator, params, space, tokens, seed)
    return Case(
        space=space,
        generator=generator,
        params=params,
        guidance=guidance,
        args=args,
        targets=_targets(values, MAKERS[name][1]),
        predict=predict,
        hold=lambda tokens: np.ones(len(tokens), bool),
        modes=modes,
    )


def _networks(name: str, seed: int, workdir: Path, predictor: Path) -> Case:
    """MobileNetV3 by what was learned from 200 labels, which the constraints don't change."""
    text, shares = NETWORKS[name]
    config = ofa_mbv3.get_config()
    config.seed, config.constraints, config.generator.name = seed, "", "exact"
    config.evaluator.accuracy_file = str(predictor.resolve())
    run, learned, _ = fit(config, workdir / f"mobilenet{seed}")
    constraints = _constraints(run.space, text)
    tokens, values = _drawn(run.space, seed, DRAWS if text else DEAR_DRAWS, learned.predict, constraints)
    args = learned.guidance
    if constraints:
        args = _aim(
            run.predictor, run.objectives, args["params"], run.generator, learned.score_params, run.space, tokens, seed
        ) | {"bands": constraints.bands()}
    return Case(
        space=run.space,
        generator=run.generator,
        params=learned.score_params,
        guidance=build.make_guidance(run.config, run.predictor, run.objectives, constraints),
        args=args,
        targets=_targets(values, shares),
        predict=learned.predict,
        hold=constraints.hold,
    )


@functools.cache
def _constraints(space: MobileNetV3, text: str) -> Constraints:
    return Constraints(space, space.costs(), parse(text))


def _aim(predictor, objectives, weights, generator, params, space, tokens, seed: int) -> dict[str, Any]:
    """What guides are given, as measured on random architectures that keep to the constraints; without the target."""
    few = tokens[: aim.ADDITIVE_SAMPLES]
    spread = aim.measure(
        stream_key(seed, "spread"),
        generator,
        params,
        predictor,
        weights,
        space,
        few,
        objectives=objectives,
        scales=None,
        softness=sampler.Guidance().softness,
    )[1]
    model = aim.additive_model(objectives, None, predictor, weights, space.encode(few))
    numbers = Additive(*(np.asarray(part, np.float32) for part in model))
    return aim.make_aim(weights, 0.0, spread, scale=1.0) | {"additive": numbers}


def _drawn(
    space: NodeSpace, seed: int, count: int, predict: Callable, constraints: Constraints | None
) -> tuple[np.ndarray, np.ndarray]:
    """Random architectures that keep to the constraints, and their values."""
    draw, key = jitted(space.random, static_argnums=1), stream_key(seed, "targets")
    tokens, values = [], []
    for i in range(count // PIECE):
        piece = np.asarray(draw(jax.random.fold_in(key, i), PIECE))
        piece = piece if not constraints else piece[constraints.hold(piece)]
        tokens.append(piece)
        values.append(predict(piece))
    return np.concatenate(tokens), np.concatenate(values)


def _targets(values: np.ndarray, shares: tuple[float, ...]) -> dict[float, float]:
    return {share: float(np.quantile(values, 1.0 - share)) for share in shares}
