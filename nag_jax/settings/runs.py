"""Settings of whole runs: generation, a search, transfer, which may do both, and training."""

import dataclasses
from collections.abc import Mapping

from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.front import Aims, Measure
from nag_jax.settings.names import MODES
from nag_jax.settings.predictor import Labels, Predictor
from nag_jax.settings.sampler import Guidance, Sampler, Stream
from nag_jax.settings.score import Generator, Process, Score
from nag_jax.settings.search import STRATEGIES, AnyStrategy, Executor, Loop
from nag_jax.settings.space import Choices, MobileNetSpace, NASBench101Space, Space, VisionTransformerSpace
from nag_jax.settings.train import Cells, Examples, Halving, Trained
from nag_jax.settings.transfer import GraphDataset, GraphTriples, ImageDataset, Meta, Triples
from nag_jax.settings.utility import Utility
from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, SEED, option, to_dict, with_default
from nag_jax.training.recipe import Recipe

_COMPLETE = tuple(name for name in STRATEGIES if name not in ("tpe", "llm"))
"""The strategies that need no further package, and no command of the user's."""

# The surrogate starts from the meta-predictor, which also ranks what is generated to be labelled first.
_WITH_PRIOR: Mapping[str, AnyStrategy] = {
    "bo_nag": dataclasses.replace(STRATEGIES["bo_nag"], prior=True, initial=2),
    "bo_nag_scratch": STRATEGIES["bo_nag"],
    "bo_random_and_mutation": dataclasses.replace(STRATEGIES["bo_random_and_mutation"], prior=True, initial=2),
    "random_search": STRATEGIES["random_search"],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What all runs have.

    Example:
        >>> Settings(seed=1).space.name
        'nasbench201'
    """

    name: str = option("run", "The name of the run, and of its folder under runs/.")
    mode: str = option(
        "generate",
        "What is done: generate and pay for the best, search, stream as many samples as you like into files, or train.",
        MODES,
    )
    seed: int = option(0, "The seed of all randomness; the first of a search.", SEED)
    space: Space | MobileNetSpace | NASBench101Space | VisionTransformerSpace = Space()
    choices: Choices = Choices()
    evaluator: Evaluator | Trained = Evaluator()
    objectives: tuple[str, ...] = option(
        (), "The metrics that count, in order; empty is the evaluator's one. Several need a `utility`."
    )
    utility: Utility = Utility()
    constraints: str | None = option(
        None, "Budgets of costs, joined by `;`, as `macs <= 300e6; params <= 5e6`; empty for none."
    )
    generator: Generator = Generator()
    sde: Process = Process()
    score: Score = Score()
    sampler: Sampler = Sampler()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate(Settings):
    """Generation, into a pool or a stream of files.

    Example:
        >>> Generate(labels=Labels(training=50)).labels.final
        10
    """

    num_samples: int = option(1000, "The number of architectures of a pool, or of the stream.", COUNT)
    labels: Labels = Labels()
    predictor: Predictor = Predictor()
    guidance: Guidance = Guidance()
    stream: Stream = Stream()

    def check_together(self, path: str) -> None:
        """Raises InputError where more is to be labelled than is generated."""
        if self.labels.final > self.num_samples:
            final, most = f"{path}.labels.final, {self.labels.final}", f"{path}.num_samples, {self.num_samples}"
            raise InputError(f"{final}, is more than {most}: lower it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Front(Settings):
    """Generation of a pool that covers the front of several objectives.

    Example:
        >>> Front(objectives=("accuracy", "params")).labels.training
        200
    """

    mode: str = with_default(Settings, "mode", "front")
    num_samples: int = with_default(Generate, "num_samples", 1000)
    labels: Labels = Labels()
    measure: Measure = Measure()
    aims: Aims = Aims()

    def check_together(self, path: str) -> None:
        """Raises InputError where there is but one objective, or more is to be labelled than is generated."""
        if len(self.objectives) < 2:
            raise InputError(f"{path}.objectives of a front must be two or more, found {self.objectives!r}: name them")
        if self.labels.final > self.num_samples:
            final, most = f"{path}.labels.final, {self.labels.final}", f"{path}.num_samples, {self.num_samples}"
            raise InputError(f"{final}, is more than {most}: lower it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Searching:
    """What a search has beside what all runs have."""

    seeds: int = option(
        10, "The number of seeds of every strategy, each with its own ledger; it may grow in a workdir.", COUNT
    )
    search: Loop = Loop()
    executor: Executor = Executor()
    strategies: Mapping[str, AnyStrategy] = dataclasses.field(default_factory=lambda: STRATEGIES)
    run: tuple[str, ...] = option(
        _COMPLETE, "The names of the strategies that run; the first is tested against the others."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search(_Searching, Settings):
    """A search.

    Example:
        >>> Search(seeds=3).strategies["bo_nag"].name
        'bo_nag'
    """

    mode: str = with_default(Settings, "mode", "search")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transfer(_Searching, Generate):
    """Generation whose predictor comes from other data sets, and the search that goes on from there.

    Example:
        >>> Transfer().labels.training, Transfer().run
        (0, ('bo_nag', 'bo_nag_scratch'))
    """

    labels: Labels = Labels(training=0)
    strategies: Mapping[str, AnyStrategy] = dataclasses.field(default_factory=lambda: _WITH_PRIOR)
    run: tuple[str, ...] = with_default(_Searching, "run", ("bo_nag", "bo_nag_scratch"))
    meta: Meta = Meta()
    triples: Triples | GraphTriples = Triples()
    dataset: ImageDataset | GraphDataset = ImageDataset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train(Settings):
    """Training what is generated, from a data set to a trained network.

    Example:
        >>> Train().dataset.name, Train().generator.name
        ('digits', 'exact')
    """

    mode: str = with_default(Settings, "mode", "train")
    evaluator: Evaluator | Trained = Trained()
    generator: Generator = Generator(name="exact")
    dataset: Examples = Examples()
    network: Cells | None = None
    training: Recipe = Recipe()
    halving: Halving = Halving()

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the networks, as the space's `any_network` takes them; none where the space has them all."""
        return {} if self.network is None else to_dict(self.network)

    def check_together(self, path: str) -> None:
        """Raises InputError where the first stage of successive halving is longer than a full training."""
        self.halving.check_against(f"{path}.halving", self.training.epochs)
