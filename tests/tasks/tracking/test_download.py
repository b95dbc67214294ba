import json
import zipfile

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from mixmatch.digests import file_digest
from mixmatch.errors import ArtifactError, CheckpointError, RegistryError
from tasks.tracking import download_weights, pinned_address, register_front


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "weights"
    place.mkdir()
    return place


@pytest.fixture
def run_with(client, tmp_path):
    """Log files, by name and tensors, into ``model/`` of a new run and return that address."""

    def logged(**files):
        place = tmp_path / "model"
        place.mkdir()
        for name, tensors in files.items():
            save_file(tensors, place / f"{name}.safetensors")
        run_id = client.create_run("0").info.run_id
        client.log_artifacts(run_id, str(place), "model")
        return f"runs:/{run_id}/model"

    return logged


@pytest.mark.parametrize("uri", ["models:/shapes@smallest", "models:/shapes/1", "m-"])
def test_a_network_that_mixmatch_registered_is_unpacked(
    site, client, parent_run, spec, make_result, pack, folder, uri
):
    from mixmatch.packed import read_packed

    result = make_result(artifact=pack())
    register_front(
        site, parent_run, registered_name="shapes", spec=spec, results=[result], extra_tags={}
    )
    if uri == "m-":
        uri = f"models:/{client.get_model_version('shapes', '1').tags['model_id']}"
    file = download_weights(site, uri, folder)
    assert list(folder.iterdir()) == [file]
    expected = read_packed(site.open_store().path(result.member.artifact)).state
    found = load_file(file)
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_another_packed_file_than_was_registered_is_no_base(
    site, client, parent_run, spec, make_result, pack, folder
):
    result = make_result(artifact=pack())
    register_front(
        site, parent_run, registered_name="shapes", spec=spec, results=[result], extra_tags={}
    )
    client.set_model_version_tag("shapes", "1", "digest", "d" * 64)
    with pytest.raises(ArtifactError, match="must have the digest that it was registered with, dd"):
        download_weights(site, "models:/shapes/1", folder)
    assert list(folder.iterdir()) == []


def test_an_alias_is_pinned_to_the_version_it_points_at(site, parent_run, spec, make_result, pack):
    register_front(
        site,
        parent_run,
        registered_name="shapes",
        spec=spec,
        results=[make_result(artifact=pack())],
        extra_tags={},
    )
    assert pinned_address(site, "models:/shapes@smallest") == "models:/shapes/1"
    assert pinned_address(site, "models:/shapes/1") == "models:/shapes/1"
    with pytest.raises(RegistryError, match="got 'best'"):
        pinned_address(site, "models:/shapes@best")


@pytest.fixture
def torch_model(client, tmp_path):
    """Log a folder as mlflow.pytorch writes it and return its address."""

    def logged(file, save, **changes):
        place = tmp_path / "model"
        (place / "data").mkdir(parents=True)
        save(place / "data" / file)
        flavor = {"model_data": "data", "pytorch_version": str(torch.__version__), "code": None}
        flavor |= changes
        (place / "MLmodel").write_text(yaml.safe_dump({"flavors": {"pytorch": flavor}}))
        run_id = client.create_run("0").info.run_id
        client.log_artifacts(run_id, str(place), "model")
        return f"runs:/{run_id}/model"

    return logged


def test_a_model_that_mlflow_saved_as_pt2_gives_its_state_bit_for_bit(
    site, client, tmp_path, folder
):
    import mlflow.pytorch

    layers = (torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten())
    network = torch.nn.Sequential(*layers, torch.nn.Linear(18, 3))
    network(torch.randn(4, 1, 5, 5))  # statistics and a counter that are not those of the start
    example = np.zeros((2, 1, 5, 5), np.float32)
    mlflow.pytorch.save_model(
        network.eval(), tmp_path / "saved", input_example=example, serialization_format="pt2"
    )
    run_id = client.create_run("0").info.run_id
    client.log_artifacts(run_id, str(tmp_path / "saved"), "model")
    found = load_file(download_weights(site, f"runs:/{run_id}/model", folder))
    expected = network.state_dict()
    assert set(found) == set(expected)
    assert found["1.num_batches_tracked"].dtype == torch.int64
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_forged_program_of_a_pytorch_model_is_never_built(site, torch_model, folder, tmp_path):
    expression = f"__import__('os').mkdir({str(tmp_path / 'created')!r})"
    evil = json.dumps({"as_expr": {"expr_str": expression, "hint": None}}).encode()

    def forged(place):
        program = torch.export.export(torch.nn.Linear(4, 3), (torch.zeros(2, 4),))
        torch.export.save(program, tmp_path / "honest.pt2")
        with (
            zipfile.ZipFile(tmp_path / "honest.pt2") as honest,
            zipfile.ZipFile(place, "w") as written,
        ):
            for name in honest.namelist():
                written.writestr(name, honest.read(name).replace(b'{"as_int": 4}', evil))

    uri = torch_model("model.pt2", forged)
    with pytest.raises(CheckpointError, match=rf"^{uri} must list its weights as plain tensors"):
        download_weights(site, uri, folder)
    assert not (tmp_path / "created").exists()


