"""Probabilities and moments of random networks, given evidence: stages are independent, and layers of a depth too."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.choices import Choices
from nag_jax.spaces.mobilenet_v3.layout import DEPTHS, MOST_LAYERS, SETTINGS, SKIP, STAGES

_CLASSES = SKIP + 1


def choices() -> Choices:
    """Five depths and twenty settings, which random draws decide one by one."""
    depths = np.where(np.arange(SKIP) < len(DEPTHS), -math.log(len(DEPTHS)), -np.inf)
    settings = np.full(SKIP, -math.log(SKIP))

    def stages(tokens):
        """Bool `[..., 5, 4]`: which layers of each stage are there."""
        return (tokens != SKIP).reshape(*tokens.shape[:-1], STAGES, MOST_LAYERS)

    def settle(chosen):
        depth = chosen[..., :STAGES, None] + min(DEPTHS)
        positions = jnp.broadcast_to(jnp.arange(MOST_LAYERS, dtype=jnp.int32), (*depth.shape[:-1], MOST_LAYERS))
        is_there = (positions < depth).reshape(*chosen.shape[:-1], STAGES * MOST_LAYERS)
        return jnp.where(is_there, chosen[..., STAGES:], SKIP)

    def read(tokens):
        depth = stages(tokens).sum(axis=-1, dtype=jnp.int32) - min(DEPTHS)
        return jnp.concatenate([depth, jnp.where(tokens != SKIP, tokens, 0)], axis=-1)

    def matters(tokens):
        return jnp.concatenate([jnp.ones((*tokens.shape[:-1], STAGES), bool), tokens != SKIP], axis=-1)

    log_prior = np.stack([depths] * STAGES + [settings] * (STAGES * MOST_LAYERS)).astype(np.float32)
    return Choices(log_prior, settle, read, matters)


def class_posterior(log_likelihood) -> jax.Array:
    """Class probabilities `[B, 20, 10]`: a mixture over each stage's depths, and independent settings given them.

    Args:
        log_likelihood: `[B, 20, 10]`, the evidence; see `NodeSpace.class_posterior`.
    """
    grouped = log_likelihood.reshape(-1, STAGES, MOST_LAYERS, _CLASSES)
    settings, skips = grouped[..., :SKIP], grouped[..., SKIP]
    evidence = jax.nn.logsumexp(settings, axis=-1) - math.log(len(SETTINGS))
    depth_evidence = jnp.stack([evidence[..., :d].sum(axis=-1) + skips[..., d:].sum(axis=-1) for d in DEPTHS], axis=-1)
    of_depth = jax.nn.softmax(depth_evidence, axis=-1)
    reaches = (np.arange(MOST_LAYERS)[:, None] < np.array(DEPTHS)).astype(np.float32)
    present = (of_depth[..., None, :] * reaches[None, None]).sum(axis=-1)
    probabilities = jnp.concatenate(
        [jax.nn.softmax(settings, axis=-1) * present[..., None], 1.0 - present[..., None]], axis=-1
    )
    return probabilities.reshape(log_likelihood.shape)


def conditional_moments(p, table) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of a sum over layers, given the class of one layer: each `[B, 20, 10]`.

    Args:
        p: class probabilities `[B, 20, 10]`.
        table: what a layer adds by its class, `[20, 10]`; see `NodeSpace.conditional_moments`.
    """
    layers = p.reshape(-1, STAGES, MOST_LAYERS, _CLASSES)
    table = jnp.asarray(table, jnp.float32)
    terms = (table[:, :SKIP] - table[:, SKIP:]).reshape(1, STAGES, MOST_LAYERS, SKIP)  # beyond a skip's
    third, fourth = layers[..., 2, SKIP], layers[..., 3, SKIP]
    depths = jnp.stack([third, jnp.maximum(fourth - third, 0.0), 1.0 - fourth], axis=-1)[:, :, None]
    settings = layers[..., :SKIP] / jnp.maximum(layers[..., :SKIP].sum(axis=-1, keepdims=True), 1e-12)
    mean = (settings * terms).sum(axis=-1)
    variance = jnp.maximum((settings * terms**2).sum(axis=-1) - mean**2, 0.0)
    reaches = (np.arange(MOST_LAYERS)[:, None] < np.array(DEPTHS)).astype(np.float32)
    of_depth = jnp.tensordot(mean, reaches, 1)[:, :, None]
    variance_of_depth = jnp.tensordot(variance, reaches, 1)[:, :, None]
    stage, stage_variance = _mixture(depths, of_depth, variance_of_depth)
    others = stage.sum(axis=1, keepdims=True) - stage
    left = stage_variance.sum(axis=1, keepdims=True) - stage_variance
    rest, rest_variance = _mixture(
        depths * reaches[None, None], of_depth - mean[..., None], variance_of_depth - variance[..., None]
    )
    absent, absent_variance = _mixture(depths * (1.0 - reaches)[None, None], of_depth, variance_of_depth)
    means = jnp.concatenate([(others + rest)[..., None] + terms, (others + absent)[..., None]], axis=-1)
    variances = jnp.stack([left + rest_variance] * SKIP + [left + absent_variance], axis=-1)
    return means.reshape(p.shape) + table[:, SKIP].sum(), jnp.maximum(variances, 0.0).reshape(p.shape)


def _mixture(weights, means, variances):
    """Mean and variance of mixtures whose components, with weights that need not sum to 1, are on the last axis."""
    weights = weights / jnp.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    mean = (weights * means).sum(axis=-1)
    return mean, (weights * (variances + (means - mean[..., None]) ** 2)).sum(axis=-1)
