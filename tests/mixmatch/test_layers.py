import pytest
import timm
import torch
from timm.layers import ScaledStdConv2d, ScaledStdConv2dSame, StdConv2d, StdConv2dSame
from torch import nn

from mixmatch.errors import ConfigError, LayerError
from mixmatch.layers import (
    normalization_layers,
    prunable_layers,
    weight_of,
    weights_of,
    with_roles,
)
from mixmatch.roles import LayerRole, PrunableLayer


def small_network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)
    )


def test_lists_layers_in_registration_order_with_their_facts():
    assert prunable_layers(small_network()) == (
        PrunableLayer("0", LayerRole.STEM, 0, 0.0, (4, 3, 3, 3), 108),
        PrunableLayer("4", LayerRole.CLASSIFIER, 1, 1.0, (2, 16), 32),
    )


def test_depth_runs_evenly_from_0_to_1():
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(5)))
    assert [x.depth for x in prunable_layers(model)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_single_layer_has_depth_0():
    assert prunable_layers(nn.Sequential(nn.Linear(2, 2)))[0].depth == 0.0


def test_resnet18_has_11_million_weights_to_prune():
    with torch.device("meta"):
        layers = prunable_layers(timm.create_model("resnet18", pretrained=False, num_classes=43))
    assert len(layers) == 21
    assert sum(x.num_weights for x in layers) == 11_188_928


def test_convolutions_of_every_kind_and_subclass_count():
    class Mine(nn.Conv2d):
        pass

    model = nn.Sequential(
        nn.Conv1d(2, 2, 1), nn.Conv3d(2, 2, 1), nn.ConvTranspose2d(2, 2, 1), Mine(2, 2, 1)
    )
    assert [x.name for x in prunable_layers(model)] == ["0", "1", "2", "3"]


def test_position_tables_and_embeddings_are_no_layers():
    with torch.device("meta"):
        model = timm.create_model("swin_tiny_patch4_window7_224", pretrained=False)
    assert not [x.name for x in prunable_layers(model) if "relative_position" in x.name]
    with pytest.raises(LayerError, match="Sequential has none"):
        prunable_layers(nn.Sequential(nn.Embedding(10, 4), nn.LayerNorm(4)))


def test_a_shared_weight_counts_once_under_its_first_name():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].weight = model[0].weight
    assert [x.name for x in prunable_layers(model)] == ["0", "2"]


def test_packed_attention_is_listed_by_its_in_projection():
    model = nn.Sequential(nn.MultiheadAttention(8, 2), nn.Linear(8, 2))
    layers = {x.name: x.shape for x in prunable_layers(model)}
    assert layers == {"0.in_proj_weight": (24, 8), "0.out_proj": (8, 8), "1": (2, 8)}


def test_attention_with_keys_of_another_width_has_three_in_projections():
    model = nn.Sequential(nn.MultiheadAttention(8, 2, kdim=4, vdim=6), nn.Linear(8, 2))
    names = [x.name for x in prunable_layers(model)]
    assert names[:3] == ["0.q_proj_weight", "0.k_proj_weight", "0.v_proj_weight"]


def test_refuses_a_weight_that_is_computed_from_others():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2))
    with pytest.raises(LayerError, match="that of '0' is computed from others"):
        prunable_layers(model)


@pytest.mark.parametrize("kind", [StdConv2d, StdConv2dSame, ScaledStdConv2d, ScaledStdConv2dSame])
def test_refuses_a_weight_that_is_standardized_in_each_pass(kind):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), kind(4, 4, kernel_size=3))
    message = rf"weight as it is stored; that of '1' \({kind.__name__}\) is shifted to mean zero"
    with pytest.raises(LayerError, match=message):
        prunable_layers(model)


def test_refuses_a_weight_without_a_shape():
    with pytest.raises(LayerError, match="Layer '0' has no shape yet"):
        prunable_layers(nn.Sequential(nn.LazyLinear(4)))


def test_refuses_a_bare_layer_as_model():
    with pytest.raises(LayerError, match=r"a single Linear; wrap it in nn\.Sequential"):
        prunable_layers(nn.Linear(4, 2))


