import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from mixmatch.images import Preprocessing, shuffled_batches
from tasks.data import gtsrb, locate_data
from tasks.data.archives import Archive
from tasks.data.gtsrb import ARCHIVES, CLASSES, locate, read
from tasks.fetch import fetch_data, load_split
from tasks.jobs import data_job
from tasks.site import Site
from tests.tasks.data.official_gtsrb import HEADER, official_files, ppm, write_zip

NOBODY = "http://127.0.0.1:9/"  # nothing listens there
TRAINING, TEST_IMAGES, TEST_LABELS = (archive.name for archive in ARCHIVES)


def expect(monkeypatch, folder, address=NOBODY):
    """Let the archives in ``folder`` count as the official ones, to be had at ``address``."""
    files = [folder / archive.name for archive in ARCHIVES]
    known = [Archive(address + x.name, hashlib.md5(x.read_bytes()).hexdigest()) for x in files]
    monkeypatch.setattr(gtsrb, "ARCHIVES", tuple(known))


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Return a folder with three tiny archives, which count as the official ones."""
    folder = tmp_path / "packed"
    folder.mkdir()
    for archive, members in zip(ARCHIVES, official_files(), strict=True):
        write_zip(folder / archive.name, members)
    expect(monkeypatch, folder)
    return folder


@pytest.fixture
def home(tmp_path):
    """Return a folder as torchvision unpacks it: root/gtsrb/GTSRB."""
    home = tmp_path / "root" / "gtsrb"
    for members in official_files():
        for name, content in members.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(content)
    return home


def test_images_come_in_the_order_of_classes_names_and_test_labels(home, pixel):
    raw = read(home / "GTSRB")
    assert raw.classes == CLASSES == tuple(f"{label:05}" for label in range(43))
    assert raw.labels.tolist() == [label for label in range(43) for _ in range(2)] + [7, 42, 0]
    assert raw.rows["train"].tolist() == [*range(86)]
    assert raw.rows["test"].tolist() == [86, 87, 88]
    assert raw.groups.tolist() == [label for label in range(43) for _ in range(2)] + [43, 44, 45]
    assert [pixel(raw, row) for row in (0, 1, 85, 86, 88)] == [50, 0, 42, 120, 122]
    assert raw.draw(1).size == (20, 15)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_files_are_read_as_torchvision_reads_them(home, split):
    theirs, ours = datasets.GTSRB(home.parent, split), read(home / "GTSRB")
    rows = ours.rows[split]
    assert [label for _, label in theirs] == ours.labels[rows].tolist()
    for row, (image, _) in zip(rows, theirs, strict=True):
        assert np.array_equal(np.asarray(ours.draw(row)), np.asarray(image))


def test_addresses_and_checksums_are_those_of_torchvision(tmp_path, monkeypatch):
    asked = []

    def remember(url, download_root, md5):
        asked.append(Archive(url, md5))
        (tmp_path / "gtsrb" / "GTSRB" / "Training").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(datasets.gtsrb, "download_and_extract_archive", remember)
    for split in ("train", "test"):
        with pytest.raises((RuntimeError, FileNotFoundError)):
            datasets.GTSRB(tmp_path, split, download=True)
    assert tuple(asked) == ARCHIVES


@pytest.mark.parametrize("root", ["", "gtsrb", "gtsrb/GTSRB"])
def test_the_folder_and_its_parents_are_the_same_data_set(home, workspace, root):
    located = locate(home.parent / root, workspace)
    assert (located.label, located.path) == (str(home.parent / root), str(home / "GTSRB"))
    assert located.source_digest == read(home / "GTSRB").digest


def test_archives_are_unpacked_in_the_workspace_and_give_the_same_digest(packed, home, workspace):
    located = locate(packed, workspace)
    assert (located.label, located.path) == (str(packed), str(workspace.data / "gtsrb" / "GTSRB"))
    assert located.source_digest == locate(home, workspace).source_digest
    assert sorted(x.name for x in packed.iterdir()) == sorted([TRAINING, TEST_IMAGES, TEST_LABELS])
    assert locate(packed, workspace) == located


def test_archives_may_lie_where_torchvision_leaves_them(packed, workspace):
    (packed.parent / "other").mkdir()
    packed.rename(packed.parent / "other" / "gtsrb")
    assert read(Path(locate(packed.parent / "other", workspace).path)).labels.size == 89


@pytest.mark.parametrize("name", [TRAINING, TEST_IMAGES, TEST_LABELS])
def test_a_missing_archive_is_named_with_its_address(packed, workspace, name):
    (packed / name).unlink()
    with pytest.raises(
        DataError, match=rf"/{name} must be readable, .*; get it from {NOBODY}{name}"
    ):
        locate(packed, workspace)


def test_an_archive_with_another_checksum_is_refused_unopened(packed, workspace):
    (packed / TEST_LABELS).write_bytes((packed / TEST_LABELS).read_bytes()[:-5])
    with pytest.raises(
        DataError, match=rf"{TEST_LABELS} must be the official file with MD5 \w+, fo"
    ):
        locate(packed, workspace)
    assert not workspace.data.exists()


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (TRAINING, lambda x: x[:-30], r"must unpack into a folder of the workspace, but: "),
        (TEST_IMAGES, lambda _: b"", r"GTSRB_Final_Test_Images\.zip must unpack into a"),
    ],
)
def test_a_damaged_archive_leaves_nothing_behind(
    packed, workspace, monkeypatch, name, damage, message
):
    (packed / name).write_bytes(damage((packed / name).read_bytes()))
    expect(monkeypatch, packed)  # even if its checksum were right
    with pytest.raises(DataError, match=message):
        locate(packed, workspace)
    assert not [*workspace.data.iterdir()]


def test_an_archive_that_lacks_a_test_image_is_refused(packed, workspace, monkeypatch):
    write_zip(packed / TEST_IMAGES, {"GTSRB/Final_Test/Images/00000.ppm": ppm(0)})
    expect(monkeypatch, packed)
    with pytest.raises(DataError, match=r"must hold every test image, but .*/00001\.ppm does not"):
        locate(packed, workspace)


def test_a_member_that_leads_out_of_the_workspace_is_refused(packed, workspace, monkeypatch):
    write_zip(packed / TEST_LABELS, {"../../../evil.csv": b""})
    expect(monkeypatch, packed)
    with pytest.raises(DataError, match=r"'\.\./\.\./\.\./evil\.csv' would be unpacked outside"):
        locate(packed, workspace)
    assert not [*packed.parent.rglob("evil.csv")]


@pytest.mark.parametrize("change", ["missing", "empty", "unknown"])
def test_other_classes_are_refused(home, workspace, write_image, change):
    folder = home / "GTSRB/Training"
    if change == "unknown":
        shutil.copytree(folder / "00042", folder / "00043")
    else:
        shutil.rmtree(folder / "00042")
    if change == "empty":
        write_image(folder / "00042/converted.png", 0)
    problem = "unknown '00043'" if change == "unknown" else "missing '00042'"
    message = rf"GTSRB/Training must hold \.ppm images in 43 folders 00000 to 00042: {problem}; get"
    with pytest.raises(DataError, match=message):
        locate(home, workspace)


def test_images_that_torchvision_passes_over_are_passed_over(home, workspace, write_image):
    before = locate(home, workspace)
    write_image(home / "GTSRB/Training/00000/converted.png", 0)
    assert locate(home, workspace) == before


def test_a_missing_table_is_named_with_its_address(home, workspace):
    (home / "GT-final_test.csv").unlink()
    message = r"GT-final_test\.csv must be the table of test labels, but: .*No such.*_GT\.zip\."
    with pytest.raises(DataError, match=message):
        locate(home, workspace)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", r"csv must name at least one test image, but it is empty"),
        ("00000.ppm;1;1;1;1;1;1;43\n", r"must name a class from 0 to 42 in .* ClassId, got .*'43'"),
        ("00000.ppm;1;1;1;1;1;1;-1\n", r"must name a class from 0 to 42 in the column ClassId"),
        ("00000.ppm;1;1\n", r"must name a class from 0 to 42 in the column ClassId"),
        ("../../x.ppm;1;1;1;1;1;1;0\n", r"must name a file in the column Filename, got .*x\.ppm"),
        (";1;1;1;1;1;1;0\n", r"must name a file in the column Filename"),
    ],
)
def test_a_table_with_another_content_is_refused(home, workspace, rows, message):
    (home / "GT-final_test.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=message):
        locate(home, workspace)


def test_a_table_that_is_no_text_is_refused(home, workspace):
    (home / "GT-final_test.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        DataError, match=r"GT-final_test\.csv must be the table of test labels, but"
    ):
        locate(home, workspace)


def test_a_missing_test_image_is_named(home, workspace):
    (home / "GTSRB/Final_Test/Images/00001.ppm").unlink()
    with pytest.raises(DataError, match=r"must be readable: .*Final_Test/Images/00001\.ppm"):
        locate(home, workspace)


@pytest.mark.parametrize("name", ["GTSRB/Training/00003/00000_00000.ppm", "GT-final_test.csv"])
def test_every_image_and_the_test_labels_are_part_of_the_digest(home, workspace, name):
    before = locate(home, workspace).source_digest
    content = (home / name).read_bytes()
    (home / name).write_bytes(content[:-2] + b"1\n")
    assert locate(home, workspace).source_digest != before


def test_a_corrupt_image_is_named_when_it_is_drawn(home):
    file = home / "GTSRB/Training/00000/00000_00001.ppm"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match=r"00000_00001\.ppm must be an image that can be decoded"):
        read(home / "GTSRB").draw(1)


def test_another_root_is_told_what_is_accepted(tmp_path, workspace):
    message = (
        r"^data\.root must be a folder that holds GTSRB with GT-final_test\.csv beside it, or the "
        rf"three archives {TRAINING}, {TEST_IMAGES}, {TEST_LABELS}, got '{tmp_path}/nowhere'\.$"
    )
    with pytest.raises(DataError, match=message):
        locate(tmp_path / "nowhere", workspace)


def test_it_is_located_before_it_is_read():
    with pytest.raises(DataError, match=r"GTSRB must be located before it is read"):
        read(None)


@pytest.mark.usefixtures("packed")
def test_without_network_one_sentence_says_what_to_do(workspace):
    message = (
        rf"^GTSRB must be downloaded from {NOBODY}{TRAINING}, which failed .*; set data\.root to a "
        r"folder that holds GTSRB with .*, or the three archives .*\.zip\.$"
    )
    with pytest.raises(DataError, match=message):
        locate(None, workspace)
    assert not [*workspace.data.iterdir()]


def test_a_download_is_kept_in_the_workspace(packed, workspace, monkeypatch, serve):
    expect(monkeypatch, packed, serve(packed))
    located = locate(None, workspace)
    assert located.label == gtsrb.ADDRESS
    shutil.rmtree(packed)
    assert locate(None, workspace) == located
    assert sorted(x.name for x in (workspace.data / "gtsrb").iterdir()) == [
        "GT-final_test.csv",
        "GTSRB",
    ]


def test_validation_images_may_not_be_training_images(home, workspace):
    settings = DataSettings(
        name="gtsrb", root=str(home), validation_root=str(home / "GTSRB/Training")
    )
    with pytest.raises(DataError, match=r"data\.validation_root must lie outside the training"):
        locate_data(settings, workspace)


def share_flipped(record, site, augmentation):
    """Return the part of five epochs' images that are brighter on the left."""
    images = load_split(site.open_store().path(record.artifact), "train")
    batches = shuffled_batches(
        images,
        Preprocessing(record.mean, record.std),
        16,
        augmentation=augmentation,
        generator=torch.Generator().manual_seed(0),
    )
    halves = [x.mean(dim=(1, 2)) for _ in range(5) for x, _ in batches()]
    columns = torch.cat(halves)
    return (columns[:, :4].mean(1) > columns[:, 4:].mean(1)).float().mean().item()


def test_traffic_signs_are_never_flipped(home, workspace):
    site = Site.at(workspace)
    settings = DataSettings(name="gtsrb", root=str(home), image_size=8)
    located = locate_data(settings, workspace)
    job = data_job(settings, located.source_digest, 0.1, 0)
    record = fetch_data(job, settings, located, site)
    assert (record.augmentation, record.classes) == ("crop", CLASSES)
    assert share_flipped(record, site, record.augmentation) == 0.0
    assert 0.4 < share_flipped(record, site, "crop_flip") < 0.6  # the images would show it
