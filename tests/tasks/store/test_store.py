"""What every store must do, a folder or a bucket."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mixmatch.errors import ArtifactError
from mixmatch.records import Artifact, SensitivityRecord
from tasks.store import FolderStore, open_store

# SHA-256 of b"abc", from FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ENTRY = "ledger/000000001.json"


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return open_store(f"{request.getfixturevalue('s3_place')}/prefix", tmp_path / "cache")


def put(store, content):
    with store.scratch() as folder:
        (folder / "file").write_bytes(content)
        return store.put(folder / "file")


def test_a_file_lies_under_the_digest_of_its_bytes(store):
    artifact = put(store, b"abc")
    assert artifact == Artifact(digest=ABC, size_bytes=3)
    assert store.path(artifact).read_bytes() == b"abc"
    assert store.find_file(ABC) == store.path(artifact)
    assert store.is_intact(artifact)
    assert store.names("objects/") == (f"objects/ba/{ABC}",)


def test_putting_the_same_bytes_twice_is_harmless(store):
    assert put(store, b"abc") == put(store, b"abc")


def test_two_writers_of_one_digest_are_harmless(store):
    content = bytes(100_000)
    with ThreadPoolExecutor(8) as threads:
        (artifact,) = set(threads.map(lambda _: put(store, content), range(8)))
    assert store.path(artifact).read_bytes() == content
    assert store.is_intact(artifact)


def test_a_missing_artifact_is_refused_by_its_digest(store):
    artifact = Artifact(digest=ABC, size_bytes=3)
    with pytest.raises(ArtifactError, match=rf"must hold {ABC} with 3 bytes, found nothing"):
        store.path(artifact)
    assert store.find_file(ABC) is None
    assert not store.is_intact(artifact)


def test_a_finished_step_is_found_by_its_key(store):
    record = SensitivityRecord(artifact=put(store, b"abc"), num_images=3, seconds=0.5)
    store.commit("sensitivity", "k1", {"a": 1}, record)
    assert store.find("sensitivity", "k1", SensitivityRecord) == record
    assert store.find("sensitivity", "k2", SensitivityRecord) is None
    assert store.inputs("sensitivity", "k1") == {"a": 1}
    assert store.envelope("sensitivity", "k1").record == record.model_dump(mode="json")


def test_a_record_is_replaced_by_a_later_one(store):
    artifact = put(store, b"abc")
    for seconds in (1.0, 2.0):
        record = SensitivityRecord(artifact=artifact, num_images=3, seconds=seconds)
        store.commit("sensitivity", "k1", {}, record)
    assert store.find("sensitivity", "k1", SensitivityRecord).seconds == 2.0


def test_a_step_whose_artifact_is_gone_counts_as_absent(store):
    record = SensitivityRecord(
        artifact=Artifact(digest=ABC, size_bytes=3), num_images=3, seconds=0.5
    )
    store.commit("sensitivity", "k1", {}, record)
    assert store.find("sensitivity", "k1", SensitivityRecord) is None


NO_DIGESTS = ["", "..", "../../x", "/etc/passwd", ABC.upper(), ABC[1:], f"{ABC}0", f"{ABC}\n"]


@pytest.mark.parametrize("digest", NO_DIGESTS)
def test_what_is_no_digest_names_no_file(store, digest):
    artifact = Artifact(digest=digest, size_bytes=3)
    assert store.find_file(digest) is None
    assert not store.is_intact(artifact)
    with pytest.raises(ArtifactError, match=r"must be named by its SHA-256, 64 hexadecimal digits"):
        store.path(artifact)


def test_a_digest_that_leads_to_a_file_outside_is_not_followed(store, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"abc")
    artifact = Artifact(digest=str(outside), size_bytes=3)
    with pytest.raises(ArtifactError, match=r"64 hexadecimal digits in lower case, got .*outside"):
        store.path(artifact)
    assert sorted(x.name for x in tmp_path.rglob("outside*")) == ["outside"]


def test_a_record_that_names_no_digest_counts_as_absent(store):
    record = SensitivityRecord(
        artifact=Artifact(digest="../../x", size_bytes=3), num_images=3, seconds=0.5
    )
    store.commit("sensitivity", "k1", {}, record)
    assert store.find("sensitivity", "k1", SensitivityRecord) is None


@pytest.mark.parametrize(
    ("step", "key"), [("..", "k1"), ("sensitivity", "../../x"), ("a/b", "k1"), ("", "k1")]
)
def test_a_step_or_key_that_leads_outside_is_refused(store, step, key):
    for use in (
        lambda: store.envelope(step, key),
        lambda: store.inputs(step, key),
        lambda: store.find(step, key, SensitivityRecord),
    ):
        with pytest.raises(ArtifactError, match=r"^A record must be named by its step and key"):
            use()


def test_scratch_leaves_nothing_behind(store):
    with store.scratch() as folder:
        (folder / "half").write_bytes(b"x")
    assert not folder.exists()


def test_a_name_is_created_once(store):
    assert store.create(ENTRY, b"first") is True
    assert store.create(ENTRY, b"second") is False
    assert store.read(ENTRY) == b"first"


def test_equal_content_is_not_created_twice_either(store):
    assert [store.create(ENTRY, b"same") for _ in range(2)] == [True, False]


def test_of_many_at_once_one_creates_and_its_content_stands(store):
    contents = [f"writer {number}".encode() * 100 for number in range(16)]
    with ThreadPoolExecutor(16) as threads:
        created = list(threads.map(lambda content: store.create(ENTRY, content), contents))
    assert created.count(True) == 1
    assert store.read(ENTRY) == contents[created.index(True)]


def test_what_was_never_created_reads_as_none(store):
    assert store.read(ENTRY) is None
    assert store.names("ledger/") == ()


def test_names_are_sorted_and_begin_with_the_prefix(store):
    for name in ("ledger/000000010.json", ENTRY, "ledger/notes/a", "ledgers/x", "other/y"):
        store.create(name, b"{}")
    assert store.names("ledger/") == (ENTRY, "ledger/000000010.json", "ledger/notes/a")
    assert store.names("ledger/00000000") == (ENTRY,)
    assert store.names("ledger") == (*store.names("ledger/"), "ledgers/x")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "ledger/../../x", "a//b", "a/", ".hidden", "a\\b", "a b"]
)
def test_a_name_that_leads_outside_is_refused(store, name):
    for use in (
        lambda: store.create(name, b""),
        lambda: store.write(name, b""),
        lambda: store.read(name),
    ):
        with pytest.raises(ValueError, match=r"^A name in the store must be parts of letters"):
            use()


@pytest.mark.parametrize("prefix", ["/", "../", "ledger/../", "a//"])
def test_a_prefix_that_leads_outside_is_refused(store, prefix):
    with pytest.raises(ValueError, match=r"^A name in the store must be parts of letters"):
        store.names(prefix)


def test_what_is_kept_is_fetched_replaced_and_forgotten(store, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert not store.fetch("training/member/a.safetensors", theirs)
    for content in (b"first", b"second"):
        ours.write_bytes(content)
        store.keep("training/member/a.safetensors", ours)
        assert store.fetch("training/member/a.safetensors", theirs)
        assert theirs.read_bytes() == content
    assert store.names("training/") == ("training/member/a.safetensors",)
    for _ in range(2):  # nothing to forget is nothing wrong
        store.remove("training/member/a.safetensors")
    assert store.names("training/") == ()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ""])
def test_what_is_kept_stays_inside_the_store(store, tmp_path, name):
    for ask in (
        lambda: store.keep(name, tmp_path),
        lambda: store.fetch(name, tmp_path),
        lambda: store.remove(name),
    ):
        with pytest.raises(ValueError, match="A name in the store must be parts of letters"):
            ask()
