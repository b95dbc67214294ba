import pytest

from mixmatch.records import FamilyRecord, RivalResult
from tasks.summary import ResultRow, RunSummary


@pytest.fixture
def family(tiny_base, tiny_result):
    off_front = tiny_result.model_copy(update={"on_front": False, "key": "k2", "cached": True})
    rival = RivalResult(
        rival="LAMP",
        sparsity=0.7,
        seed=0,
        member=tiny_result.member,
        accuracy_drop=0.05,
        cached=False,
        key="k3",
    )
    return FamilyRecord(
        name="tiny",
        base=tiny_base,
        results=(tiny_result, off_front),
        failed={"x/y/0": "it broke"},
        rivals=(rival,),
    )


@pytest.fixture
def summary(family):
    return RunSummary.of(
        family,
        run_id="r1",
        workspace="/ws",
        report="/ws/report.html",
        versions={"k1": 3},
        cache={"hits": 1, "misses": 5},
        seconds={"total": 2.5},
    )


def test_holds_every_key_of_the_contract(summary):
    printed = summary.model_dump(mode="json")
    assert set(printed) >= {
        "run_id",
        "workspace",
        "base",
        "results",
        "report",
        "cache",
        "seconds",
        "failed",
    }
    assert set(printed["results"][0]) >= {
        "strategy",
        "also",
        "criterion",
        "seed",
        "sparsity",
        "validation_accuracy",
        "accuracy",
        "accuracy_drop",
        "num_nonzero",
        "bytes",
        "digest",
        "cached",
        "on_front",
        "model_version",
    }
    assert printed["cache"] == {"hits": 1, "misses": 5}
    assert printed["failed"] == {"x/y/0": "it broke"}


def test_takes_counts_and_bytes_from_the_finished_network(summary):
    row = summary.results[0]
    assert (row.num_nonzero, row.bytes, row.digest) == (500, 1234, "c" * 64)
    assert (row.validation_accuracy, row.accuracy, row.accuracy_drop) == (0.5, 0.45, 0.05)
    assert row.also == ("percentile_50",)


def test_a_result_says_on_which_fronts_it_is(family):
    result = family.results[0].model_copy(update={"on_front": False, "on_size_front": True})
    row = ResultRow.of(result, None)
    assert (row.on_front, row.on_size_front) == (False, True)


def test_without_int8_files_and_latencies_their_keys_are_null(summary):
    printed = summary.model_dump(mode="json")
    assert (printed["results"][0]["int8"], printed["latency"]) == (None, None)


def test_only_what_is_registered_has_a_version(summary):
    assert [row.model_version for row in summary.results] == [3, None]


def test_sums_up_the_base_with_its_warnings(summary):
    base = summary.base
    assert (base.architecture, base.accuracy, base.accuracy_interval) == ("tiny", 0.5, (0.4, 0.6))
    assert base.warnings == ("The base guesses.",)


def test_rivals_stand_beside_the_results(summary):
    assert len(summary.results) == 2
    (rival,) = summary.model_dump(mode="json")["compare"]
    assert rival == {
        "rival": "LAMP",
        "sparsity_asked": 0.7,
        "seed": 0,
        "sparsity": 0.75,
        "validation_accuracy": 0.5,
        "accuracy": 0.45,
        "accuracy_interval": [0.4, 0.6],
        "accuracy_drop": 0.05,
        "num_nonzero": 500,
        "bytes": 1234,
        "digest": "c" * 64,
        "cached": False,
    }


def test_a_summary_of_before_rivals_and_deployment_is_still_read(summary):
    old = summary.model_dump(exclude={"compare", "latency"})
    old["results"] = [
        {key: value for key, value in row.items() if key not in {"on_size_front", "int8"}}
        for row in old["results"]
    ]
    read = RunSummary.model_validate(old)
    assert (read.compare, read.latency, read.results[0].int8) == ((), None, None)


def test_survives_json(summary):
    assert RunSummary.model_validate_json(summary.model_dump_json()) == summary
