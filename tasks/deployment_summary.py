"""Int8 files and latencies as tables show them and ``run --json`` prints them.

Keys may be added, never renamed or removed.
"""

from mixmatch.records import FamilyRecord, HostRecord, Record, Result
from tasks.labels import member_label

BASE = "base"


class Int8Row(Record):
    """The int8 file of one result.

    Attributes:
        bytes: of the packed file on disk.
        accuracy: top-1 on the test images, a fraction.
        validation_accuracy: top-1 on the validation images, a fraction.
        accuracy_loss: test accuracy with float32 weights minus this one's, a fraction.
        accuracy_loss_interval: its 95 % interval by a paired bootstrap of the test images,
            fractions.
        sparsity: zeros among prunable weights, counted, a fraction.
        digest: SHA-256 of the packed file.
    """

    bytes: int
    accuracy: float
    validation_accuracy: float
    accuracy_loss: float
    accuracy_loss_interval: tuple[float, float]
    sparsity: float
    digest: str

    @classmethod
    def of(cls, result: Result) -> "Int8Row | None":
        """Take from a record what people and programs ask for; None where there is no int8 file."""
        from mixmatch.statistics import paired_loss  # noqa: PLC0415  torch, for this alone

        int8 = result.int8
        if int8 is None:
            return None
        loss = paired_loss(result.member.test, int8.test)
        return cls(
            bytes=int8.artifact.size_bytes,
            accuracy=int8.test.value,
            validation_accuracy=int8.validation.value,
            accuracy_loss=loss.difference,
            accuracy_loss_interval=(loss.low, loss.high),
            sparsity=int8.sparsity,
            digest=int8.artifact.digest,
        )


class LatencyRow(Record):
    """How long one network takes for one batch; images are read and preprocessed before.

    Attributes:
        network: ``base``, or strategy, criterion and seed with slashes between.
        digest: SHA-256 of the file that holds the network.
        runtime: ``torch``, ``torch-sparse`` (sparse linear layers), ``onnx`` (ONNX Runtime,
            float32) or ``onnx-int8`` (static int8).
        batch: images at once.
        median_s: median over the repeats, seconds.
        low_s: first quartile.
        high_s: third quartile.
        num_repeats: batches that were timed.
    """

    network: str
    digest: str
    runtime: str
    batch: int
    median_s: float
    low_s: float
    high_s: float
    num_repeats: int


class LatencySummary(Record):
    """Latencies of the base and of members, measured in turn so that they can be compared.

    Attributes:
        host: where.
        threads: that each network could use.
        rows: by network, then runtime, then batch.
    """

    host: HostRecord
    threads: int
    rows: tuple[LatencyRow, ...]

    @classmethod
    def of(cls, family: FamilyRecord) -> "LatencySummary | None":
        """Take from a record what people and programs ask for; None where nothing was measured."""
        if family.latency is None:
            return None
        names = {
            x.member.artifact.digest: member_label(x.strategy, x.criterion, x.seed)
            for x in reversed(family.results)  # of equal files the first names it
        }
        names[family.base.artifact.digest] = BASE
        rows = tuple(
            LatencyRow(
                network=names[timing.network],
                digest=timing.network,
                **timing.model_dump(exclude={"network"}),
            )
            for timing in family.latency.timings
        )
        return cls(host=family.latency.host, threads=family.latency.threads, rows=rows)
