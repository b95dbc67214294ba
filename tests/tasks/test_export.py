"""Where an export may be written, and which options go together; nothing is exported here."""

import pytest

from mixmatch.errors import ConfigError, WorkspaceError
from tasks.export import check_destination


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "file_format", "kind", "message"),
    [
        (
            "net",
            "tflite",
            ConfigError,
            r"^--format must be packed or onnx or onnx-int8 or torch, got 'tflite'\.$",
        ),
        ("net", "onnx", ConfigError, r"--to must end in .onnx with --format onnx, got .*net\."),
        ("net.bin", "torch", ConfigError, r"end in .safetensors or .pt with --format torch, got "),
        ("net", "torch", ConfigError, r"must end in .safetensors or .pt with --format torch, got "),
        (".", "packed", WorkspaceError, r"--to must name a regular file, got .*, which is none\."),
        (
            "no/net",
            "packed",
            WorkspaceError,
            r"must name a file in a folder that exists, got .*net",
        ),
    ],
)
def test_a_wrong_destination_is_refused_before_any_work(out, name, file_format, kind, message):
    for force in (False, True):
        with pytest.raises(kind, match=message):
            check_destination(out / name, file_format=file_format, force=force)


@pytest.mark.parametrize(
    ("file_format", "given", "message"),
    [
        (
            "packed",
            {"values": "int4"},
            r"^--values must be float32 or bfloat16 or float16 or int8, got 'int4'\.$",
        ),
        (
            "torch",
            {"values": "int8"},
            r"^--values must be left out with --format torch, got 'int8'; it is for packed\.$",
        ),
        (
            "packed",
            {"factory": "nets:small"},
            r"^--factory must be left out with --format packed, got 'nets:small'; it is for onnx "
            r"and onnx-int8\.$",
        ),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(out, file_format, given, message):
    with pytest.raises(ConfigError, match=message):
        check_destination(out / "net", file_format=file_format, force=False, **given)


def test_a_link_to_nowhere_is_no_free_name(out):
    (out / "net").symlink_to(out / "nothing")
    with pytest.raises(
        WorkspaceError, match=r"--to must name a regular file, got .*, which is none"
    ):
        check_destination(out / "net", file_format="packed", force=True)
