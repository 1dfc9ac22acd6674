"""Settings of transfer: what a meta-predictor learns from, how the new data set is described, and what learns."""

import dataclasses

from nag_jax.settings.names import NORMALIZATIONS
from nag_jax.system.fields import COUNT, POSITIVE, SEED, one_of, option

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SOURCES_OF_TRIPLES = ("metad2a", "nas_bench_graph")
_INPUT_SCALE = option(1.0, "The factor that items are multiplied with.", POSITIVE)
_WIDTH = option(56, "The number of features of the embedding.", COUNT)
_SOURCE_OF_TRIPLES = "Where the triples come from that the meta-predictor learns from."
_SOURCE_OF_DATA = "How the new data set is described."


@dataclasses.dataclass(frozen=True)
class MetaD2A:
    """The triples of MetaD2A."""

    path: str = option("", "The npz file of the triples.")
    classes: str = option("", "The text file of the classes, a line `wnid id name` for each.")
    features: str = option(
        "", "The npz file of the classes' images, for descriptions of data sets other than class_names."
    )
    published_split: bool = option(False, "Whether the published evaluation triples are left out.")


@dataclasses.dataclass(frozen=True)
class Triples:
    """Triples on NAS-Bench-201."""

    source: str = option("metad2a", _SOURCE_OF_TRIPLES, one_of(*SOURCES_OF_TRIPLES))
    metad2a: MetaD2A = MetaD2A()


@dataclasses.dataclass(frozen=True)
class OtherGraphs:
    """The data sets of NAS-Bench-Graph beside the new one."""

    # Each is a noisy figure of the same quality; those of the new data set are never read.
    metrics: tuple[str, ...] = option(
        ("validation", "test"), "The metrics of the other data sets whose mean is learned; () is the objective."
    )


@dataclasses.dataclass(frozen=True)
class GraphTriples:
    """Triples on NAS-Bench-Graph."""

    source: str = option("nas_bench_graph", _SOURCE_OF_TRIPLES, one_of(*SOURCES_OF_TRIPLES))
    nas_bench_graph: OtherGraphs = OtherGraphs()


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """A data set by the names of its classes."""

    classes: tuple[str, ...] | str = option(CIFAR10, "The names of the classes, or a text file with one per line.")
    name: str = option("cifar10", "The name of the data set in messages and reports.")


@dataclasses.dataclass(frozen=True)
class Images:
    """A data set by its images."""

    folder: str = option("", "The folder with a folder of images for each class.")
    tfds: str = option("", "The name of a prepared TFDS data set, in place of a folder.")
    data_dir: str = option("", "The folder of TFDS data sets; empty is TFDS's own.")
    weights: str = option(
        "", "The file of the weights of a ResNet-18, which makes features of images; empty takes pixels."
    )
    images_per_class: int = option(20, "How many images are drawn from each class.", COUNT)
    image_size: int = option(32, "The size in pixels that images are scaled to, that of the triples' images.", COUNT)
    seed: int = option(0, "The seed with which images are drawn.", SEED)


@dataclasses.dataclass(frozen=True)
class Features:
    """A data set by features in a file."""

    path: str = option(
        "", "The npz file that `python -m experiments.convert imagenet32` or `datasets.base.save` wrote."
    )


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """A new data set of images; the block of its source counts."""

    source: str = option("class_names", _SOURCE_OF_DATA, one_of("class_names", "images", "features", "landmarks"))
    class_names: ClassNames = ClassNames()
    images: Images = Images()
    features: Features = Features()


@dataclasses.dataclass(frozen=True)
class Statistics:
    """A data set by published statistics."""

    name: str = option("cora", "The published data set; that of the evaluator where nothing else is said.")


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """A data set by labels of a few fixed architectures."""

    k: int = option(10, "How many architectures are labelled on every data set; they count.", COUNT)


@dataclasses.dataclass(frozen=True)
class GraphDataset:
    """A new graph to learn on; the block of its source counts."""

    source: str = option("statistics", _SOURCE_OF_DATA, one_of("statistics", "landmarks"))
    statistics: Statistics = Statistics()
    landmarks: Landmarks = Landmarks()


@dataclasses.dataclass(frozen=True)
class GaussianProcess:
    """The meta-predictor that is a Gaussian process."""

    most_triples: int = option(20_000, "How many triples are learned from at most, chosen at random.", COUNT)
    inducing: int = option(5000, "How many of them the posterior rests on.", COUNT)
    subset: int = option(1000, "How many triples' marginal likelihood a step of Adam takes.", COUNT)
    num_steps: int = option(60, "The number of steps of Adam.", COUNT)
    class_length: float = option(
        0.25, "The distance at which classes are still alike, in units of that between known classes.", POSITIVE
    )


@dataclasses.dataclass(frozen=True)
class SetTransformer:
    """The encoder of a data set that attends to its items."""

    width: int = _WIDTH
    num_heads: int = option(4, "The number of attention heads; they divide the width.", COUNT)
    num_blocks: int = option(2, "The number of self-attention blocks of a pooling.", COUNT)
    input_scale: float = _INPUT_SCALE


@dataclasses.dataclass(frozen=True)
class Mean:
    """The encoder of a data set that takes the means of its classes."""

    width: int = _WIDTH
    hidden: int = option(64, "The number of features between means and embedding.", COUNT)
    input_scale: float = _INPUT_SCALE


@dataclasses.dataclass(frozen=True)
class Meta:
    """What learns from triples."""

    name: str = option(
        "gaussian_process",
        "What learns from triples: a Gaussian process, or the published network of encoder and predictor.",
        one_of("gaussian_process", "network"),
    )
    # A point of accuracy isn't the same on easy and hard data sets, nor among bad and good architectures.
    labels: str = option("normal", "How labels are normalised.", NORMALIZATIONS)
    per_dataset: bool = option(False, "Whether the labels of a data set are normalised by themselves.")
    gaussian_process: GaussianProcess = GaussianProcess()
    encoder: str = option(
        "set_transformer", "The encoder of a data set, for the network.", one_of("set_transformer", "mean")
    )
    set_transformer: SetTransformer = SetTransformer()
    mean: Mean = Mean()
