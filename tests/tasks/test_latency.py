"""What is measured together and what comes of it; the networks stand in for real ones."""

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.errors import ArtifactError
from mixmatch.records import Artifact, HostRecord, ModelSpec
from tasks import latency
from tasks.jobs import LatencyJob
from tasks.site import Site
from tasks.steps import measure_latency
from tasks.timed_networks import Runtime
from tasks.workspace import Workspace

SPEC = ModelSpec(
    architecture="test_resnet",
    arguments={},
    num_classes=2,
    image_shape=(2, 2, 1),
    mean=(0.5,),
    std=(0.5,),
    classes=("a", "b"),
)
HOST = HostRecord(processor="any", num_processors=1, system="any", versions={})
BASE, FIRST, SECOND = (Artifact(digest=x * 64, size_bytes=100) for x in "b12")


@pytest.fixture
def site(tmp_path):
    return Site.at(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def data(site):
    """Three calibration images of one value each: 7, 8 and 9."""
    images = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1).expand(12, 2, 2, 1).contiguous()
    with site.open_store().scratch() as folder:
        split = {"calibration": torch.tensor([7, 8, 9])}
        save_file({"images": images, "labels": torch.zeros(12).long(), **split}, folder / "data")
        return site.open_store().put(folder / "data")


@pytest.fixture
def wanted(data):
    def job(**changes):
        values = {
            "base": BASE,
            "members": (FIRST, SECOND),
            "data": data,
            "spec": SPEC,
            "batches": (1, 5),
            "threads": 1,
            "host": HOST,
        }
        return LatencyJob(**(values | changes))

    return job


class Fakes:
    """Two runtimes, ``quick`` and ``other``; members run in ``other`` in a second way."""

    def __init__(self):
        self.opened = []  # what was opened, with its runtime
        self.called = []  # network and batch of each call
        self.prepared = []

    def runtimes(self, *_):
        return Runtime(self.prepare, self.quick), Runtime(self.prepare, self.other)

    def prepare(self, images):
        self.prepared.append(images[:, 0, 0, 0].tolist())
        return len(images)

    def quick(self, weights):
        self.opened.append(("quick", weights.digest[0]))
        return {"quick": lambda batch: self.called.append((weights.digest[0], batch))}

    def other(self, weights):
        self.opened.append(("other", weights.digest[0]))
        names = ["other"] if weights == BASE else ["other", "other-sparse"]
        return dict.fromkeys(names, lambda batch: torch.get_num_threads() + batch)


@pytest.fixture
def fakes(monkeypatch):
    stand_ins = Fakes()
    monkeypatch.setattr(latency, "runtimes", stand_ins.runtimes)
    monkeypatch.setattr(latency, "_LIMIT_S", 0.0)
    monkeypatch.setattr(
        latency, "time_in_turn", lambda calls, limit_s: _once(calls, limit_s=limit_s)
    )
    return stand_ins


def _once(calls, *, limit_s):
    """Call each once and say that it took as many seconds as its batch has images."""
    assert limit_s == 0.0
    for call in calls.values():
        call()
    return {key: (float(key[2]),) for key in calls}


def test_networks_come_in_order_then_runtimes_then_batches(site, wanted, fakes):
    record = measure_latency(job=wanted(), site=site)
    assert [(x.network[0], x.runtime, x.batch) for x in record.timings] == [
        (network, runtime, batch)
        for network in "b12"
        for runtime in ("quick", "other", "other-sparse")
        if runtime != "other-sparse" or network != "b"
        for batch in (1, 5)
    ]
    assert {(x.batch, x.median_s, x.low_s, x.high_s, x.num_repeats) for x in record.timings} == {
        (1, 1.0, 1.0, 1.0, 1),
        (5, 5.0, 5.0, 5.0, 1),
    }
    assert (record.host, record.threads) == (HOST, 1)
    assert record.seconds > 0


def test_all_networks_of_one_runtime_are_called_with_the_same_calibration_images(
    site, wanted, fakes
):
    measure_latency(job=wanted(), site=site)
    assert fakes.called == [(network, batch) for batch in (1, 5) for network in "b12"]
    # Five of three images: from the first again.
    assert fakes.prepared == [[7], [7, 8, 9, 7, 8]] * 2


def test_where_memory_is_short_the_base_is_timed_beside_each_part_of_the_members(
    site, wanted, fakes, monkeypatch
):
    monkeypatch.setattr(latency, "_LARGEST_BYTES", 250)  # two networks of 100 bytes
    record = measure_latency(job=wanted(batches=(1,)), site=site)
    assert [name for runtime, name in fakes.opened if runtime == "quick"] == ["b", "1", "b", "2"]
    repeats = {(x.network[0], x.runtime): x.num_repeats for x in record.timings}
    assert repeats[("b", "quick")] == 2
    assert repeats[("1", "quick")] == repeats[("2", "quick")] == 1


@pytest.mark.parametrize("members", [(), (BASE,)])
def test_the_base_may_be_alone(site, wanted, fakes, members):
    record = measure_latency(job=wanted(members=members), site=site)
    assert [(x.network[0], x.runtime) for x in record.timings if x.batch == 1] == [
        ("b", "quick"),
        ("b", "other"),
    ]


def test_equal_files_are_timed_once(site, wanted, fakes):
    record = measure_latency(job=wanted(members=(FIRST, SECOND, FIRST)), site=site)
    assert record.timings == measure_latency(job=wanted(), site=site).timings


def test_threads_are_set_for_the_measurement_and_restored(site, wanted, fakes, monkeypatch):
    seen = []
    monkeypatch.setattr(
        fakes, "quick", lambda _: {"quick": lambda _: seen.append(torch.get_num_threads())}
    )
    before = torch.get_num_threads()
    measure_latency(job=wanted(threads=before + 2), site=site)
    assert set(seen) == {before + 2}
    assert torch.get_num_threads() == before


def test_a_measurement_is_made_once_for_each_host(site, wanted, fakes):
    first = measure_latency(job=wanted(), site=site)
    assert measure_latency(job=wanted(), site=site) == first  # its seconds too
    assert len(fakes.opened) == 6
    elsewhere = HOST.model_copy(update={"processor": "another"})
    assert measure_latency(job=wanted(host=elsewhere), site=site).host == elsewhere
    assert len(fakes.opened) == 12


def test_a_data_set_that_is_gone_is_said(site, wanted):
    job = wanted(data=Artifact(digest="0" * 64, size_bytes=7))
    with pytest.raises(ArtifactError, match=r"must hold 0{64} with 7 bytes, found nothing"):
        measure_latency(job=job, site=site)
