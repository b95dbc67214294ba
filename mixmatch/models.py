"""Build networks from a ``ModelSpec`` through timm's registry of plain names.

A spec may come from a file that others wrote. So only names that timm itself knows are built, only
arguments that shape a network are passed on, and nothing in a spec can name a place to load from.
To allow another constructor argument, add it to ``ALLOWED_ARGUMENTS``.
"""

import difflib
import re
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from mixmatch.errors import CheckpointError, ConfigError
from mixmatch.records import ModelSpec

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
# Far above any network that timm builds from these arguments; a lying file must not cost memory.
_LARGEST_NUMBER = 65_536
_LARGEST_SIDE = 2_048
_LONGEST_TEXT = 64


def build_model(spec: ModelSpec, *, pretrained: bool = False) -> nn.Module:
    """Build the network of ``spec`` in train mode, on the default device, in float32.

    ``img_size`` is passed where the constructor takes it and ``spec.arguments`` does not say it.
    One zero image is run through, so that a size which the architecture refuses is found here.
    Weights are drawn from torch's global generator.

    Args:
        pretrained: load timm's published weights (network access); a classifier of another size
            than theirs is left as drawn.

    Raises:
        ConfigError: timm does not know the architecture, an argument is not allowed, or the
            architecture refuses the arguments or the image size.
        CheckpointError: the pretrained weights do not exist, cannot be fetched, or do not fit.
    """
    arguments = _checked_arguments(spec)
    try:
        model = _create(spec, arguments)
        output_shape = _output_shape(model, spec)
    except Exception as error:  # timm's constructors raise whatever goes wrong inside them
        raise ConfigError(f"{_refusal(spec)}: {_reason(error)}.") from error
    if output_shape != (1, spec.num_classes):
        raise ConfigError(
            f"{_refusal(spec)}: one image must give (1, {spec.num_classes}) outputs, "
            f"got {output_shape}."
        )
    if not pretrained:
        return model
    try:
        return _create(spec, arguments, pretrained=True)
    except Exception as error:  # of the hub, the network, or a tensor that does not fit
        raise CheckpointError(
            f"timm's pretrained weights of {spec.architecture} could not be loaded: "
            f"{_reason(error)}."
        ) from error


def state_outline(spec: ModelSpec) -> dict[str, Tensor]:
    """Return the state dict that ``build_model(spec)`` would have, on the meta device.

    It has names, shapes and dtypes but no values and takes no memory, so that a file's claims can
    be checked before anything is built.

    Raises:
        ConfigError: as ``build_model``, except that the image size is not tried.
    """
    arguments = _checked_arguments(spec)
    try:
        with torch.device("meta"):
            return dict(_create(spec, arguments).state_dict())
    except Exception as error:  # timm's constructors raise whatever goes wrong inside them
        raise ConfigError(f"{_refusal(spec)}: {_reason(error)}.") from error


def pretrained_normalization(architecture: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (mean, std) per channel, for images in [0, 1], of timm's pretrained weights.

    Reads timm's tables only: no network is built and nothing is fetched.

    Raises:
        ConfigError: timm does not know the architecture, or states no normalization for it.
    """
    config = _pretrained_config(architecture)
    if config is None:
        raise ConfigError(
            f"timm states no normalization for {architecture!r}; set data.normalization."
        )
    return tuple(config.mean), tuple(config.std)


def pretrained_num_classes(architecture: str) -> int | None:
    """Return how many classes timm's pretrained weights tell apart; None: timm does not say."""
    config = _pretrained_config(architecture)
    return None if config is None else config.num_classes


def pretrained_identity(architecture: str) -> dict[str, str]:
    """Return what names timm's pretrained weights: their tag, and where they come from.

    Raises:
        ConfigError: timm does not know the architecture, or has no weights for it.
    """
    config = _pretrained_config(architecture)
    if config is None or not config.has_weights:
        raise ConfigError(
            f"model.checkpoint must not be timm for {architecture!r}: timm has no weights for it."
        )
    return {
        "architecture": architecture,
        "tag": config.tag or "",
        "url": str(config.url or ""),  # timm allows a pair too
        "hf_hub_id": config.hf_hub_id or "",
    }


def count_parameters(model: nn.Module) -> int:
    """Count the entries of all parameters, prunable or not; a shared one counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _pretrained_config(architecture: str) -> PretrainedCfg | None:
    _check_name(architecture)
    try:
        return timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:  # an unknown tag
        raise ConfigError(f"architecture {architecture!r}: {_reason(error)}.") from error


def _create(spec: ModelSpec, arguments: dict[str, Any], *, pretrained: bool = False) -> nn.Module:
    height, width, channels = spec.image_shape
    settings = {**arguments, "num_classes": spec.num_classes, "in_chans": channels}
    if "img_size" not in settings:
        try:
            return _from_timm(spec, pretrained, {**settings, "img_size": (height, width)})
        except TypeError as error:
            # Fully convolutional constructors do not know img_size; any other fault is a fault.
            if "'img_size'" not in str(error):
                raise
    return _from_timm(spec, pretrained, settings)


def _from_timm(spec: ModelSpec, pretrained: bool, settings: dict[str, Any]) -> nn.Module:
    model = timm.create_model(spec.architecture, pretrained=pretrained, **settings)
    if not isinstance(model, nn.Module):
        raise TypeError(f"timm gave a {type(model).__name__}, not a module")
    return model


def _output_shape(model: nn.Module, spec: ModelSpec) -> tuple[int, ...]:
    height, width, channels = spec.image_shape
    model.eval()
    with torch.no_grad():
        output: Tensor = model(torch.zeros(1, channels, height, width))
    # Back in train mode, where LeViT drops the position biases that it caches in eval mode.
    model.train()
    return tuple(output.shape)


def _checked_arguments(spec: ModelSpec) -> dict[str, Any]:
    _check_name(spec.architecture)
    height, width, channels = spec.image_shape
    if not (1 <= height <= _LARGEST_SIDE and 1 <= width <= _LARGEST_SIDE):
        raise ConfigError(
            f"image sides must lie in [1, {_LARGEST_SIDE}] pixels, got {height} x {width}."
        )
    for what, count in (("channels", channels), ("num_classes", spec.num_classes)):
        if not 1 <= count <= _LARGEST_NUMBER:
            raise ConfigError(f"{what} must lie in [1, {_LARGEST_NUMBER}], got {count}.")
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


def _check_name(architecture: str) -> None:
    if not _PLAIN_NAME.fullmatch(architecture):
        raise ConfigError(
            "architecture must be a plain timm name, without a source such as hf-hub: or "
            f"local-dir:, got {architecture[:_LONGEST_TEXT]!r}."
        )
    if timm.is_model(architecture):
        return
    near = difflib.get_close_matches(architecture.partition(".")[0], timm.list_models(), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names all."
    raise ConfigError(f"timm knows no architecture {architecture!r}; {hint}")


def _refusal(spec: ModelSpec) -> str:
    height, width, channels = spec.image_shape
    given = f" with {dict(spec.arguments)}" if spec.arguments else ""
    return f"{spec.architecture} does not take {height} x {width} x {channels} images{given}"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
