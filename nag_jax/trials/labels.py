"""The labels of a ledger as strategies learn from them: trials of full fidelity, read as they come."""

from nag_jax.trials.ledger import Ledger
from nag_jax.trials.trial import Trial


class Labels:
    """The trials of full fidelity in a ledger, read as they come.

    Args:
        ledger: the ledger, to which others may add.

    Example:
        >>> from nag_jax import evaluators
        >>> with Ledger.open(None, evaluators.make("analog_nasbench")) as ledger:
        ...     Labels(ledger).read()
        []
    """

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._last = 0
        self._trials: list[Trial] = []

    def read(self) -> list[Trial]:
        """All of them in the order of payment, which nobody must change."""
        new = self._ledger.trials(after=self._last)
        if new:
            self._last = new[-1].id
            self._trials = [*self._trials, *(trial for trial in new if trial.is_full)]
        return self._trials
