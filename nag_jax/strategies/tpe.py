"""Tree-structured Parzen estimators, as Optuna has them: a peer from outside (Bergstra et al., NeurIPS 2011)."""

import warnings
from typing import Any

import jax
import numpy as np

from nag_jax.strategies.base import Domain, Strategy, one_by_one, remember
from nag_jax.system.extras import check_installed

_MOST_ASKS = 64


def tpe(domain: Domain, *, multivariate: bool = True, startup: int = 10) -> Strategy:
    """Optuna's TPE sampler on one categorical parameter a node.

    A study is rebuilt from the history at every proposal, so the state stays the history. Proposals that are labelled
    are drawn again, and mutated after 64 draws. The members of a batch and what is pending are kept from being proposed
    again, and don't bear on the model.

    Args:
        domain: what may be proposed.
        multivariate: whether nodes are modelled jointly.
        startup: random trials before the model is used.

    Raises:
        InputError: Optuna isn't installed.
    """
    optuna = _optuna()
    space = domain.space
    choices = {
        f"node_{node}": optuna.distributions.CategoricalDistribution([int(c) for c in np.nonzero(row)[0]])
        for node, row in enumerate(space.allowed)
    }

    def study(key, history):
        seed = int(jax.random.bits(key, dtype="uint32"))
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate, n_startup_trials=startup)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for row, value in zip(history.tokens, history.utilities, strict=True):
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: int(c) for name, c in zip(choices, row, strict=True)},
                    distributions=choices,
                    state=optuna.trial.TrialState.COMPLETE if np.isfinite(value) else optuna.trial.TrialState.FAIL,
                    value=float(value) if np.isfinite(value) else None,
                )
            )
        return study

    def propose(key, history, taken):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental features
            asked = study(key, history)
            for _ in range(_MOST_ASKS):
                row = np.array([list(asked.ask(choices).params.values())], np.int32)
                found = domain.new(row, taken)
                if len(found):
                    return found
        return domain.descendant(key, row[0], taken)

    return Strategy(ask=one_by_one(domain, propose), **remember(domain))


def _optuna() -> Any:
    check_installed("optuna", extra="tpe", needed_by="strategy 'tpe'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
