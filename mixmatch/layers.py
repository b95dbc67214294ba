"""The weights that may be pruned, and the normalization layers that never are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mixmatch.errors import ConfigError, LayerError
from mixmatch.role_rules import Place, assign_roles, is_position_bias
from mixmatch.roles import LayerRole, PrunableLayer

_WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
# One packed matrix, or three when keys or values have a width of their own.
_IN_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)
# timm's weight standardization: by name, since timm takes seconds to load.
_STANDARDIZED = {"StdConv2d", "StdConv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame"}
_NUM_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Found:
    """A prunable weight: its layer's name, the owner's path, the owner, the weight."""

    name: str
    path: str
    module: nn.Module
    weight: nn.Parameter


def prunable_layers(model: nn.Module) -> tuple[PrunableLayer, ...]:
    """List the weights that may be pruned, in registration order.

    These are the weights of convolutions and linear modules (subclasses too) and the in-projections
    of ``nn.MultiheadAttention``. A weight that several modules share is listed once, under its
    first name. Modules are walked, not parameters: position tables and biases are no layers, nor
    are networks that compute relative position biases.

    Raises:
        LayerError: there is no such weight, one is not a plain parameter, or a module standardizes
            it in each forward pass.
    """
    found = tuple(_distinct(model))
    if not found:
        raise LayerError(
            f"A model to prune must have a convolution or a linear layer; "
            f"{type(model).__name__} has none."
        )
    roles = _roles(model, found)
    last = max(1, len(found) - 1)
    return tuple(
        PrunableLayer(
            name=x.name,
            role=roles[x.name],
            index=index,
            depth=index / last,
            shape=tuple(x.weight.shape),
            num_weights=x.weight.numel(),
        )
        for index, x in enumerate(found)
    )


def with_roles(
    layers: Sequence[PrunableLayer], roles: Mapping[str, LayerRole]
) -> tuple[PrunableLayer, ...]:
    """Return ``layers`` with the roles that the run file states in place of those recognised.

    Args:
        layers: as ``prunable_layers`` lists them.
        roles: by path pattern (fnmatch); of several that match a layer the first wins.

    Raises:
        ConfigError: a pattern matches no layer.
    """
    for pattern in roles:
        if not any(fnmatchcase(layer.name, pattern) for layer in layers):
            known = ", ".join(layer.name for layer in layers[:_NUM_NAMES_SHOWN])
            raise ConfigError(
                f"model.roles must hold patterns of prunable layers, got {pattern!r}, which "
                f"matches none of {len(layers)}; the first are {known}."
            )
    return tuple(replace(layer, role=_stated_role(layer, roles)) for layer in layers)


def normalization_layers(model: nn.Module) -> tuple[str, ...]:
    """List the paths of normalization modules in registration order; they are never pruned."""
    return tuple(path for path, module in model.named_modules() if _is_normalization(module))


def weight_of(model: nn.Module, name: str) -> nn.Parameter:
    """Return the weight of the layer called ``name``, the model's own parameter.

    Raises:
        LayerError: the model has no such layer, or it may not be pruned.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    path, _, attribute = name.rpartition(".")
    for owner_path in (name, path):
        module = modules.get(owner_path)
        if module is None or not owner_path or _in_position_bias(owner_path, modules):
            continue
        for found in _weights_in(owner_path, module):
            if found.name == name:
                return found.weight
    if name in modules or hasattr(modules.get(path), attribute):
        raise LayerError(
            f"A prunable layer must be a convolution, a linear module or an attention "
            f"in-projection, and no part of a relative position bias; {name!r} of "
            f"{type(model).__name__} is none of these."
        )
    raise LayerError(f"{type(model).__name__} has no layer {name!r}; see prunable_layers(model).")


def weights_of(model: nn.Module, layers: Iterable[PrunableLayer]) -> dict[str, Tensor]:
    """Return the weights by layer name, detached but in the model's own storage.

    Raises:
        LayerError: the model lacks one of the layers.
    """
    return {layer.name: weight_of(model, layer.name).detach() for layer in layers}


def _distinct(model: nn.Module) -> Iterator[_Found]:
    """Yield every prunable weight once, in registration order."""
    seen: set[int] = set()
    modules = dict(model.named_modules())
    for path, module in modules.items():
        if _in_position_bias(path, modules):
            continue
        for found in _weights_in(path, module):
            if id(found.weight) not in seen:
                seen.add(id(found.weight))
                yield found


def _weights_in(path: str, module: nn.Module) -> Iterator[_Found]:
    """Yield the prunable weights that ``module`` itself owns."""
    if isinstance(module, _WEIGHTED):
        if not path:
            raise LayerError(
                f"A layer needs a path, but the model is a single {type(module).__name__}; "
                f"wrap it in nn.Sequential."
            )
        if not _STANDARDIZED.isdisjoint(x.__name__ for x in type(module).__mro__):
            raise LayerError(
                f"A prunable layer must compute with its weight as it is stored; that of {path!r} "
                f"({type(module).__name__}) is shifted to mean zero first, so no zero stays one. "
                f"Choose an architecture without weight standardization."
            )
        yield _Found(path, path, module, _plain(path, getattr(module, "weight", None)))
    elif isinstance(module, nn.MultiheadAttention):
        for attribute in _IN_PROJECTIONS:
            if getattr(module, attribute) is not None:
                name = f"{path}.{attribute}".strip(".")
                yield _Found(name, path, module, _plain(name, getattr(module, attribute)))


def _in_position_bias(path: str, modules: Mapping[str, nn.Module]) -> bool:
    """Say whether the module at ``path`` is, or lies in, one that computes position biases."""
    words = path.split(".")
    above = (".".join(words[: n + 1]) for n in range(len(words)))
    return bool(path) and any(is_position_bias(x, modules[x]) for x in above)


def _stated_role(layer: PrunableLayer, roles: Mapping[str, LayerRole]) -> LayerRole:
    stated = (role for pattern, role in roles.items() if fnmatchcase(layer.name, pattern))
    return next(stated, layer.role)


def _plain(name: str, weight: object) -> nn.Parameter:
    """Return ``weight`` if it can be masked in place."""
    if not isinstance(weight, nn.Parameter):
        raise LayerError(
            f"The weight of a prunable layer must be a plain parameter; that of {name!r} is "
            f"computed from others. Remove its parametrization first."
        )
    if is_lazy(weight):
        raise LayerError(f"Layer {name!r} has no shape yet; run the model on one batch first.")
    return weight


def _roles(model: nn.Module, found: Iterable[_Found]) -> dict[str, LayerRole]:
    """Gather the modules around each weight and let the rules decide."""
    modules = dict(model.named_modules())
    places = []
    for x in found:
        words = x.path.split(".") if x.path else []
        above = [".".join(words[:n]) for n in range(len(words) - 1, 0, -1)]
        levels = ((x.path, x.module), *((path, modules[path]) for path in above))
        places.append(Place(x.name, levels))
    return assign_roles(model, places)


def _is_normalization(module: nn.Module) -> bool:
    """Say whether a module normalizes: torch's classes, or an own one named so with own state."""
    if isinstance(module, _NORMALIZATIONS):
        return True
    # A fused block such as timm's ConvNormAct is named so too, but holds no state itself.
    has_state = any(True for _ in module.parameters(recurse=False))
    return "Norm" in type(module).__name__ and has_state and not isinstance(module, _WEIGHTED)
