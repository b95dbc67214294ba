"""What a file may make the reader build."""

import pytest
import torch
from torch import nn

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.models import build_model
from mixmatch.packed import (
    load_packed,
    read_header,
    read_packed,
    save_packed,
    save_packed_state,
)
from mixmatch.packed.skeleton import build_skeleton
from mixmatch.sparse_linear import MIN_WEIGHTS, SparseLinear

GREY = {"mean": (0.5,), "std": (0.5,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "hf-hub:evil/net"}, r"cannot be built: architecture must be a plain"),
        ({"architecture": "local-dir:/evil"}, r"cannot be built: architecture must be a plain"),
        ({"architecture": "no_such_net"}, r"cannot be built: timm knows no architecture"),
        ({"architecture": "os:system"}, r"cannot be built: architecture 'os:system' is a user's"),
        ({"arguments": {"checkpoint_path": "/evil.pt"}}, r"built: .*got \['checkpoint_path'\]"),
        ({"arguments": {"pretrained": True}}, r"cannot be built: .*got \['pretrained'\]"),
        ({"arguments": {"stem_width": 10**9}}, r"model\.arguments\.stem_width must be a number"),
        ({"architecture": "test_vit"}, r"not hold a test_vit: its tensor cls_token must be float"),
        ({"arguments": {"layers": [1, 1, 1, 2]}}, r"tensor layer4\.1.* of shape .*, got absent\.$"),
        (
            {"num_classes": 9, "classes": ()},
            r"fc\.weight must be float32 of shape \[9, \d+\], got .* \[10, \d+\]",
        ),
        (
            {"image_shape": (2048, 2048, 65536), "mean": (0.5,) * 65536, "std": (0.5,) * 65536},
            r"conv1\.0\.weight must be .*65536",
        ),
        ({"image_shape": (4096, 32, 3)}, r"image sides must lie in \[1, 2048\]"),
    ],
)
def test_builds_nothing_but_the_architecture_that_the_tensors_fit(
    changes, message, packed_path, tmp_path, spec_of, forge
):
    spec = spec_of().model_copy(update=changes)
    path = forge(packed_path, tmp_path / "evil", spec=spec.model_dump_json())
    with pytest.raises(PackedFormatError, match=message):
        load_packed(path)


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [("test_vit", {"depth": 65_536}), ("resnet18", {"layers": [65_536, 65_536, 65_536, 65_536]})],
)
def test_a_network_of_more_tensors_than_the_file_is_not_built(
    architecture, arguments, packed_path, tmp_path, spec_of, forge
):
    spec = spec_of(architecture, **arguments)
    path = forge(packed_path, tmp_path / "evil", spec=spec.model_dump_json())
    with pytest.raises(PackedFormatError, match=r"it has many more tensors than the \d+ of the"):
        load_packed(path)


def test_a_network_that_computes_gigabytes_beside_its_weights_is_not_built(
    tmp_path, spec_of, forge
):
    arguments = {"depths": [2, 2], "num_heads": [1, 2], "embed_dim": 8, "window_size": 4}
    spec = spec_of("swin_tiny_patch4_window7_224", **arguments)
    save_packed(tmp_path / "net", build_model(spec), spec)
    huge = spec_of("swin_tiny_patch4_window7_224", **arguments, img_size=65_536)
    path = forge(tmp_path / "net", tmp_path / "evil", spec=huge.model_dump_json())
    with pytest.raises(PackedFormatError, match=r"may compute 67108864 values beside its weights"):
        load_packed(path)


def test_an_image_size_that_the_network_refuses_is_a_lie(tmp_path, spec_of, forge):
    spec = spec_of("swin_tiny_patch4_window7_224", embed_dim=8, depths=[2], num_heads=[1])
    spec = spec.model_copy(update={"image_shape": (56, 56, 3)})
    save_packed(tmp_path / "net", build_model(spec), spec)
    lie = spec.model_copy(update={"arguments": {**spec.arguments, "img_size": 112}})
    path = forge(tmp_path / "net", tmp_path / "evil", spec=lie.model_dump_json())
    with pytest.raises(PackedFormatError, match=r"does not take 56 x 56 x 3 images with"):
        load_packed(path)


@pytest.mark.parametrize("name", ["fc.bias", "fc.weight"])
def test_a_missing_tensor_is_named(name, pruned, tmp_path, spec_of):
    state = {key: tensor for key, tensor in pruned.state_dict().items() if key != name}
    save_packed_state(tmp_path / "net", state, spec_of(), set())
    with pytest.raises(PackedFormatError, match=rf"tensor {name} must be float32 .*, got absent\."):
        load_packed(tmp_path / "net")


