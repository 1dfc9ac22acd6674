r"""The masked generator: it learns to fill in what is missing of an architecture, and so completes an empty one.

Masked, or absorbing, diffusion (Austin et al., NeurIPS 2021; Sahoo et al., NeurIPS 2024). A network is shown the
classes of some nodes, and says of each other one which class it has. Its loss, the mean cross-entropy of the hidden
nodes where any number of them is hidden equally often, bounds the negative log-likelihood in any order:

.. math:: E_m \, E_{hidden, |hidden| = m} \; -\frac{1}{m} \sum_{n \in hidden} \log p(token_n | shown)

Samples begin hidden, and nodes are revealed in random order. One at a time, which takes as many steps as a space has
open nodes, this is exact given the network; several at once are drawn as if they were independent. A rule needs no
closed form: what the shown nodes rule out, the network has never seen, and the last one is held to the rule itself.
Nodes of a part of a space that are left one class are shown from the start.

Where architectures come with the data sets that they are good on, the network is shown the embedding of one beside, or
now and then of none. Samples for a data set take the log-odds of both, and go beyond them by a scale s (classifier-free
guidance, Ho and Salimans, 2022): `none + s (with - none)`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.generators.contract import Beliefs, Generator, Sampler, Samples
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.spaces import NodeSpace, whole
from nag_jax.spaces.asked import NEVER
from nag_jax.system.errors import InputError
from nag_jax.system.keys import fold_in, sample_keys, uniform
from nag_jax.system.once import once

_LEAST = 1e-20


class _Carry(NamedTuple):
    keys: Array
    step: Array
    tokens: Array
    order: Array
    shown: Array
    guide_state: Any


class Condition(NamedTuple):
    """The data set that is sampled for, by a network that learns from several.

    Attributes:
        context: the embedding of the data set, D numbers.
        dropout: the share of architectures that are learned without their data set.
        scale: how much the data set counts: 0 not at all, 1 as much as was learned, more exaggerates it.
    """

    context: tuple[float, ...]
    dropout: float
    scale: float


@once
def masked(space: NodeSpace, network: Mapping[str, Any], condition: Condition | None = None) -> Generator:
    """The generator that fills in hidden nodes.

    Args:
        space: the space of the architectures that are sampled, which may be part of the one that is learned.
        network: fields of `GraphTransformer`.
        condition: the data set that is sampled for; None where architectures are learned without data sets.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.contract import sample
        >>> part = spaces.restrict(spaces.make("nasbench201"), fixed={"0-1": "none"})
        >>> generator = masked(part, {"width": 8, "num_blocks": 1})
        >>> params = generator.init(jax.random.key(0))
        >>> samples = sample(generator, params, sample_keys(jax.random.key(1), 4), num_steps=5)
        >>> bool(samples.valid.all()), [part.class_names[token] for token in set(samples.tokens[:, 1].tolist())]
        (True, ['none'])
    """
    model, learned = _Model(space, network, condition), _Model(whole(space), network, condition)

    def believe(params, keys, tokens, progress=None):
        progress = uniform(fold_in(keys, 1)) if progress is None else progress
        return model.beliefs(params, tokens, model.shown(_order(keys, space.width), progress))

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        if num_steps < 1:
            raise InputError(f"num_steps must be at least 1, found {num_steps}")

        def init(keys):
            order = _order(fold_in(keys, num_steps), space.width)
            tokens = jnp.broadcast_to(model.only, (len(keys), space.width)) if start is None else start.tokens
            tokens = jnp.where(model.is_open[None], tokens, model.only[None])
            progress = jnp.zeros(len(keys), jnp.float32) if start is None else start.progress
            blank = Beliefs(jnp.zeros((len(keys), *space.allowed.shape), jnp.float32), progress)
            state = () if guide is None else guide.init(blank)
            return _Carry(keys, jnp.zeros((), jnp.int32), tokens, order, model.shown(order, progress), state)

        def reveal(carry):
            keys = fold_in(carry.keys, carry.step)
            beliefs, state = model.beliefs(params, carry.tokens, carry.shown), carry.guide_state
            if guide is not None:
                beliefs, state = guide.update(beliefs, state, keys=fold_in(keys, 1), args=args)
            logits = model.ruled(beliefs.logits, carry.tokens, carry.shown)
            drawn = jax.vmap(jax.random.categorical)(fold_in(keys, 0), logits).astype(jnp.int32)
            now = model.shown(carry.order, jnp.full(len(keys), (carry.step + 1) / num_steps, jnp.float32))
            tokens = jnp.where(now & ~carry.shown, drawn, carry.tokens)
            return carry._replace(tokens=tokens, shown=now | carry.shown, guide_state=state)

        def step(carry, _):
            # With more steps than nodes some reveal none, and needn't ask the network.
            before, after = (model.count((carry.step + i).astype(jnp.float32) / num_steps) for i in range(2))
            return jax.lax.cond(after > before, reveal, lambda carry: carry, carry)._replace(step=carry.step + 1), None

        def finish(carry):
            valid = space.contains(carry.tokens)
            return Samples(carry.tokens, valid, valid)

        return Sampler(init, lambda carry, n: jax.lax.scan(step, carry, length=n)[0], finish)

    return Generator(learned.init, learned.loss, believe, sampler, description=learned.description)


class _Model:
    """The network, and what it says of nodes."""

    def __init__(self, space: NodeSpace, network: Mapping[str, Any], condition: Condition | None):
        self._space, self._condition = space, condition
        self._size = 0 if condition is None else 1 + len(condition.context)
        self._network = GraphTransformer(
            adjacency=tuple(map(tuple, space.adjacency.tolist())),
            num_classes=space.num_classes,
            coordinates=tuple(map(tuple, space.coordinates.tolist())),
            **network,
        )
        self.is_open = space.allowed.sum(axis=1) > 1
        self.only = jnp.asarray(space.allowed.argmax(axis=1), jnp.int32)
        """The class of nodes that have one only."""

    @property
    def description(self) -> tuple[tuple[str, Any], ...]:
        """What a checkpoint of the parameters must agree with."""
        without = ("parent", "name", "adjacency", "coordinates", "dropout", "dtype")
        fields = [field.name for field in dataclasses.fields(self._network) if field.name not in without]
        network = {f"network.{name}": getattr(self._network, name) for name in fields}
        space = {"space": self._space.fingerprint, "nodes": self._space.width, "family": "masked"}
        contexts = {"context": self._size - 1} if self._size else {}
        return tuple((space | contexts | network).items())

    def init(self, key) -> Any:
        """Fresh parameters."""
        n, v = self._space.allowed.shape
        x = jnp.zeros((1, n, v + 1 + self._size), jnp.float32)
        return self._network.init(key, x, jnp.zeros(1, jnp.float32))

    def count(self, progress) -> Array:
        """How many open nodes are shown at a progress from 0 to 1."""
        # The least float32 above a whole number of nodes counts them; rounding leaves it below now and then.
        return jnp.floor(progress * self.is_open.sum() + 1e-4).astype(jnp.int32)

    def shown(self, order, progress) -> Array:
        """Bool `[B, N]`: which nodes are shown at progress `[B]`: the first by an order `[B, N]`, and all not open."""
        place = jnp.where(self.is_open[None], order, jnp.float32(jnp.inf))
        rank = jnp.argsort(jnp.argsort(place, axis=1), axis=1)
        return (rank < self.count(progress)[:, None]) | ~self.is_open[None]

    def _odds(self, params, tokens, shown, contexts, key=None) -> Array:
        """What the network says of all nodes `[B, N, V]`, given those that are shown and contexts `[B, 0 or 1 + D]`."""
        entries = jnp.where(shown[..., None], self._space.encode(tokens), 0.0)
        around = jnp.broadcast_to(contexts[:, None], (*shown.shape, contexts.shape[-1]))
        x = jnp.concatenate([entries, (~shown[..., None]).astype(jnp.float32), around], axis=-1)
        hidden = (~shown).mean(axis=-1, dtype=jnp.float32)
        rngs = None if key is None else {"dropout": key}
        odds: Any = self._network.apply(params, x, 100.0 * hidden, deterministic=key is None, rngs=rngs)
        return odds

    def _contexts(self, contexts, told) -> Array:
        """What the network is shown of data sets `[B, D]`, and whether it is, bool `[B]`: `[B, 1 + D]`."""
        return jnp.concatenate([told[:, None], told[:, None] * contexts], axis=-1)

    def _guided(self, params, tokens, shown) -> Array:
        """The odds of `_odds`, for the data set that is sampled for where there is one."""
        batch = len(tokens)
        if self._condition is None:
            return self._odds(params, tokens, shown, jnp.zeros((batch, 0), jnp.float32))
        contexts = jnp.broadcast_to(jnp.asarray(self._condition.context, jnp.float32)[None], (batch, self._size - 1))
        told = (jnp.full(batch, each, jnp.float32) for each in (0.0, 1.0))
        without, given = (self._odds(params, tokens, shown, self._contexts(contexts, each)) for each in told)
        return without + self._condition.scale * (given - without)

    def _logits(self, odds, tokens, shown) -> Array:
        """Log-odds `[B, N, V]` of the classes of all nodes, of what the network says and what is known without it."""
        return jnp.where(jnp.asarray(self._space.allowed)[None], odds + self._known(tokens, shown), -jnp.inf)

    def _known(self, tokens, shown) -> Array:
        """What is known without the network: the closed form of the space, or the weights of a part of a space."""
        if not self._space.has_posterior:
            weights = getattr(self._space, "log_weights", np.zeros(self._space.allowed.shape, np.float32))
            return jnp.asarray(weights)[None]
        given = shown[..., None] & (self._space.encode(tokens) < 0)
        return jnp.log(jnp.maximum(self._space.class_posterior(jnp.where(given, NEVER, 0.0)), _LEAST))

    def beliefs(self, params, tokens, shown) -> Beliefs:
        """The beliefs where some nodes are shown, bool `[B, N]`, of which all is known."""
        chosen = jnp.where(self._space.encode(tokens) > 0, 0.0, -jnp.inf)
        believed = self._logits(self._guided(params, tokens, shown), tokens, shown)
        logits = jnp.where(shown[..., None], chosen, believed)
        progress = (shown & self.is_open[None]).sum(axis=-1) / jnp.float32(max(1, self.is_open.sum()))
        return Beliefs(jax.nn.log_softmax(logits, axis=-1), progress)

    def ruled(self, logits, tokens, shown) -> Array:
        """The same logits, less the classes of the last hidden node that would break the rule of the space."""
        last = jnp.argmax(~shown, axis=-1)
        rows, classes = jnp.arange(len(tokens), dtype=jnp.int32), jnp.arange(logits.shape[-1], dtype=jnp.int32)
        ends = jnp.repeat(tokens[None], len(classes), axis=0).at[:, rows, last].set(classes[:, None])
        good = jax.vmap(self._space.contains)(ends).T
        is_last = ((~shown).sum(axis=-1) == 1) & good.any(axis=-1)
        left = jnp.where(good, logits[rows, last], -jnp.inf)
        # A network that is sure of what can't be leaves all that can.
        left = jnp.where(jnp.isfinite(left).any(axis=-1, keepdims=True), left, jnp.where(good, 0.0, -jnp.inf))
        return jnp.where(is_last[:, None, None], logits.at[rows, last].set(left), logits)

    def loss(self, params, key, tokens, contexts=None) -> Array:
        """Mean cross-entropy of hidden nodes in nats, a scalar; any number of them is hidden equally often.

        Contexts `[B, D]` are the data sets of the architectures, where there are some.
        """
        dropout_key, mask_key = jax.random.split(key)
        keys, count = sample_keys(mask_key, tokens.shape[0]), int(self.is_open.sum())
        # One hidden node to all of them, equally often.
        left = jnp.floor(uniform(fold_in(keys, 1)) * count) / count
        shown = self.shown(_order(keys, self._space.width), left)
        seen = jnp.zeros((len(tokens), 0), jnp.float32)
        if self._condition is not None:
            seen = self._contexts(contexts, (uniform(fold_in(keys, 2)) >= self._condition.dropout).astype(jnp.float32))
        odds = self._odds(params, tokens, shown, seen, dropout_key)
        logs = jax.nn.log_softmax(self._logits(odds, tokens, shown), axis=-1)
        of_truth = jnp.where(self._space.encode(tokens) > 0, logs, 0.0).sum(axis=-1)
        return -(jnp.where(shown, 0.0, of_truth).sum(axis=-1) / (~shown).sum(axis=-1)).mean()


def _order(keys, width: int) -> Array:
    """Random numbers `[B, N]`, by which nodes are put in order."""
    return jax.vmap(lambda key: jax.random.uniform(key, (width,), jnp.float32))(fold_in(keys, 0))
