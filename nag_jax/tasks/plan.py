"""Plans: what a run would do and cost, found out without doing it."""

import dataclasses

from nag_jax.evaluators import Metric
from nag_jax.settings import Search
from nag_jax.tasks.measure import Work
from nag_jax.tasks.setting import Setting


@dataclasses.dataclass
class Plan:
    """What a run would do.

    Attributes:
        setting: the run, checked.
        samples: what is generated, to how many.
        work: the phases that take time.
        labels: purpose to the labels that a finished run has paid for, and those paid already.
        metric: the objective; None where there is none.
        strategies: and seeds of a search, in words.
        done: what an earlier run has done, beside `work` and `labels`, in words.
        notes: what the estimate of time leaves out.
    """

    setting: Setting
    samples: dict[str, int]
    work: list[Work]
    labels: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    metric: Metric | None = None
    strategies: str = ""
    done: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def to_pay(self) -> int:
        """How many labels are left to pay for."""
        return sum(max(0, wanted - paid) for wanted, paid in self.labels.values())

    @property
    def seconds(self) -> float:
        """What is left of the phases that could be measured, without compiling."""
        return sum(work.left * (work.seconds or 0.0) for work in self.work)


def words_of_seeds(config: Search) -> str:
    """The seeds of every strategy, in words.

    Example:
        >>> words_of_seeds(Search(seed=2, seeds=3))
        'seeds 2 to 4'
    """
    first, last = config.seed, config.seed + config.seeds - 1
    return f"seed {first}" if first == last else f"seeds {first} to {last}"
