"""Another number of devices: from one score network, the same architectures."""

import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def test_four_devices_give_the_architectures_of_one(undisturbed, smoke, command_line):
    job, run = smoke(
        f"--config.score.checkpoint={undisturbed.path / 'score'}",
        XLA_FLAGS="--xla_force_host_platform_device_count=4",
    )
    assert command_line.wait(job).status == 0, job.stderr[-3000:]
    assert run.results["devices"]["count"] == 4
    assert not (run.path / "score").exists()
    one, four = undisturbed.listing(), run.listing()
    discrete = ["pool", "arch", "times_generated", "label_baseline"]
    pd.testing.assert_frame_equal(four[discrete], one[discrete], check_exact=True)
    pd.testing.assert_series_equal(four["predicted"], one["predicted"], rtol=1e-3, atol=1e-3)
    assert run.results["best"] == undisturbed.results["best"]
    assert [row[:4] for row in run.trials()] == [row[:4] for row in undisturbed.trials()]
