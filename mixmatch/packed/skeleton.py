"""Networks whose values come from a file: checked without memory, then built without drawing any.

A spec may come from a file that others wrote, and may ask for a network of any size.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.factories import Factory
from mixmatch.models import build_model, check_outputs, untried_model
from mixmatch.packed.layout import PackedHeader
from mixmatch.records import ModelSpec

# What constructors allocate, besides a tensor of the state each: a constant, a buffer they compute.
_CREATED_PER_TENSOR, _CREATED_AT_LEAST = 4, 1_000
# 256 MiB of float32: attention masks of the largest images that a spec may name take a quarter.
_MOST_COMPUTED_ENTRIES = 2**26
# Beside twice the file's: timm fills some tables of pairs of positions in a loop of Python's, which
# takes seconds for so many.
_MOST_ALLOCATED_ENTRIES = 2**24

# Functions of torch.nn.init, in-place draws, and the arithmetic by which timm shapes these.
_FILLS = """
    constant_ kaiming_normal_ kaiming_uniform_ normal_ uniform_ bernoulli_ exponential_ geometric_
    cauchy_ log_normal_ random_ erfinv_ fill_ zero_ mul_ div_ add_ sub_ clamp_
"""
_FILLING = frozenset(_FILLS.split())


def build_skeleton(header: PackedHeader, factory: Factory | None) -> nn.Module:
    """Build the network of a packed file; its parameters are undefined, what it computes is not.

    First an outline of it, which takes no memory for values, is compared with the file's tensors
    and tried with an image of the size that the file states. A user's own network is built as its
    factory does, since code that we do not know may read values while it builds. Random state is
    untouched.

    Raises:
        ConfigError: the network cannot be built.
        PackedFormatError: it has other tensors than the file.
    """
    if factory is not None:
        with torch.random.fork_rng(devices=[]):
            model = build_model(header.spec, factory=factory)
        _check_fits(header, model.state_dict())
        return model
    with torch.device("meta"), _Unfilled(header):
        outline = untried_model(header.spec)
    _check_fits(header, outline.state_dict())
    _check_computed(outline, header.spec)
    with torch.device("meta"):
        check_outputs(outline, header.spec)
    with torch.random.fork_rng(devices=[]), _Unfilled(header):
        return untried_model(header.spec)


class _Unfilled(TorchFunctionMode):
    """Leaves parameters as they were allocated: drawing 28M weights takes longer than reading them.

    Buffers are computed as ever: some are not part of the state, and no file holds them. A
    constructor that allocates far more tensors, or values of these, than the file holds is ended.
    """

    def __init__(self, header: PackedHeader) -> None:
        """Allow a few for each tensor of the file, and what may be computed beside them."""
        super().__init__()
        self._num_tensors = num_tensors = len(header.tensors)
        stored = sum(tensor.num_entries for tensor in header.tensors)
        self._entries_left = _MOST_ALLOCATED_ENTRIES + 2 * stored
        self._left = _CREATED_AT_LEAST + _CREATED_PER_TENSOR * num_tensors

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  whatever the function returns
        """Skip in-place filling of a parameter, and count what allocates one."""
        del types
        settings = kwargs or {}
        filled = args[0] if args else settings.get("tensor")  # torch.nn.init passes by name
        if isinstance(filled, nn.Parameter) and func.__name__ in _FILLING:
            return filled
        if func is torch.empty:
            self._left -= 1
        if self._left < 0:
            raise ConfigError(f"it has many more tensors than the {self._num_tensors} of the file")
        made = func(*args, **settings)
        if func is torch.empty:
            self._entries_left -= made.numel()
            if self._entries_left < 0:
                raise ConfigError("it has many more values than the tensors of the file")
        return made


def _check_fits(header: PackedHeader, needed_state: Mapping[str, Tensor]) -> None:
    needed = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in needed_state.items()
    }
    found = {tensor.name: (tensor.shape, tensor.dtype) for tensor in header.tensors}
    for name in [*needed, *found]:
        if found.get(name) != needed.get(name):
            raise PackedFormatError(
                f"it does not hold a {header.spec.architecture}: its tensor {name} must be "
                f"{_described(needed.get(name))}, got {_described(found.get(name))}."
            )


def _check_computed(outline: nn.Module, spec: ModelSpec) -> None:
    state = outline.state_dict()
    computed = (buffer for name, buffer in outline.named_buffers() if name not in state)
    if (num_entries := sum(buffer.numel() for buffer in computed)) > _MOST_COMPUTED_ENTRIES:
        raise ConfigError(
            f"{spec.architecture} may compute {_MOST_COMPUTED_ENTRIES} values beside its weights "
            f"to be built from a file, got {num_entries} with {dict(spec.arguments)}."
        )


def _described(kind: tuple[tuple[int, ...], str] | None) -> str:
    return f"{kind[1]} of shape {list(kind[0])}" if kind else "absent"
