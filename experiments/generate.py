"""The mode `generate`: learn the space, pay for a few labels, generate guided architectures, pay for the best."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import build, report, unlabelled
from experiments.config import Config
from experiments.progress import Phases
from experiments.ranges import check_numbers
from experiments.score import Setting, check_score, split_space, train_score
from experiments.workdir import Workdir
from nag_jax import parallel
from nag_jax.diffusion.noise import sample_keys
from nag_jax.errors import InputError
from nag_jax.evaluators import Ledger, Metric
from nag_jax.guidance.value import estimate_spread
from nag_jax.models import Predictor
from nag_jax.search.generate import Generator, random_distinct, rank
from nag_jax.training.checkpoint import Checkpoints
from nag_jax.training.fit import fit, restore
from nag_jax.training.labels import normalize
from nag_jax.training.predictor import predict, regression_loss

TRAINING, FINAL = "training", "final"
"""Purposes of labels in the ledger."""
LEAST_FEASIBLE = 256
"""Unlabelled architectures that keep to the constraints, with which the target is measured among them."""
SPREAD_TIMES, SPREAD_SAMPLES = 21, 1024
"""Grid and sample size with which `aim` measures the spread of estimates."""


@dataclasses.dataclass
class Run(Setting):
    """What the phases share, checked by `prepare`.

    Attributes:
        metric: the objective.
        predictor: of it.
    """

    metric: Metric
    predictor: Predictor


@dataclasses.dataclass
class Outcome:
    """What the phases found, for the report.

    Attributes:
        training_tokens: what the score network learned from, `[M, N]`.
        score_params: parameters of the score network.
        pools: name to generated x `[n, N, V]`.
        sweep: guidance scale to generated x.
        final: tokens `[F, N]` paid for at the end, in the order of the predictor.
        final_labels: their labels `[F]`.
        predict: tokens -> the predictor's mean `[B]`, higher is better.
    """

    training_tokens: np.ndarray
    score_params: Any
    pools: dict[str, np.ndarray]
    sweep: dict[float, np.ndarray]
    final: np.ndarray
    final_labels: np.ndarray
    predict: Any


def run(config: Config, path: Path) -> dict[str, Any]:
    """Runs all phases in the workdir `path`; returns what it wrote into `results.json`.

    Where there is no objective to search by but constraints on costs, `experiments.unlabelled` generates by them alone.

    A repeated or resumed run restores what was trained, pays for nothing twice, and ends with the same architectures.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    if not has_objective(config):
        return unlabelled.run(config, path)
    run = prepare(config, path)
    with Ledger.open(path / "trials.db", run.evaluator) as ledger:
        training_tokens = split_space(run)
        score_params = train_score(run, training_tokens)
        labelled, labels = pay_for_training(run, ledger)
        predictor_params = train_predictor(run, score_params, labelled, labels)

        def predicted(tokens):
            return predict(run.predictor, predictor_params, run.space.encode(tokens))[0]

        guidance = aim(run, score_params, predictor_params, feasible(run, training_tokens))
        pools, sweep = generate_pools(run, score_params, guidance)
        final, final_labels = pay_for_best(run, ledger, pools["guided"], predicted, labelled)
        outcome = Outcome(training_tokens, score_params, pools, sweep, final, final_labels, predicted)
        return report.write(run, ledger, outcome)


def has_objective(config: Config) -> bool:
    """Whether the evaluator has a metric to search by."""
    return build.objective(config, build.make_evaluator(config, build.make_space(config))) is not None


def prepare(config: Config, path: Path) -> Run:
    """Builds everything and checks all that can be wrong; claims the workdir last, and changes nothing before."""
    check_numbers(config)
    workdir = Workdir(path)
    workdir.check(config.to_dict())
    space = build.make_space(config)
    evaluator = build.make_evaluator(config, space)
    metric = build.objective(config, evaluator)
    if metric is None:
        raise InputError(f"{evaluator.name} has no metric to search by: name one with config.evaluator.metric")
    wanted = config.labels.training + config.labels.final
    if wanted > evaluator.num_distinct:
        raise InputError(
            f"config.labels asks for {wanted:,} labels, and {evaluator.name} has {evaluator.num_distinct:,} "
            "architectures that differ: ask for fewer"
        )
    run = Run(
        config=config,
        workdir=workdir,
        space=space,
        evaluator=evaluator,
        metric=metric,
        constraints=build.make_constraints(config, space, evaluator),
        model=build.make_score_model(config, space),
        predictor=build.make_predictor(config, space),
        mesh=parallel.make_mesh(),
        phases=Phases(),
    )
    build.check_guidance(config)
    build.check_sampler(config, run.model, run.mesh.size)
    check_score(run)
    optimizer = build.optimizer(config.predictor.training)
    if _predictor_checkpoints(run).latest_step() is not None:
        restore(run.predictor.init, optimizer, _predictor_checkpoints(run), run.mesh)
    if (path / "trials.db").exists():
        Ledger.open(path / "trials.db", evaluator).close()
    workdir.claim(config.to_dict())
    return run


