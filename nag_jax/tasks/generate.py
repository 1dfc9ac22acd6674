"""The task `generate`: learn the space and the objective, generate guided architectures, pay for the best."""

from typing import NamedTuple

import numpy as np

from nag_jax.generators.contract import Samples
from nag_jax.settings import Generate
from nag_jax.system import parallel
from nag_jax.system.fields import to_dict
from nag_jax.tasks import build, constrained, learn
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.contract import Task
from nag_jax.tasks.learn import Learned, Run, make_sampler
from nag_jax.tasks.learn_plan import notes_of, plan_labels, plan_learning, plan_sampling
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.pool import FINAL, rank_new
from nag_jax.tasks.setting import Setting
from nag_jax.tasks.workdir import Workdir


class Generated(NamedTuple):
    """What came of generation.

    Attributes:
        run: the run, checked.
        learned: what generation started from.
        pools: name to what was generated.
        sweep: guidance scale to what was generated.
        final: tokens `[F, N]` paid for at the end, in the order of the predictor.
        final_values: their values `[F, M]`, higher is better.
    """

    run: Run
    learned: Learned
    pools: dict[str, Samples]
    sweep: dict[float, Samples]
    final: np.ndarray
    final_values: np.ndarray


def check(config: Generate, workdir: Workdir) -> Setting:
    """A run with an objective; or a setting without one, whose constraints are then all there is to generate for.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    setting = check_setting(config, workdir, to_dict(config))
    has_objective = build.make_objectives(config, setting.evaluator) is not None
    return learn.checked(setting) if has_objective else constrained.checked(setting)


def run(ready: Setting) -> Generated | constrained.Constrained:
    """Learns the space and the objective, generates pools, and pays for the best; see `constrained` without one."""
    if not isinstance(ready, Run):
        return constrained.run(ready)
    parallel.on_first(ready.claim)
    learned = learn.learn(ready)
    pools, sweep = generate_pools(ready, learned)
    final, final_values = pay_for_best(ready, pools["guided"], learned)
    return Generated(ready, learned, pools, sweep, final, final_values)


def plan(ready: Setting) -> Plan:
    """What `run` would do and cost."""
    if not isinstance(ready, Run):
        return constrained.plan(ready)
    config = ready.config
    n, scales = config.num_samples, len(config.guidance.sweep)
    return Plan(
        setting=ready,
        metric=ready.metric,
        labels=plan_labels(ready, {FINAL: config.labels.final}),
        samples={"unconditional": n, "guided": n, f"for the {scales} scales of the sweep": scales * n},
        work=[
            *plan_learning(ready),
            plan_sampling(ready, "unconditional samples", n, guided=False),
            plan_sampling(ready, "guided samples", n, pools=1 + scales),
        ],
        notes=notes_of(ready),
    )


def generate_pools(run: Run, learned: Learned) -> tuple[dict[str, Samples], dict[float, Samples]]:
    """Generates the unconditional and the guided pool, and a guided one for every scale of the sweep."""
    unconditional = make_sampler(run, guided=False)
    n, params, guidance = run.config.num_samples, learned.score_params, learned.guidance
    pools = {}
    with run.phases("unconditional samples") as progress:
        pools["unconditional"] = unconditional(run.key("unconditional"), n, params, progress=progress)
    pools["guided"] = guided_pool(run, learned)
    guided, sweep = make_sampler(run, guided=True), {}
    with run.phases("sweep of scales", "pool") as progress:
        scales = run.config.guidance.sweep
        for i, scale in enumerate(scales):
            sweep[float(scale)] = guided(run.key("guided"), n, params, guidance | {"scale": np.float32(scale)})
            progress(i + 1, len(scales))
    return pools, sweep


def guided_pool(run: Run, learned: Learned) -> Samples:
    """Generates the guided pool."""
    n, params = run.config.num_samples, learned.score_params
    with run.phases("guided samples") as progress:
        return make_sampler(run, guided=True)(run.key("guided"), n, params, learned.guidance, progress=progress)


def pay_for_best(run: Run, samples: Samples, learned: Learned) -> tuple[np.ndarray, np.ndarray]:
    """Pays for the generated architectures that the predictor ranks highest and nobody has labelled in training.

    Returns:
        Tokens `[F, N]` in the predictor's order, and their values `[F, M]`. F is less than asked for where the pool has
        fewer that differ.
    """
    with run.phases("labels of the best", "label") as progress:
        final = ranked(run, samples, learned)[: run.config.labels.final]
        values = run.pay(final, FINAL, progress)
    return final, values


def ranked(run: Run, samples: Samples, learned: Learned) -> np.ndarray:
    """The generated architectures that can be labelled, each once, best by the predictor first: `[m, N]`.

    Raises:
        InputError: there is none that the predictor hasn't learned from.
    """
    return rank_new(
        run.space,
        samples,
        learned.predict,
        may_be_labelled=lambda tokens: run.evaluator.covers(tokens) & run.constraints.hold(tokens),
        labelled=learned.labelled,
        rows=run.feasible_rows,
    )


def task() -> Task:
    """The task."""
    return Task(check, plan, run)
