"""``mixmatch audit`` over a real registered family: all of its options, as a user calls them."""

import json

import pytest

from tasks.tracking.evidence import version_evidence, version_files
from tests.flows.tampering import flipped

pytestmark = pytest.mark.service


@pytest.fixture
def audit(mixmatch, audited_site):
    return lambda *words: mixmatch("audit", *words, "--workspace", audited_site.workspace)


@pytest.fixture(scope="module")
def packed(audited_site):
    version = version_evidence(audited_site, "tiny@smallest")
    with version_files(audited_site, version.reference) as folder:
        return folder / "network.packed"


def test_all_deep_json_and_page_of_an_untouched_family(audit, tmp_path):
    page = tmp_path / "audit.html"
    done = audit("--all", "--deep", "--json", "--html", page)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ok"] is True
    names = {link["name"].partition(":")[2] or link["name"] for link in found["links"]}
    again = {"fetch/source", "sensitivity/again", "member/validation again", "member/test again"}
    assert again <= names
    assert {link["ok"] for link in found["links"] if link["name"].endswith("again")} == {True}
    text = page.read_text()
    assert "every link that can be checked holds" in text
    assert all(f'<h2 class="good">{x["reference"]}: holds</h2>' in text for x in found["versions"])


def test_training_again_gives_the_same_file(audit):
    done = audit("tiny@smallest", "--rerun", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    (link,) = (x for x in found["links"] if x["name"] == "member/again")
    assert (link["ok"], link["found"]) == (True, link["expected"])


def test_a_file_on_disk_is_audited_by_its_digest(audit, packed, tmp_path):
    copy = tmp_path / "device.packed"
    copy.write_bytes(packed.read_bytes())
    assert audit(copy).exit_code == 0
    copy.write_bytes(b"another")
    done = audit(copy)
    assert done.exit_code == 1
    assert "BROKEN registry/file" in done.stderr + done.stdout


def test_a_broken_link_is_named_by_tree_json_and_page_and_ends_with_1(audit, packed, tmp_path):
    page = tmp_path / "audit.html"
    with flipped(packed):
        done = audit("tiny@smallest", "--json", "--html", page)
    assert done.exit_code == 1
    found = json.loads(done.stdout.splitlines()[-1])
    (link,) = (x for x in found["links"] if x["ok"] is False)
    assert link["name"] == "registry/file"
    assert "BROKEN registry/file" in done.stderr
    text = page.read_text()
    assert "1 link does not hold" in text
    assert link["expected"] in text
    assert link["found"] in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "audit must be given either a model or a file, or --all."),
        (("tiny", "--all"), "audit must be given either a model or a file, or --all."),
        (("gone.packed",), "A packed file to audit must exist, got gone.packed."),
    ],
)
def test_wrong_words_are_one_sentence_and_2(audit, words, sentence):
    done = audit(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip() == sentence
