"""How long the networks take: a table per batch size, and what the figures say about zeros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mixmatch.records import FamilyRecord, LatencyRecord, Timing
from tasks.deployment_summary import BASE
from tasks.labels import member_label

_Name = tuple[str, float | None]  # label and sparsity

# Runtimes whose kernels compute with every weight, whatever its value.
_DENSE = {"torch": "PyTorch", "onnx": "ONNX Runtime", "onnx-int8": "ONNX Runtime, int8"}
_SHOWN = 12  # digits of a digest that no result has


@dataclass(frozen=True, slots=True)
class LatencyCell:
    """One network in one runtime.

    Attributes:
        timing: what was measured.
        ratio: its median / the base's in PyTorch at the same batch size; None: not measured.
        share: its median / the longest one in the table, a fraction.
    """

    timing: Timing
    ratio: float | None
    share: float


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One network in all runtimes.

    Attributes:
        label: the result's; ``base`` for the base.
        sparsity: of the result, a fraction; None for the base.
        cells: in the order of the runtimes; None: not measured.
    """

    label: str
    sparsity: float | None
    cells: tuple[LatencyCell | None, ...]


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """All networks at one batch size.

    Attributes:
        batch: images at once.
        rows: in the order in which the networks were measured.
    """

    batch: int
    rows: tuple[LatencyRow, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """The section on latency.

    Attributes:
        runtimes: headings, in the order of the record.
        tables: by batch size, the smallest first.
        host: a sentence that says where and how it was measured.
        verdict: a sentence on what pruning changed; None without a member and the base beside it.
    """

    runtimes: tuple[str, ...]
    tables: tuple[LatencyTable, ...]
    host: str
    verdict: str | None


def latency_of(family: FamilyRecord) -> Latency | None:
    """Put the section together; None where latency was not measured."""
    record = family.latency
    if record is None or not record.timings:
        return None
    runtimes = tuple(dict.fromkeys(x.runtime for x in record.timings))
    batches = sorted({x.batch for x in record.timings})
    base = family.base.artifact.digest
    return Latency(
        runtimes=tuple(_DENSE.get(x, x) for x in runtimes),
        tables=tuple(_table(x, runtimes, record.timings, _names(family), base) for x in batches),
        host=_host(record),
        verdict=_verdict(record.timings, base),
    )


def _names(family: FamilyRecord) -> dict[str, _Name]:
    """Return label and sparsity of every network, by the digest of its file."""
    names: dict[str, _Name] = {family.base.artifact.digest: (BASE, None)}
    for result in family.results:
        label = member_label(result.strategy, result.criterion, result.seed)
        names.setdefault(result.member.artifact.digest, (label, result.member.sparsity))
    return names


def _table(
    batch: int,
    runtimes: Sequence[str],
    timings: Sequence[Timing],
    names: Mapping[str, _Name],
    base: str,
) -> LatencyTable:
    found = {(x.network, x.runtime): x for x in timings if x.batch == batch}
    reference = found.get((base, "torch"))
    longest = max(x.median_s for x in found.values())

    def cell(network: str, runtime: str) -> LatencyCell | None:
        timing = found.get((network, runtime))
        if timing is None:
            return None
        ratio = timing.median_s / reference.median_s if reference else None
        return LatencyCell(timing, ratio, timing.median_s / longest)

    networks = dict.fromkeys(network for network, _ in found)
    rows = (
        LatencyRow(*names.get(x, (x[:_SHOWN], None)), tuple(cell(x, y) for y in runtimes))
        for x in networks
    )
    return LatencyTable(batch, tuple(rows))


def _host(record: LatencyRecord) -> str:
    host = record.host
    versions = ", ".join(f"{name} {version}" for name, version in host.versions.items())
    threads = "1 thread" if record.threads == 1 else f"{record.threads} threads"
    fewest = min(x.num_repeats for x in record.timings)
    return (
        f"Measured on {host.processor} ({host.num_processors} logical processors, {host.system}) "
        f"with {threads} per network, in turn; {versions}. At least {fewest} batches each."
    )


def _verdict(timings: Sequence[Timing], base: str) -> str | None:
    """Compare every member with the base in the same runtime at the same batch size."""
    bases = {(x.runtime, x.batch): x for x in timings if x.network == base}
    pairs = [
        (x, bases[x.runtime, x.batch])
        for x in timings
        if x.network != base and x.runtime in _DENSE and (x.runtime, x.batch) in bases
    ]
    if not pairs:
        return None
    ratios = [x.median_s / of_base.median_s for x, of_base in pairs]
    faster = sum(x.high_s < of_base.low_s for x, of_base in pairs)
    slower = sum(x.low_s > of_base.high_s for x, of_base in pairs)
    span = f"{min(ratios):.2f} to {max(ratios):.2f} times the base's"
    if not faster and not slower:
        return (
            "Zeros alone make none of these networks faster: in every runtime and at every batch "
            "size the quartiles of each pruned network overlap the base's, and the medians are "
            f"{span}. These kernels are dense; they multiply by a zero as by any other weight."
        )
    return (
        "Compared with the base in the same runtime at the same batch size, the medians of the "
        f"pruned networks are {span}; of {len(pairs)} comparisons the quartiles lie wholly below "
        f"the base's in {faster} and wholly above in {slower}."
    )
