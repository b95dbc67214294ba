import pickle
import shutil
import tarfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from tasks.data import cifar, locate_data, read_data, sources
from tasks.data.archives import Archive
from tasks.data.cifar import CIFAR10, CIFAR100, Cifar
from tasks.workspace import Workspace
from tests.tasks.data.official_cifar import NOBODY, contents_10, contents_100, md5, tiny

OFFICIAL = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}


@pytest.fixture(params=[(CIFAR10, contents_10), (CIFAR100, contents_100)], ids=["10", "100"])
def data(request, tmp_path):
    """Return a tiny data set; its files lie in tmp_path, its archive in tmp_path/packed."""
    source, contents = request.param
    return tiny(source, contents(), tmp_path)


@pytest.fixture
def folder(data, tmp_path):
    return tmp_path / data.folder


@pytest.fixture
def archive(data, tmp_path):
    return tmp_path / "packed" / data.archive.name


def colour(raw, row):
    image = np.asarray(raw.draw(row))
    assert image.shape == (32, 32, 3)
    assert (image == image[0, 0]).all()
    return image[0, 0].tolist()


def test_the_docstring_lists_the_fields():
    for field in fields(Cifar):
        assert f"    {field.name}: " in Cifar.__doc__


def test_training_batches_come_in_order_and_test_images_are_their_own_split(tmp_path):
    data = tiny(CIFAR10, contents_10(), tmp_path)
    raw = data.read(tmp_path / data.folder)
    assert raw.labels.tolist() == [3, 9, 0, 1, 2, 4, 5, 6, 7, 8, 8, 0, 3]
    assert raw.rows["train"].tolist() == [*range(10)]
    assert raw.rows["test"].tolist() == [10, 11, 12]
    assert raw.classes == tuple(f"name {number}" for number in range(10))
    assert [colour(raw, row) for row in (0, 1, 9, 12)] == [
        [10, 11, 12],
        [13, 14, 15],
        [53, 54, 55],
        [206, 207, 208],
    ]


def test_a_hundred_classes_are_the_fine_labels_with_the_names_of_the_meta_file(tmp_path):
    data = tiny(CIFAR100, contents_100(), tmp_path)
    raw = data.read(tmp_path / data.folder)
    assert raw.labels.tolist() == [99, 0, 42, 7]
    assert (len(raw.classes), raw.classes[42]) == (100, "fine 42")
    assert {split: rows.tolist() for split, rows in raw.rows.items()} == {
        "train": [0, 1, 2],
        "test": [3],
    }


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_files_are_read_as_torchvision_reads_them(data, folder, monkeypatch, split):
    official = OFFICIAL[data.name]
    ((meta, checksum),) = data.meta.items()
    monkeypatch.setattr(official, "train_list", [*data.train.items()])
    monkeypatch.setattr(official, "test_list", [*data.test.items()])
    monkeypatch.setattr(official, "meta", {**official.meta, "filename": meta, "md5": checksum})
    theirs, ours = official(folder.parent, train=split == "train"), data.read(folder)
    rows = ours.rows[split]
    assert np.array_equal([np.asarray(ours.draw(row)) for row in rows], theirs.data)
    assert ours.labels[rows].tolist() == theirs.targets
    assert ours.classes == tuple(theirs.classes)


@pytest.mark.parametrize("source", [CIFAR10, CIFAR100], ids=OFFICIAL)
def test_addresses_names_and_checksums_are_those_of_torchvision(source):
    official = OFFICIAL[source.name]
    assert source.archive == Archive(official.url, official.tgz_md5)
    assert source.archive.name == official.filename
    assert source.folder == official.base_folder
    assert [*source.train.items()] == [tuple(x) for x in official.train_list]
    assert [*source.test.items()] == [tuple(x) for x in official.test_list]
    assert source.meta == {official.meta["filename"]: official.meta["md5"]}
    assert source.classes == official.meta["key"]


@pytest.mark.parametrize("root", ["", "FOLDER", "packed", "packed/ARCHIVE"])
def test_folder_parent_and_archive_are_the_same_data_set(data, tmp_path, workspace, root):
    place = tmp_path / root.replace("FOLDER", data.folder).replace("ARCHIVE", data.archive.name)
    located = data.locate(place, workspace)
    raw = data.read(Path(located.path))
    assert located.label == str(place)
    assert located.source_digest == raw.digest == data.locate(tmp_path, workspace).source_digest
    assert len(raw.labels) in {13, 4}


def test_an_archive_is_unpacked_in_the_workspace_and_not_beside_itself(data, archive, workspace):
    path = Path(data.locate(archive, workspace).path)
    assert path == workspace.data / data.name / data.folder
    assert [x.name for x in archive.parent.iterdir()] == [data.archive.name]
    assert [x.name for x in workspace.data.iterdir()] == [data.name]


def test_an_archive_under_another_name_is_known_by_its_bytes(data, archive, workspace):
    renamed = archive.rename(archive.parent / "download (1)")
    assert data.locate(renamed, workspace).label == str(renamed)


def test_an_archive_with_another_checksum_is_refused_unopened(data, archive, workspace):
    archive.write_bytes(archive.read_bytes()[:-9])
    message = (
        rf"{data.archive.name} must be the official file with MD5 {data.archive.md5}, found \w+; "
        rf"get it from {NOBODY}{data.archive.name}\."
    )
    with pytest.raises(DataError, match=message):
        data.locate(archive, workspace)
    assert not workspace.data.exists()


