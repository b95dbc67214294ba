import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import fields

import pytest

from mixmatch.errors import DataError
from tasks.data import archives
from tasks.data.archives import Archive, check_md5, download, install, unpack

# MD5 of b"abc", from RFC 1321.
ABC = "900150983cd24fb0d6963f7d28e17f72"
NOBODY = "http://127.0.0.1:9/"  # nothing listens there


def write_tar(file, members):
    """Write a gzipped tar archive of names with bytes, or with a TarInfo as it is."""
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def write_zip(file, members):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


WRITERS = {"x.tar.gz": write_tar, "x.zip": write_zip}


@pytest.fixture(params=WRITERS)
def name(request):
    return request.param


@pytest.fixture
def write(tmp_path, name):
    """Return a function that writes an archive of the kind that ``name`` says."""
    return lambda members: WRITERS[name](tmp_path / name, members)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inside" / "content").mkdir(parents=True)
    return tmp_path / "inside" / "content"


def names_below(folder):
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file())


def accept(folder):
    """Stand in for the check of a data set that is complete."""


def refuse(folder):
    raise DataError(f"{folder.name} lacks a file.")


def archive_of(file):
    return Archive(NOBODY + file.name, hashlib.md5(file.read_bytes()).hexdigest())


def test_the_docstring_lists_the_fields():
    assert [field.name for field in fields(Archive)] == ["address", "md5"]


def test_an_archive_is_called_as_its_address_ends():
    assert Archive("https://example.org/a/b-python.tar.gz", ABC).name == "b-python.tar.gz"


def test_the_official_bytes_are_accepted(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    check_md5(tmp_path / "x", ABC, "get it")


def test_other_bytes_are_refused_with_both_checksums(tmp_path):
    (tmp_path / "x").write_bytes(b"abd")
    message = rf"/x must be the official file with MD5 {ABC}, found 4911e516e5aa21d3.*; get it\."
    with pytest.raises(DataError, match=message):
        check_md5(tmp_path / "x", ABC, "get it")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"/x must be readable, but: .*No such file.*; get it\."):
        check_md5(tmp_path / "x", ABC, "get it")


def test_members_are_unpacked_with_their_folders(write, name, folder):
    unpack(write({"a/b.txt": b"1", "c.txt": b"22"}), name, folder)
    assert names_below(folder) == ["a/b.txt", "c.txt"]
    assert (folder / "c.txt").read_bytes() == b"22"


@pytest.mark.parametrize("outside", ["../evil.txt", "a/../../evil.txt"])
def test_a_member_that_leads_out_is_refused_and_not_written(write, name, folder, outside):
    with pytest.raises(DataError, match=r"must unpack into a folder of the workspace, but: "):
        unpack(write({outside: b"1"}), name, folder)
    assert not (folder.parent / "evil.txt").exists()


def test_an_absolute_name_in_a_zip_archive_is_refused(tmp_path, folder):
    with pytest.raises(DataError, match=r"but: '/evil.txt' would be unpacked outside of it"):
        unpack(write_zip(tmp_path / "x.zip", {"/evil.txt": b"1"}), "x.zip", folder)


def test_an_absolute_name_in_a_tar_archive_is_refused(tmp_path, folder):
    outside = tmp_path / "evil.txt"
    with pytest.raises(DataError, match=r"would be unpacked outside of it"):
        unpack(write_tar(tmp_path / "x.tar.gz", {str(outside): b"1"}), "x.tar.gz", folder)
    assert not outside.exists()


def test_a_name_with_backslashes_is_refused(tmp_path, folder):
    with pytest.raises(DataError, match=r"would be unpacked outside of it"):
        unpack(write_zip(tmp_path / "x.zip", {"..\\evil.txt": b"1"}), "x.zip", folder)


def test_a_link_that_leads_out_is_refused(tmp_path, folder):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "../.."
    file = write_tar(tmp_path / "x.tar.gz", {"link": link, "link/evil.txt": b"1"})
    with pytest.raises(DataError, match=r"but: 'link' is neither a file nor a folder"):
        unpack(file, "x.tar.gz", folder)
    assert not (tmp_path / "evil.txt").exists()


