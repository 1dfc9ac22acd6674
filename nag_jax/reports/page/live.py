"""The page of a run that is at work: its phases, labels, best so far, front and workers, from its events alone."""

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nag_jax.reports.page import forms
from nag_jax.reports.page.page import style, template
from nag_jax.reports.page.story import Rows, label, metric, words
from nag_jax.system.errors import InputError
from nag_jax.system.events import END, NAME, PHASE, PROGRESS, RUN, TRIAL, Event, read_events

_WIDTH, _HEIGHT, _PAD = 640, 220, 8
_MOST_TRIALS = 200
"""The latest labels that the page lists."""


def render(path: Path) -> str:
    """The page of the run in a workdir.

    Raises:
        InputError: there is no run, or nothing has happened in it yet.
    """
    file = path / NAME
    if not file.is_file():
        raise InputError(f"{path} has no {NAME}: name the folder of a run that was started, as runs/nb201")
    events = list(read_events(file))
    trials = [event for event in events if event.kind == TRIAL]
    started = next((event for event in reversed(events) if event.kind == RUN), None)
    about: dict[str, Any] = started.facts if started else {}
    objective = about.get("objective")
    metrics = list(dict.fromkeys(name for trial in trials for name in trial.facts["values"]))
    best = _best(trials, objective)
    return template("live.html.jinja").render(
        title=started.name if started else path.resolve().name,
        lead=_lead(about),
        found=_found(trials, objective, best),
        best=best.facts["architecture"] if best else "",
        curve=_curve(trials, objective),
        phases=_phases(events),
        workers=[(name, [words(forms.count(count))]) for name, count in _workers(trials)],
        columns=["label", *metrics, "architecture", "paid for", "failed because"],
        front=[_row(number, trial, metrics) for number, trial in _front(trials, objective)],
        trials=[_row(number, trial, metrics) for number, trial in list(enumerate(trials, 1))[: -_MOST_TRIALS - 1 : -1]],
        style=style(),
    )


def _lead(about: dict[str, Any]) -> str:
    if not about:
        return "It has begun."
    told = f"{about['mode']} in {about['space']}, evaluator {about['evaluator']}, seed {about['seed']}"
    return f"{told}: {metric(about['objective'])}." if about.get("objective") else f"{told}."


def _found(trials: list[Event], objective: dict[str, Any] | None, best: Event | None) -> Rows:
    rows = {
        "labels": words(forms.count(len(trials))),
        "of which failed": words(forms.count(sum(trial.facts["failed"] for trial in trials))),
    }
    for purpose, count in Counter(trial.name for trial in trials).items():
        rows[f"labels: {purpose}"] = words(forms.count(count))
    if best and objective:
        value = forms.with_unit(objective.get("unit"))(best.facts["values"][objective["metric"]])
        rows[f"best {label(objective)} so far"] = words(value)
    return rows


def _value(trial: Event, objective: dict[str, Any] | None) -> float:
    """The objective, NaN where a trial doesn't have it: it failed, or the objective is a utility of several."""
    value = trial.facts["values"].get(objective["metric"]) if objective else None
    return math.nan if value is None else value


def _best(trials: list[Event], objective: dict[str, Any] | None) -> Event | None:
    known = [trial for trial in trials if not math.isnan(_value(trial, objective))]
    if not known or objective is None:
        return None
    choose = max if objective["direction"] == "max" else min
    return choose(known, key=lambda trial: _value(trial, objective))


def _front(trials: list[Event], objective: dict[str, Any] | None) -> list[tuple[int, Event]]:
    """The trials, with their numbers, that no other beats in every one of several objectives."""
    several = (objective or {}).get("objectives") or []
    if not several:
        return []
    points = {}
    for number, trial in enumerate(trials, 1):
        values = [trial.facts["values"].get(about["metric"]) for about in several]
        if None not in values:
            signs = [1 if about["direction"] == "max" else -1 for about in several]
            points[number] = tuple(sign * value for sign, value in zip(signs, values, strict=True))
    best = set(points.values())
    best = {one for one in best if not any(_beats(other, one) for other in best)}
    return [(number, trials[number - 1]) for number, point in points.items() if point in best]


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine >= yours for mine, yours in zip(one, other, strict=True))


def _phases(events: list[Event]) -> list[tuple[str, list[Any]]]:
    """The phases since the run was started last, and how far each is."""
    begun = max((i for i, event in enumerate(events) if event.kind == RUN), default=0)
    found: dict[str, str] = {}
    for event in events[begun:]:
        facts = event.facts
        if event.kind == PHASE:
            found[event.name] = "at work"
        elif event.kind == PROGRESS:
            loss = f", loss {forms.number(facts['loss'])}" if facts.get("loss") is not None else ""
            found[event.name] = f"{facts['done']:,} of {facts['total']:,}{loss}"
        elif event.kind == END:
            found[event.name] = f"done in {forms.seconds(facts['seconds'])}"
    return [(name, [words(text)]) for name, text in found.items()]


def _workers(trials: list[Event]) -> list[tuple[str, int]]:
    return Counter(trial.facts["worker"] for trial in trials if trial.facts.get("worker")).most_common()


def _row(number: int, trial: Event, metrics: list[str]) -> tuple[str, list[Any]]:
    facts = trial.facts
    values = ["" if facts["values"].get(name) is None else forms.number(facts["values"][name]) for name in metrics]
    return str(number), [words(text) for text in [*values, facts["architecture"], trial.name, facts.get("reason", "")]]


def _curve(trials: list[Event], objective: dict[str, Any] | None) -> Markup:
    """The best so far against the number of labels, a line per ledger; empty where nothing has a value."""
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for trial in trials:
        ledger, value = trial.facts["ledger"], _value(trial, objective)
        counts[ledger] += 1
        if not math.isnan(value):
            line = lines[ledger]
            better = max if (objective or {}).get("direction") == "max" else min
            line.append((counts[ledger], better(value, line[-1][1]) if line else value))
    points = [point for line in lines.values() for point in line]
    if not points:
        return Markup("")
    most, low, high = max(n for n, _ in points), min(v for _, v in points), max(v for _, v in points)

    def place(n: int, value: float) -> str:
        across = _PAD + (_WIDTH - 2 * _PAD) * (n - 1) / max(1, most - 1)
        return f"{across:.1f},{_HEIGHT - _PAD - (_HEIGHT - 2 * _PAD) * (value - low) / ((high - low) or 1.0):.1f}"

    drawn = "".join(
        f'<polyline fill="none" stroke="var(--mark)" stroke-width="1.5" points="{" ".join(place(*p) for p in line)}"/>'
        for line in lines.values()
    )
    says = f"Best so far after 1 to {most} labels, from {forms.number(low)} to {forms.number(high)}"
    return Markup(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{says}">{drawn}</svg><p>{says}.</p>')
