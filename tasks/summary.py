"""What a run comes to: the JSON that ``run --json`` prints and other programs rely on.

Keys may be added, never renamed or removed.
"""

from collections.abc import Mapping

from mixmatch.records import BaseRecord, FamilyRecord, Record, Result
from tasks.compare import RivalRow
from tasks.deployment_summary import Int8Row, LatencySummary

# The sparsity from which a network counts as sparse in a run's few figures.
SPARSE = 0.8


class BaseSummary(Record):
    """The network that was compressed.

    Attributes:
        architecture: timm name.
        source: ``trained``, a file name, ``timm:NAME`` or ``models:/NAME/VERSION``.
        validation_accuracy: top-1 on the validation images, a fraction.
        accuracy: top-1 on the test images, a fraction.
        accuracy_interval: its 95 % Wilson interval, fractions.
        num_parameters: all parameters.
        num_weights: prunable weights among them.
        bytes: of its weights file.
        digest: SHA-256 of that file.
        warnings: sentences that the user must read.
    """

    architecture: str
    source: str
    validation_accuracy: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    num_parameters: int
    num_weights: int
    bytes: int
    digest: str
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, base: BaseRecord) -> "BaseSummary":
        """Take from a record what people and programs ask for."""
        return cls(
            architecture=base.spec.architecture,
            source=base.source,
            validation_accuracy=base.validation.value,
            accuracy=base.test.value,
            accuracy_interval=(base.test.low, base.test.high),
            num_parameters=base.num_parameters,
            num_weights=base.num_weights,
            bytes=base.artifact.size_bytes,
            digest=base.artifact.digest,
            warnings=base.warnings,
        )


class ResultRow(Record):
    """One distinct result of a run.

    Attributes:
        strategy: the first strategy that asked for this configuration.
        also: further names of the same configuration.
        criterion: key in CRITERIA.
        seed: of fine-tuning.
        sparsity: zeros among prunable weights, counted on the finished network, a fraction.
        validation_accuracy: top-1 on the validation images, a fraction.
        accuracy: top-1 on the test images, a fraction.
        accuracy_interval: its 95 % Wilson interval, fractions.
        accuracy_drop: the base's test accuracy minus this one's, a fraction.
        num_nonzero: prunable weights that are not zero.
        bytes: of the packed file on disk.
        digest: SHA-256 of the packed file.
        cached: whether it was found in the store.
        on_front: whether it is Pareto-optimal over (validation accuracy, sparsity).
        front_share: share of bootstrap resamples of the validation images in which it is.
        model_version: version in the registry; None if it was not registered.
        on_size_front: whether it is Pareto-optimal over (validation accuracy, bytes on disk).
        int8: the same network with int8 weights; None where there is none.
    """

    strategy: str
    also: tuple[str, ...]
    criterion: str
    seed: int
    sparsity: float
    validation_accuracy: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    accuracy_drop: float
    num_nonzero: int
    bytes: int
    digest: str
    cached: bool
    on_front: bool
    front_share: float
    model_version: int | None
    on_size_front: bool = False
    int8: Int8Row | None = None

    @classmethod
    def of(cls, result: Result, model_version: int | None) -> "ResultRow":
        """Take from a record what people and programs ask for."""
        member = result.member
        return cls(
            strategy=result.strategy,
            also=result.also,
            criterion=result.criterion,
            seed=result.seed,
            sparsity=member.sparsity,
            validation_accuracy=member.validation.value,
            accuracy=member.test.value,
            accuracy_interval=(member.test.low, member.test.high),
            accuracy_drop=result.accuracy_drop,
            num_nonzero=member.num_nonzero,
            bytes=member.artifact.size_bytes,
            digest=member.artifact.digest,
            cached=result.cached,
            on_front=result.on_front,
            front_share=result.front_share,
            model_version=model_version,
            on_size_front=result.on_size_front,
            int8=Int8Row.of(result),
        )


class CacheCount(Record):
    """How much of a run was there already; fetch, base, sensitivity, plan and results count.

    Attributes:
        hits: steps found in the store.
        misses: steps that were computed.
    """

    hits: int
    misses: int


class RunSummary(Record):
    """What ``mixmatch run --json`` prints.

    Attributes:
        run_id: MLflow's id of the parent run.
        workspace: folder of the workspace.
        base: the network that was compressed.
        results: one per distinct result, in the order of the plan.
        report: path of report.html.
        cache: how much was there already.
        seconds: wall time by stage, with ``total``.
        failed: label of each member that failed, with its reason; likewise of an int8 file.
        compare: one per finished rival, in the order asked; empty if none was asked for.
        warnings: sentences about what is missing though nothing has failed.
        latency: how long base and members take here; None where it was not measured.
        from_store: whether store and MLflow answered, so that no flow was run.
    """

    run_id: str
    workspace: str
    base: BaseSummary
    results: tuple[ResultRow, ...]
    report: str
    cache: CacheCount
    seconds: dict[str, float]
    failed: dict[str, str]
    compare: tuple[RivalRow, ...] = ()
    warnings: tuple[str, ...] = ()
    latency: LatencySummary | None = None
    from_store: bool = False

    @classmethod
    def of(
        cls,
        family: FamilyRecord,
        *,
        run_id: str,
        workspace: str,
        report: str,
        versions: Mapping[str, int],
        cache: Mapping[str, int],
        seconds: Mapping[str, float],
    ) -> "RunSummary":
        """Sum up a family.

        Args:
            family: the product of the run.
            run_id: MLflow's id of the parent run.
            workspace: folder of the workspace.
            report: path of report.html.
            versions: version in the registry by ``Result.key``; holds what was registered.
            cache: ``hits`` and ``misses``.
            seconds: wall time by stage.
        """
        return cls(
            run_id=run_id,
            workspace=workspace,
            base=BaseSummary.of(family.base),
            results=tuple(ResultRow.of(x, versions.get(x.key)) for x in family.results),
            report=report,
            cache=CacheCount.model_validate(dict(cache)),
            seconds=dict(seconds),
            failed=family.failed,
            compare=tuple(RivalRow.of(x) for x in family.rivals),
            latency=LatencySummary.of(family),
        )
