import pytest

from nag_jax import api
from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.system.errors import InputError
from nag_jax.tasks import fit


def test_a_batch_that_does_not_fill_the_devices_is_refused_where_something_is_trained(nb201, tmp_path, monkeypatch):
    tiny = {"batch_size": 3, "num_steps": 5, "folder": tmp_path / "score", "progress": False}
    with pytest.raises(InputError, match="multiple of the 8 devices"):
        api.fit(nb201, **tiny)
    monkeypatch.setattr(Checkpoints, "latest_step", lambda checkpoints: 5)
    monkeypatch.setattr(fit, "fit_generator", lambda *args, **options: "what is trained already")
    assert api.fit(nb201, **tiny).params == "what is trained already"
