"""Exporting networks of a real registry."""

import errno
import json
import os
import shutil

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import tasks.export
from mixmatch.checkpoints import read_state
from mixmatch.digests import file_digest
from mixmatch.errors import (
    ArtifactError,
    PackedFormatError,
    RegistryError,
    WorkspaceError,
)
from mixmatch.models import build_model
from mixmatch.packed import load_packed, read_header, read_packed, save_packed
from tasks.export import Format, export_model
from tasks.tracking import register_front

TORCH_FILES = ["net.safetensors", "net.pt"]


@pytest.fixture
def packed(site, parent_run, spec, make_result, pack):
    """Register two networks as ``shapes``; return the packed file of the first, the smallest."""
    results = [
        make_result("aggressive", sparsity=0.9, accuracy=0.85, artifact=pack(1, pruned=0.9)),
        make_result("conservative", sparsity=0.5, accuracy=0.95, artifact=pack(2, pruned=0.5)),
    ]
    register_front(
        site, parent_run, registered_name="shapes", spec=spec, results=results, extra_tags={}
    )
    return site.open_store().path(results[0].member.artifact)


@pytest.fixture
def stored(site, packed):
    """Return where the registry keeps the packed file of that network."""
    files = site.open_workspace().mlflow_artifacts.rglob("network.packed")
    return next(file for file in files if file.read_bytes() == packed.read_bytes())


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def version_of(client, tmp_path):
    """Register a folder with these MLflow artifacts, by hand, as version 1 of ``foreign``."""

    def registered(tags, **artifacts):
        folder = tmp_path / "foreign"
        folder.mkdir()
        places = {name: {"path": file.name} for name, file in artifacts.items()}
        for file in artifacts.values():
            shutil.copyfile(file, folder / file.name)
        flavors = {"python_function": {"loader_module": "nowhere", "artifacts": places}}
        (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
        client.create_registered_model("foreign")
        client.create_model_version("foreign", folder.as_uri(), tags=tags)

    return registered


@pytest.mark.parametrize("reference", ["shapes@smallest", "shapes/1"])
def test_packed_gives_the_bytes_of_the_registry(site, packed, out, reference):
    summary = export_model(site, reference, out / "net", file_format="packed")
    assert (out / "net").read_bytes() == packed.read_bytes()
    assert list(out.iterdir()) == [out / "net"]
    assert summary.model_dump() == {
        "name": "shapes",
        "version": 1,
        "format": "packed",
        "file": str(out / "net"),
        "bytes": packed.stat().st_size,
        "digest": file_digest(packed),
        "packed_digest": file_digest(packed),
        "values": None,
        "agreement": None,
    }


@pytest.mark.parametrize("values", ["float32", "bfloat16", "float16", "int8"])
def test_packed_with_other_values_is_what_packing_them_gives(
    site, packed, out, spec, tmp_path, values
):
    summary = export_model(site, "shapes/1", out / "net", file_format="packed", values=values)
    save_packed(tmp_path / "again", load_packed(packed), spec, values=values)
    assert (out / "net").read_bytes() == (tmp_path / "again").read_bytes()
    assert (summary.values, summary.digest) == (values, file_digest(tmp_path / "again"))
    assert (summary.packed_digest, summary.bytes) == (
        file_digest(packed),
        (tmp_path / "again").stat().st_size,
    )
    assert read_header(out / "net").values == values


def test_values_that_cannot_be_held_leave_nothing_behind(site, version_of, spec, out, tmp_path):
    large = nn.Sequential(nn.Linear(4, 3))
    large[0].weight.data.fill_(1e6)
    save_packed(tmp_path / "large.packed", large, spec)
    version_of({"digest": file_digest(tmp_path / "large.packed")}, packed=tmp_path / "large.packed")
    with pytest.raises(PackedFormatError, match=r"0\.weight"):
        export_model(site, "foreign", out / "net", file_format="packed", values="float16")
    assert list(out.iterdir()) == []


def test_without_alias_or_version_it_is_the_newest(site, packed, out):
    assert export_model(site, "shapes", out / "net", file_format="packed").version == 2


def test_a_safetensors_file_holds_the_dense_state_and_says_what_it_is(site, packed, out, spec):
    file = out / "net.safetensors"
    summary = export_model(site, "shapes/1", file, file_format="torch")
    assert (summary.digest, summary.bytes) == (file_digest(file), file.stat().st_size)
    assert summary.packed_digest == file_digest(packed)
    assert_equal(load_file(file), read_packed(packed).state)
    with safe_open(file, framework="np") as opened:
        stated = {key: json.loads(value) for key, value in opened.metadata().items()}
    assert stated == {
        "architecture": "test_resnet",
        "arguments": {},
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "classes": ["circle", "square", "star"],
    }


def test_a_pt_file_holds_the_dense_state_alone(site, packed, out):
    export_model(site, "shapes/1", out / "net.pt", file_format="torch")
    assert_equal(torch.load(out / "net.pt", weights_only=True), read_packed(packed).state)


@pytest.mark.parametrize("name", TORCH_FILES)
def test_a_dense_file_fits_the_network_and_is_a_checkpoint(site, packed, out, spec, name):
    export_model(site, "shapes/1", out / name, file_format="torch")
    state = read_state(out / name)
    build_model(spec).load_state_dict(state, strict=True)
    assert_equal(state, read_packed(packed).state)


def assert_equal(found, expected):
    assert type(found) is dict
    assert sorted(found) == sorted(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert all(found[name].dtype == expected[name].dtype for name in expected)


def test_a_network_of_an_own_factory_needs_no_import(site, version_of, spec, out, tmp_path):
    own = spec.model_copy(update={"architecture": "no_such_module:build"})
    save_packed(tmp_path / "own.packed", nn.Sequential(nn.Linear(4, 3)), own)
    version_of({"digest": file_digest(tmp_path / "own.packed")}, packed=tmp_path / "own.packed")
    for name in TORCH_FILES:
        export_model(site, "foreign", out / name, file_format="torch")
    assert set(load_file(out / "net.safetensors")) == {"0.weight", "0.bias"}
    with safe_open(out / "net.safetensors", framework="np") as opened:
        assert json.loads(opened.metadata()["architecture"]) == "no_such_module:build"


@pytest.mark.parametrize("name", ["net", *TORCH_FILES])
def test_a_file_that_is_there_is_replaced_by_force_only(site, packed, out, name):
    (out / name).write_text("mine")
    file_format = "packed" if name == "net" else "torch"
    message = rf"that is not there yet, got {out / name}; --force replaces it\."
    with pytest.raises(WorkspaceError, match=message):
        export_model(site, "shapes", out / name, file_format=file_format)
    assert (out / name).read_text() == "mine"
    summary = export_model(site, "shapes", out / name, file_format=file_format, force=True)
    assert file_digest(out / name) == summary.digest
    assert list(out.iterdir()) == [out / name]


@pytest.mark.parametrize(("name", "file_format"), [("net", "packed"), ("net.pt", "torch")])
def test_a_changed_file_of_the_registry_is_found_before_anything_appears(
    site, packed, stored, out, name, file_format
):
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    message = rf"models:/shapes/1 must have the digest .*, {file_digest(packed)}, found "
    with pytest.raises(ArtifactError, match=message + file_digest(stored)):
        export_model(site, "shapes/1", out / name, file_format=file_format)
    assert list(out.iterdir()) == []


def test_a_file_that_the_registry_lost_is_an_error(site, packed, stored, out):
    stored.unlink()
    with pytest.raises(ArtifactError, match=rf"{file_digest(packed)}, found nothing\."):
        export_model(site, "shapes/1", out / "net", file_format="packed")
    assert list(out.iterdir()) == []


def test_what_another_program_registered_is_refused(site, version_of, out):
    version_of({"digest": "d" * 64})
    with pytest.raises(RegistryError, match=r"models:/foreign/1 must be a network that mixmatch"):
        export_model(site, "foreign", out / "net", file_format="packed")


def test_a_version_without_a_digest_is_refused(site, packed, version_of, out):
    version_of({}, packed=packed)
    with pytest.raises(RegistryError, match=r"with its packed file and digest; it has none\."):
        export_model(site, "foreign", out / "net", file_format="packed")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("shape", r"There is no registered model 'shape'; known: shapes\."),
        ("shapes@best", r"The alias of shapes must be one of \['most-accurate', 'smallest'\]"),
        ("shapes/7", r"The version of shapes must be one of \[1, 2\], got 7\."),
    ],
)
def test_an_unknown_network_is_an_error(site, packed, out, reference, message):
    with pytest.raises(RegistryError, match=message):
        export_model(site, reference, out / "net", file_format="packed")
    assert list(out.iterdir()) == []


