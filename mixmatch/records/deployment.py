"""What a member comes to on a device: its int8 file, and how long it takes."""

from mixmatch.records.record import Accuracy, Artifact, Record


class QuantizedRecord(Record):
    """One member with int8 weights, evaluated again.

    Attributes:
        artifact: packed file with int8 values and per-channel scales.
        num_nonzero: prunable weights that are not zero; some that were kept may round to zero.
        sparsity: zeros among prunable weights / prunable weights, counted, a fraction.
        validation: with the rounded weights, computed as the member itself was.
        test: likewise.
        seconds: wall time of the whole job.
    """

    artifact: Artifact
    num_nonzero: int
    sparsity: float
    validation: Accuracy
    test: Accuracy
    seconds: float


class HostRecord(Record):
    """The machine on which something was timed.

    Attributes:
        processor: its model, as the system names it.
        num_processors: logical processors that a process may use.
        system: operating system and machine type, for example ``Linux x86_64``.
        versions: of Python and of the packages that computed.
    """

    processor: str
    num_processors: int
    system: str
    versions: dict[str, str]


class Timing(Record):
    """How long one network takes for one batch; images are read and preprocessed before.

    Attributes:
        network: SHA-256 of the file that holds the network.
        runtime: ``torch``, ``torch-sparse`` (sparse linear layers), ``onnx`` (ONNX Runtime,
            float32) or ``onnx-int8`` (static int8).
        batch: images at once.
        median_s: median over the repeats, seconds.
        low_s: first quartile.
        high_s: third quartile.
        num_repeats: batches that were timed.
    """

    network: str
    runtime: str
    batch: int
    median_s: float
    low_s: float
    high_s: float
    num_repeats: int


class LatencyRecord(Record):
    """Latencies of several networks, measured in turn so that they can be compared.

    Attributes:
        host: where.
        threads: that each network could use.
        timings: by network, then runtime, then batch.
        seconds: wall time of the whole measurement.
    """

    host: HostRecord
    threads: int
    timings: tuple[Timing, ...]
    seconds: float
