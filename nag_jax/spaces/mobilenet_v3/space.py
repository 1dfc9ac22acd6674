"""The MobileNetV3 space of once-for-all (Cai et al., ICLR 2020): 2.2e19 networks in five stages of 2 to 4 layers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.choices import Choices
from nag_jax.spaces.costs import Cost
from nag_jax.spaces.mobilenet_v3 import posterior
from nag_jax.spaces.mobilenet_v3.costs import network_costs
from nag_jax.spaces.mobilenet_v3.layers import FIXED_BLOCK, Layer, layer_at
from nag_jax.spaces.mobilenet_v3.layout import (
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    MOST_LAYERS,
    RESOLUTIONS,
    SETTINGS,
    SKIP,
    STAGES,
)
from nag_jax.spaces.nodes import NodeSpace, check_inside
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.foreign import load_json
from nag_jax.system.whole import whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.blueprint import Blueprint

_NODES = STAGES * MOST_LAYERS
_ABSENT = "0-0-0"
_MUTATIONS = ("one", "resample")
_MUTATION_RATE = 0.1


class MobileNetV3(NodeSpace):
    """Sub-networks of once-for-all's MobileNetV3 (d234, e346, k357), a node per layer.

    A layer takes one of nine settings, or the class `skip`, which the first two layers of a stage can't take and which
    the fourth takes wherever the third does. So every network has one description.

    Args:
        resolution: the image size r of all networks, which costs, latency and accuracy depend on.
        mutation: `"one"` gives a single layer another class; `"resample"` is the mutation of once-for-all's
            evolutionary search: every layer's setting, and every stage's depth, is drawn anew with probability 0.1.

    Attributes:
        resolution: the image size r of all networks.

    Raises:
        InputError: the resolution or the mutation is none of those.

    Example:
        >>> f"{MobileNetV3().size:.1e}"
        '2.2e+19'
    """

    name = "mobilenet_v3"
    class_names = (*(f"{kernel}-{expansion}" for kernel, expansion in SETTINGS), "skip")
    passing = (SKIP,)
    drawn_as = "networks"
    class_attributes = MappingProxyType(
        {
            "kernel": (*(kernel for kernel, _ in SETTINGS), 0),
            "expansion": (*(expansion for _, expansion in SETTINGS), 0),
        }
    )

    def __init__(self, *, resolution: int = 224, mutation: str = "one"):
        if resolution not in RESOLUTIONS:
            raise InputError(f"unknown resolution {resolution} of mobilenet_v3: use 128 to 224 in steps of 4")
        if mutation not in _MUTATIONS:
            raise InputError(f"unknown mutation {quoted(mutation)} of mobilenet_v3: use one of {_MUTATIONS}")
        self.resolution = resolution
        self._mutation = mutation
        self.allowed = np.ones((_NODES, len(self.class_names)), bool)
        self.allowed[self.coordinates[:, 1] < min(DEPTHS), SKIP] = False
        self.adjacency = np.eye(_NODES, k=1, dtype=bool)

    @property
    def node_names(self) -> tuple[str, ...]:
        """Layers by stage and position, as `stage1-layer1`."""
        return tuple(f"stage{stage + 1}-layer{position + 1}" for stage, position in self.coordinates.tolist())

    @property
    def coordinates(self) -> np.ndarray:
        """Stage and position within the stage, int `[20, 2]`."""
        return np.stack(np.divmod(np.arange(_NODES), MOST_LAYERS), axis=1)

    @property
    def size(self) -> int:
        """21,758,655,492,572,485,851."""
        return sum(len(SETTINGS) ** depth for depth in DEPTHS) ** STAGES

    @property
    def num_canonical(self) -> int:
        """As many as `size`: all networks differ."""
        return self.size

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether classes are allowed and no fourth layer follows a skipped third. Jittable."""
        layers = jnp.asarray(tokens).reshape(-1, STAGES, MOST_LAYERS)
        gaps = (layers[..., 2] == SKIP) & (layers[..., 3] != SKIP)
        return super().contains(tokens) & ~gaps.any(axis=-1)

    def inequalities(self) -> list[np.ndarray]:
        """See `NodeSpace.inequalities`: a fourth layer is skipped wherever the third is."""
        rows = [np.zeros(self.allowed.shape) for _ in range(STAGES)]
        for stage, row in enumerate(rows):
            row[[stage * MOST_LAYERS + 2, stage * MOST_LAYERS + 3], SKIP] = 1.0, -1.0
        return rows

    def random(self, key, n: int) -> jax.Array:
        """Draws n networks as once-for-all does: depths, kernels and expansions are uniform.

        The i-th depends on `key` and i alone. Jittable in `key`.
        """

        def one(key):
            depth_key, setting_key = jax.random.split(key)
            depths = jax.random.randint(depth_key, (STAGES,), min(DEPTHS), max(DEPTHS) + 1, jnp.int32)
            settings = jax.random.randint(setting_key, (_NODES,), 0, len(SETTINGS), jnp.int32)
            return jnp.where(_present(depths), settings, SKIP)

        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        return jax.vmap(one)(keys).astype(jnp.int32)

    @property
    def choices(self) -> Choices:
        """See `NodeSpace.choices`: the depth of every stage, and the setting of every layer, were it there."""
        return posterior.choices()

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `NodeSpace.class_posterior`; within a stage layers depend on each other through its depth."""
        return posterior.class_posterior(log_likelihood)

    def conditional_moments(self, p, table) -> tuple[jax.Array, jax.Array]:
        """See `NodeSpace.conditional_moments`; within a stage layers depend on each other through its depth."""
        return posterior.conditional_moments(p, table)

    def moves(self, tokens) -> jax.Array:
        """See `NodeSpace.moves`; a third layer goes only after the fourth, and a fourth comes only after the third."""
        tokens = jnp.asarray(tokens)
        skipped = (tokens == SKIP).reshape(STAGES, MOST_LAYERS)
        to_skip = jnp.zeros((STAGES, MOST_LAYERS), bool).at[:, 2].set(skipped[:, 3]).at[:, 3].set(True)
        to_setting = jnp.ones((STAGES, MOST_LAYERS), bool).at[:, 3].set(~skipped[:, 2])
        is_skip = jnp.arange(len(self.class_names), dtype=jnp.int32) == SKIP
        return super().moves(tokens) & jnp.where(is_skip[None], to_skip.reshape(-1, 1), to_setting.reshape(-1, 1))

    def mutate(self, key, tokens) -> jax.Array:
        """See `NodeSpace.mutate`, or, with the mutation `"resample"`, the class: a child may then equal its parent."""
        if self._mutation == "one":
            return super().mutate(key, tokens)
        tokens = jnp.asarray(tokens, jnp.int32)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(tokens.shape[0], dtype=jnp.int32))
        return jax.vmap(_resample)(keys, tokens)

    def to_native(self, tokens) -> list[str]:
        """Strings of `depth-kernel-expansion` for each of the 20 layers, `0-0-0` for a skipped one, joined by `_`."""
        return [
            "_".join(
                _ABSENT if token == SKIP else "{}-{}-{}".format(depths[i // MOST_LAYERS], *SETTINGS[token])
                for i, token in enumerate(row)
            )
            for row, depths in zip(self._checked(tokens).tolist(), _depths(tokens).tolist(), strict=True)
        ]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, 20]` of strings as `to_native` writes them, or of once-for-all's dictionaries as JSON.

        Raises:
            InputError: see `NodeSpace.from_native`.
        """
        tokens = np.empty((len(architectures), _NODES), np.int32)
        for row, architecture in enumerate(architectures):
            if architecture.lstrip().startswith("{"):
                tokens[row] = self._from_json(row, architecture)
            else:
                tokens[row] = _read_layers(row, architecture)
        return tokens

    def to_ofa(self, tokens) -> list[dict[str, Any]]:
        """Once-for-all's own form: `{"ks": 20 kernels, "e": 20 expansions, "d": 5 depths, "r": [resolution]}`.

        Skipped layers, which it ignores, get kernel 3 and expansion 3.
        """
        settings = np.array([*SETTINGS, (KERNELS[0], EXPANSIONS[0])])[self._checked(tokens)]
        return [
            {"ks": row[:, 0].tolist(), "e": row[:, 1].tolist(), "d": depths, "r": [self.resolution]}
            for row, depths in zip(settings, _depths(tokens).tolist(), strict=True)
        ]

    def from_ofa(self, architectures: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Tokens `[B, 20]` of once-for-all's dictionaries, whose settings of skipped layers don't count.

        Raises:
            InputError: a field is missing or isn't of the space, or `r` is given and another than `resolution`, or
                `wid`, the width, is given and another than 1.
        """
        tokens = np.empty((len(architectures), _NODES), np.int32)
        for row, architecture in enumerate(architectures):
            fields = {name: _listed(architecture.get(name)) for name in ("ks", "e", "d")}
            for name, count, known in (("ks", _NODES, KERNELS), ("e", _NODES, EXPANSIONS), ("d", STAGES, DEPTHS)):
                if len(fields[name]) != count or not set(fields[name]) <= set(known):
                    raise InputError(
                        f"row {row}: {name!r} must be {count} numbers of {known}, found "
                        f"{quoted(architecture.get(name))}"
                    )
            width = architecture.get("wid")
            if width is not None and (type(width) not in (int, float) or width != 1):
                raise InputError(
                    f"row {row}: 'wid' is {width!r}, and the space has networks of width 1: leave them out"
                )
            resolution = _listed(architecture.get("r", self.resolution))
            if set(resolution) != {self.resolution}:
                raise InputError(
                    f"row {row}: 'r' is {quoted(architecture['r'])}, and the space has networks of "
                    f"{self.resolution} pixels: "
                    "make the space with that resolution"
                )
            settings = [SETTINGS.index(pair) for pair in zip(fields["ks"], fields["e"], strict=True)]
            tokens[row] = np.where(_present(np.array(fields["d"])), settings, SKIP)
        return tokens

    def layers(self, tokens) -> list[Layer]:
        """The blocks of one network (tokens `[20]`) from input to output, with the fixed one first, to build it of."""
        return [FIXED_BLOCK, *(layer_at(*place) for place in self.searched(tokens))]

    def searched(self, tokens) -> list[tuple[int, int, int, int]]:
        """Stage, position, kernel and expansion of the layers of one network (tokens `[20]`)."""
        row = self._checked(np.asarray(tokens)[None])[0].tolist()
        return [(*divmod(node, MOST_LAYERS), *SETTINGS[token]) for node, token in enumerate(row) if token != SKIP]

    def costs(self) -> dict[str, Cost]:
        """Parameters and multiply-accumulates at `resolution`, exactly: `"params"`, `"macs"`; see `network_costs`."""
        return network_costs(self.resolution)

    def cost_lines(self, tokens) -> list[str]:
        """The multiply-accumulates of each network of tokens `[B, 20]`, as `"203 M MACs"`."""
        return [f"{macs / 1e6:.0f} M MACs" for macs in self.costs()["macs"].of(tokens)]

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws networks one under another; see `Drawable`."""
        from nag_jax.spaces.mobilenet_v3.drawing import draw_networks

        draw_networks(figure, [self.searched(row) for row in tokens], titles)

    def blueprint(self, tokens) -> "Blueprint":
        """A network, tokens `[20]`, without the layers that are skipped; see `Buildable`."""
        from nag_jax.spaces.mobilenet_v3.blueprint import network_blueprint

        return network_blueprint(self.layers(tokens), self.resolution)

    def depths(self, tokens) -> np.ndarray:
        """Layers of each stage, int `[B, 5]`."""
        return _depths(tokens)

    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, strings of 20 letters, one a layer: the networks are too many for 64 bits, and all differ.

        Letters only, since a database may take what looks like a number for one.

        Raises:
            InputError: tokens are not of the space, as `decode` may give for invalid samples.
        """
        letters = np.ascontiguousarray(self._checked(tokens) + ord("a"), np.uint32)
        return letters.view(f"U{_NODES}").reshape(-1)

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: always True."""
        return np.ones(len(tokens), bool)

    def _checked(self, tokens) -> np.ndarray:
        """The tokens `[B, 20]`; raises InputError where they are not of the space."""
        tokens = np.asarray(tokens)
        layers = tokens.reshape(-1, STAGES, MOST_LAYERS)
        inside = ((tokens >= 0) & (tokens <= SKIP)).all(axis=1) & (layers[..., : min(DEPTHS)] != SKIP).all(axis=(1, 2))
        inside &= ~((layers[..., 2] == SKIP) & (layers[..., 3] != SKIP)).any(axis=1)
        check_inside(tokens, inside, "a network of mobilenet_v3")
        return tokens

    def _from_json(self, row: int, architecture: str) -> np.ndarray:
        try:
            return self.from_ofa([load_json(architecture)])[0]
        except ValueError as error:  # InputError is one too
            reason = str(error).removeprefix("row 0: ")
            native = quoted(architecture)
            raise InputError(f"row {row}: {native} is not a network of mobilenet_v3 ({reason})") from error


def _present(depths):
    """Bool `[..., 20]`: whether a layer is there, given the depths `[..., 5]`."""
    positions = np.arange(MOST_LAYERS).reshape((1,) * depths.ndim + (MOST_LAYERS,))
    present = positions < depths[..., None]
    return present.reshape(*depths.shape[:-1], _NODES)


def _depths(tokens) -> np.ndarray:
    return (np.asarray(tokens).reshape(-1, STAGES, MOST_LAYERS) != SKIP).sum(axis=-1)


def _resample(key, tokens):
    """Once-for-all's mutation of one network, tokens `[20]`."""
    which_key, setting_key, stage_key, depth_key = jax.random.split(key, 4)
    drawn = jax.random.randint(setting_key, (_NODES,), 0, len(SETTINGS), jnp.int32)
    # A skipped layer has settings too in its own form, so one that a deeper stage brings in gets drawn ones.
    changes = jax.random.bernoulli(which_key, jnp.float32(_MUTATION_RATE), (_NODES,)) | (tokens == SKIP)
    settings = jnp.where(changes, drawn, tokens)
    old = (tokens.reshape(STAGES, MOST_LAYERS) != SKIP).sum(axis=-1)
    new = jax.random.randint(depth_key, (STAGES,), min(DEPTHS), max(DEPTHS) + 1, jnp.int32)
    depths = jnp.where(jax.random.bernoulli(stage_key, jnp.float32(_MUTATION_RATE), (STAGES,)), new, old)
    return jnp.where(_present(depths), settings, SKIP).astype(jnp.int32)


def _read_layers(row: int, architecture: str) -> np.ndarray:
    """Tokens `[20]` of one string of `depth-kernel-expansion` triples."""
    names = {f"{kernel}-{expansion}": token for token, (kernel, expansion) in enumerate(SETTINGS)}
    layers = [layer.partition("-") for layer in architecture.split("_")]
    tokens = np.array([SKIP if depth == "0" and rest == "0-0" else names.get(rest, -1) for depth, _, rest in layers])
    good = len(layers) == _NODES and (tokens >= 0).all()
    if good:
        depths = _depths(tokens[None])[0].repeat(MOST_LAYERS)
        good = np.array_equal(tokens != SKIP, _present(_depths(tokens[None])[0])) and depths.min() >= min(DEPTHS)
        good &= all(
            token == SKIP or depth == str(expected)
            for token, (depth, _, _), expected in zip(tokens, layers, depths, strict=True)
        )
    if not good:
        raise InputError(
            f"row {row}: {quoted(architecture)} is not a network of mobilenet_v3; expected 20 layers of "
            f"depth-kernel-expansion joined by '_', as '2-3-6_2-5-4_0-0-0_0-0-0' for a stage of depth 2"
        )
    return tokens


def _listed(value: Any) -> list[int]:
    """A list of whole numbers from one number or several; empty where it is anything else."""
    try:
        array = np.atleast_1d(whole_numbers(value, "settings"))
    except InputError:
        return []
    return array.tolist() if array.ndim == 1 else []