def pay_for_training(run: Run, ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    """Pays for random architectures that differ; returns those whose trial didn't fail, tokens `[M, N]` and labels."""
    with run.phases("labels for training", "label") as progress:
        tokens = random_distinct(run.space, run.key("labels"), run.config.labels.training, covers=run.evaluator.covers)
        labels = ledger.label(tokens, TRAINING, progress)[run.metric.name]
    good = np.isfinite(labels)
    if good.sum() < 2:
        raise InputError(
            f"{good.sum()} of {len(good)} training labels are finite, too few to learn from: see the failed trials in "
            f"{ledger.path}, or ask for more with config.labels.training"
        )
    return tokens[good], labels[good]


def train_predictor(run: Run, score_params: Any, tokens: np.ndarray, labels: np.ndarray) -> Any:
    """Trains the predictor on the paid labels, or restores it; returns its parameters."""
    config = run.config.predictor
    training = config.training
    targets = normalize(labels, config.labels, maximize=run.metric.direction == "max")
    view = build.make_view(config, run.model, score_params)
    with run.phases("predictor") as progress, _predictor_checkpoints(run) as checkpoints:
        return fit(
            run.predictor.init,
            regression_loss(run.predictor, view, batch_size=training.batch_size),
            run.key("predictor"),
            (run.space.encode(tokens), targets),
            optimizer=build.optimizer(training),
            num_steps=training.num_steps,
            mesh=run.mesh,
            ema_decay=training.ema_decay,
            chunk_steps=training.chunk_steps,
            checkpoints=checkpoints,
            checkpoint_every=training.checkpoint_every,
            progress=progress,
        )


def feasible(run: Run, tokens: np.ndarray) -> np.ndarray:
    """Those of unlabelled architectures `[M, N]` that keep to the constraints; all where too few do."""
    good = run.constraints.hold(tokens)
    return tokens[good] if good.sum() >= LEAST_FEASIBLE else tokens


def aim(run: Run, score_params: Any, predictor_params: Any, tokens: np.ndarray) -> dict[str, Any]:
    """What guides: the predictor, the value to exceed, and how far estimates are from final values, by time.

    Target and spread are measured with the predictor on unlabelled architectures, so they cost no label.

    Args:
        run: the run.
        score_params: of the score network.
        predictor_params: of the predictor.
        tokens: unlabelled architectures of the space, `[M, N]`.
    """
    guidance = run.config.guidance
    times = jnp.linspace(run.model.sde.t_min, 1.0, SPREAD_TIMES)

    def measure(score_params, predictor_params, keys, x0):
        return estimate_spread(
            keys,
            lambda x, t: run.predictor.apply(predictor_params, x, t),
            run.model.score_fn(score_params),
            x0,
            run.model.sde,
            times,
        )

    with run.phases("aim"):
        predictions = predict(run.predictor, predictor_params, run.space.encode(tokens))[0]
        x0 = run.space.encode(tokens[:SPREAD_SAMPLES])
        keys = sample_keys(run.key("spread"), len(x0))
        spread = np.asarray(jax.jit(measure)(score_params, predictor_params, keys, x0))
    return {
        "params": predictor_params,
        "scale": np.float32(guidance.scale),
        "target": np.float32(np.quantile(predictions, 1.0 - guidance.top_share)),
        "times": times,
        "spread": np.hypot(spread, guidance.softness * predictions.std()).astype(np.float32),
    }


def generate_pools(run: Run, score_params: Any, guidance: dict[str, Any]):
    """Generates the unconditional and the guided pool, and a guided one for every scale of the sweep."""
    sampler = run.config.sampler
    shared = {
        "num_steps": sampler.num_steps,
        "final": sampler.final,
        "mesh": run.mesh,
    }
    kernels = build.make_kernels(run.config)
    guide = build.make_guide(run.config, run.predictor, run.model.sde, run.constraints)
    unconditional = Generator(run.model, kernels, guide=None, **shared)
    guided = Generator(run.model, kernels, guide=guide, **shared)
    n = run.config.num_samples
    pools = {}
    with run.phases("unconditional samples") as progress:
        pools["unconditional"] = unconditional(run.key("unconditional"), n, score_params, progress=progress)
    with run.phases("guided samples") as progress:
        pools["guided"] = guided(run.key("guided"), n, score_params, guidance, progress=progress)
    sweep = {}
    with run.phases("sweep of scales", "pool") as progress:
        scales = run.config.guidance.sweep
        for i, scale in enumerate(scales):
            bent = guidance | {"scale": np.float32(scale)}
            sweep[float(scale)] = guided(run.key("guided"), n, score_params, bent)
            progress(i + 1, len(scales))
    return pools, sweep


def pay_for_best(run: Run, ledger: Ledger, x: np.ndarray, predicted, labelled: np.ndarray):
    """Pays for the generated architectures that the predictor ranks highest and nobody has labelled in training.

    Returns:
        Tokens `[F, N]` in the predictor's order, and their labels `[F]`. F is less than asked for where the pool has
        fewer that differ.
    """
    with run.phases("labels of the best", "label") as progress:
        tokens, valid = map(np.asarray, run.space.decode(x))
        tokens = tokens[valid]
        tokens = tokens[run.evaluator.covers(tokens) & run.constraints.hold(tokens)]
        order = rank(run.space, tokens, predicted(tokens), exclude=run.space.canonical(labelled)) if len(tokens) else []
        if not len(order):
            raise InputError(
                "no generated architecture is valid, within the constraints, known to the evaluator and still without "
                "a label: raise config.num_samples, lower config.labels.training, or train the score network longer"
            )
        final = tokens[order[: run.config.labels.final]]
        labels = ledger.label(final, FINAL, progress)[run.metric.name]
    return final, labels


def _predictor_checkpoints(run: Run) -> Checkpoints:
    description = {"space": run.space.name, "predictor": run.config.predictor.name, "metric": run.metric.name}
    return Checkpoints(run.workdir.path / "predictor", description, max_to_keep=1)
