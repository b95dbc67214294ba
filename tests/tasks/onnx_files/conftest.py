"""Small networks that were never trained, and their graphs, which take seconds each to export."""

import pytest
import timm
import torch

from mixmatch.records import ModelSpec
from tasks.onnx_files import graph_of


def _spec(size=32):
    return ModelSpec(
        architecture="test_resnet",
        arguments={},
        num_classes=3,
        image_shape=(size, size, 3),
        mean=(0.5, 0.25, 0.125),
        std=(0.25, 0.5, 0.125),
        classes=("circle", "square", "star"),
    )


def _network(seed, name="test_resnet", **arguments):
    """Return a network with weights and statistics that nobody else has."""
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=3, **arguments)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 1 and tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="session")
def make_spec():
    return _spec


@pytest.fixture(scope="session")
def make_network():
    return _network


@pytest.fixture(scope="session")
def graph():
    """Return the graph of ``test_resnet``, exported once."""
    return graph_of(_network(0), _spec())


@pytest.fixture
def logits_of():
    """Return what a network gives for pixels, normalized by a spec."""

    def logits(model, pixels, spec):
        mean, std = (torch.tensor(x).view(1, -1, 1, 1) for x in (spec.mean, spec.std))
        with torch.inference_mode():
            return model((torch.from_numpy(pixels) - mean) / std).numpy()

    return logits
