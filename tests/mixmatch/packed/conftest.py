import pytest
import torch
from torch import nn

from mixmatch.models import build_model
from mixmatch.packed import save_packed
from mixmatch.packed.frame import write_frame
from mixmatch.packed.header import packed_layout
from mixmatch.packed.opened import opened
from mixmatch.records import ModelSpec


def _spec(architecture="test_resnet", **arguments):
    return ModelSpec(
        architecture=architecture,
        arguments=arguments,
        num_classes=10,
        image_shape=(32, 32, 3),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        classes=tuple("0123456789"),
    )


@pytest.fixture(scope="session")
def spec_of():
    """Describe a network, by default a timm one that is built in a moment."""
    return _spec


def _prune_(model, sparsity):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[parameter.abs() < parameter.abs().quantile(sparsity)] = 0
            else:
                parameter.uniform_(-1, 1)


@pytest.fixture(scope="session")
def prune_():
    """Zero the smallest weights of each matrix and kernel; make every other tensor uneven."""
    return _prune_


@pytest.fixture(scope="session")
def pruned():
    torch.manual_seed(0)
    model = build_model(_spec())
    _prune_(model, 0.9)
    return model


@pytest.fixture(scope="session")
def packed_path(pruned, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "net.packed"
    save_packed(path, pruned, _spec())
    return path


@pytest.fixture
def small_model():
    """A network of a user's own: 150 entries, one tensor of each kind."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 20))
    with torch.no_grad():
        model[0].weight[0] = 0
        model[0].weight[1, 0, 0] = 0
        model[3].weight[1:] = 0
    return model


@pytest.fixture(scope="session")
def forge():
    """Copy a file of version 2 with other claims or blocks, and a digest that fits."""

    def copied(source, target, *, layout=lambda x: x, blocks=(), **metadata):
        with opened(source) as packed:
            found = {}
            for name, block in packed.frame.blocks.items():
                packed.file.seek(block.begin)
                found[name] = [packed.file.read(block.size_bytes)]
            stated = dict(packed.frame.metadata)
            found["layout"] = [packed_layout(layout(packed.header.layout))]
        del stated["sha256"]
        write_frame(target, stated | metadata, found | dict(blocks))
        return target

    return copied


@pytest.fixture(scope="session")
def claim():
    """Change what a layout says of one tensor, or of its part ``part``."""

    def changed(name, part=None, **claims):
        def change(tensor):
            if tensor.name != name:
                return tensor
            if part is None:
                return tensor.model_copy(update=claims)
            parts = (x.model_copy(update=claims) if x.name == part else x for x in tensor.parts)
            return tensor.model_copy(update={"parts": tuple(parts)})

        return lambda layout: layout.model_copy(
            update={"tensors": tuple(map(change, layout.tensors))}
        )

    return changed


@pytest.fixture(scope="session")
def bits():
    """Return of a state, by name, what equal states have in common: dtypes, shapes, all bytes."""
    return lambda state: {
        name: (tensor.dtype, tuple(tensor.shape), tensor.flatten().view(torch.uint8).tolist())
        for name, tensor in state.items()
    }
