"""The class tilt: guidance by the slope of a value at the expected architecture."""

import jax

from nag_jax.guidance.guide import Guide, ValueFn, stateless


def class_tilt(*, value_fn: ValueFn) -> Guide:
    """Tilts every node's class probabilities by the value's derivative there.

    With p the probabilities and g the derivative of the value in the one-hot entries, `p' ~ p exp(scale g)`, the scale
    being `args["scale"]`: the exact posterior for a value that is linear in the architecture and nodes that are
    independent. The expected architecture stays within the simplex however large the scale.

    Args:
        value_fn: must not couple samples: the gradient of its sum is taken.
    """

    def bend(beliefs, *, keys, args):
        def total(x):
            return value_fn(x, beliefs.progress, args).sum()

        # x runs from -1 to 1 where probabilities run from 0 to 1, so a slope there is twice as steep.
        slope = 2.0 * jax.grad(total)(beliefs.estimate())
        return beliefs._replace(logits=jax.nn.log_softmax(beliefs.logits + args["scale"] * slope, axis=-1))

    return stateless(bend)
