"""Trials: every label that was paid for, what it cost and whence it came, in a ledger."""

from nag_jax.trials.importing import import_labels
from nag_jax.trials.labels import Labels
from nag_jax.trials.ledger import Ledger
from nag_jax.trials.opening import read_trials
from nag_jax.trials.trial import EVALUATOR, FULL, Trial

__all__ = ["EVALUATOR", "FULL", "Labels", "Ledger", "Trial", "import_labels", "read_trials"]