def test_an_exported_pytorch_model_gives_its_state(site, torch_model, folder):
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    exported = torch.export.export(network, (torch.zeros(2, 4),))
    uri = torch_model("model.pt2", lambda place: torch.export.save(exported, place))
    found = load_file(download_weights(site, uri, folder))
    assert set(found) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert torch.equal(found["2.weight"], network[2].weight)


def test_a_pickled_pytorch_model_is_refused(site, torch_model, folder):
    uri = torch_model("model.pth", lambda place: torch.save(torch.nn.Linear(1, 1), place))
    with pytest.raises(CheckpointError, match=r"saved with serialization_format='pt2', not a pick"):
        download_weights(site, uri, folder)


def test_a_model_that_brings_its_own_code_is_refused(site, torch_model, folder):
    uri = torch_model("model.pt2", lambda place: place.write_bytes(b""), code="code")
    with pytest.raises(CheckpointError, match=r"saved with serialization_format='pt2', not a pick"):
        download_weights(site, uri, folder)


def test_a_pickle_beside_an_export_is_refused(site, torch_model, folder):
    def both(place):
        place.write_bytes(b"")
        (place.parent / "pickle_module_info.txt").write_text("os")

    with pytest.raises(CheckpointError, match=r"saved with serialization_format='pt2', not a pick"):
        download_weights(site, torch_model("model.pt2", both), folder)


def test_a_model_that_names_files_outside_itself_is_refused(site, torch_model, folder):
    uri = torch_model("model.pt2", lambda place: place.write_bytes(b""), model_data="../../..")
    with pytest.raises(CheckpointError, match=r"files of its own only, got '../../..'"):
        download_weights(site, uri, folder)


def test_a_single_weights_file_is_taken_as_it_is(site, run_with, folder):
    uri = run_with(model={"w": torch.ones(2)})
    file = download_weights(site, uri, folder)
    assert file == folder / f"{file_digest(file)}.safetensors"
    assert torch.equal(load_file(file)["w"], torch.ones(2))


def test_the_address_may_name_the_file_itself(site, run_with, folder):
    uri = run_with(one={"w": torch.ones(2)}, two={"w": torch.zeros(2)})
    file = download_weights(site, f"{uri}/two.safetensors", folder)
    assert torch.equal(load_file(file)["w"], torch.zeros(2))


def test_two_weights_files_are_ambiguous(site, run_with, folder):
    uri = run_with(one={"w": torch.ones(2)}, two={"w": torch.zeros(2)})
    message = r"exactly one file of type .*, found \['one.safetensors', 'two.safetensors'\]"
    with pytest.raises(CheckpointError, match=message):
        download_weights(site, uri, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/shapes", r"must be models:/NAME@alias, .*, got 'models:/shapes'"),
        ("models:/m-0123", r"models:/m-0123 must be an address that MLflow can read: .*m-0123"),
        ("runs:/0123/model", r"runs:/0123/model must be an address that MLflow can read: "),
        ("s3://bucket/model", r"must be models:/NAME@alias, .*, got 's3://bucket/model'"),
    ],
)
def test_an_address_without_weights_is_an_error(site, folder, uri, message):
    with pytest.raises(CheckpointError, match=message):
        download_weights(site, uri, folder)


def test_an_unknown_registered_model_is_an_error(site, folder):
    with pytest.raises(RegistryError, match="no registered model 'shapes'; known: none yet"):
        download_weights(site, "models:/shapes@best", folder)


def test_nothing_can_be_fetched_where_nothing_was_tracked(empty_site, folder):
    with pytest.raises(CheckpointError, match=r"nothing is tracked in .* yet"):
        download_weights(empty_site, "models:/shapes/1", folder)
