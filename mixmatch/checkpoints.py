"""Read trained weights from files that others wrote, and put them into a network.

Only tensors are read, never pickled code.
"""

import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mixmatch.errors import CheckpointError
from mixmatch.stored_zip import check_stored

# Where training scripts put the state, tried in this order: averaged weights (timm's EMA) are
# those that were evaluated, so they come first.
_WRAPPERS = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
)
# What DataParallel, torch.compile and common training loops put before each name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
_AVERAGE_COUNTER = "n_averaged"  # torch.optim.swa_utils.AveragedModel keeps it beside "module."
_REFUSED_GLOBAL = re.compile(r"GLOBAL (\S+)")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or a PyTorch checkpoint, onto the CPU.

    The kind is told from the content, not from the suffix. Wrappers such as ``state_dict`` and
    prefixes such as ``module.`` are taken off. Tensors of a PyTorch checkpoint stay mapped to the
    file, so it must not change while they are in use.

    Raises:
        CheckpointError: the file is missing, damaged or compressed, needs code to be run, or holds
            no state.
    """
    if not path.is_file():
        raise CheckpointError(f"a checkpoint must be an existing file, got {path}.")
    with path.open("rb") as file:
        start = file.read(9)
    state = _read_safetensors(path) if start[8:] == b"{" else _unwrap(_read_torch(path), path)
    if not state:
        raise CheckpointError(f"{path} holds no tensors; it must hold a network's state dict.")
    if all(name == _AVERAGE_COUNTER or name.startswith("module.") for name in state):
        state.pop(_AVERAGE_COUNTER, None)
    return {short: state[name] for short, name in _short_names(state).items()}


def load_state_(
    model: nn.Module, state: Mapping[str, Tensor], *, allow_new_head: bool, source: str
) -> tuple[str, ...]:
    """Copy ``state`` into ``model``, converted to the dtype of each of its tensors.

    Everything is checked before anything is copied. Integer buffers (batch-norm counters, index
    tables) may be missing, and buffers that the model computes itself may be present.

    Args:
        allow_new_head: leave a classifier as it is in ``model`` if it does not fit.
        source: where the state came from, for messages.

    Returns:
        Names of the classifier's tensors that were left as they are in ``model``.

    Raises:
        CheckpointError: a tensor is missing, unexpected, of another shape or kind, or not finite.
    """
    target: dict[str, Tensor] = model.state_dict()
    full_names = _short_names(target)
    given = {
        full_names.get(short, short): state[name] for short, name in _short_names(state).items()
    }
    own = {name for name, _ in model.named_buffers()} - set(target)
    given = {name: tensor for name, tensor in given.items() if name not in own}
    heads = _head_names(model)
    misfits = _misfits(target, given)
    # A head is replaced as a whole: a bias alone means nothing beside a new weight.
    new_heads = heads & {_module(name) for name in misfits} if allow_new_head else frozenset()
    _refuse(
        {name: why for name, why in misfits.items() if _module(name) not in new_heads},
        source,
        only_head=heads.issuperset(_module(name) for name in misfits),
    )
    kept = {name: tensor for name, tensor in given.items() if _module(name) not in new_heads}
    model.load_state_dict({**target, **_converted(kept, target, source)})
    return tuple(name for name in target if _module(name) in new_heads)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is a damaged safetensors file: {error}.") from error


def _read_torch(path: Path) -> object:
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_zip(path)
        with warnings.catch_warnings():
            # torch warns of an unusual pickle; what comes of it is told below.
            warnings.simplefilter("ignore", UserWarning)
            # A mapped file is read where it is needed: optimizer states stay on disk.
            content: object = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except UnpicklingError as error:
        if found := _REFUSED_GLOBAL.search(str(error)):
            raise CheckpointError(
                f"{path} holds more than tensors ({found[1]}), and reading that would run code. "
                "Save model.state_dict() alone, or convert it to safetensors."
            ) from error
        raise CheckpointError(_not_weights(path)) from error
    except CheckpointError:
        raise
    except Exception as error:  # torch raises KeyError, EOFError, OSError, ... on broken bytes
        raise CheckpointError(_not_weights(path)) from error
    return content


def _check_zip(path: Path) -> None:
    """Compare each part with its checksum, which torch itself does not look at."""
    with zipfile.ZipFile(path) as archive:
        check_stored(archive, path, source=str(path))
        broken = archive.testzip()
    if broken is not None:
        raise CheckpointError(f"{path} is damaged: its part {broken} differs from its checksum.")


def _not_weights(path: Path) -> str:
    return f"{path} is damaged, or neither a safetensors file nor a PyTorch checkpoint."


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """Descend through known wrappers to the mapping that holds the tensors."""
    while isinstance(content, Mapping):
        inner = (content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping))
        found: Mapping[Any, object] | None = next(inner, None)
        if found is None:
            break
        content = found
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} must hold a state dict (names and tensors), got a {type(content).__name__}."
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path} must hold a state dict, but its entry {name!r} is a "
                f"{type(value).__name__}; known wrappers: {', '.join(_WRAPPERS)}."
            )
    return dict(content)


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """Map each name without the prefixes that all names share to the name itself."""
    full = list(names)
    cut = 0
    while full:
        shared = (x for x in _PREFIXES if all(name.startswith(x, cut) for name in full))
        prefix = next(shared, None)
        if prefix is None:
            break
        cut += len(prefix)
    return {name[cut:]: name for name in full}


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def head_tensors(model: nn.Module) -> tuple[str, ...]:
    """Name the tensors of the classifier modules, in the order of the state."""
    heads = _head_names(model)
    return tuple(name for name in model.state_dict() if _module(name) in heads)


def _head_names(model: nn.Module) -> frozenset[str]:
    """Name the classifier modules: as timm states them, else the last linear module."""
    stated = (getattr(model, "pretrained_cfg", None) or {}).get("classifier")
    if stated:
        return frozenset([stated] if isinstance(stated, str) else stated)
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return frozenset(linear[-1:])


def _misfits(target: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Say for each tensor that does not fit what is wrong with it."""
    misfits = {}
    for name, wanted in target.items():
        found = given.get(name)
        if found is None:
            if wanted.is_floating_point():
                misfits[name] = "is missing"
        elif found.shape != wanted.shape:
            misfits[name] = f"must have shape {list(wanted.shape)}, got {list(found.shape)}"
        elif found.layout != torch.strided or found.is_quantized:
            misfits[name] = "must be dense, got a sparse or quantized tensor"
        elif found.is_floating_point() != wanted.is_floating_point():
            misfits[name] = f"must be {wanted.dtype}, got {found.dtype}"
    return misfits | {name: "is unexpected" for name in given if name not in target}


def _refuse(misfits: Mapping[str, str], source: str, *, only_head: bool) -> None:
    if not misfits:
        return
    name, why = next(iter(misfits.items()))
    more = f", and {len(misfits) - 1} more tensors do not fit" if len(misfits) > 1 else ""
    hint = " allow_new_head accepts another classifier." if only_head else ""
    raise CheckpointError(f"weights from {source} do not fit: {name} {why}{more}.{hint}")


def _converted(
    given: Mapping[str, Tensor], target: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    converted = {}
    for name, tensor in given.items():
        converted[name] = tensor.to(target[name].dtype)
        # After conversion: a float64 may exceed what float32 holds.
        if not torch.isfinite(converted[name]).all():
            raise CheckpointError(f"weights from {source} hold NaN or infinity in {name}.")
    return converted
