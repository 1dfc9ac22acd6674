"""The prior of a search, learned from other data sets before the first label."""

from typing import NamedTuple

import numpy as np

from nag_jax.strategies.surrogates.gaussian_process import PriorFn
from nag_jax.system.keys import stream_key
from nag_jax.tasks import transfer
from nag_jax.tasks.generate import ranked
from nag_jax.tasks.learn import Run, learn, make_sampler


class Prior(NamedTuple):
    """What transfer knows before the first label.

    Attributes:
        value: the prior of relaxed architectures, `[B, 1 + K]`; see `transfer.prior_of` and
            `surrogates.gaussian_process`.
        designs: the generated architectures of each seed in the order that the prior ranks them, tokens `[m, N]`.
    """

    value: PriorFn
    designs: dict[int, np.ndarray]


def learn_prior(source: Run, seeds: range) -> Prior:
    """Learns the prior in the run that it is learned in, and generates the designs of the seeds."""
    assert source.transfer is not None, "a source of priors learns from triples"
    learned = learn(source)
    sampler = make_sampler(source, guided=True)
    designs = {}
    with source.phases("generated designs", "seed") as progress:
        for done, seed in enumerate(seeds):
            key = stream_key(seed, "transfer")
            samples = sampler(key, source.config.num_samples, learned.score_params, learned.guidance)
            designs[seed] = ranked(source, samples, learned)
            progress(done + 1, len(seeds))
    return Prior(transfer.prior_of(source, source.transfer, learned.guidance["params"]), designs)
