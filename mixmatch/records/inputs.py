"""What a family is made from: data set, network, scores."""

from mixmatch.records.record import Accuracy, Artifact, Record


class DataRecord(Record):
    """A data set as it was fetched.

    Attributes:
        name: the data set's name in the run file.
        source: where it came from: ``embedded``, a folder, or the address of the download.
        source_digest: SHA-256 that stands for the content of the source.
        artifact: safetensors file with ``images`` uint8 (N, H, W, C), ``labels`` int64 (N,), and
            row numbers of each split, int64: ``train``, ``calibration``, ``validation``, ``test``.
        num_images: images per split.
        classes: class names in the order of the labels.
        image_shape: height, width, channels.
        mean: per channel, the data set's own normalization, for images in [0, 1].
        std: per channel, likewise.
        augmentation: what suits the data set: ``none``, ``crop`` or ``crop_flip``.
    """

    name: str
    source: str
    source_digest: str
    artifact: Artifact
    num_images: dict[str, int]
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: str


class ModelSpec(Record):
    """What is needed to build a network and to feed it.

    Attributes:
        architecture: timm name, ``vgg11_cifar``, or ``package.module:factory``.
        arguments: plain JSON, for the constructor.
        num_classes: outputs of the classifier.
        image_shape: height, width, channels.
        mean: per channel, for images in [0, 1].
        std: per channel, likewise.
        classes: class names in the order of the outputs.
        code_digest: SHA-256 of the source file of a user's own factory; None for known names.
    """

    architecture: str
    arguments: dict[str, object]
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    code_digest: str | None = None


class BaseRecord(Record):
    """The trained network that is to be compressed.

    Attributes:
        spec: how to build it and feed it.
        source: ``trained``, a file name, ``timm:NAME`` or ``models:/NAME/VERSION``.
        artifact: safetensors file with its state, names as in ``state_dict``.
        num_parameters: all parameters.
        num_weights: prunable weights among them.
        validation: accuracy on the validation images.
        test: accuracy on the test images.
        warnings: sentences that the user must read; empty if all is well.
        seconds: wall time of loading or training and evaluating.
    """

    spec: ModelSpec
    source: str
    artifact: Artifact
    num_parameters: int
    num_weights: int
    validation: Accuracy
    test: Accuracy
    warnings: tuple[str, ...]
    seconds: float


class SensitivityRecord(Record):
    """One sensitivity pass over the base network.

    Attributes:
        artifact: safetensors file with ``abs_gradient/LAYER`` and ``gradient/LAYER``, float32 in
            the shape of the layer's weight.
        curvature: likewise with ``hessian_gradient/LAYER``; None where it was not asked for.
        num_images: calibration images that were read.
        seconds: wall time.
    """

    artifact: Artifact
    curvature: Artifact | None = None
    num_images: int
    seconds: float
