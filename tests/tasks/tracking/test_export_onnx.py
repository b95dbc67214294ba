"""Exporting networks of a real registry as ONNX, on a data set of noise."""

import json
import sys

import numpy as np
import onnx
import pytest
import torch

import tasks.export_onnx
from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError, ConfigError, RegistryError
from mixmatch.packed import load_packed, read_packed, save_packed
from mixmatch.records import ModelSpec
from tasks.data.data_file import write_data_file
from tasks.export import export_model
from tasks.factory import code_digest, find_factory
from tasks.fetch import load_split
from tasks.onnx_files import OnnxNetwork, graph_of, pixels
from tasks.tracking import register_front

SPLITS = {"train": (0, 8), "calibration": (8, 24), "validation": (24, 64), "test": (64, 80)}
OWN_SOURCE = """
import torch


def build(num_classes, in_chans):
    first = torch.nn.Conv2d(in_chans, 4, 16)
    return torch.nn.Sequential(first, torch.nn.Flatten(), torch.nn.Linear(4, num_classes))
"""


@pytest.fixture
def data_file(site):
    """Store a data set of noise; return its file."""
    images = np.random.default_rng(0).integers(0, 256, (80, 16, 16, 3), dtype=np.uint8)
    columns = {name: np.arange(*rows) for name, rows in SPLITS.items()}
    store = site.open_store()
    with store.scratch() as folder:
        labels = {"labels": np.arange(80) % 3}
        write_data_file(folder / "data", iter([images]), images.shape, labels | columns)
        return store.path(store.put(folder / "data"))


@pytest.fixture
def register(site, parent_run, spec, make_result, pack):
    """Register a network as ``shapes``, version 1; return its packed file."""

    def registered(tags, spec=spec):
        result = make_result(artifact=pack(1, pruned=0.75))
        names = {"registered_name": "shapes", "spec": spec, "results": [result]}
        register_front(site, parent_run, **names, extra_tags=tags)
        return site.open_store().path(result.member.artifact)

    return registered


@pytest.fixture
def packed(register, data_file):
    return register({"data.digest": file_digest(data_file)})


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def exported_once(monkeypatch, graphs):
    """Export each architecture once for all tests here: that takes seconds."""

    def known(model, spec):
        if spec.architecture not in graphs:
            graphs[spec.architecture] = graph_of(model, spec)
        return graphs[spec.architecture]

    monkeypatch.setattr(tasks.export_onnx, "graph_of", known)


@pytest.fixture(scope="module")
def graphs():
    return {}


def logits_of(packed, images, spec):
    mean, std = (torch.tensor(x).view(1, -1, 1, 1) for x in (spec.mean, spec.std))
    with torch.inference_mode():
        return load_packed(packed)((torch.from_numpy(images) - mean) / std).numpy()


def test_onnx_gives_the_logits_of_the_network(site, packed, data_file, spec, out):
    summary = export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")
    assert list(out.iterdir()) == [out / "net.onnx"]
    assert (summary.format, summary.digest) == ("onnx", file_digest(out / "net.onnx"))
    images = pixels(load_split(data_file, "test").images)
    found = OnnxNetwork(out / "net.onnx", threads=1)(images)
    np.testing.assert_allclose(found, logits_of(packed, images, spec), rtol=1e-5, atol=1e-5)


def test_onnx_is_compared_with_torch_on_all_validation_images(site, packed, data_file, spec, out):
    found = export_model(site, "shapes/1", out / "net.onnx", file_format="onnx").agreement
    validation = load_split(data_file, "validation")
    classes = logits_of(packed, pixels(validation.images), spec).argmax(axis=1)
    accuracy = (classes == validation.labels.numpy()).mean()
    assert (found.num_images, found.same_class) == (40, 1.0)
    assert (found.accuracy_torch, found.accuracy_onnx) == (accuracy, accuracy)
    assert found.deviation < 1e-5


def test_onnx_says_what_it_is(site, packed, out):
    export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")
    stated = {x.key: x.value for x in onnx.load(out / "net.onnx").metadata_props}
    state = read_packed(packed).state
    weights = [x for name, x in state.items() if x.ndim > 1]
    zeros = sum(int((x == 0).sum()) for x in weights) / sum(x.numel() for x in weights)
    assert float(stated.pop("sparsity")) == pytest.approx(zeros, abs=1e-12)
    assert stated == {
        "architecture": "test_resnet",
        "arguments": "{}",
        "classes": '["circle", "square", "star"]',
        "image_shape": "[16, 16, 3]",
        "mean": "[0.5, 0.5, 0.5]",
        "std": "[0.25, 0.25, 0.25]",
        "packed_digest": file_digest(packed),
    }


def test_int8_is_calibrated_on_calibration_images_alone(site, packed, data_file, out, monkeypatch):
    read = []

    def load(path, split):
        read.append((path, split))
        return load_split(path, split)

    monkeypatch.setattr(tasks.export_onnx, "load_split", load)
    quantized = []
    monkeypatch.setattr(
        tasks.export_onnx, "to_int8", lambda model, images: quantized.append(images) or model
    )
    export_model(site, "shapes/1", out / "net.onnx", file_format="onnx-int8")
    assert read == [(data_file, "calibration"), (data_file, "validation")]
    assert np.array_equal(quantized[0], pixels(load_split(data_file, "calibration").images))


