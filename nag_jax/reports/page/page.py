"""The page itself: one HTML file that needs nothing else, of one run or of several side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from nag_jax.reports.page.drawing import inline
from nag_jax.reports.page.finished import EMPTY, Finished, read
from nag_jax.reports.page.fronts import front
from nag_jax.reports.page.pools import constrained, generated, streamed
from nag_jax.reports.page.story import Rows, Story, cost, environment, phases, settings
from nag_jax.reports.page.strategies import searched
from nag_jax.reports.page.trainings import trained
from nag_jax.system.errors import InputError
from nag_jax.tasks.workdir import Workdir

NAME = "report.html"
MOST_BYTES = 5_000_000
"""Of a page: what a mail still carries and a phone still opens."""
_MOST_DRAWN = 4_000_000
"""Of its drawings together; the rest is text, which takes a twentieth of that for the longest of our runs."""
_STORIES = {
    "constraints": constrained,
    "front": front,
    "generate": generated,
    "search": searched,
    "stream": streamed,
    "train": trained,
}
_BEST = {
    "best_cells": ("The best cells", "Best first, each with its label. Edges in the colours of their operations."),
    "best_networks": ("The best networks", "Best first, each with its label. A bar a layer."),
    "networks": ("Networks within the constraints", "The first of the pool that was generated under the constraints."),
    "best_graphs": ("The best architectures", "Best first, each with its label."),
}
_BEST_OF_OTHERS = "best_"
"""How the name of a figure starts that shows the best architectures of a space which isn't ours."""
_COMPARED = {
    "histograms": (
        "Pools",
        "Distribution over the valid samples of each pool, repeated ones counted as often as they came.",
    ),
    "quality_diversity": (
        "Quality against diversity",
        "Mean value of guided pools against how many of their architectures differ, a point a guidance scale.",
    ),
    "front": ("The front", "Every pair of objectives; the line is what nothing in the table beats in these two."),
    "front_3d": ("The front in space", "The pools, and the front of the table where it is known."),
    "parallel": ("Parallel coordinates", "A line for each architecture that no other of its pool beats."),
    "anytime": ("Reached after how many labels", "Mean over the seeds, with its 95 % bootstrap band."),
    "regret": ("Regret after how many labels", "Distance of the objective from the table's best, mean and 95 % band."),
    "labels_to_optimum": ("Labels to the optimum", "Share of the seeds that had found the table's best."),
    "trade_off": (
        "Trade-off of the two objectives",
        "All that was paid for, and of each strategy what no other of its architectures beats in both.",
    ),
    "hypervolume": (
        "Hypervolume after how many labels",
        "Of both objectives; mean over the seeds, with its 95 % band.",
    ),
}


class Drawing(NamedTuple):
    """A figure of the page; `svg` is empty where it was left out for its size."""

    name: str
    title: str
    caption: str
    svg: Markup
    file: str


class Told(NamedTuple):
    """A run with all that the page says of it."""

    run: Finished
    name: str
    story: Story
    cost: Rows
    best: list[Drawing]
    compared: list[Drawing]

    @property
    def glance(self) -> Rows:
        """What it was asked, found and paid, in short."""
        best = {"best architecture": self.story.best} if self.story.best.text else {}
        return self.story.asked | self.story.found | best | self.cost


def write(workdir: Workdir) -> Path:
    """Writes `report.html` of the finished run in a workdir, from the files there."""
    return workdir.write(NAME, lambda path: path.write_text(render([read(workdir.path)]), encoding="utf-8"))


def render(runs: Sequence[Finished]) -> str:
    """The page of one run, or of several side by side.

    Raises:
        InputError: a figure of a run can't be read, or so many runs don't fit into a page.
    """
    names = [_name(run) for run in runs]
    names = names if len(set(names)) == len(names) else [str(run.path) for run in runs]
    drawn = _fitting([_drawings(run, f"f{i}-") for i, run in enumerate(runs)])
    told = [_tell(run, name, drawings) for run, name, drawings in zip(runs, names, drawn, strict=True)]
    page = _render_one(told[0]) if len(told) == 1 else _render_many(told)
    if len(page.encode()) > MOST_BYTES:
        raise InputError(f"{len(runs)} runs make a page of more than {MOST_BYTES // 10**6} MB: compare fewer at a time")
    return page


