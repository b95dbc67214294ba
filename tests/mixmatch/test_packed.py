import pytest
import torch
from torch import nn

from mixmatch.errors import LayerError, PackedFormatError
from mixmatch.models import build_model
from mixmatch.packed import load_packed, read_header, read_packed, save_packed
from mixmatch.packed_file import read_frame, write_frame
from mixmatch.records import ModelSpec


def spec_of(architecture="test_resnet", **arguments):
    return ModelSpec(
        architecture=architecture,
        arguments=arguments,
        num_classes=10,
        image_shape=(32, 32, 3),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        classes=tuple("0123456789"),
    )


def prune_(model, sparsity):
    """Zero the smallest weights of each matrix and kernel; make every other tensor uneven."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[parameter.abs() < parameter.abs().quantile(sparsity)] = 0
            else:
                parameter.uniform_(-1, 1)


@pytest.fixture(scope="module")
def pruned():
    torch.manual_seed(0)
    model = build_model(spec_of())
    prune_(model, 0.9)
    return model


@pytest.fixture(scope="module")
def packed_path(pruned, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "net.packed"
    save_packed(path, pruned, spec_of())
    return path


def small_model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight[0] = 0
    return model


def bits(state):
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


def test_every_tensor_comes_back_bit_for_bit(pruned, packed_path):
    packed = read_packed(packed_path)
    assert packed.spec == spec_of()
    assert bits(packed.state) == bits(pruned.state_dict())


def test_the_loaded_network_computes_the_same_in_eval_mode(pruned, packed_path):
    loaded = load_packed(packed_path)
    images = torch.rand(2, 3, 32, 32)
    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), pruned.eval()(images))
    pruned.train()


def test_loading_leaves_random_state_alone(packed_path):
    before = torch.random.get_rng_state()
    load_packed(packed_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_at_090_takes_less_than_a_fifth_of_its_dense_bytes(pruned, packed_path):
    dense = sum(x.numel() * x.element_size() for x in pruned.state_dict().values())
    assert packed_path.stat().st_size < 0.2 * dense


def test_equal_networks_give_equal_bytes(pruned, packed_path, tmp_path):
    save_packed(tmp_path / "again", pruned.to(memory_format=torch.channels_last), spec_of())
    assert (tmp_path / "again").read_bytes() == packed_path.read_bytes()


def test_the_header_counts_prunable_weights(packed_path, pruned):
    counted = {x.name: x.num_nonzero for x in read_header(packed_path).tensors}
    assert counted["conv1.0.weight"] == int(pruned.conv1[0].weight.count_nonzero())
    assert counted["fc.weight"] == int(pruned.fc.weight.count_nonzero())
    assert counted["bn1.weight"] is None
    assert counted["fc.bias"] is None


def test_a_packed_in_projection_is_masked(tmp_path):
    model = nn.Sequential(nn.MultiheadAttention(8, 2))
    prune_(model, 0.5)
    save_packed(tmp_path / "net", model, spec_of())
    encodings = {x.name: x.encoding for x in read_header(tmp_path / "net").tensors}
    assert encodings["0.in_proj_weight"] == "masked"


def test_a_shared_weight_comes_back_under_each_of_its_names(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    prune_(model, 0.5)
    save_packed(tmp_path / "net", model, spec_of())
    assert bits(read_packed(tmp_path / "net").state) == bits(model.state_dict())


def test_a_model_without_prunable_layers_is_refused(tmp_path):
    with pytest.raises(LayerError):
        save_packed(tmp_path / "net", nn.Sequential(nn.BatchNorm2d(2)), spec_of())


def test_a_refused_network_leaves_no_file(tmp_path):
    model = small_model()
    with torch.no_grad():
        model[3].bias[0] = torch.nan
    with pytest.raises(PackedFormatError, match=r"tensor 3\.bias must be finite"):
        save_packed(tmp_path / "net", model, spec_of())
    assert not (tmp_path / "net").exists()


def repack(source, target, *, spec=None, drop=None, **changes):
    """Copy a packed file with another spec or changed layout, and a digest that fits."""
    header, chunks = read_frame(source)
    tensors = {
        x.name: (x.model_copy(update=changes), [chunks[key] for key in x.chunk_keys().values()])
        for x in header.tensors
        if x.name != drop
    }
    write_frame(target, spec or header.spec, tensors)
    return target


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (spec_of("hf-hub:evil/net"), r"that cannot be built: architecture must be a plain timm"),
        (spec_of("local-dir:/evil"), r"that cannot be built: architecture must be a plain timm"),
        (spec_of("no_such_net"), r"that cannot be built: timm knows no architecture"),
        (spec_of(checkpoint_path="/evil.pt"), r"that cannot be built: .*got \['checkpoint_path'\]"),
        (spec_of(pretrained=True), r"that cannot be built: .*got \['pretrained'\]"),
        (spec_of(depth=10**9), r"that cannot be built: model\.arguments\.depth must be"),
        (spec_of("test_vit"), r"does not hold a test_vit: its tensor cls_token must be float32 "),
        (spec_of(layers=[1, 1, 1, 2]), r"its tensor layer4\.1.* of shape .*, got absent\.$"),
        (
            spec_of().model_copy(update={"num_classes": 9}),
            r"fc\.weight must be float32 of shape \[9, \d+\], got float32 of shape \[10, \d+\]",
        ),
    ],
)
def test_builds_nothing_but_the_architecture_that_the_tensors_fit(
    spec, message, packed_path, tmp_path
):
    path = repack(packed_path, tmp_path / "evil", spec=spec)
    with pytest.raises(PackedFormatError, match=message):
        load_packed(path)


def test_a_missing_tensor_is_named(packed_path, tmp_path):
    path = repack(packed_path, tmp_path / "evil", drop="fc.bias")
    with pytest.raises(PackedFormatError, match=r"tensor fc\.bias must be float32 .*, got absent"):
        load_packed(path)


def test_a_lie_under_a_sound_digest_names_file_and_tensor(packed_path, tmp_path):
    path = repack(packed_path, tmp_path / "evil", num_nonzero=0)
    with pytest.raises(PackedFormatError, match=r"evil cannot be read .*: chunks of tensor 'conv1"):
        read_packed(path)


def test_no_flipped_byte_goes_unnoticed(tmp_path):
    path = tmp_path / "net"
    save_packed(path, small_model(), spec_of())
    content = path.read_bytes()
    expected = read_packed(path)
    num_refused = 0
    for place in range(len(content)):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
        )
        try:
            found = read_packed(path)
        except PackedFormatError:
            num_refused += 1
        else:
            assert found.spec == expected.spec
            assert bits(found.state) == bits(expected.state)
    assert num_refused > 0.98 * len(content)


class Small(nn.Sequential):
    def __init__(self, num_classes, width=4):
        super().__init__(
            nn.Conv2d(3, width, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, num_classes),
        )


@pytest.fixture
def own_path(tmp_path):
    """A packed network of a user's own, two of its kernels zero."""
    model = Small(10, width=6)
    with torch.no_grad():
        model[0].weight[:2] = 0
    spec = spec_of("nets.small:Small", width=6).model_copy(update={"code_digest": "c" * 64})
    save_packed(tmp_path / "own", model, spec)
    return tmp_path / "own"


