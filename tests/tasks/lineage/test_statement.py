import json

import pytest

from mixmatch.errors import LineageError
from tasks.lineage import read_statement, statement_bytes


@pytest.fixture
def statement(lineage):
    return json.loads(statement_bytes(lineage))


def read(statement):
    return read_statement(json.dumps(statement).encode(), "x")


def test_what_is_written_is_read_again(lineage):
    assert read_statement(statement_bytes(lineage), "x") == lineage


def test_the_subject_is_the_packed_file(statement):
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert statement["subject"] == [
        {"name": "balanced/magnitude/0.packed", "digest": {"sha256": "3" * 64}}
    ]


def test_the_materials_are_named_with_digests_and_where_they_came_from(statement):
    address = "https://example.org/digits.zip"
    assert statement["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {
            "name": "data",
            "digest": {"sha256": "2" * 64},
            "uri": address,
            "annotations": {"source": address, "dvc": "d" * 32},
        },
        {"name": "mask", "digest": {"sha256": "4" * 64}},
        {"name": "settings", "digest": {"sha256": "5" * 64}},
    ]


def test_the_run_is_that_of_prefects_flow(statement):
    assert statement["predicate"]["runDetails"]["metadata"] == {
        "invocationId": "0190a1b2-0000-7000-8000-000000000001",
        "startedOn": "2026-01-02T03:04:05+00:00",
        "finishedOn": "2026-01-02T03:05:05+00:00",
    }


def test_the_builder_names_commit_lock_and_versions(statement):
    assert statement["predicate"]["runDetails"]["builder"] == {
        "id": "urn:mixmatch:builder:0.1.0",
        "version": {"mixmatch": "0.1.0", "python": "3.11.7", "torch": "2.13.0"},
        "builderDependencies": [
            {
                "name": "code",
                "digest": {"gitCommit": "c" * 40},
                "annotations": {"clean": True},
            },
            {"name": "requirements.lock", "digest": {"sha256": "6" * 64}},
        ],
    }


def change_subject(statement):
    statement["subject"][0]["digest"]["sha256"] = "0" * 64


def change_material(statement):
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][1]["digest"]["sha256"] = "0"


def change_record(statement):
    record = statement["predicate"]["buildDefinition"]["internalParameters"]["record"]
    record["figures"]["accuracy"] = 1.0


def add_a_material(statement):
    statement["predicate"]["buildDefinition"]["resolvedDependencies"].append({"name": "extra"})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (change_subject, r"subject\[0\].digest.sha256"),
        (
            change_material,
            r"predicate.buildDefinition.resolvedDependencies\[1\].digest.sha256",
        ),
        (change_record, r"predicate.runDetails.byproducts\[0\].digest.sha256"),
        (add_a_material, "predicate.buildDefinition.resolvedDependencies"),
    ],
)
def test_one_name_of_a_fact_cannot_be_changed_alone(statement, change, place):
    change(statement)
    with pytest.raises(LineageError, match=rf"under all its names, but {place} is not what"):
        read(statement)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_statement_is_refused(content):
    with pytest.raises(LineageError, match=r"must be an in-toto statement|must fit in-toto"):
        read_statement(content, "x")


def test_another_predicate_is_refused(statement):
    statement["predicateType"] = "https://example.org/other"
    with pytest.raises(LineageError, match=r"must be of type https://slsa\.dev/provenance/v1"):
        read(statement)


def test_the_order_of_patterns_is_kept(lineage):
    patterns = {"z*": [0.0, 0.5], "a*": [0.5, 1.0]}
    ordered = lineage.model_copy(update={"settings": {"ranges": {"layers": patterns}}})
    found = read_statement(statement_bytes(ordered), "x").settings["ranges"]
    assert list(found["layers"]) == ["z*", "a*"]
