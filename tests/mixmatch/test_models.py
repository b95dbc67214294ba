import copy

import huggingface_hub.constants
import pytest
import torch
from torch import nn

from mixmatch.errors import CheckpointError, ConfigError
from mixmatch.models import (
    build_model,
    count_parameters,
    pretrained_identity,
    pretrained_normalization,
    pretrained_num_classes,
)
from mixmatch.records import ModelSpec


def spec_of(architecture="test_resnet", size=32, channels=3, **arguments):
    return ModelSpec(
        architecture=architecture,
        arguments=arguments,
        num_classes=10,
        image_shape=(size, size, channels),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        classes=tuple("0123456789"),
    )


@pytest.mark.parametrize(
    ("architecture", "num_classes", "expected"),
    [
        ("vgg11_cifar", 10, 28_149_514),  # METHOD section 7: 28.1M
        ("resnet18", 10, 11_181_642),
        ("resnet18", 43, 11_198_571),  # 11.2M on traffic signs
        ("levit_384", 10, 37_596_088),  # 37.6M
        ("swin_tiny_patch4_window7_224", 100, 27_575_230),  # 27.6M
    ],
)
def test_the_papers_networks_have_its_parameters(architecture, num_classes, expected):
    spec = spec_of(architecture).model_copy(update={"num_classes": num_classes})
    with torch.device("meta"):
        assert count_parameters(build_model(spec)) == expected


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit", "test_efficientnet"])
def test_reads_images_of_the_size_and_channels_of_the_spec(architecture):
    model = build_model(spec_of(architecture, channels=1))
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_builds_in_train_mode():
    assert all(module.training for module in build_model(spec_of()).modules())


def test_an_image_size_among_the_arguments_wins():
    model = build_model(spec_of("test_vit", img_size=64))
    assert model.patch_embed.img_size == (64, 64)


def test_passes_lists_of_a_run_file_on():
    model = build_model(spec_of("test_resnet", layers=[1, 1, 1, 2]))
    assert len(model.layer4) == 2


def test_refuses_a_size_that_the_architecture_cannot_read():
    with pytest.raises(ConfigError, match=r"^test_vit does not take 8 x 8 x 3 images: .*[.]$"):
        build_model(spec_of("test_vit", size=8))


def test_refuses_an_argument_that_the_architecture_does_not_know():
    with pytest.raises(ConfigError, match=r"does not take .* images with .*'window_size'"):
        build_model(spec_of("test_resnet", window_size=7))


@pytest.mark.parametrize(
    "name",
    ["pretrained", "checkpoint_path", "pretrained_cfg", "features_only", "pruned"],
)
def test_refuses_arguments_that_load_or_swap(name):
    with pytest.raises(ConfigError, match=rf"must be among those that shape .*got \['{name}'\]"):
        build_model(spec_of(**{name: True}))


@pytest.mark.parametrize("value", [10**9, float("nan"), {"a": 1}, [0] * 65, "x" * 65, [[[10**6]]]])
def test_refuses_values_that_are_not_small_and_plain(value):
    with pytest.raises(ConfigError, match=r"model.arguments.depth must be a number up to 65536"):
        build_model(spec_of(depth=value))


@pytest.mark.parametrize(
    "name", ["hf-hub:a/b", "local-dir:/x", "resnet18.hf-hub:a/b", "a/b", "", "../x", "a.b.c"]
)
def test_refuses_names_with_a_source(name):
    with pytest.raises(ConfigError, match=r"architecture must be a plain timm name"):
        build_model(spec_of(name))
    with pytest.raises(ConfigError, match=r"architecture must be a plain timm name"):
        pretrained_normalization(name)


def test_an_unknown_name_gets_near_matches():
    with pytest.raises(ConfigError, match=r"no architecture 'resnet_18'; did you mean resnet18 or"):
        build_model(spec_of("resnet_18"))


def test_a_name_like_no_other_gets_the_place_to_look():
    with pytest.raises(ConfigError, match=r"'qqqqqqqqqq'; timm.list_models\(\) names all"):
        build_model(spec_of("qqqqqqqqqq"))


def test_an_unknown_tag_is_refused():
    with pytest.raises(ConfigError, match=r"Invalid pretrained tag \(nope\) for resnet18\.$"):
        build_model(spec_of("resnet18.nope"))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 32, 3), r"image sides must lie in \[1, 2048\] pixels, got 0 x 32"),
        ((32, 10**6, 3), r"image sides must lie in \[1, 2048\] pixels, got 32 x 1000000"),
        ((32, 32, 0), r"channels must lie in \[1, 65536\], got 0"),
    ],
)
def test_refuses_impossible_image_shapes(shape, message):
    with pytest.raises(ConfigError, match=message):
        build_model(spec_of().model_copy(update={"image_shape": shape}))


def test_pretrained_weights_that_cannot_be_fetched_are_one_sentence(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"^timm's pretrained weights of test_resnet"):
        build_model(spec_of(), pretrained=True)


def test_pretrained_weights_that_do_not_exist_are_said_so():
    with pytest.raises(CheckpointError, match=r"of darknet17 could not be loaded: .*darknet17"):
        build_model(spec_of("darknet17"), pretrained=True)


def test_position_biases_cached_by_the_trial_run_do_not_outlive_new_weights():
    torch.manual_seed(0)
    model = build_model(spec_of("levit_128s"))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_(std=0.1)
    images = torch.rand(2, 3, 32, 32)
    model.load_state_dict(other.state_dict())
    assert torch.equal(model.eval()(images), other.eval()(images))


def test_normalization_comes_from_timms_table():
    assert pretrained_normalization("test_vit") == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    mean, std = pretrained_normalization("resnet18.a1_in1k")
    assert (mean, std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_normalization_of_an_unknown_tag_is_refused():
    with pytest.raises(ConfigError, match=r"'resnet18.nope': Invalid pretrained tag"):
        pretrained_normalization("resnet18.nope")


def test_a_shared_parameter_counts_once():
    layer = torch.nn.Linear(3, 2)
    assert count_parameters(torch.nn.Sequential(layer, layer)) == 8


def test_pretrained_weights_are_identified_by_tag_and_place():
    identity = pretrained_identity("resnet18")
    assert identity["tag"] == "a1_in1k"
    assert identity["hf_hub_id"] == "timm/resnet18.a1_in1k"


def test_the_identity_of_weights_that_do_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"'darknet17': timm has no weights for it\.$"):
        pretrained_identity("darknet17")
    with pytest.raises(ConfigError, match=r"'resnet18.nope': Invalid pretrained tag"):
        pretrained_identity("resnet18.nope")


@pytest.mark.parametrize("name", ["vgg11_cifar", "nets.small:build"])
def test_no_weights_are_published_for_networks_that_are_not_timms(name):
    message = rf"must not be timm for '{name}': no weights of it are published; name a file"
    for asks in (pretrained_normalization, pretrained_num_classes, pretrained_identity):
        with pytest.raises(ConfigError, match=message):
            asks(name)
    with pytest.raises(ConfigError, match=message):
        build_model(spec_of(name), pretrained=True, factory=nn.Identity if ":" in name else None)
