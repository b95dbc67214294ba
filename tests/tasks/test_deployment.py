import pytest

from mixmatch.config import parse_run_config
from mixmatch.records import Artifact, FamilyRecord
from tasks.deployment import latency_job, quantizations, with_int8
from tasks.orders import member_execution

RUN = {"data": {"name": "digits"}, "model": {"architecture": "tiny"}}


def config_of(**settings):
    return parse_run_config(RUN | settings, "r")


@pytest.fixture
def family(tiny_base, tiny_result):
    """Two seeds on the front of sparsity, one result on that of sizes, one on neither."""

    def result(strategy, digest, **changes):
        artifact = Artifact(digest=digest * 64, size_bytes=1234)
        member = tiny_result.member.model_copy(update={"artifact": artifact})
        update = {"strategy": strategy, "member": member, "key": f"key {digest}", "on_front": False}
        return tiny_result.model_copy(update=update | changes)

    results = (
        result("sparse", "1", on_front=True),
        result("sparse", "2", on_front=True, seed=1),
        result("small", "3", on_size_front=True),
        result("neither", "4"),
    )
    return FamilyRecord(name="tiny", base=tiny_base, results=results, failed={"x": "why"})


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("none", []),
        ("front", ["sparse/magnitude/0/int8", "sparse/magnitude/1/int8", "small/magnitude/0/int8"]),
        (
            "all",
            [
                "sparse/magnitude/0/int8",
                "sparse/magnitude/1/int8",
                "small/magnitude/0/int8",
                "neither/magnitude/0/int8",
            ],
        ),
    ],
)
def test_the_setting_says_whose_int8_file_is_made(family, tiny_data, asked, labels):
    found = quantizations(config_of(quantize=asked), tiny_data, family)
    assert [one.label for one in found] == labels


def test_an_int8_file_is_evaluated_as_its_member_was(family, tiny_data):
    config = config_of(engine={"threads_per_job": 2, "device": "cpu"})
    job = quantizations(config, tiny_data, family)[0].job
    assert (job.member, job.data) == (family.results[0].member.artifact, tiny_data.artifact)
    assert job.spec == family.base.spec
    assert job.execution == member_execution(config.engine)


def test_equal_files_are_rounded_once_and_both_results_get_it(family, tiny_data, make_int8):
    first, *others = family.results
    twin = first.model_copy(update={"criterion": "product", "key": "twin"})
    family = family.model_copy(update={"results": (first, twin, *others)})
    assert len(quantizations(config_of(quantize="front"), tiny_data, family)) == 3
    rounded = with_int8(family, {"1" * 64: make_int8()})
    assert [x.int8 is not None for x in rounded.results] == [True, True, False, False, False]


def test_base_and_registered_are_timed_in_the_order_of_the_family(family, tiny_data):
    job = latency_job(config_of(engine={"threads_per_job": 2}), tiny_data, family)
    assert job.base == family.base.artifact
    # Of two equally good seeds the lower is registered.
    assert [x.digest[0] for x in job.members] == ["1", "3"]
    assert (job.data, job.spec) == (tiny_data.artifact, family.base.spec)
    assert (job.batches, job.threads) == ((1, 32), 2)


def test_another_machine_is_another_job(family, tiny_data):
    job = latency_job(config_of(), tiny_data, family)
    other = job.host.model_copy(update={"processor": "another"})
    assert job.key == latency_job(config_of(), tiny_data, family).key
    assert job.key != job.model_copy(update={"host": other}).key


def test_nobody_is_timed_where_nobody_is_asked_for_or_nothing_finished(family, tiny_data):
    assert latency_job(config_of(latency="none"), tiny_data, family) is None
    empty = family.model_copy(update={"results": ()})
    assert latency_job(config_of(), tiny_data, empty) is None
    assert quantizations(config_of(quantize="all"), tiny_data, empty) == ()
