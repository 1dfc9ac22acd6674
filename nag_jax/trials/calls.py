"""Calls as they travel to the workers of executors."""

import pickle
from typing import Any

from nag_jax.system.errors import InputError, shown


def pickled(call: tuple) -> bytes:
    """A call as a worker elsewhere reads it; by cloudpickle where that is installed, which takes any function along.

    Raises:
        InputError: something in it can't be sent.
    """
    try:
        import cloudpickle as pickler
    except ImportError:
        pickler = pickle
    try:
        return pickler.dumps(call)
    except Exception as error:
        mends = "" if pickler is not pickle else ", or run pip install 'nag-jax[parallel]', which can send more"
        raise InputError(
            f"the evaluator can't be sent to workers ({shown(error)}): define the function in a module{mends}"
        ) from error


def unpickled(call: bytes) -> Any:
    """What comes of a call that `pickled` wrote, on the worker."""
    function, arguments, options = pickle.loads(call)
    return function(*arguments, **options)


def load(call: bytes) -> None:
    """Reads a call without making it, which imports what it needs."""
    pickle.loads(call)