def test_normalization_layers_are_listed_and_fused_blocks_are_not():
    assert normalization_layers(small_network()) == ("1",)
    with torch.device("meta"):
        levit = timm.create_model("levit_128s", pretrained=False)
    assert "stem.conv1.bn" in normalization_layers(levit)
    assert "stem.conv1" not in normalization_layers(levit)


def test_an_own_normalization_is_known_by_its_name():
    class GlobalResponseNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))

    assert normalization_layers(nn.Sequential(nn.Linear(4, 4), GlobalResponseNorm())) == ("1",)


def test_weight_of_returns_the_parameter_itself():
    model = nn.Sequential(nn.MultiheadAttention(8, 2), nn.Linear(8, 2))
    assert weight_of(model, "1") is model[1].weight
    assert weight_of(model, "0.out_proj") is model[0].out_proj.weight
    assert weight_of(model, "0.in_proj_weight") is model[0].in_proj_weight


def test_weight_of_finds_every_listed_layer():
    with torch.device("meta"):
        model = timm.create_model("levit_128s", pretrained=False)
    assert all(weight_of(model, x.name).shape == x.shape for x in prunable_layers(model))


@pytest.mark.parametrize("name", ["1", "0.weight", "3", ""])
def test_weight_of_says_when_a_part_may_not_be_pruned(name):
    message = f"must be a convolution, .* '{name}' of Sequential is none of these"
    with pytest.raises(LayerError, match=message):
        weight_of(small_network(), name)


@pytest.mark.parametrize("name", ["9", "layer1.conv"])
def test_weight_of_says_when_there_is_no_such_layer(name):
    with pytest.raises(LayerError, match=rf"Sequential has no layer '{name}'"):
        weight_of(nn.Sequential(nn.Linear(4, 2)), name)


def test_weights_of_are_detached_and_share_storage():
    model = small_network()
    weights = weights_of(model, prunable_layers(model))
    assert list(weights) == ["0", "4"]
    weights["4"].zero_()
    assert not weights["4"].requires_grad
    assert model[4].weight.count_nonzero() == 0


@pytest.mark.parametrize(
    ("architecture", "part"),
    [
        ("swinv2_tiny_window8_256", "attn.cpb_mlp.0"),
        ("swinv2_cr_tiny_224", "attn.meta_mlp.fc1"),
        ("maxvit_rmlp_pico_rw_256", "attn_block.attn.rel_pos.mlp.fc1"),
    ],
)
def test_networks_that_compute_relative_position_biases_are_no_layers(architecture, part):
    with torch.device("meta"):
        model = timm.create_model(architecture, pretrained=False)
    inside = [name for name, _ in model.named_modules() if name.endswith(part)]
    words = {"cpb_mlp", "meta_mlp", "rel_pos"}
    assert inside
    assert not [x.name for x in prunable_layers(model) if words & set(x.name.split("."))]
    with pytest.raises(LayerError, match=r"and no part of a relative position bias; '"):
        weight_of(model, inside[0])


def test_swin_v2_keeps_all_other_layers():
    with torch.device("meta"):
        model = timm.create_model("swinv2_tiny_window8_256", pretrained=False)
    roles = [layer.role.value for layer in prunable_layers(model)]
    assert {role: roles.count(role) for role in roles} == {
        "patch_embedding": 1,
        "attention_qkv": 12,
        "attention_projection": 12,
        "mlp": 24,
        "downsample": 3,
        "classifier": 1,
    }


def test_stated_roles_win_and_the_first_pattern_that_matches_decides():
    layers = prunable_layers(nn.Sequential(*(nn.Linear(2, 2) for _ in range(4))))
    changed = with_roles(
        layers, {"1": LayerRole.STEM, "[12]": LayerRole.OTHER, "*2": LayerRole.STEM}
    )
    assert [x.role.value for x in changed] == ["mlp", "stem", "other", "classifier"]
    assert [(x.name, x.index, x.shape) for x in changed] == [
        (x.name, x.index, x.shape) for x in layers
    ]
    assert with_roles(layers, {}) == layers


def test_a_pattern_that_matches_no_layer_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"^model\.roles must hold patterns of prunable layers, got 'conv\*', which matches "
        r"none of 2; the first are 0, 4\.$",
    ):
        with_roles(prunable_layers(small_network()), {"0": LayerRole.STEM, "conv*": LayerRole.MLP})
