import pytest

from mixmatch.errors import ArtifactError, ConfigError
from tasks.versioning.names import hash_parts, is_plain_path
from tasks.versioning.pointers import Pointer

MD5 = "0123456789abcdef" * 2
FOREIGN_NAMES = ["", "..", "../family", "/tmp/family", "a/b", ".dvc", "pointers", "a b", "a\n"]
FOREIGN_HASHES = ["", "../../x", "/etc/passwd", MD5[1:], MD5.upper(), f"{MD5}.dir/x", f"{MD5}\n"]


@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_there_is_no_pointer_to_a_folder_whose_name_leads_elsewhere(name):
    with pytest.raises(ConfigError, match=r"^The name of a DVC folder must begin with a letter"):
        Pointer(name, f"{MD5}.dir")


@pytest.mark.parametrize("md5", [MD5, *FOREIGN_HASHES])
def test_there_is_no_pointer_with_what_is_no_hash_of_a_folder(md5):
    with pytest.raises(ConfigError, match=r"^The DVC folder family must have as hash 32 hexad"):
        Pointer("family", md5)


@pytest.mark.parametrize("ending", ["", ".dir"])
def test_files_and_listings_lie_under_the_first_two_digits(ending):
    assert hash_parts(f"{MD5}{ending}") == (MD5[:2], f"{MD5[2:]}{ending}")


@pytest.mark.parametrize("md5", FOREIGN_HASHES)
def test_what_is_no_hash_has_no_place(md5):
    with pytest.raises(ArtifactError, match=r"^What DVC keeps must be named by 32 hexadecimal"):
        hash_parts(md5)


@pytest.mark.parametrize("inside", ["a", "a/b.bin", "..a", "store/records/fetch/x.json"])
def test_a_path_that_stays_inside_is_plain(inside):
    assert is_plain_path(inside)


@pytest.mark.parametrize("inside", ["", ".", "..", "/a", "//a", "a/../b", "../a", "a//b", "./a"])
def test_a_path_that_leads_out_or_has_a_second_spelling_is_not(inside):
    assert not is_plain_path(inside)
