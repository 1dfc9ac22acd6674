"""The study: a search that is asked and told, and that has a page."""

from pathlib import Path

from nag_jax.tasks.asked import Asked


class Study(Asked):
    """What `nag_jax.study` opens.

    Example:
        >>> from nag_jax import study
        >>> mine = study("nasbench_graph", objectives={"accuracy": "max"}, strategy="random_search", initial=2)
        >>> for trial in mine.ask(3):
        ...     _ = mine.tell(trial, {"accuracy": float(trial.architecture.count("gcn"))})
        >>> len(mine.trials), mine.best.values["accuracy"] == max(t.values["accuracy"] for t in mine.trials)
        (3, True)
    """

    def report(self, path: str | Path) -> Path:
        """Writes a page of the study, one HTML file that needs nothing else; returns its path."""
        from nag_jax.reports.page import studied  # here, for figures take a second to import

        title = f"{self.strategy} on {self.space.name}"
        return studied.write(
            Path(path),
            title,
            self.objectives,
            self.ledger.metrics,
            self.trials,
            self.pending,
            self.best,
            self.front(),
        )
