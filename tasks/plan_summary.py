"""What a plan comes to: the JSON that ``plan --json`` prints and other programs rely on.

Keys may be added, never renamed or removed.
"""

from mixmatch.config import RunConfig
from mixmatch.records import BaseRecord, DataRecord, LayerRecord, PlanRecord, Record
from tasks.estimate import PlanCost, expected_bytes, plan_cost
from tasks.summary import BaseSummary


class DataSummary(Record):
    """The data set as the network gets it.

    Attributes:
        name: its name in the run file.
        source: ``embedded``, a folder, or the address of the download.
        digest: SHA-256 of the stored data set.
        classes: names in the order of the labels.
        image_shape: height, width, channels.
        num_images: images per split.
        mean: that the network's input is normalized with, per channel, for images in [0, 1].
        std: likewise.
        augmentation: of training: ``none``, ``crop`` or ``crop_flip``.
    """

    name: str
    source: str
    digest: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_images: dict[str, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: str

    @classmethod
    def of(cls, config: RunConfig, data: DataRecord, base: BaseRecord | None) -> "DataSummary":
        """Take the data's facts, with the normalization of ``base`` where there is one."""
        mean, std = config.data.normalization or (data.mean, data.std)
        return cls(
            name=data.name,
            source=data.source,
            digest=data.artifact.digest,
            classes=data.classes,
            image_shape=data.image_shape,
            num_images=data.num_images,
            mean=base.spec.mean if base else mean,
            std=base.spec.std if base else std,
            augmentation=config.data.augmentation or data.augmentation,
        )


class StrategySummary(Record):
    """One strategy of a plan.

    Attributes:
        sparsity: exact fraction of all prunable weights that go.
        digest: plans that prune equally have equal digests.
        layers: planned sparsity by layer name, unrounded.
        expected_bytes: estimate of the packed file.
    """

    sparsity: float
    digest: str
    layers: dict[str, float]
    expected_bytes: int


class PlanSummary(Record):
    """What ``mixmatch plan --json`` prints; the same for every criterion.

    Attributes:
        layers: in registration order, with observed and final ranges.
        strategies: by name, in the order of the plan.
        data: the data set.
        base: the network that is to be compressed.
        cost: the work that a run would do.
    """

    layers: tuple[LayerRecord, ...]
    strategies: dict[str, StrategySummary]
    data: DataSummary
    base: BaseSummary
    cost: PlanCost

    @classmethod
    def of(
        cls, plan: PlanRecord, *, config: RunConfig, data: DataRecord, base: BaseRecord
    ) -> "PlanSummary":
        """Sum up a plan with the data and the base that it was made for."""
        strategies = {
            strategy.name: StrategySummary(
                sparsity=strategy.sparsity,
                digest=strategy.digest,
                layers=strategy.layers,
                expected_bytes=expected_bytes(strategy, plan, base),
            )
            for strategy in plan.strategies
        }
        return cls(
            layers=plan.layers,
            strategies=strategies,
            data=DataSummary.of(config, data, base),
            base=BaseSummary.of(base),
            cost=plan_cost(config, data, plan),
        )
