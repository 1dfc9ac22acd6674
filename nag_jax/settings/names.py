"""The names that fields of settings may be, of registries and constants elsewhere.

Each is looked up when it is asked for: a config is made of settings, and a misspelt flag is told before JAX is loaded.
"""

from collections.abc import Collection

from nag_jax.system.fields import Names


def _spaces() -> Collection[str]:
    from nag_jax.spaces import REGISTRY

    return sorted(REGISTRY)


def _evaluators() -> Collection[str]:
    from nag_jax.evaluators import REGISTRY

    return sorted(REGISTRY)


def _data_sets() -> Collection[str]:
    from nag_jax.datasets.examples import REGISTRY

    return sorted(REGISTRY)


def _utilities() -> Collection[str]:
    from nag_jax.objectives.utility import REGISTRY

    return sorted(REGISTRY)


def _generators() -> Collection[str]:
    from nag_jax.generators import FAMILIES

    return FAMILIES


def _processes() -> Collection[str]:
    from nag_jax.generators.gaussian.sde import REGISTRY

    return sorted(REGISTRY)


def _kernels() -> Collection[str]:
    from nag_jax.generators.gaussian.kernels import REGISTRY

    return sorted(REGISTRY)


def _guidance() -> Collection[str]:
    from nag_jax.generators.gaussian import score_guides
    from nag_jax.guidance import REGISTRY

    return sorted({*REGISTRY, *score_guides.REGISTRY})


def _predictors() -> Collection[str]:
    from nag_jax.predictors import REGISTRY

    return sorted(REGISTRY)


def _strategies() -> Collection[str]:
    from nag_jax.strategies import REGISTRY

    return sorted(REGISTRY)


def _proposers() -> Collection[str]:
    return ("", *_strategies())


def _executors() -> Collection[str]:
    from nag_jax.trials.executors import REGISTRY

    return ("", *sorted(REGISTRY))


def _surrogates() -> Collection[str]:
    from nag_jax.strategies.surrogates import REGISTRY

    return sorted(REGISTRY)


def _acquisitions() -> Collection[str]:
    from nag_jax.strategies.acquisitions import REGISTRY

    return sorted(REGISTRY)


def _maximizers() -> Collection[str]:
    from nag_jax.strategies.maximizers import REGISTRY

    return sorted(REGISTRY)


def _attention() -> Collection[str]:
    from nag_jax.networks.layers import ATTENTION

    return list(ATTENTION)


def _dtypes() -> Collection[str]:
    from nag_jax.networks.score_network import DTYPES

    return DTYPES


def _parametrizations() -> Collection[str]:
    from nag_jax.generators.gaussian.score_model import PARAMETRIZATIONS

    return PARAMETRIZATIONS


def _normalizations() -> Collection[str]:
    from nag_jax.predictors.labels import NORMALIZATIONS

    return NORMALIZATIONS


MODES = Names(lambda: ("front", "generate", "search", "stream", "train"), open=True, own=True)
SPACES, EVALUATORS = Names(_spaces, open=True, own=True), Names(_evaluators, open=True, own=True)
DATA_SETS = Names(_data_sets)
UTILITIES = Names(_utilities, open=True, own=True)
GENERATORS = Names(_generators, own=True)
PROCESSES, KERNELS = Names(_processes, open=True), Names(_kernels, open=True)
GUIDANCE, PREDICTORS = Names(_guidance, open=True, own=True), Names(_predictors, open=True, own=True)
STRATEGY_NAMES = Names(_strategies, open=True, own=True)
PROPOSERS = Names(_proposers, own=True)
EXECUTORS = Names(_executors, own=True)
SURROGATES, ACQUISITIONS = Names(_surrogates, open=True), Names(_acquisitions, open=True)
MAXIMIZERS = Names(_maximizers, open=True)
ATTENTION, DTYPES = Names(_attention), Names(_dtypes)
PARAMETRIZATIONS, NORMALIZATIONS = Names(_parametrizations), Names(_normalizations)
DIRECTIONS = Names(lambda: ("max", "min"), open=True)
SPLITS = Names(lambda: ("train", "validation", "test", "none"), open=True)
