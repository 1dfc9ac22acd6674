"""Studies: a space, its objectives, a ledger and a strategy, to be asked and told by anyone, from anywhere."""

from nag_jax.studies.make import study
from nag_jax.studies.proposal import Proposal
from nag_jax.studies.study import Study

__all__ = ["Proposal", "Study", "study"]
