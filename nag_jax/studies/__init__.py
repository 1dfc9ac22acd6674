"""Studies: a space, its objectives, a ledger and a strategy, to be asked and told by anyone, from anywhere."""

from nag_jax.studies.make import study
from nag_jax.studies.study import Study
from nag_jax.tasks.proposal import Proposal

__all__ = ["Proposal", "Study", "study"]
