"""The contract of generators: what learns a space and samples it, whatever its family."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from nag_jax.spaces.capabilities import TokenSpace


class Beliefs(NamedTuple):
    """What a generator believes of the clean architectures while it samples.

    Attributes:
        logits: log-probabilities of the classes of every node `[B, N, V]`; minus infinity for what it rules out.
        progress: how far each sample is `[B]`, from 0, where nothing is decided, to 1, where all is.

    Example:
        >>> import jax.numpy as jnp
        >>> beliefs = Beliefs(jnp.zeros((1, 1, 2)), jnp.array([0.5]))
        >>> beliefs.estimate().tolist()
        [[[0.0, 0.0]]]
    """

    logits: Array
    progress: Array

    def probabilities(self) -> Array:
        """Class probabilities `[B, N, V]`."""
        return jax.nn.softmax(self.logits, axis=-1)

    def estimate(self) -> Array:
        """The expected architecture x `[B, N, V]`, in the scale of `TokenSpace.encode`."""
        return 2.0 * self.probabilities() - 1.0


class Start(NamedTuple):
    """Where samples begin: at architectures that are as decided as `progress` says (SDEdit, Meng et al., ICLR 2022).

    Attributes:
        tokens: int32 `[B, N]`.
        progress: `[B]`; a sample at 0 begins from nothing, whatever its tokens are.
    """

    tokens: Array
    progress: Array


class Samples(NamedTuple):
    """What was sampled, read as architectures.

    Attributes:
        tokens: int32 `[n, N]`, each node's most likely class.
        valid: bool `[n]`, whether they are an architecture of the space; the tokens of others need not be allowed.
        sharp: bool `[n]`, whether they are one by the published rule too, which cuts at one half.
    """

    tokens: Any
    valid: Any
    sharp: Any


class Sampler(NamedTuple):
    """Sampling in three pure functions, so that long runs can show progress between compiled pieces.

    Attributes:
        init: keys `[B]` -> carry.
        advance: (carry, n) -> carry after n more steps; n is static.
        finish: carry -> `Samples`.
    """

    init: Callable
    advance: Callable
    finish: Callable


class Generator(NamedTuple):
    """Learns the architectures of a space, and samples them. All functions are pure and jittable.

    Attributes:
        init: key -> params.
        loss: (params, key, tokens `[B, N]`) -> the training loss, a scalar. A family that learns for data sets is given
            their embeddings `[B, D]` as well.
        believe: (params, keys `[B]`, tokens `[B, N]`, progress `[B]`) -> the `Beliefs` at that progress of samples
            that become these architectures. Where progress is None, which is the default, it is drawn as in
            training.
        sampler: (params, *, num_steps, guide, args, start) -> `Sampler`. The guide is a `guidance.Guide` or None, args
            what it is given, start a `Start` or None.
        coupled: whether a sample depends on the others of its batch, so that batches must not be cut or padded.
        description: what a checkpoint of the parameters must agree with, by name.
        learns: whether parameters are to be fitted; otherwise those of `init` are all there are.
    """

    init: Callable[[Array], Any]
    loss: Callable[..., Array]
    believe: Callable[..., Beliefs]
    sampler: Callable[..., Sampler]
    coupled: bool = False
    description: Any = ()
    learns: bool = True


def read(space: TokenSpace, x: Array) -> Samples:
    """Reads relaxed one-hot rows x `[B, N, V]`, in the scale of `TokenSpace.encode`, as architectures. Jittable."""
    tokens, sharp = space.decode(x, rule="threshold")
    return Samples(tokens, space.contains(tokens), sharp)


def all_valid(tokens: Any) -> Samples:
    """Architectures of the space, tokens `[n, N]`, as samples, to be set beside a generator's."""
    yes = np.ones(len(tokens), bool)
    return Samples(np.asarray(tokens), yes, yes)


def sample(
    generator: Generator,
    params: Any,
    keys: Array,
    *,
    num_steps: int,
    guide: Any = None,
    args: Any = None,
    start: Start | None = None,
) -> Samples:
    """Draws one architecture per key; a pure function, to be jitted with everything closed over.

    Unless samples are coupled, sample b depends on `keys[b]` alone.
    """
    sampler = generator.sampler(params, num_steps=num_steps, guide=guide, args=args, start=start)
    return sampler.finish(sampler.advance(sampler.init(keys), num_steps))
