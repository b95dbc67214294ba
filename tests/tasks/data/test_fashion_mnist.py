import gzip
import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from mixmatch.errors import DataError
from tasks.data import fashion_mnist
from tasks.data.fashion_mnist import CONTENTS, locate, read

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="install Debian's package dataset-fashion-mnist"
)

# When the four files were packed by their authors, from an exhaustive search for the headers that
# give the MD5 that torchvision knows.
PACKED_AT = {
    "train-images-idx3-ubyte": 1504176606,
    "train-labels-idx1-ubyte": 1504176606,
    "t10k-images-idx3-ubyte": 1504176627,
    "t10k-labels-idx1-ubyte": 1504176627,
}


def idx(array):
    """Write an array as IDX: two zeros, type 8 (unsigned byte), dimensions, sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Return a folder with 3 training and 2 test images, which counts as the official one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    contents = {}
    for part, labels in (("train", [9, 0, 3]), ("t10k", [1, 2])):
        images = np.arange(len(labels))[:, None, None] + np.zeros((28, 28))
        contents[f"{part}-images-idx3-ubyte"] = idx(images)
        contents[f"{part}-labels-idx1-ubyte"] = idx(np.array(labels))
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(fashion_mnist, "CONTENTS", digests)
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])  # nothing listens there


def test_training_images_come_first_and_test_images_are_their_own_split(tiny, pixel):
    raw = read(tiny)
    assert raw.labels.tolist() == [9, 0, 3, 1, 2]
    assert raw.rows["train"].tolist() == [0, 1, 2]
    assert raw.rows["test"].tolist() == [3, 4]
    assert [pixel(raw, row) for row in range(5)] == [0, 1, 2, 0, 1]


def test_the_files_are_read_as_torchvision_reads_them(tiny, tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(gzip.decompress((tiny / f"{name}.gz").read_bytes()))
    images = read_image_file(str(tmp_path / "train-images-idx3-ubyte"))
    labels = read_label_file(str(tmp_path / "train-labels-idx1-ubyte"))
    raw = read(tiny)
    assert np.array_equal(np.stack([np.asarray(raw.draw(row)) for row in range(3)]), images)
    assert raw.labels[:3].tolist() == labels.tolist()


def test_a_located_folder_is_its_own_label(tiny, workspace):
    located = locate(tiny, workspace)
    assert (located.label, located.path) == (str(tiny), str(tiny))
    assert located.source_digest == read(tiny).digest


def test_packing_the_files_anew_changes_nothing(tiny, workspace):
    before = locate(tiny, workspace)
    for file in tiny.iterdir():
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1, mtime=7))
    assert locate(tiny, workspace) == before


def test_another_content_is_refused_with_both_digests(tiny, workspace):
    (tiny / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"abc"))
    expected = fashion_mnist.CONTENTS["t10k-labels-idx1-ubyte"]
    message = rf"t10k-labels-idx1-ubyte\.gz must .* SHA-256 {expected}, found ba7816bf.*15ad; get"
    with pytest.raises(DataError, match=message):
        locate(tiny, workspace)


@pytest.mark.parametrize("kept_bytes", [5, 30, -1])
def test_a_truncated_file_is_named(tiny, workspace, kept_bytes):
    file = tiny / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:kept_bytes])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz must be a complete gzip"):
        locate(tiny, workspace)


def test_a_flipped_bit_is_found(tiny, workspace):
    file = tiny / "train-images-idx3-ubyte.gz"
    content = bytearray(file.read_bytes())
    content[-6] ^= 1  # in the checksum
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"is truncated or corrupt \(CRC check failed"):
        locate(tiny, workspace)


def test_a_file_that_is_not_gzip_is_named(tiny, workspace):
    (tiny / "train-labels-idx1-ubyte.gz").write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"train-labels.*is truncated or corrupt \(Not a gzipped"):
        locate(tiny, workspace)


def test_a_missing_file_is_named(tiny, workspace):
    (tiny / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"must hold the four .*/t10k-images-idx3-ubyte\.gz does"):
        locate(tiny, workspace)


def test_a_missing_folder_is_named(tmp_path, workspace):
    with pytest.raises(DataError, match=r"data\.root must be a folder .*, got '.*/nowhere'\."):
        locate(tmp_path / "nowhere", workspace)


@pytest.mark.usefixtures("offline")
def test_without_network_one_sentence_says_what_to_do(workspace):
    message = r"must be downloaded from http://127.0.0.1:9/t10k-images.*set data\.root to a folder"
    with pytest.raises(DataError, match=message):
        locate(None, workspace)


@pytest.mark.usefixtures("offline")
def test_a_failed_download_leaves_no_file_behind(workspace):
    with pytest.raises(DataError):
        locate(None, workspace)
    assert not list((workspace.data / "fashion_mnist").iterdir())


@pytest.fixture
def mirror(tiny, monkeypatch, serve):
    """Serve the tiny files on this machine, and let torchvision know the address and their MD5."""
    md5 = [(x.name, hashlib.md5(x.read_bytes()).hexdigest()) for x in tiny.iterdir()]
    monkeypatch.setattr(FashionMNIST, "resources", md5)
    monkeypatch.setattr(FashionMNIST, "mirrors", [serve(tiny)])


@pytest.mark.usefixtures("mirror")
def test_a_download_is_kept_in_the_workspace(tiny, workspace):
    located = locate(None, workspace)
    assert located.label == fashion_mnist.ADDRESS
    shutil.rmtree(tiny)
    assert locate(None, workspace) == located
    assert read(Path(located.path)).labels.tolist() == [9, 0, 3, 1, 2]


@pytest.mark.usefixtures("mirror")
def test_a_download_with_a_wrong_checksum_is_refused(tiny, workspace):
    (tiny / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(
        DataError, match=r"train-labels.*which failed \(File not found or corrupted"
    ):
        locate(None, workspace)


def test_address_classes_and_names_are_those_of_torchvision():
    assert FashionMNIST.mirrors == [fashion_mnist.ADDRESS]
    assert tuple(FashionMNIST.classes) == fashion_mnist.CLASSES
    assert {name for name, _ in FashionMNIST.resources} == {f"{name}.gz" for name in CONTENTS}


@needs_debian
@pytest.mark.parametrize("name", CONTENTS)
def test_debian_holds_the_official_content_under_another_gzip_header(name):
    packed = (DEBIAN / f"{name}.gz").read_bytes()
    header = b"\x1f\x8b\x08\x08" + struct.pack("<I", PACKED_AT[name]) + b"\x00\x03"
    official = header + name.encode() + b"\0" + packed[10:]
    expected = dict(FashionMNIST.resources)[f"{name}.gz"]
    assert hashlib.md5(official).hexdigest() == expected
    assert hashlib.sha256(gzip.decompress(official)).hexdigest() == CONTENTS[name]


@needs_debian
def test_the_real_data_set_has_ten_equal_classes(workspace):
    raw = read(Path(locate(DEBIAN, workspace).path))
    assert np.bincount(raw.labels[raw.rows["train"]]).tolist() == [6000] * 10
    assert np.bincount(raw.labels[raw.rows["test"]]).tolist() == [1000] * 10
    assert raw.draw(69_999).size == (28, 28)
