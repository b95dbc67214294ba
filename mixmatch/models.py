"""Build networks from a ``ModelSpec``: timm's by their plain names, our own, or a caller's factory.

What a spec may name is decided in ``mixmatch.architectures``.
"""

from typing import Any

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from mixmatch.architectures import (
    OWN_ARCHITECTURES,
    check_name,
    check_published,
    checked_arguments,
)
from mixmatch.errors import CheckpointError, ConfigError
from mixmatch.factories import Factory, call_factory, is_factory_name
from mixmatch.records import ModelSpec


def build_model(
    spec: ModelSpec, *, pretrained: bool = False, factory: Factory | None = None
) -> nn.Module:
    """Build the network of ``spec`` in train mode, on the default device, in float32.

    ``img_size`` is passed where the constructor takes it and ``spec.arguments`` does not say it.
    One zero image is run through, so that a size which the architecture refuses is found here.
    Weights are drawn from torch's global generator.

    Args:
        spec: what to build.
        pretrained: load timm's published weights (network access); a classifier of another size
            than theirs is left as drawn.
        factory: builds the network where ``spec.architecture`` is ``package.module:factory``;
            nothing is imported by that name. See ``call_factory`` for what it is given.

    Raises:
        ConfigError: nobody knows the architecture, or it is a user's own and there is no factory;
            an argument is not allowed; the architecture refuses the arguments or the image size;
            pretrained weights are not published for it.
        CheckpointError: the pretrained weights do not exist, cannot be fetched, or do not fit.
    """
    _check_buildable(spec, factory)
    if pretrained:
        check_published(spec.architecture)
    model = untried_model(spec, factory=factory)
    check_outputs(model, spec)
    if not pretrained:
        return model
    try:
        return _create(spec, checked_arguments(spec), pretrained=True)
    except Exception as error:  # of the hub, the network, or a tensor that does not fit
        raise CheckpointError(
            f"timm's pretrained weights of {spec.architecture} could not be loaded: "
            f"{_reason(error)}."
        ) from error


def untried_model(spec: ModelSpec, *, factory: Factory | None = None) -> nn.Module:
    """Build as ``build_model`` does, but run no image through: a wrong size is not found.

    The caller decides on which device, and in which mode of torch, the constructor runs.

    Raises:
        ConfigError: as ``build_model``, except that the image size is not tried.
    """
    _check_buildable(spec, factory)
    arguments = checked_arguments(spec)
    try:
        return _create(spec, arguments, factory=factory)
    except Exception as error:  # constructors raise whatever goes wrong inside them
        raise ConfigError(f"{_refusal(spec)}: {_reason(error)}.") from error


def check_outputs(model: nn.Module, spec: ModelSpec) -> None:
    """Run one zero image through ``model``, on the default device; leaves it in train mode.

    Raises:
        ConfigError: the network of ``spec`` refuses the image size, or gives other outputs than
            one score per class.
    """
    try:
        output_shape = _output_shape(model, spec)
    except Exception as error:  # layers raise whatever goes wrong inside them
        raise ConfigError(f"{_refusal(spec)}: {_reason(error)}.") from error
    if output_shape != (1, spec.num_classes):
        raise ConfigError(
            f"{_refusal(spec)}: one image must give (1, {spec.num_classes}) outputs, "
            f"got {output_shape}."
        )


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
    check_published(architecture)
    try:
        return timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:  # an unknown tag
        raise ConfigError(f"architecture {architecture!r}: {_reason(error)}.") from error


def _check_buildable(spec: ModelSpec, factory: Factory | None) -> None:
    if not is_factory_name(spec.architecture):
        check_name(spec.architecture)
        if factory is not None:
            raise ConfigError(
                "architecture must be package.module:factory where a factory is passed, got "
                f"{spec.architecture!r}."
            )
    elif factory is None:
        raise ConfigError(
            f"architecture {spec.architecture!r} is a user's own network: its factory must be "
            "passed by the caller, and is never imported by a name that a file holds."
        )


def _create(
    spec: ModelSpec,
    arguments: dict[str, Any],
    *,
    pretrained: bool = False,
    factory: Factory | None = None,
) -> nn.Module:
    if factory is not None:
        return call_factory(factory, spec)
    height, width, channels = spec.image_shape
    settings = {**arguments, "num_classes": spec.num_classes, "in_chans": channels}
    if "img_size" not in settings:
        try:
            return _from_name(spec, pretrained, {**settings, "img_size": (height, width)})
        except TypeError as error:
            # Fully convolutional constructors do not know img_size; any other fault is a fault.
            if "'img_size'" not in str(error):
                raise
    return _from_name(spec, pretrained, settings)


def _from_name(spec: ModelSpec, pretrained: bool, settings: dict[str, Any]) -> nn.Module:
    if own := OWN_ARCHITECTURES.get(spec.architecture):
        return own(**settings)
    model = timm.create_model(spec.architecture, pretrained=pretrained, **settings)
    if not isinstance(model, nn.Module):
        raise TypeError(f"timm gave a {type(model).__name__}, not a module")
    return model


def _output_shape(model: nn.Module, spec: ModelSpec) -> tuple[int, ...]:
    height, width, channels = spec.image_shape
    model.eval()
    with torch.no_grad():
        output = model(torch.zeros(1, channels, height, width))
    if not isinstance(output, Tensor):
        raise TypeError(f"it must give a tensor of class scores, got {type(output).__name__}")
    # Back in train mode, where LeViT drops the position biases that it caches in eval mode.
    model.train()
    return tuple(output.shape)


def _refusal(spec: ModelSpec) -> str:
    height, width, channels = spec.image_shape
    given = f" with {dict(spec.arguments)}" if spec.arguments else ""
    images = f"{height} x {width} x {channels} images{given}"
    if is_factory_name(spec.architecture):
        return f"{spec.architecture} could not be built for {images}"  # its code may fail anyhow
    return f"{spec.architecture} does not take {images}"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
