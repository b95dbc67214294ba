"""Which networks may be built, by which names, and with which arguments.

A spec may come from a file that others wrote. So a plain name must be one that timm or we know, its
arguments must shape a network, and nothing in a spec can name a place to load from. A user's own
network, ``package.module:factory``, is built by the factory that the caller passes.

To add an architecture of our own: write its constructor, then one line in ``OWN_ARCHITECTURES``. To
allow another constructor argument, add it to ``ALLOWED_ARGUMENTS``.
"""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

import timm

from mixmatch.errors import ConfigError
from mixmatch.factories import Factory, is_factory_name
from mixmatch.records import ModelSpec
from mixmatch.vgg import vgg11_cifar

# By name; called with num_classes, in_chans and the arguments of the spec.
OWN_ARCHITECTURES: Mapping[str, Factory] = MappingProxyType({"vgg11_cifar": vgg11_cifar})

# What shapes a network, by timm's spelling; what loads weights or swaps code is left out.
_SHAPING = """
    act_layer always_partition attn_drop_rate attn_ratio avg_down base_width block_reduce_first
    cardinality channel_multiplier channels class_token conv_bias conv_mlp depth depths dims
    distillation distilled down_kernel_size down_ops downsamples drop_block_rate drop_path_rate
    drop_rate dynamic_img_pad dynamic_img_size embed_dim embed_dims expand_ratio fc_norm final_norm
    global_pool head_dim head_hidden_size head_init_scale head_norm_first img_size init_values
    kernel_size kernel_sizes key_dim layer_scale_init_value layers ls_init_value mlp_ratio
    mlp_ratios no_embed_class norm_eps norm_layer num_features num_heads output_stride pad_type
    patch_drop_rate patch_norm patch_size pos_drop_rate pos_embed pre_norm proj_drop_rate qk_norm
    qkv_bias reg_tokens replace_stem_pool stem_size stem_type stem_width stride strict_img_size
    use_fc_norm use_grn widths window_size zero_init_last
"""
ALLOWED_ARGUMENTS = frozenset(_SHAPING.split())

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
# Far above any network that is built from these arguments; a lying file must not cost memory.
_LARGEST_NUMBER = 65_536
_LARGEST_SIDE = 2_048
_LONGEST_TEXT = 64


def check_name(architecture: str) -> None:
    """Check that timm or we know ``architecture``.

    Raises:
        ConfigError: it is no plain name, or nobody knows it.
    """
    if not _PLAIN_NAME.fullmatch(architecture):
        raise ConfigError(
            "architecture must be a plain timm name, without a source such as hf-hub: or "
            f"local-dir:, got {architecture[:_LONGEST_TEXT]!r}."
        )
    if architecture in OWN_ARCHITECTURES or timm.is_model(architecture):
        return
    known = [*OWN_ARCHITECTURES, *timm.list_models()]
    near = difflib.get_close_matches(architecture.partition(".")[0], known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names all."
    raise ConfigError(f"timm knows no architecture {architecture!r}; {hint}")


def check_published(architecture: str) -> None:
    """Check that ``architecture`` is one that timm may have pretrained weights for.

    Raises:
        ConfigError: it is a user's own or one of ours, or nobody knows it.
    """
    if is_factory_name(architecture) or architecture in OWN_ARCHITECTURES:
        raise ConfigError(
            f"model.checkpoint must not be timm for {architecture!r}: no weights of it are "
            "published; name a file, or leave it null and the run trains the base."
        )
    check_name(architecture)


def checked_arguments(spec: ModelSpec) -> dict[str, object]:
    """Return the constructor arguments of ``spec``: small plain values, lists as tuples.

    Arguments of a user's own factory are its own affair and come back as they are.

    Raises:
        ConfigError: the image size, the number of classes or channels, or an argument is not
            allowed.
    """
    height, width, channels = spec.image_shape
    if not (1 <= height <= _LARGEST_SIDE and 1 <= width <= _LARGEST_SIDE):
        raise ConfigError(
            f"image sides must lie in [1, {_LARGEST_SIDE}] pixels, got {height} x {width}."
        )
    for what, count in (("channels", channels), ("num_classes", spec.num_classes)):
        if not 1 <= count <= _LARGEST_NUMBER:
            raise ConfigError(f"{what} must lie in [1, {_LARGEST_NUMBER}], got {count}.")
    if is_factory_name(spec.architecture):
        return dict(spec.arguments)
    if refused := sorted(set(spec.arguments) - ALLOWED_ARGUMENTS):
        raise ConfigError(
            f"model.arguments must be among those that shape a network, got {refused}; "
            f"allowed: {', '.join(sorted(ALLOWED_ARGUMENTS))}."
        )
    return {name: _plain(name, value) for name, value in spec.arguments.items()}


def _plain(name: str, value: object) -> object:
    """Pass a small plain value, lists as tuples; refuse everything else."""
    if value is None or (isinstance(value, str) and len(value) <= _LONGEST_TEXT):
        return value
    if isinstance(value, bool | int | float) and abs(value) <= _LARGEST_NUMBER:
        return value
    if isinstance(value, list | tuple) and len(value) <= _LONGEST_TEXT:
        return tuple(_plain(name, item) for item in value)
    raise ConfigError(
        f"model.arguments.{name} must be a number up to {_LARGEST_NUMBER}, a text or a list of at "
        f"most {_LONGEST_TEXT}, or null, got {str(value)[:_LONGEST_TEXT]!r}."
    )
