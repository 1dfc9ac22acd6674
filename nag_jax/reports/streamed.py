"""The report of a stream, beside its samples: results.json and report.html."""

from typing import Any

from nag_jax.reports import facts
from nag_jax.reports.page import page
from nag_jax.tasks.stream import Streamed


def write(outcome: Streamed) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    run = outcome.run
    with run.workdir.ledger(run.evaluator) as ledger:
        results = {
            "objective": facts.of_objective(run),
            **outcome.counts,
            "files": outcome.files,
            "samples_per_second": outcome.rate,
            **facts.of_run(run, ledger),
        }
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    return results
