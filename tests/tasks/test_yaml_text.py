import re

import pytest

from tasks.yaml_text import parse_yaml


def test_reads_plain_values():
    text = "a: 1\nb: [true, null, x]\nc: {d: 1.5}\n"
    assert parse_yaml(text) == {"a": 1, "b": [True, None, "x"], "c": {"d": 1.5}}


@pytest.mark.parametrize(("text", "number"), [("1e-3", 0.001), ("5E4", 50000.0), ("1.0e-3", 0.001)])
def test_reads_an_exponent_as_a_number(text, number):
    assert parse_yaml(text) == number


def test_an_empty_text_is_nothing():
    assert parse_yaml("") is None


def test_an_object_tag_builds_no_object(tmp_path):
    file = tmp_path / "made"
    text = f"a: !!python/object/apply:pathlib.Path.touch [!!python/name:x '{file}']"
    with pytest.raises(
        ValueError, match=r"could not determine a constructor .* \(line 1, column 4"
    ):
        parse_yaml(text)
    assert not file.exists()


REFUSED = [
    ("a: 1\na: 2\n", "the key 'a' stands twice (line 2, column 1)"),
    ("a:\n  b: 1\n  b: 2\n", "the key 'b' stands twice (line 3, column 3)"),
    ("a: &x [1]\nb: [*x, *x]\n", "the alias *x is not allowed (line 2, column 5)"),
    ("a: [1\n", "expected ',' or ']', but got '<stream end>' (line 2, column 1)"),
    ("[" * 100_000, "its values are nested too deeply"),
    ("a" * 1_000_001, "it has 1000001 characters, more than 1000000"),
    ("a: 1\n---\nb: 2\n", "but found another document (line 2, column 1)"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message[:20] for _, message in REFUSED])
def test_what_is_not_plain_yaml_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        parse_yaml(text)


def test_a_control_character_is_refused():
    with pytest.raises(ValueError, match="special characters are not allowed"):
        parse_yaml("a: \x07")