def test_where_nothing_was_tracked_nothing_is_created(empty_site, out):
    with pytest.raises(
        RegistryError, match=r"model x must exist, but nothing is tracked in .* yet"
    ):
        export_model(empty_site, "x", out / "net", file_format="packed")
    assert list(out.iterdir()) == []
    assert list(empty_site.open_workspace().root.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(site, packed, out, monkeypatch):
    def full(wish, to):
        to.write_bytes(wish.registered.path.read_bytes()[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tasks.export, "FORMATS", {"packed": Format((), full)})
    message = rf"a file that can be written, got {out / 'net'} \(No space left on device\)\."
    with pytest.raises(WorkspaceError, match=message):
        export_model(site, "shapes", out / "net", file_format="packed")
    assert list(out.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_kept(site, packed, out, monkeypatch):
    def slow(wish, to):
        shutil.copyfile(wish.registered.path, to)
        (out / "net").write_text("mine")

    monkeypatch.setattr(tasks.export, "FORMATS", {"packed": Format((), slow)})
    with pytest.raises(WorkspaceError, match=r"that is not there yet, got .*; --force replaces it"):
        export_model(site, "shapes", out / "net", file_format="packed")
    assert (out / "net").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "file_format"), [("net", "packed"), *((x, "torch") for x in TORCH_FILES)]
)
def test_the_file_may_be_read_by_whom_the_user_lets(site, packed, out, name, file_format):
    (out / "plain").write_text("")
    export_model(site, "shapes", out / name, file_format=file_format)
    assert (out / name).stat().st_mode == (out / "plain").stat().st_mode
