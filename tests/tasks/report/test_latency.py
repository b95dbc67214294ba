import pytest

from mixmatch.records import LatencyRecord
from tasks.report.latency import latency_of

BASE = "b" * 64


@pytest.fixture
def measured(family, host):
    """Put timings into the family: (network, runtime, batch, low, median, high) in milliseconds."""

    def put(*timings, threads=1):
        fields = ("network", "runtime", "batch", "low_s", "median_s", "high_s")
        rows = [dict(zip(fields, timing, strict=True)) for timing in timings]
        for row in rows:
            row |= {x: row[x] / 1000 for x in ("low_s", "median_s", "high_s")}
            row["num_repeats"] = 40 if row["batch"] == 1 else 30
        record = LatencyRecord.model_validate(
            {"host": host, "threads": threads, "timings": rows, "seconds": 9.0}
        )
        return latency_of(family.model_copy(update={"latency": record}))

    return put


@pytest.fixture
def digest(family):
    """The packed file of the family's first result."""
    return family.results[0].member.artifact.digest


def test_there_is_no_section_where_nothing_was_measured(family, measured):
    assert latency_of(family) is None
    assert measured() is None


def test_networks_are_rows_and_runtimes_columns_of_one_table_per_batch(measured, digest, family):
    found = measured(
        (BASE, "torch", 32, 90, 100, 110),
        (BASE, "torch", 1, 9, 10, 11),
        (BASE, "onnx", 1, 7, 8, 9),
        (digest, "torch", 1, 4, 5, 6),
        (digest, "onnx", 1, 3, 4, 5),
    )
    assert found.runtimes == ("PyTorch", "ONNX Runtime")
    assert [table.batch for table in found.tables] == [1, 32]
    base, member = found.tables[0].rows
    assert (base.label, base.sparsity) == ("base", None)
    assert (member.label, member.sparsity) == (
        "conservative/magnitude/0",
        family.results[0].member.sparsity,
    )
    assert [cell.ratio for cell in member.cells] == [0.5, 0.4]
    assert [cell.share for cell in member.cells] == [0.5, 0.4]
    ((torch, onnx),) = (row.cells for row in found.tables[1].rows)
    assert (torch.ratio, torch.timing.median_s, onnx) == (1.0, 0.1, None)


def test_without_the_base_in_torch_there_is_no_ratio(measured, digest):
    found = measured((digest, "onnx", 1, 3, 4, 5))
    ((cell,),) = (row.cells for row in found.tables[0].rows)
    assert cell.ratio is None
    assert found.verdict is None


def test_a_network_that_no_result_names_is_shown_by_its_digest(measured):
    found = measured((BASE, "torch", 1, 9, 10, 11), ("f" * 64, "torch", 1, 9, 10, 11))
    assert [row.label for row in found.tables[0].rows] == ["base", "f" * 12]


def test_names_host_threads_versions_and_the_fewest_repeats(measured):
    timings = ((BASE, "torch", 1, 9, 10, 11), (BASE, "torch", 32, 90, 100, 110))
    assert measured(*timings).host == (
        "Measured on Example CPU @ 2.50GHz (8 logical processors, Linux x86_64) with 1 thread per "
        "network, in turn; python 3.11.2, torch 2.13.0, onnxruntime 1.32.0. At least 30 batches "
        "each."
    )
    assert " with 4 threads per network, " in measured(*timings, threads=4).host


def test_says_that_zeros_gain_nothing_where_all_quartiles_overlap(measured, digest):
    found = measured(
        (BASE, "torch", 1, 9, 10, 11),
        (BASE, "onnx", 1, 7, 8, 9),
        (digest, "torch", 1, 8.5, 9.5, 10.5),
        (digest, "onnx", 1, 8, 8.4, 9.4),
    )
    assert found.verdict == (
        "Zeros alone make none of these networks faster: in every runtime and at every batch size "
        "the quartiles of each pruned network overlap the base's, and the medians are 0.95 to 1.05 "
        "times the base's. These kernels are dense; they multiply by a zero as by any other weight."
    )


def test_claims_nothing_of_zeros_where_a_network_differs(measured, digest):
    found = measured(
        (BASE, "torch", 1, 9, 10, 11),
        (BASE, "torch", 32, 90, 100, 110),
        (BASE, "onnx", 1, 7, 8, 9),
        (digest, "torch", 1, 4, 5, 6),
        (digest, "torch", 32, 119, 120, 121),
        (digest, "onnx", 1, 7, 8, 9),
    )
    assert found.verdict == (
        "Compared with the base in the same runtime at the same batch size, the medians of the "
        "pruned networks are 0.50 to 1.20 times the base's; of 3 comparisons the quartiles lie "
        "wholly below the base's in 1 and wholly above in 1."
    )


def test_a_runtime_with_sparse_kernels_says_nothing_of_dense_ones(measured, digest):
    found = measured(
        (BASE, "torch", 1, 9, 10, 11),
        (BASE, "torch-sparse", 1, 9, 10, 11),
        (digest, "torch", 1, 9, 10, 11),
        (digest, "torch-sparse", 1, 1, 2, 3),
    )
    assert found.runtimes == ("PyTorch", "torch-sparse")
    assert "Zeros alone" in found.verdict
    assert "1.00 to 1.00 times" in found.verdict
