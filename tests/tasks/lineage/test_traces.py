from typing import ClassVar

import pytest

from mixmatch.errors import ArtifactError
from mixmatch.records import Record, StepTrace
from tasks.jobs import Job
from tasks.lineage import kept_files, traces_of
from tasks.lineage.kept import artifacts_in
from tasks.lineage.traces import starts
from tasks.store import FolderStore


class Made(Record):
    artifact: dict[str, object] | None = None


class FirstJob(Job):
    step: ClassVar[str] = "fetch"
    kind: ClassVar[type[Record]] = Made

    name: str = "digits"


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def commit(store, key, start=None):
    store.commit("member", key, {"start": start}, Made())


def test_a_member_is_preceded_by_those_that_it_was_trained_on(store):
    commit(store, "c")
    commit(store, "b", start="c")
    commit(store, "a", start="b")
    assert list(starts(store, "a")) == ["a", "b", "c"]
    assert [x.key for x in traces_of(store, (), "a")] == ["c", "b", "a"]


def test_every_trace_names_the_digests_of_all_before_it(store):
    job = FirstJob()
    store.commit("fetch", job.key, job.inputs, Made())
    commit(store, "a")
    first, last = traces_of(store, (job,), "a")
    assert first == StepTrace(
        step="fetch", key=job.key, inputs=job.inputs, record={"artifact": None}, before=()
    )
    assert (last.step, last.key, last.before) == ("member", "a", (first.digest,))


def test_a_changed_record_changes_every_digest_after_it(store):
    job = FirstJob()
    commit(store, "a")
    digests = []
    for made in (Made(), Made(artifact={"x": 1})):
        store.commit("fetch", job.key, job.inputs, made)
        digests.append([x.digest for x in traces_of(store, (job,), "a")])
    assert digests[0][0] != digests[1][0]
    assert digests[0][1] != digests[1][1]


def test_a_record_that_is_missing_is_named(store):
    commit(store, "a", start="gone")
    with pytest.raises(ArtifactError, match="must hold the record gone of the step member"):
        traces_of(store, (), "a")


def test_artifacts_are_found_at_any_depth():
    inner = {"digest": "2" * 64, "size_bytes": 2}
    value = {"artifact": {"digest": "1" * 64, "size_bytes": 1}, "rows": [{"x": [inner]}, "text"]}
    assert [x.digest for x in artifacts_in(value)] == ["1" * 64, "2" * 64]


def test_kept_are_records_and_the_files_that_have_no_name_yet(store, tmp_path):
    files = {}
    for name in ("scores", "network"):
        (tmp_path / name).write_bytes(name.encode())
        files[name] = store.put(tmp_path / name)
    for key, name in (("a", "scores"), ("b", "network")):
        made = Made(artifact=files[name].model_dump(mode="json"))
        store.commit("member", key, {}, made)
    folder = tmp_path / "folder"
    folder.mkdir()
    steps = [("member", "a"), ("member", "b"), ("member", "gone")]
    kept = kept_files(store, steps, folder, without={files["network"].digest})
    assert sorted(kept) == [
        f"store/objects/{files['scores'].digest}",
        "store/records/member/a.json",
        "store/records/member/b.json",
    ]
    assert kept[f"store/objects/{files['scores'].digest}"].read_bytes() == b"scores"


def test_a_step_whose_file_is_damaged_is_left_out(store, tmp_path):
    (tmp_path / "network").write_bytes(b"network")
    artifact = store.put(tmp_path / "network")
    store.commit("member", "a", {}, Made(artifact=artifact.model_dump(mode="json")))
    place = store.path(artifact)
    place.chmod(0o644)
    place.write_bytes(b"netw0rk")
    assert kept_files(store, [("member", "a")], tmp_path, without=()) == {}