def test_a_tensor_of_another_dtype_is_refused(pruned, tmp_path, spec_of):
    state = {name: tensor.half() for name, tensor in pruned.state_dict().items()}
    save_packed_state(tmp_path / "net", state, spec_of(), set())
    with pytest.raises(PackedFormatError, match=r"must be float32 .*, got float16 of shape"):
        load_packed(tmp_path / "net")


class Small(nn.Sequential):
    def __init__(self, num_classes, width=4):
        super().__init__(
            nn.Conv2d(3, width, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, num_classes),
        )


@pytest.fixture
def own_path(tmp_path, spec_of):
    """A packed network of a user's own, two of its kernels zero."""
    model = Small(10, width=6)
    with torch.no_grad():
        model[0].weight[:2] = 0
    spec = spec_of("nets.small:Small", width=6).model_copy(update={"code_digest": "c" * 64})
    save_packed(tmp_path / "own", model, spec)
    return tmp_path / "own"


def test_a_users_own_network_comes_back_by_the_factory_of_the_caller(own_path, bits):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    loaded = load_packed(own_path, factory=Small)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert bits(loaded.state_dict()) == bits(read_packed(own_path).state)
    assert int((loaded[0].weight == 0).sum()) == 2 * 27
    assert read_header(own_path).spec.code_digest == "c" * 64


def test_a_users_own_network_is_never_imported_from_a_file(own_path):
    with pytest.raises(PackedFormatError, match=r"built: architecture 'nets.small:Small' is"):
        load_packed(own_path)


def test_a_factory_that_builds_another_network_is_refused(own_path):
    with pytest.raises(
        PackedFormatError, match=r"does not hold a nets.*0\.weight must be .*\[5, 3"
    ):
        load_packed(own_path, factory=lambda num_classes, width: Small(num_classes, width - 1))


class Watching(Small):
    """Computes something from its state when that is loaded, and stores more than tensors."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.total = None
        self.register_load_state_dict_post_hook(Watching.add_up)

    def add_up(self, _):
        self.total = float(self[0].weight.detach().sum())

    def get_extra_state(self):
        return torch.tensor([4.0, 2.0])

    def set_extra_state(self, state):
        self.extra = state.tolist()


def test_a_users_own_code_sees_that_its_state_is_loaded(tmp_path, spec_of):
    model = Watching(10)
    save_packed(tmp_path / "net", model, spec_of("nets:Watching"))
    loaded = load_packed(tmp_path / "net", factory=Watching)
    assert loaded.total == float(model[0].weight.detach().sum())
    assert loaded.extra == [4.0, 2.0]


def test_the_spec_of_a_known_name_says_nothing_of_code(packed_path, own_path):
    assert b"code_digest" not in packed_path.read_bytes()
    assert b"code_digest" in own_path.read_bytes()


def test_sparse_linear_is_never_or_auto(packed_path):
    with pytest.raises(ConfigError, match=r"sparse_linear must be one of never, auto, got 'yes'"):
        load_packed(packed_path, sparse_linear="yes")


def test_sparse_linear_layers_compute_the_same(tmp_path, spec_of):
    width = MIN_WEIGHTS // 512

    def wide(num_classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(512, width), nn.Linear(width, num_classes))

    spec = spec_of("nets:wide").model_copy(update={"image_shape": (16, 32, 1)} | GREY)
    model = wide(10).eval()
    with torch.no_grad():
        model[1].weight[torch.rand(width, 512) < 0.95] = 0
    save_packed(tmp_path / "net", model, spec)
    dense = load_packed(tmp_path / "net", factory=wide)
    sparse = load_packed(tmp_path / "net", factory=wide, sparse_linear="auto")
    assert [type(x) for x in dense] == [nn.Flatten, nn.Linear, nn.Linear]
    assert [type(x) for x in sparse] == [nn.Flatten, SparseLinear, nn.Linear]
    images = torch.rand(3, 1, 16, 32)
    # Sums are added in another order.
    assert torch.allclose(sparse(images), dense(images), atol=1e-5)


def test_no_weight_is_drawn_only_to_be_overwritten(packed_path, spec_of, monkeypatch):
    drawn = []
    fork = torch.random.fork_rng

    def without_fork(**_):
        drawn.append(torch.random.get_rng_state())
        return fork(enabled=False)

    monkeypatch.setattr(torch.random, "fork_rng", without_fork)
    build_skeleton(read_header(packed_path), None)
    assert torch.equal(drawn[0], torch.random.get_rng_state())
