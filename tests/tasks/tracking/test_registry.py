import mlflow
import numpy as np
import pytest

from tasks.tracking import record_result, register_front


@pytest.fixture
def register(site, parent_run, spec):
    def registered(*results, **latency):
        return register_front(
            site,
            parent_run,
            registered_name="shapes",
            spec=spec,
            results=results,
            extra_tags={"data_digest": "d" * 64},
            **latency,
        )

    return registered


@pytest.fixture
def accurate(make_result, pack):
    return make_result("conservative", sparsity=0.5, accuracy=0.95, artifact=pack(1))


@pytest.fixture
def sparse(make_result, pack):
    artifact = pack(2, pruned=0.75)
    return make_result("aggressive", sparsity=0.9, accuracy=0.85, artifact=artifact)


@pytest.fixture
def user_process(client, monkeypatch):
    """What a user of the registered model sets."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")


def test_each_network_on_the_front_gets_a_version_with_its_facts(
    client, register, accurate, sparse, parent_run, site
):
    child = record_result(site, parent_run, sparse, name="x")
    off_front = accurate.model_copy(update={"on_front": False, "key": "o" * 64})
    assert register(accurate, sparse, off_front) == {accurate.key: 1, sparse.key: 2}
    version = client.get_model_version("shapes", "2")
    assert version.run_id == child
    assert version.tags.pop("model_id").startswith("m-")
    assert version.tags == {
        "strategy": "aggressive",
        "also": "[]",
        "criterion": "magnitude",
        "seed": "0",
        "sparsity": "0.9",
        "accuracy": str(0.85 - 0.03125),
        "validation_accuracy": "0.85",
        "bytes": str(sparse.member.artifact.size_bytes),
        "digest": sparse.member.artifact.digest,
        "mask_digest": sparse.member.mask_digest,
        "key": sparse.key,
        "data_digest": "d" * 64,
    }


def test_the_front_of_sizes_is_registered_too_and_gives_the_smallest(
    client, register, accurate, sparse
):
    small = sparse.model_copy(update={"on_front": False, "on_size_front": True})
    assert register(accurate, small) == {accurate.key: 1, small.key: 2}
    assert int(client.get_registered_model("shapes").aliases["smallest"]) == 2


@pytest.fixture
def quantized(site, sparse, make_int8):
    """The sparse result with an int8 file that the store holds."""

    def of(content=b"int8"):
        with site.open_store().scratch() as folder:
            (folder / "int8").write_bytes(content)
            artifact = site.open_store().put(folder / "int8")
        return sparse.model_copy(
            update={"int8": make_int8(artifact.digest, size_bytes=artifact.size_bytes)}
        )

    return of


def int8_files(site):
    return list(site.open_workspace().mlflow_artifacts.glob("**/int8/network.packed"))


def test_a_version_says_its_int8_file_and_latency(
    client, site, parent_run, register, quantized, make_latency
):
    result = quantized()
    child = record_result(site, parent_run, result, name="x")
    register(result, latency=make_latency(result.member.artifact.digest))
    tags = client.get_model_version("shapes", "1").tags
    found = {name: x for name, x in tags.items() if name.startswith(("int8", "latency"))}
    assert found == {
        "int8.bytes": "4",
        "int8.accuracy": "0.5",
        "int8.digest": result.int8.artifact.digest,
        "latency": '{"processor": "Example CPU", "threads": 2, "median_s": {"torch": {"1": 0.001}, '
        '"onnx": {"1": 0.001}}}',
    }
    (file,) = int8_files(site)
    assert child in file.parts
    assert file.read_bytes() == b"int8"


def test_a_version_that_was_there_learns_of_a_later_int8_file(
    client, site, parent_run, register, sparse, quantized
):
    record_result(site, parent_run, sparse, name="x")
    register(sparse)
    assert int8_files(site) == []
    for content in (b"int8", b"another"):
        result = quantized(content)
        assert register(result) == {sparse.key: 1}
        tags = client.get_model_version("shapes", "1").tags
        assert tags["int8.digest"] == result.int8.artifact.digest
        assert [file.read_bytes() for file in int8_files(site)] == [content]


def test_registering_again_logs_no_int8_file_twice(site, register, quantized):
    result = quantized()
    register(result)
    (file,) = int8_files(site)
    file.unlink()
    register(result)
    assert int8_files(site) == []


def test_registering_again_makes_no_second_version_model_or_alias(
    client, register, accurate, sparse
):
    first = register(accurate, sparse)
    assert register(accurate, sparse) == first
    assert len(client.search_model_versions("name = 'shapes'")) == 2
    experiment = client.get_experiment_by_name("digits-test_resnet").experiment_id
    assert len(client.search_logged_models([experiment])) == 2


def test_one_packed_file_has_one_version(client, register, accurate):
    twin = accurate.model_copy(update={"criterion": "product", "key": "t" * 64})
    assert register(accurate, twin) == {accurate.key: 1, twin.key: 1}


def test_aliases_name_the_most_accurate_and_the_smallest(client, register, accurate, sparse):
    register(accurate, sparse)
    aliases = client.get_registered_model("shapes").aliases
    assert {name: int(version) for name, version in aliases.items()} == {
        "most-accurate": 1,
        "smallest": 2,
    }


def test_an_alias_follows_the_front_of_the_latest_run(client, register, accurate, sparse):
    register(accurate, sparse)
    register(sparse)
    assert int(client.get_registered_model("shapes").aliases["most-accurate"]) == 2


def test_among_equally_accurate_the_sparser_is_the_most_accurate(
    client, register, accurate, sparse
):
    member = sparse.member.model_copy(update={"validation": accurate.member.validation})
    equal = {"member": member, "mean_validation": accurate.mean_validation}
    register(accurate, sparse.model_copy(update=equal))
    assert int(client.get_registered_model("shapes").aliases["most-accurate"]) == 2


def test_an_empty_front_registers_nothing(client, register, accurate):
    assert register(accurate.model_copy(update={"on_front": False})) == {}
    assert list(client.search_registered_models()) == []


@pytest.mark.usefixtures("user_process")
@pytest.mark.parametrize("uri", ["models:/shapes@most-accurate", "models:/shapes/1", "m-"])
def test_a_version_loads_with_pickle_off_and_predicts(client, register, accurate, uri):
    register(accurate)
    if uri == "m-":
        uri = f"models:/{client.get_model_version('shapes', '1').tags['model_id']}"
    found = mlflow.pyfunc.load_model(uri).predict(np.zeros((2, 16, 16, 3), np.uint8))
    assert (found.shape, found.dtype) == ((2, 3), np.float32)


def test_no_registered_file_is_a_pickle(site, register, accurate):
    register(accurate)
    place = site.open_workspace().mlflow_artifacts / "digits-test_resnet" / "models"
    names = sorted(path.name for path in place.rglob("*") if path.is_file())
    assert names == [
        "MLmodel",
        "network.packed",
        "python_env.yaml",
        "requirements.txt",
        "served_model.py",
    ]


def test_the_files_go_where_the_log_model_says(client, register, accurate):
    register(accurate)
    version = client.get_model_version("shapes", "1")
    model = client.get_logged_model(version.tags["model_id"])
    assert version.source == model.artifact_location
    assert str(model.status) == "READY"
    assert model.tags["digest"] == accurate.member.artifact.digest


def test_a_version_says_what_it_lost_against_its_base(
    client, site, parent_run, spec, accurate, make_family
):
    # Eight images; the base gets all right, the network misses one: 0xff and 0x7f as bits.
    def accuracy(num_correct, bits):
        values = {"num_correct": num_correct, "num_images": 8, "correct_bits": bits}
        return accurate.member.validation.model_copy(update={**values, "value": num_correct / 8})

    base = make_family().base.model_copy(update={"validation": accuracy(8, "/w==")})
    member = accurate.member.model_copy(update={"validation": accuracy(7, "fw==")})
    register_front(
        site,
        parent_run,
        registered_name="shapes",
        spec=spec,
        results=[accurate.model_copy(update={"member": member})],
        extra_tags={},
        base=base,
    )
    tags = client.get_model_version("shapes", "1").tags
    # The bootstrap draws 0 to 3 of the missed image into eight in all but 2.5 %.
    assert (tags["drop.mean"], tags["drop.high"]) == ("0.125", "0.375")