def test_an_archive_is_compared_even_when_its_content_is_at_hand(data, archive, workspace):
    data.locate(archive, workspace)
    archive.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"must be the official file"):
        data.locate(archive, workspace)


def test_an_archive_that_lacks_a_file_leaves_nothing_behind(data, folder, archive, workspace):
    missing = next(iter(data.test))
    (folder / missing).unlink()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, data.folder)
    accepted = replace(data, archive=replace(data.archive, md5=md5(archive)))
    with pytest.raises(DataError, match=rf"{missing} must be readable, but: .*No such file"):
        accepted.locate(archive, workspace)
    assert not [*workspace.data.iterdir()]


def test_a_missing_file_is_named(data, folder, workspace):
    missing = next(iter(data.train))
    (folder / missing).unlink()
    message = (
        rf"{missing} must be readable, but: .*; delete {folder} and get {data.archive.name} ag"
    )
    with pytest.raises(DataError, match=message):
        data.locate(folder, workspace)
    with pytest.raises(DataError, match=message):
        data.read(folder)


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("part", ["train", "test", "meta"])
def test_a_pickle_that_is_not_the_official_one_is_never_unpickled(
    data, folder, tmp_path, workspace, part
):
    name, expected = next(iter(getattr(data, part).items()))
    located = data.locate(folder, workspace)
    trace = tmp_path / "trace"
    (folder / name).write_bytes(pickle.dumps(Evil(trace)))
    with pytest.raises(DataError, match=rf"{name} must be the official file with MD5 {expected}"):
        data.locate(folder, workspace)
    message = (
        rf"{name} must be .* found {md5(folder / name)}; it is not unpickled, because a pickle"
    )
    with pytest.raises(DataError, match=message):
        data.read(Path(located.path))
    assert not trace.exists()


@pytest.mark.parametrize("root", ["nowhere", "empty"])
def test_another_root_is_told_what_is_accepted(data, tmp_path, workspace, root):
    (tmp_path / "empty").mkdir()
    message = (
        rf"data\.root must be {data.archive.name}, or a folder that holds it or {data.folder}, "
        rf"got '{tmp_path}/{root}'\."
    )
    with pytest.raises(DataError, match=message):
        data.locate(tmp_path / root, workspace)


def test_it_is_located_before_it_is_read(data):
    with pytest.raises(DataError, match=rf"{data.title} must be located before it is read"):
        data.read(None)


def test_without_network_one_sentence_says_what_to_do(data, workspace):
    message = (
        rf"^{data.title} must be downloaded from {data.archive.address}, which failed .*; set "
        rf"data\.root to {data.archive.name}, or to a folder that holds {data.folder}\.$"
    )
    with pytest.raises(DataError, match=message):
        data.locate(None, workspace)
    assert not [*workspace.data.iterdir()]


def test_a_download_is_kept_in_the_workspace(data, archive, workspace, serve):
    address = serve(archive.parent) + archive.name
    online = replace(data, archive=replace(data.archive, address=address))
    located = online.locate(None, workspace)
    assert located.label == address
    shutil.rmtree(archive.parent)
    assert online.locate(None, workspace) == located
    assert [x.name for x in workspace.data.iterdir()] == [data.name]
    assert [x.name for x in (workspace.data / data.name).iterdir()] == [data.folder]


def test_a_download_with_a_wrong_checksum_is_refused(data, archive, workspace, serve):
    address = serve(archive.parent) + archive.name
    archive.write_bytes(b"something else")
    online = replace(data, archive=replace(data.archive, address=address))
    with pytest.raises(DataError, match=r"which failed \(File not found or corrupted"):
        online.locate(None, workspace)
    assert not [*workspace.data.iterdir()]


def test_a_damaged_copy_in_the_workspace_is_replaced_once_it_is_deleted(data, archive, workspace):
    copy = Path(data.locate(archive, workspace).path)
    (copy / next(iter(data.test))).write_bytes(b"")
    with pytest.raises(DataError, match=rf"delete {copy} and get"):
        data.locate(archive, workspace)
    shutil.rmtree(copy)
    assert data.read(Path(data.locate(archive, workspace).path)).rows["train"].size > 0


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_run_files_name_them(name):
    source = sources.SOURCES[name]
    data = getattr(cifar, name.upper())
    assert (source.locate, source.read) == (data.locate, data.read)


def test_a_run_file_may_name_the_archive(data, archive, workspace, monkeypatch):
    entry = replace(sources.SOURCES[data.name], locate=data.locate, read=data.read)
    monkeypatch.setattr(sources, "SOURCES", {data.name: entry})
    monkeypatch.chdir(archive.parent)
    settings = DataSettings(name=data.name, root=archive.name)
    located = locate_data(settings, workspace)
    assert located.label == str(archive)
    assert read_data(settings, located).digest == located.source_digest


def test_two_workspaces_give_one_digest(data, archive, workspace, tmp_path):
    other = Workspace.open(tmp_path / "other")
    digests = {data.locate(archive, place).source_digest for place in (workspace, other)}
    assert len(digests) == 1
