"""A service over a study: requests and replies as JSON has them, for programs of any language, and for agents.

A request is `{"id": ..., "method": ..., "params": {...}}`, a reply `{"id": ..., "result": ...}` or `{"id": ...,
"error": {"message": ..., "kind": ...}}`, whose kind is `"input"`, `"budget"` or `"internal"`; see `methods.METHODS`.
The budget is the operator's. Metrics of the test split are in no reply, but for one that is the objective itself.
"""

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nag_jax.strategies.course import Course
from nag_jax.studies.methods import METHODS, check_params
from nag_jax.studies.narrowed import narrow
from nag_jax.studies.study import Study
from nag_jax.system.errors import InputError, quoted, shown
from nag_jax.system.foreign import load_json
from nag_jax.system.names import check_name
from nag_jax.system.written import plain
from nag_jax.tasks import drive
from nag_jax.tasks.searched import Search
from nag_jax.trials import Trial

_NEAREST = 3
"""Labelled architectures that are named as like another one."""
_KEPT = 16
"""Parts of the space that are kept ready to be asked for."""

_log = logging.getLogger(__name__)


class BudgetError(InputError):
    """More labels are asked for than the budget has left."""


class Service:
    """Answers requests about one study.

    Args:
        run: the search that the study is of, with the budget.
        study: the study, of the evaluator of the search.
    """

    def __init__(self, run: Search, study: Study):
        self._run, self._study, self._space = run, study, study.space
        self._budget = run.config.search.budget
        self._courses: dict[tuple[str, str], Course] = {}
        objectives = study.objectives.names
        metrics = study.ledger.metrics
        self._shown = [name for name, metric in metrics.items() if metric.split != "test" or name in objectives]

    def reply(self, line: str | bytes) -> str:
        """The reply to a line, also one that is no request: one line of JSON."""
        number = None
        try:
            request = load_json(line)
        except ValueError as error:
            answer = _error(InputError(f"the line isn't JSON ({shown(error)}): send one request a line"), "input")
        else:
            if isinstance(request, dict):
                number = request.get("id")
                answer = self.answer(request.get("method"), request.get("params"))
            else:
                words = "a request must be an object with a method: {'id': 1, 'method': 'describe'}"
                answer = _error(InputError(words), "input")
        return json.dumps({"id": plain(number), **answer}, allow_nan=False)

    def answer(self, method: Any, params: Any) -> dict[str, Any]:
        """The `"result"` of a method, or the `"error"` in its place, as JSON has it; raises nothing."""
        try:
            return plain({"result": self.call(method, params or {})})
        except BudgetError as error:
            return _error(error, "budget")
        except InputError as error:
            return _error(error, "input")
        except Exception as error:
            _log.exception("a request failed")
            return _error(error, "internal")

    def call(self, method: Any, params: Any) -> Any:
        """The result of a method.

        Raises:
            InputError: there is no such method, or a parameter is wrong.
            BudgetError: too much is to be paid.
        """
        if not isinstance(method, str):
            raise InputError(f"method must be a string, found {quoted(method)}: use one of {list(METHODS)}")
        check_name(method, METHODS, "method")
        check_params(params, METHODS[method]["params"])
        return getattr(self, f"_{method}")(**params)

    def _describe(self) -> dict[str, Any]:
        run, ledger = self._run, self._study.ledger
        metrics = [
            {
                "name": name,
                "unit": metric.unit,
                "direction": metric.direction,
                "split": metric.split,
                "shown": name in self._shown,
            }
            for name, metric in ledger.metrics.items()
        ]
        return {
            "space": self._space.describe(),
            "metrics": metrics,
            "objectives": list(self._study.objectives.names),
            "constraints": run.config.constraints or "",
            "costs": sorted(getattr(run.evaluator, "costs", None) or ()),
            "strategy": self._study.strategy,
            "strategies": sorted(run.config.strategies),
            "seed": run.config.seed,
            "budget": {"labels": self._budget, "paid": ledger.num_paid, "left": self._left},
            "methods": METHODS,
        }

    def _ask(self, n: int = 1, strategy: str = "", **limits: Any) -> list[dict[str, Any]]:
        if strategy:
            check_name(strategy, self._run.config.strategies, "strategy")
        origin, course = strategy or self._study.strategy, None
        if limits or origin != self._study.strategy:
            course = self._narrowed(origin, json.dumps(limits, sort_keys=True))
        return [
            {
                "architecture": proposal.architecture,
                "prediction": proposal.predicted or None,
                "spread": proposal.spread or None,
                "free": proposal.free,
                "origin": proposal.origin,
            }
            for proposal in self._study.ask(n, course=course, origin=origin)
        ]

    def _narrowed(self, strategy: str, limits: str) -> Course:
        """The course that limits, as JSON, say; kept, since making one may compile."""
        if (strategy, limits) not in self._courses:
            if len(self._courses) == _KEPT:
                del self._courses[next(iter(self._courses))]
            self._courses[strategy, limits] = narrow(self._run, strategy, **json.loads(limits)).start()
        return self._courses[strategy, limits]

    def _predict(self, architectures: list[str]) -> list[dict[str, Any]] | None:
        found = self._study.predict(architectures)
        if found is None:
            return None
        return [
            {"architecture": native, "prediction": mean, "spread": spread}
            for native, (mean, spread) in zip(architectures, found, strict=True)
        ]

    def _check(self, architectures: list[str]) -> list[dict[str, Any]]:
        known, pending = self._labels(), {trial.key for trial in self._study.pending}
        found = []
        for native in architectures:
            try:
                key, tokens = self._read(native)
            except InputError as error:
                found.append({"architecture": native, "valid": False, "reason": str(error)})
                continue
            canonical = known[key].architecture if key in known else self._space.to_native(tokens)[0]
            found.append(
                {
                    "architecture": native,
                    "valid": True,
                    "canonical": canonical,
                    "known": key in known,
                    "pending": key in pending,
                }
            )
        return found

    def _evaluate(self, architectures: list[str], origin: str = "client") -> list[dict[str, Any]]:
        keys = [self._read(native)[0] for native in architectures]
        known, proposed = self._labels(), {trial.key: trial.origin for trial in self._study.pending}
        new = dict(zip(keys[::-1], architectures[::-1], strict=True))  # the first of those that are one
        new = {key: new[key] for key in dict.fromkeys(keys) if key not in known}
        if len(new) > self._left:
            raise BudgetError(
                f"{len(new)} labels are asked for, and {self._left} of {self._budget} are left: ask for fewer"
            )
        for key, native in new.items():
            outcome = drive.evaluate(self._run.evaluator, native)
            if isinstance(outcome, drive.Raised):
                raise outcome.error
            values = {name: value for name, value in outcome.labels.items() if math.isfinite(value)}
            given = {"cost": outcome.cost, "worker": outcome.worker, "origin": proposed.get(key, origin)}
            if len(values) == len(self._study.ledger.metrics):
                self._study.tell(native, values, **given)
            else:
                self._study.fail(native, outcome.reason, values=values, **given)
        known = self._labels()
        return [{**self._shown_of(known[key]), "paid": key in new} for key in keys]

    def _tell(self, trials: list[dict[str, Any]], origin: str = "client") -> list[dict[str, Any]]:
        for trial in trials:
            self._read(trial["architecture"])
            if ("values" in trial) == ("reason" in trial):
                raise InputError(f"{quoted(trial['architecture'])} must have values, or the reason why there are none")
        told = []
        for trial in trials:
            if "values" in trial:
                told.append(self._study.tell(trial["architecture"], trial["values"], origin=origin))
            else:
                told.append(self._study.fail(trial["architecture"], trial["reason"], origin=origin))
        return [self._shown_of(trial) for trial in told]

    def _best(self, n: int = 1, metric: str = "", front: bool = False) -> list[dict[str, Any]]:
        if front:
            return [self._shown_of(trial) for trial in self._study.front()[:n]]
        trials = [trial for trial in self._study.trials if not trial.failed]
        if metric:
            check_name(metric, self._shown, "metric")
            worth = [self._study.ledger.metrics[metric].sign * trial.values[metric] for trial in trials]
        else:
            objectives = self._study.objectives
            worth = objectives.utilities(objectives.of_each(trial.values for trial in trials)) if trials else []
        return [self._shown_of(trials[i]) for i in np.argsort(-np.asarray(worth), kind="stable")[:n]]

    def _explain(self, architectures: list[str]) -> list[dict[str, Any]]:
        labelled = [trial for trial in self._study.trials if not trial.failed]
        known = self._space.from_native([trial.architecture for trial in labelled])
        found = []
        for native in architectures:
            tokens = self._read(native)[1]
            order = np.argsort((known != tokens[0]).sum(axis=1), kind="stable")[:_NEAREST]
            found.append(
                {
                    "architecture": native,
                    "nodes": {
                        node: self._space.class_names[token]
                        for node, token in zip(self._space.node_names, tokens[0].tolist(), strict=True)
                    },
                    "free": {name: float(column[0]) for name, column in self._study.costs(tokens).items()},
                    "nearest": [self._shown_of(labelled[i]) for i in order],
                }
            )
        return found

    def _history(self, since: int = 0) -> list[dict[str, Any]]:
        return [self._shown_of(trial) for trial in self._study.ledger.trials(after=since)]

    def _shown_of(self, trial: Trial) -> dict[str, Any]:
        """A trial without what nobody may select on."""
        return {
            "trial": trial.id,
            "architecture": trial.architecture,
            "values": {name: trial.values[name] for name in self._shown},
            "status": trial.status,
            "reason": trial.brief_reason,
            "fidelity": trial.fidelity,
            "origin": trial.origin,
            "purpose": trial.purpose,
        }

    def _labels(self) -> dict[int | str, Trial]:
        return {trial.key: trial for trial in self._study.trials}

    def _read(self, native: str) -> tuple[int | str, np.ndarray]:
        """The key and the tokens `[1, N]` of an architecture that may be labelled."""
        tokens = np.asarray(self._space.from_native([native]), np.int32)
        if not self._run.may_be_labelled(tokens)[0]:
            raise InputError(f"{quoted(native)} is unknown to {self._run.evaluator.name}, or outside the constraints")
        return self._space.canonical(tokens).tolist()[0], tokens

    @property
    def _left(self) -> int:
        return max(0, self._budget - self._study.ledger.num_paid)


def replies(service: Service, lines: Iterator[bytes]) -> Iterator[str]:
    """The reply to each line that isn't empty, in order."""
    for line in lines:
        if line.strip():
            yield service.reply(line)


def _error(error: Exception, kind: str) -> dict[str, Any]:
    words = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return {"error": {"message": shown(words), "kind": kind}}
