"""The small frozen records that travel between steps, and that JSON files hold.

A record names big things by digest and never holds a tensor. Records are stored with
``SCHEMA_VERSION``; raise it when a field changes its meaning.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1


class Record(BaseModel):
    """Base of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def artifacts(self) -> Iterator["Artifact"]:
        """Yield every artifact that this record names."""
        for _, value in self:
            if isinstance(value, Artifact):
                yield value


class Artifact(Record):
    """A file in the artifact store.

    Attributes:
        digest: SHA-256 of its bytes, 64 hexadecimal characters; also its name in the store.
        size_bytes: its length on disk.
    """

    digest: str
    size_bytes: int


class Execution(Record):
    """How arithmetic is done: part of every digest, because it decides the last bits.

    Follows from settings and the machine's capabilities, never from a timing.

    Attributes:
        device: ``cpu`` or ``cuda``, with the index left out: equal devices compute alike.
        precision: ``float32`` or ``bfloat16`` (autocast), for training and evaluation.
        threads: threads of one process on CPU; 0 on an accelerator.
        weight_gradient: ``native``, or ``taps`` where a matrix product per filter tap replaces
            oneDNN's kernel on small images (x86 processors without AVX-512, float32).
    """

    device: str
    precision: str
    threads: int
    weight_gradient: str


class Accuracy(Record):
    """Top-1 accuracy on one set of images.

    Attributes:
        num_correct: images whose class was predicted.
        num_images: images evaluated.
        value: ``num_correct / num_images``, a fraction.
        low: lower end of the 95 % Wilson interval, a fraction.
        high: upper end of it, a fraction.
        loss: mean cross-entropy.
        correct_bits: one bit per image, in order, packed big-endian (``numpy.packbits``), base64.
    """

    num_correct: int
    num_images: int
    value: float
    low: float
    high: float
    loss: float
    correct_bits: str


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
        architecture: timm name.
        arguments: plain JSON, for the constructor.
        num_classes: outputs of the classifier.
        image_shape: height, width, channels.
        mean: per channel, for images in [0, 1].
        std: per channel, likewise.
        classes: class names in the order of the outputs.
    """

    architecture: str
    arguments: dict[str, object]
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]


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
        artifact: safetensors file; ``abs_gradient/LAYER``, ``gradient/LAYER`` and, where asked for,
            ``hessian_gradient/LAYER``, float32 in the shape of the layer's weight.
        num_images: calibration images that were read.
        seconds: wall time.
    """

    artifact: Artifact
    num_images: int
    seconds: float


class LayerRecord(Record):
    """One prunable layer with its ranges; all sparsities are fractions.

    Attributes:
        name: dotted module path.
        role: a value of ``LayerRole``.
        num_weights: entries of its weight.
        observed: lowest and highest sparsity over the observed global rankings.
        range: the range after constraints and settings.
    """

    name: str
    role: str
    num_weights: int
    observed: tuple[float, float]
    range: tuple[float, float]


class StrategyRecord(Record):
    """One strategy's plan.

    Attributes:
        name: key in STRATEGIES.
        digest: SHA-256 of the counts: plans that prune equally have equal digests.
        sparsity: exact fraction of all prunable weights that go.
        layers: planned sparsity by layer name, unrounded.
        num_pruned: weights that go, by layer name.
    """

    name: str
    digest: str
    sparsity: float
    layers: dict[str, float]
    num_pruned: dict[str, int]


class PlanRecord(Record):
    """All strategies of a run; the same for every criterion.

    Attributes:
        layers: in registration order.
        strategies: in the order of the run file, or of the method.
        normalization_layers: paths that are never pruned, for the report.
    """

    layers: tuple[LayerRecord, ...]
    strategies: tuple[StrategyRecord, ...]
    normalization_layers: tuple[str, ...]


class EpochRecord(Record):
    """One epoch of fine-tuning.

    Attributes:
        train_loss: mean cross-entropy over the training images.
        validation_accuracy: a fraction.
        seconds: wall time.
    """

    train_loss: float
    validation_accuracy: float
    seconds: float


class MemberRecord(Record):
    """One pruned, fine-tuned and evaluated network.

    Attributes:
        artifact: packed file.
        mask_digest: SHA-256 of the mask's bits.
        num_weights: prunable weights.
        num_nonzero: prunable weights that are not zero, counted on the finished network.
        num_parameters: all parameters.
        sparsity: zeros among prunable weights / prunable weights, counted, a fraction.
        sparsity_of_all: zeros among prunable weights / all parameters, a fraction.
        layer_sparsity: counted, by layer name, fractions.
        validation_after_mask: right after masking.
        validation_after_batch_norm: after batch-norm re-estimation (equal to the former if off).
        validation: of the finished network.
        test: of the finished network.
        epochs: the course of fine-tuning; empty for an instant family.
        best_epoch: index into ``epochs`` of the state that was kept; -1: the untrained one.
        seconds: wall time of the whole job.
    """

    artifact: Artifact
    mask_digest: str
    num_weights: int
    num_nonzero: int
    num_parameters: int
    sparsity: float
    sparsity_of_all: float
    layer_sparsity: dict[str, float]
    validation_after_mask: Accuracy
    validation_after_batch_norm: Accuracy
    validation: Accuracy
    test: Accuracy
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float


class Result(Record):
    """One distinct member of the family, as tables, report and registry show it.

    Attributes:
        strategy: the first strategy that asked for this configuration.
        also: further strategies with the same configuration.
        criterion: key in CRITERIA.
        seed: of fine-tuning.
        member: what was measured.
        accuracy_drop: the base's test accuracy minus this one's, a fraction.
        cached: whether it was found in the store.
        on_front: whether it is Pareto-optimal over (validation accuracy, sparsity).
        front_share: share of bootstrap resamples of the validation images in which it is.
        key: digest of the job's inputs.
    """

    strategy: str
    also: tuple[str, ...]
    criterion: str
    seed: int
    member: MemberRecord
    accuracy_drop: float
    cached: bool
    on_front: bool
    front_share: float
    key: str


class FamilyRecord(Record):
    """The product of a run.

    Attributes:
        name: the run's name.
        base: the network they all come from.
        results: one per distinct configuration, criterion and seed, in the order of the plan.
        failed: label of each member that failed, with its reason.
    """

    name: str
    base: BaseRecord
    results: tuple[Result, ...]
    failed: dict[str, str]
