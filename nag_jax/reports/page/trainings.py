"""The page's story of trainings: what was trained for how long, and how good the best is on the test part."""

from nag_jax.reports.page import forms
from nag_jax.reports.page.finished import Cell, Finished
from nag_jax.reports.page.story import Story, Table, asked_of_any, metric, source, words

_PERCENT = forms.with_unit("%")


def trained(run: Finished) -> Story:
    """A run that trained what it generated."""
    results, kept, data = run.results, run.results["trained"]["kept"], run.results["dataset"]
    about = results["objective"]
    asked = {
        "data set": run.cell("dataset", "name"),
        **{
            f"examples for {part}": run.cell("dataset", "examples", part, form=forms.count) for part in data["examples"]
        },
        "compared by": words(metric(about)),
        "measured by": words(source(about, about["evaluator"])),
        **asked_of_any(run),
        "architectures generated and begun": run.cell("stages", 0, "count", form=forms.count),
        "epochs of a full training": run.cell("config", "training", "epochs", form=forms.count),
        "seed": run.cell("config", "seed"),
    }
    found = {
        "test accuracy of the weights that are kept": run.cell("trained", "kept", "test_accuracy", form=_PERCENT),
        "its 95 % interval": words(f"{forms.number(kept['low'])} to {forms.number(kept['high'])} %"),
        "mean test accuracy of the seeds": run.cell("trained", "test_accuracy_of_seeds", "estimate", form=_PERCENT),
        "parameters": run.cell("trained", "params", form=forms.count),
        "time of training": run.cell("training_seconds", form=forms.seconds),
    }
    return Story(
        f"Generated {results['stages'][0]['count']} architectures, trained them on {data['name']} in "
        f"{len(results['stages'])} stages, and the best with {len(results['trained']['seeds'])} seeds. The test part "
        "was read once, after everything was decided.",
        asked,
        found,
        run.cell("trained", "architecture"),
        [_stages(run), _seeds(run)],
    )


def _stages(run: Finished) -> Table:
    rows = [
        (stage["purpose"], [run.cell("stages", i, name, form=forms.count) for name in ("count", "epochs")])
        for i, stage in enumerate(run.results["stages"])
    ]
    note = "A training goes on from its weights of the stage before."
    return Table("Successive halving", ["stage", "architectures", "epochs of each"], rows, note)


def _seeds(run: Finished) -> Table:
    columns = {
        "training loss": ("training_loss", forms.number),
        "validation": ("validation_accuracy", _PERCENT),
        "test": ("test_accuracy", _PERCENT),
        "time": ("seconds", forms.seconds),
    }

    def cells(i: int) -> list[Cell]:
        return [run.cell("trained", "seeds", i, name, form=form) for name, form in columns.values()]

    rows = [(f"seed {each['seed']}", cells(i)) for i, each in enumerate(run.results["trained"]["seeds"])]
    note = "Best first by what is compared; the weights of the first are kept."
    return Table("Full trainings of the best architecture", ["", *columns], rows, note)
