from tasks.report.choices import choices


def test_every_file_is_an_entry_and_int8_follows_its_sibling(deployed, versions):
    found = choices(deployed, versions)

    expected = []
    for result in deployed.results:
        expected.append((result.key, "float32", result.member.artifact.size_bytes))
        if result.int8:
            expected.append((result.key, "int8", result.int8.artifact.size_bytes))
    assert [(x["key"], x["values"], x["bytes"]) for x in found] == expected
    assert len(found) == 18 + 5


def test_an_entry_says_what_was_measured_on_its_own_file(deployed, versions):
    result = next(x for x in deployed.results if x.int8)
    member, int8 = (x for x in choices(deployed, versions) if x["key"] == result.key)

    assert member["texts"] | {"name": "", "also": ""} == {
        "name": "",
        "also": "",
        "values": "float32",
        "sparsity": "62.63 %",
        "validation": "98.40 %",
        "validation-interval": "97.62 to 99.18 %",
        "test": "97.80 %",
        "test-interval": "97.16 to 98.44 %",
        "drop": "+0.35 points",
        "size": "16.73 MB",
        "bytes": "16,726,761 bytes",
        "ratio": "2.7 times smaller",
        "version": f"version {versions[result.key]}",
    }
    texts = int8["texts"]
    assert texts["values"] == "int8, a scale per channel"
    assert (texts["bytes"], texts["ratio"]) == ("4,850,761 bytes", "9.2 times smaller")
    assert (texts["test"], texts["drop"]) == ("97.85 %", "+0.30 points")
    assert texts["version"] == f"version {versions[result.key]} in float32"


def test_an_int8_file_is_marked_itself_over_the_size_and_by_its_sibling_elsewhere(deployed):
    result = next(x for x in deployed.results if x.int8)
    *_, int8 = (x for x in choices(deployed, {}) if x["key"] == result.key)

    assert int8["marks"]["sparsity"] == {
        "test": [result.member.sparsity, result.member.test.value],
        "validation": [result.member.sparsity, result.member.validation.value],
    }
    size = result.int8.artifact.size_bytes / 1e6
    assert int8["marks"]["size"] == {
        "test": [size, result.int8.test.value],
        "validation": [size, result.int8.validation.value],
    }
    assert int8["texts"]["version"] == "not registered"