def test_int8_is_a_smaller_file_that_says_how_well_it_agrees(site, packed, out):
    summary = export_model(site, "shapes/1", out / "net.onnx", file_format="onnx-int8")
    large = export_model(site, "shapes/1", out / "large.onnx", file_format="onnx")
    assert summary.bytes < 0.3 * large.bytes
    found = summary.agreement
    assert (found.num_images, found.accuracy_torch) == (40, large.agreement.accuracy_torch)
    assert 1e-4 < found.deviation < 0.5
    stated = {x.key: x.value for x in onnx.load(out / "net.onnx").metadata_props}
    assert json.loads(stated["classes"]) == ["circle", "square", "star"]
    assert stated["packed_digest"] == file_digest(packed)


def test_equal_exports_give_equal_files(site, packed, out):
    first, second = (
        export_model(site, "shapes/1", out / name, file_format="onnx")
        for name in ("one.onnx", "two.onnx")
    )
    assert first.digest == second.digest


def test_a_file_that_computes_something_else_is_an_error_and_not_left(
    site, packed, out, monkeypatch
):
    whole = tasks.export_onnx.with_weights

    def damaged(graph, state, properties):
        return whole(graph, {**state, "fc.bias": state["fc.bias"] + 1}, properties)

    monkeypatch.setattr(tasks.export_onnx, "with_weights", damaged)
    message = r"^An ONNX file must give the logits of the network in torch within 0\.0001 of"
    with pytest.raises(ArtifactError, match=message):
        export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("file_format", ["onnx", "onnx-int8"])
def test_a_data_set_that_is_gone_is_an_error(site, packed, data_file, out, file_format):
    digest = file_digest(data_file)
    data_file.unlink()
    message = (
        rf"^To export shapes, version 1, as ONNX, the store {site.store} must hold its data set "
        rf"{digest}; `mixmatch fetch` with its run file brings that back\.$"
    )
    with pytest.raises(ArtifactError, match=message):
        export_model(site, "shapes/1", out / "net.onnx", file_format=file_format)
    assert list(out.iterdir()) == []


def test_a_data_set_that_changed_is_not_read(site, packed, data_file, out):
    content = bytearray(data_file.read_bytes())
    content[-1] ^= 1
    data_file.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"must hold its data set"):
        export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")


def test_the_data_set_may_lie_in_the_store_of_the_run_file(
    site, packed, data_file, out, tmp_path, monkeypatch
):
    digest = file_digest(data_file)
    other = tmp_path / "other" / "objects" / digest[:2]
    other.mkdir(parents=True)
    data_file.rename(other / digest)
    show = tasks.export_onnx.show_model

    def told(site, reference):
        settings = {"store": str(tmp_path / "other")}
        return show(site, reference).model_copy(update={"settings": settings})

    monkeypatch.setattr(tasks.export_onnx, "show_model", told)
    summary = export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")
    assert summary.agreement.num_images == 40


def test_a_version_that_does_not_say_its_data_is_refused(site, register, out):
    register({})
    message = r"^models:/shapes/1 must have the tag data\.digest to be compared as ONNX with torch"
    with pytest.raises(RegistryError, match=message):
        export_model(site, "shapes/1", out / "net.onnx", file_format="onnx")


@pytest.fixture
def own_network(site, spec, data_file, parent_run, make_result, tmp_path, monkeypatch):
    """Register a user's own network, whose module lies in the current folder."""
    (tmp_path / "own_nets.py").write_text(OWN_SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    name = "own_nets:build"
    own = ModelSpec.model_validate(
        spec.model_dump() | {"architecture": name, "code_digest": code_digest(name)}
    )
    store = site.open_store()
    with store.scratch() as folder:
        save_packed(folder / "own", find_factory(name)(3, 3), own)
        result = make_result(artifact=store.put(folder / "own"))
    tags = {"data.digest": file_digest(data_file)}
    names = {"registered_name": "own", "spec": own, "results": [result]}
    register_front(site, parent_run, **names, extra_tags=tags)
    yield name
    sys.modules.pop("own_nets", None)


def test_an_own_network_is_built_by_the_factory_that_the_user_names(site, own_network, out):
    to = out / "net.onnx"
    summary = export_model(site, "own", to, file_format="onnx", factory=own_network)
    assert summary.agreement.same_class == 1.0


@pytest.mark.parametrize("given", [None, "os:system"])
def test_an_own_network_is_never_imported_unasked(site, own_network, out, given):
    message = (
        rf"^--factory must be own_nets:build, the user's own network that it is, to export own, "
        rf"version 1, as ONNX; got {given!r}\.$"
    )
    with pytest.raises(ConfigError, match=message):
        export_model(site, "own", out / "net.onnx", file_format="onnx", factory=given)
    assert list(out.iterdir()) == []


def test_a_known_network_takes_no_factory(site, packed, out):
    message = r"^--factory must be left out, to export shapes, version 1, as ONNX; got 'a:b'\.$"
    with pytest.raises(ConfigError, match=message):
        export_model(site, "shapes", out / "net.onnx", file_format="onnx", factory="a:b")
