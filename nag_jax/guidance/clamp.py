"""Clamping: what a generator of a whole space believes and samples, where some choices are made already."""

import jax
import jax.numpy as jnp

from nag_jax.generators.contract import Beliefs, Generator, Sampler
from nag_jax.guidance.guide import Guide, chain, stateless
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.restricted import Restricted
from nag_jax.system.once import once

_LEAST = -1e3
"""Beliefs in a class that is left, at least: a generator may rule out the only one."""


def clamp(space: Restricted) -> Guide:
    """Rules out the classes that nodes of a part of a space don't take, and weights the others as the part does.

    Node by node, so what a choice means for the others shows only as samples take shape; `refine` makes it exact.

    Args:
        space: the part.
    """
    return stateless(lambda beliefs, *, keys, args: _clamped(space, beliefs))


@once
def clamped(generator: Generator, space: NodeSpace) -> Generator:
    """The generator of a whole space as one of a part of it; the generator itself where the space is none.

    Args:
        generator: samples the whole space.
        space: the space of the architectures that are wanted.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.contract import sample
        >>> from nag_jax.generators.exact import ClosedForm, exact
        >>> from nag_jax.generators.gaussian import kernels, sde
        >>> from nag_jax.system.keys import sample_keys
        >>> model = ClosedForm(spaces.make("nasbench201"), sde.make("ve"))
        >>> part = spaces.restrict(model.space, fixed={"0-1": "none"})
        >>> generator = clamped(exact(model, [kernels.make("ancestral", model.sde)]), part)
        >>> samples = sample(generator, {}, sample_keys(jax.random.key(0), 8), num_steps=10)
        >>> [model.space.class_names[token] for token in set(samples.tokens[:, 1].tolist())]
        ['none']
    """
    if not isinstance(space, Restricted):
        return generator
    first = clamp(space)

    def believe(params, keys, tokens, progress=None):
        return _clamped(space, generator.believe(params, keys, tokens, progress))

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        both = first if guide is None else chain(first, guide)
        inner = generator.sampler(params, num_steps=num_steps, guide=both, args=args, start=start)

        def finish(carry):
            samples = inner.finish(carry)
            inside = space.contains(samples.tokens)
            return samples._replace(valid=samples.valid & inside, sharp=samples.sharp & inside)

        return Sampler(inner.init, inner.advance, finish)

    return generator._replace(believe=believe, sampler=sampler)


def _clamped(space: Restricted, beliefs: Beliefs) -> Beliefs:
    weighted = jnp.maximum(beliefs.logits, _LEAST) + space.log_weights[None]
    left = jnp.where(jnp.asarray(space.allowed)[None], weighted, -jnp.inf)
    return beliefs._replace(logits=jax.nn.log_softmax(left, axis=-1))
