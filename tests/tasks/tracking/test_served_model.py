import mlflow
import numpy as np
import pytest
import torch

from mixmatch.errors import DataError
from mixmatch.packed import load_packed
from tasks.tracking.connection import silence
from tasks.tracking.model_folder import write_model_folder


@pytest.fixture(scope="module")
def packed_and_model(tmp_path_factory):
    """One packed network, and the model that MLflow loads from its folder with pickle off."""
    from mixmatch.models import build_model
    from mixmatch.packed import save_packed
    from mixmatch.records import ModelSpec

    spec = ModelSpec(
        architecture="test_resnet",
        arguments={},
        num_classes=3,
        image_shape=(16, 16, 3),
        mean=(0.5, 0.25, 0.125),
        std=(0.25, 0.5, 1.0),
        classes=("circle", "square", "star"),
    )
    silence()
    root = tmp_path_factory.mktemp("served")
    torch.manual_seed(0)
    save_packed(root / "packed", build_model(spec), spec)
    write_model_folder(root / "model", root / "packed", spec, "m-1")
    return root / "packed", mlflow.pyfunc.load_model(str(root / "model"))


@pytest.fixture
def model(packed_and_model):
    return packed_and_model[1]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)


def test_pixels_become_the_probabilities_of_the_packed_network(packed_and_model, images):
    packed, model = packed_and_model
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.5, 0.25, 0.125), (0.25, 0.5, 1.0)))
    with torch.inference_mode():
        inputs = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
        expected = load_packed(packed)(inputs).softmax(dim=1).numpy()
    found = model.predict(images)
    assert (found.dtype, found.shape) == (np.float32, (5, 3))
    # The order of float32 operations differs: pixels are scaled by 255 * std in one division.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fractions_give_the_same_as_pixels(model, images, dtype):
    fractions = (images.transpose(0, 3, 1, 2) / 255).astype(dtype)
    # float16 holds a pixel to 2**-12 only.
    np.testing.assert_allclose(model.predict(fractions), model.predict(images), atol=1e-3)


def test_integers_of_a_json_request_are_pixels(model, images):
    assert np.array_equal(model.predict(images.astype(np.int64)), model.predict(images))


def test_more_images_than_one_batch_come_back_in_order(model, images):
    many = np.tile(images, (60, 1, 1, 1))
    found = model.predict(many)
    assert found.shape == (300, 3)
    np.testing.assert_allclose(found[295:], model.predict(images), atol=1e-6)


def test_the_network_is_in_model_and_in_eval_mode(model):
    network = model.unwrap_python_model().model
    assert isinstance(network, torch.nn.Module)
    assert not network.training


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 3, 16, 16), np.uint8), r"uint8 must have the shape \(N, 16, 16, 3\)"),
        (np.zeros((2, 16, 16, 3), np.float32), r"float32 must have the shape \(N, 3, 16, 16\)"),
        (np.zeros((16, 16, 3), np.uint8), r"N at least 1, got \(16, 16, 3\)"),
        (np.zeros((0, 16, 16, 3), np.uint8), r"N at least 1, got \(0, 16, 16, 3\)"),
        (np.full((1, 3, 16, 16), 255.0), r"must lie in \[0, 1\], got values from 255.0 to 255.0"),
        (np.full((1, 3, 16, 16), np.nan), r"must lie in \[0, 1\], got values from nan to nan"),
        (np.full((1, 16, 16, 3), 256), r"must lie in \[0, 255\], got values from 256 to 256"),
        (np.full((1, 16, 16, 3), "a"), r"integers 0 to 255 or floats in \[0, 1\], got <U1"),
    ],
)
def test_anything_else_is_a_clear_error(model, wrong, message):
    with pytest.raises(DataError, match=message):
        model.predict(wrong)
