"""Opening a service: the study of the first strategy and seed of a search's settings, in its workdir."""

from collections.abc import Iterator
from contextlib import contextmanager

from nag_jax.settings import Search, Settings
from nag_jax.studies.make import open_study
from nag_jax.studies.service import Service
from nag_jax.system.errors import InputError
from nag_jax.tasks import build
from nag_jax.tasks import search as searching
from nag_jax.tasks.setting import Given
from nag_jax.tasks.workdir import Workdir


@contextmanager
def open_service(config: Settings, workdir: Workdir) -> Iterator[Service]:
    """The service of a search, on the ledger that the search itself would have in that workdir.

    Args:
        config: the settings of the search.
        workdir: its folder, which is claimed.

    Raises:
        InputError: something in the settings or the folder is wrong, or they are no search's.
    """
    if not isinstance(config, Search):
        raise InputError("a service needs the config of a search: use one as configs/nb201_search.py")
    space = build.make_space(config)
    run = searching.check(config, workdir, Given(space, build.make_evaluator(config, space), quiet=True))
    run.claim()
    name, seed = config.run[0], config.seed
    path = workdir.path / run.ledger_name(name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_study(run, run.objectives, name, seed, path) as study:
        yield Service(run, study)