def test_a_users_own_network_comes_back_by_the_factory_of_the_caller(own_path):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    loaded = load_packed(own_path, factory=Small)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert bits(loaded.state_dict()) == bits(read_packed(own_path).state)
    assert int((loaded[0].weight == 0).sum()) == 2 * 27
    assert read_header(own_path).spec.code_digest == "c" * 64


def test_a_users_own_network_is_never_imported_from_a_file(packed_path, own_path, tmp_path):
    path = repack(packed_path, tmp_path / "evil", spec=spec_of("os:system"))
    for file, name in ((path, "os:system"), (own_path, "nets.small:Small")):
        with pytest.raises(PackedFormatError, match=rf"cannot be built: architecture '{name}' is"):
            load_packed(file)


def test_a_factory_that_builds_another_network_is_refused(own_path):
    with pytest.raises(
        PackedFormatError, match=r"does not hold a nets.*0\.weight must be .*\[5, 3"
    ):
        load_packed(own_path, factory=lambda num_classes, width: Small(num_classes, width - 1))


def test_the_spec_of_a_known_name_says_nothing_of_code(packed_path, own_path):
    assert b"code_digest" not in packed_path.read_bytes()
    assert b"code_digest" in own_path.read_bytes()


def test_vgg11_comes_back_from_a_packed_file(tmp_path):
    torch.manual_seed(0)
    model = build_model(spec_of("vgg11_cifar"))
    with torch.no_grad():
        model.classifier[0].weight[:, ::2] = 0
        model.classifier[3].weight[1:] = 0
    save_packed(tmp_path / "vgg", model, spec_of("vgg11_cifar"))
    loaded = load_packed(tmp_path / "vgg")
    assert bits(loaded.state_dict()) == bits(model.state_dict())
    counted = {x.name: x.num_nonzero for x in read_header(tmp_path / "vgg").tensors}
    assert counted["classifier.0.weight"] == 4096 * 256
    assert counted["classifier.3.weight"] == 4096
