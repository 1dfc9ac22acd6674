"""The hyperparameters, inputs and fit of the kernel of `meta_gaussian_process`, as trees of arrays."""

from typing import NamedTuple

from jax import Array


class Hyperparameters(NamedTuple):
    """Logarithms of what the marginal likelihood decides.

    Attributes:
        linear: variance of the linear kernel.
        variances: the variances of the nested kernel's terms, `[G]`.
        lengths: squared length scales of its groups, in their mean squared distances, `[G]`.
        similar: u.
        difficulty: v_0, v_1, v_2, `[3]`.
        noise: variance of a label's noise; labels have variance 1.
    """

    linear: Array
    variances: Array
    lengths: Array
    similar: Array
    difficulty: Array
    noise: Array


class Scaling(NamedTuple):
    """What brings features into units, measured on the triples.

    Attributes:
        mean: the means of the linear features, `[L]`.
        std: the standard deviations of the linear features, `[L]`.
        squares: mean squared distances by group, `[G]`.
        classes: vectors of the known classes, `[A, F]`.
        length: distance at which classes are still alike.
        centre: mean of c, `[F]`.
        spread: root mean squares of c and of the data sets' profiles of classes, `[2]`.
    """

    mean: Array
    std: Array
    squares: Array
    classes: Array
    length: Array
    centre: Array
    spread: Array


class Architectures(NamedTuple):
    """What the kernel reads of architectures, in units.

    Attributes:
        linear: `[B, L]`.
        groups: `[B, F_g]` for each group.
    """

    linear: Array
    groups: tuple[Array, ...]


class Contexts(NamedTuple):
    """What it reads of data sets, in units.

    Attributes:
        means: c, `[T, F]`.
        profiles: `[T, A]`, how much a data set is like each known class; r is their product.
    """

    means: Array
    profiles: Array


class Inputs(NamedTuple):
    """Triples without their labels."""

    architectures: Architectures
    contexts: Contexts


class Params(NamedTuple):
    """A fitted process.

    Attributes:
        hyperparameters: the hyperparameters at the maximum of their posterior density.
        scaling: the scaling of the features.
        architectures: the U that differ among the inducing triples.
        contexts: the contexts of the T data sets.
        architecture: the place in `architectures` of each of the M inducing triples, `[M]`.
        task: the place in `contexts` of each inducing triple, `[M]`.
        weights: `[M]`, whose product with the kernel is the posterior mean.
    """

    hyperparameters: Hyperparameters
    scaling: Scaling
    architectures: Architectures
    contexts: Contexts
    architecture: Array
    task: Array
    weights: Array
