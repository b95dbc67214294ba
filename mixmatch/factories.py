"""A user's own network, ``package.module:factory``: what such a name is, and how it is built."""

import inspect
from collections.abc import Callable

from torch import nn

from mixmatch.records import ModelSpec

# Any callable that returns a network.
Factory = Callable[..., nn.Module]


def is_factory_name(architecture: str) -> bool:
    """Say whether ``architecture`` is of the form ``package.module:factory``."""
    module, colon, attribute = architecture.partition(":")
    words = (*module.split("."), attribute)
    return bool(colon) and all(word.isidentifier() for word in words)


def call_factory(factory: Factory, spec: ModelSpec) -> nn.Module:
    """Build the network of ``spec`` by the user's ``factory``, in train mode.

    The factory is given ``spec.arguments`` as they are and, where these do not say it, what its
    signature names of ``num_classes``, ``in_chans`` and ``img_size`` (pixels; height and width
    where they differ). A factory with ``**kwargs`` is given the first two unless it refuses them.

    Raises:
        TypeError: it returns no network. Besides, whatever the factory raises.
    """
    height, width, channels = spec.image_shape
    offered: dict[str, object] = {
        "num_classes": spec.num_classes,
        "in_chans": channels,
        "img_size": height if height == width else (height, width),
    }
    parameters = inspect.signature(factory).parameters.values()
    named = {x.name for x in parameters if x.kind not in {x.POSITIONAL_ONLY, x.VAR_POSITIONAL}}
    certain = {name: value for name, value in offered.items() if name in named} | spec.arguments
    passes_on = any(x.kind is x.VAR_KEYWORD for x in parameters)
    tried = [x for x in ("num_classes", "in_chans") if passes_on and x not in certain]
    built: object = _call(factory, certain, {name: offered[name] for name in tried})
    if not isinstance(built, nn.Module):
        raise TypeError(f"it must return a torch.nn.Module, got {type(built).__name__}")
    return built.train()


def _call(factory: Factory, certain: dict[str, object], tried: dict[str, object]) -> nn.Module:
    try:
        return factory(**certain, **tried)
    except TypeError as error:
        # What a factory passes on by **kwargs, the network behind it need not know.
        refused = [name for name in tried if f"'{name}'" in str(error)]
        if not refused:
            raise
    return _call(factory, certain, {x: value for x, value in tried.items() if x != refused[0]})
