"""What came out: members, results, the family."""

from mixmatch.records.deployment import LatencyRecord, QuantizedRecord
from mixmatch.records.inputs import BaseRecord
from mixmatch.records.record import Accuracy, Artifact, Record


class EpochRecord(Record):
    """One epoch of fine-tuning.

    Attributes:
        train_loss: mean over the training images of the cross-entropy, or of what ``distill`` makes
            of it.
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
        cpu_seconds: processor time of the whole job, all threads; None: not measured.
        epochs_before: epochs of the members before it, from whose network it started.
        seconds_before: wall time of those.
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
    cpu_seconds: float | None = None
    epochs_before: int = 0
    seconds_before: float = 0.0


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
        mean_validation: validation accuracy of its configuration, the mean over seeds, a fraction.
        front_share: share of bootstrap resamples of the validation images in which it is.
        key: digest of the job's inputs.
        on_size_front: whether it is Pareto-optimal over (validation accuracy, bytes on disk).
        int8: the same network with int8 weights; None where that was not asked for.
    """

    strategy: str
    also: tuple[str, ...]
    criterion: str
    seed: int
    member: MemberRecord
    accuracy_drop: float
    cached: bool
    on_front: bool
    mean_validation: float
    front_share: float
    key: str
    on_size_front: bool = False
    int8: QuantizedRecord | None = None


class RivalResult(Record):
    """One finished rival: never on the front, never registered, shown beside the family.

    Attributes:
        rival: key in RIVALS.
        sparsity: asked for, a fraction; 0 for ``dense``. What was reached is the member's.
        seed: of fine-tuning; of the mask too for ``random``.
        member: what was measured.
        accuracy_drop: the base's test accuracy minus this one's, a fraction.
        cached: whether it was found in the store.
        key: digest of the job's inputs.
    """

    rival: str
    sparsity: float
    seed: int
    member: MemberRecord
    accuracy_drop: float
    cached: bool
    key: str


class FamilyRecord(Record):
    """The product of a run.

    Attributes:
        name: the run's name.
        base: the network they all come from.
        results: one per distinct configuration, criterion and seed, in the order of the plan.
        failed: label of each member that failed, with its reason.
        rivals: those that ``compare`` asked for and that finished, in the order asked.
        latency: of the base and of the members on a front; None where it was not asked for.
    """

    name: str
    base: BaseRecord
    results: tuple[Result, ...]
    failed: dict[str, str]
    rivals: tuple[RivalResult, ...] = ()
    latency: LatencyRecord | None = None