def test_a_device_is_refused(tmp_path, folder):
    device = tarfile.TarInfo("null")
    device.type = tarfile.CHRTYPE
    with pytest.raises(DataError, match=r"but: 'null' is neither a file nor a folder"):
        unpack(write_tar(tmp_path / "x.tar.gz", {"null": device}), "x.tar.gz", folder)


def test_an_archive_that_unpacks_to_too_much_is_refused(write, name, folder, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_BYTES", 1500)
    with pytest.raises(DataError, match=r"but: it unpacks to more than 1,500 bytes"):
        unpack(write({"a": bytes(1000), "b": bytes(1000)}), name, folder)
    assert not (folder / "b").exists()


def test_a_truncated_archive_is_named(write, name, folder):
    file = write({"a": os.urandom(5000)})
    file.write_bytes(file.read_bytes()[:2500])
    with pytest.raises(
        DataError, match=rf"{name} must unpack into a folder of the workspace, but: "
    ):
        unpack(file, name, folder)


def test_bytes_that_are_no_archive_are_named(tmp_path, name, folder):
    (tmp_path / name).write_bytes(b"<html>404</html>")
    with pytest.raises(
        DataError, match=rf"{name} must unpack into a folder of the workspace, but: "
    ):
        unpack(tmp_path / name, name, folder)


def test_without_network_one_sentence_names_the_address_and_says_what_to_do(tmp_path):
    archive = Archive(f"{NOBODY}x.zip", ABC)
    message = (
        r"^Stars must be downloaded from http://127.0.0.1:9/x.zip, which failed .*; draw them\.$"
    )
    with pytest.raises(DataError, match=message):
        download(archive, tmp_path, "Stars", "draw them")


def test_given_archives_become_one_folder(tmp_path):
    files = [
        write_tar(tmp_path / "x.tar.gz", {"a": b"1"}),
        write_zip(tmp_path / "y.zip", {"b": b""}),
    ]
    home = tmp_path / "workspace" / "home"
    given = {archive_of(file): file for file in files}
    install(home, given, accept, title="Stars", advice="draw them")
    assert names_below(home) == ["a", "b"]
    assert [x.name for x in home.parent.iterdir()] == ["home"]


@pytest.mark.parametrize("failure", ["download", "check", "unpack"])
def test_a_folder_that_cannot_be_completed_is_not_there_at_all(tmp_path, failure):
    first = write_zip(tmp_path / "x.zip", {"a": b"1"})
    second = tmp_path / "y.zip"
    second.write_bytes(b"broken" if failure == "unpack" else first.read_bytes())
    given = {archive_of(first): first, archive_of(second): second}
    if failure == "download":
        given[archive_of(second)] = None
    home = tmp_path / "workspace" / "home"
    check = refuse if failure == "check" else accept
    with pytest.raises(DataError):
        install(home, given, check, title="Stars", advice="draw them")
    assert not [*home.parent.iterdir()]


def test_a_folder_that_another_process_has_completed_is_kept(tmp_path):
    file, home = write_zip(tmp_path / "x.zip", {"a": b"1"}), tmp_path / "home"

    def complete_meanwhile(content):
        if content != home:
            home.mkdir()
            (home / "theirs").write_bytes(b"")

    given = {archive_of(file): file}
    install(home, given, complete_meanwhile, title="Stars", advice="draw them")
    assert names_below(home) == ["theirs"]


def test_a_complete_folder_is_not_downloaded_again(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a").write_bytes(b"")
    given = {Archive(f"{NOBODY}x.zip", ABC): None}
    install(tmp_path / "home", given, accept, title="Stars", advice="draw them")
    assert names_below(tmp_path / "home") == ["a"]


def test_an_incomplete_folder_is_to_be_deleted_by_its_owner(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a").write_bytes(b"")
    given = {Archive(f"{NOBODY}x.zip", ABC): None}
    message = (
        r"/home must be complete or missing, but: home lacks a file\. Delete it and run again\."
    )
    with pytest.raises(DataError, match=message):
        install(tmp_path / "home", given, refuse, title="Stars", advice="draw them")