def _name(run: Finished) -> str:
    """What a run is called: its folder, and its config where the folder is called otherwise."""
    folder, config = run.path.resolve().name, run.config["name"]
    return folder if folder == config else f"{folder} ({config})"


def _tell(run: Finished, name: str, drawings: list[Drawing]) -> Told:
    best = [drawing for drawing in drawings if _shows_best(drawing.name)]
    compared = [drawing for drawing in drawings if not _shows_best(drawing.name)]
    return Told(run, name, _STORIES[run.kind](run), cost(run), best, compared)


def _drawings(run: Finished, prefix: str) -> list[Drawing]:
    """The run's figures, in the order of the tables above; those of costs, named by them, come last."""
    known = [*_BEST, *_COMPARED]
    found = []
    for name in sorted(run.figures, key=lambda name: known.index(name) if name in known else len(known)):
        title, caption = _told_of(name)
        svg = inline(run.figures[name], f"{title}. {caption}", f"{prefix}{len(found)}-")
        found.append(Drawing(name, title, caption, svg, str(run.figures[name])))
    return found


def _shows_best(name: str) -> bool:
    return name in _BEST or name.startswith(_BEST_OF_OTHERS)


def _told_of(name: str) -> tuple[str, str]:
    """Title and caption of a figure."""
    if name not in _BEST and _shows_best(name):
        return f"The best {name.removeprefix(_BEST_OF_OTHERS)}", "Best first, each with its label."
    costs = (f"Costs: {name}", "Costs in each pool; what the constraint allows is shaded.")
    return (_BEST | _COMPARED).get(name, costs)


def _fitting(drawn: list[list[Drawing]]) -> list[list[Drawing]]:
    """The drawings without the largest ones, where all together are too large for a page."""
    left, kept = _MOST_DRAWN, set()
    for drawing in sorted((drawing for drawings in drawn for drawing in drawings), key=lambda each: len(each.svg)):
        left -= len(drawing.svg.encode())
        if left >= 0:
            kept.add(drawing.file)
    return [
        [drawing if drawing.file in kept else drawing._replace(svg=Markup("")) for drawing in drawings]
        for drawings in drawn
    ]


def _render_one(told: Told) -> str:
    return template("one.html.jinja").render(
        told=told,
        phases=phases(told.run),
        settings=_side_by_side([settings(told.run)]),
        environment=environment(told.run),
        style=style(),
    )


def _render_many(told: list[Told]) -> str:
    shown = {drawing.name: drawing for each in told for drawing in [*each.best, *each.compared]}
    return template("many.html.jinja").render(
        told=told,
        glance=_side_by_side([each.glance for each in told]),
        settings=_differing(_side_by_side([settings(each.run) for each in told])),
        environment=_differing(_side_by_side([environment(each.run) for each in told])),
        comparable=len({_measured(each.run) for each in told}) == 1,
        figures=[
            (drawing, [_named([*each.best, *each.compared], name) for each in told]) for name, drawing in shown.items()
        ],
        style=style(),
    )


def _named(drawings: list[Drawing], name: str) -> Drawing | None:
    return next((drawing for drawing in drawings if drawing.name == name), None)


def _side_by_side(rows: list[Rows]) -> list[tuple[str, list[Any]]]:
    """A row for each name under which any run has something, in the order in which they come."""
    names = dict.fromkeys(name for each in rows for name in each)
    found = [(name, [each.get(name, EMPTY) for each in rows]) for name in names]
    return [(name, cells) for name, cells in found if any(cell.text for cell in cells)]


def _differing(rows: list[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    return [(name, cells) for name, cells in rows if len({cell.text for cell in cells}) > 1]


def _measured(run: Finished) -> str:
    """What a run's values are of: runs are comparable where this is equal."""
    about = run.at("objective") or {}
    evaluator = run.config.get("evaluator", {})
    fields = [about.get(field) for field in ("metric", "unit", "direction", "split")]
    return repr([run.kind, run.config["space"]["name"], run.at("reported", "metric"), evaluator, fields])


def style() -> Markup:
    """The style sheet of every page."""
    return Markup((Path(__file__).parent / "style.css").read_text(encoding="utf-8"))


def template(name: str) -> jinja2.Template:
    """The template of that name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
