"""Build the network of a packed file and fill it, tensor by tensor."""

from pathlib import Path

from torch import Tensor, nn

from mixmatch.errors import ConfigError, PackedFormatError
from mixmatch.factories import Factory
from mixmatch.packed.opened import OpenFile, opened
from mixmatch.packed.reading import tensors_of
from mixmatch.packed.skeleton import build_skeleton

_SPARSE_LINEAR = ("never", "auto")


def load_packed(
    path: Path, *, factory: Factory | None = None, sparse_linear: str = "never"
) -> nn.Module:
    """Build the network of a packed file, in eval mode on the CPU; random state is untouched.

    Before any tensor is unpacked, the file's shapes are compared with those of the architecture.
    Each tensor is unpacked by itself and becomes the parameter, so that memory peaks at the dense
    network and one tensor.

    Args:
        path: the file.
        factory: builds the network where the file names a user's own, ``package.module:factory``
            (see ``build_model``); such a name is never imported from a file.
        sparse_linear: ``auto`` converts linear layers that are sparse enough to gain from it, see
            ``mixmatch.sparse_linear``; with ``never`` all weights are plain dense parameters.

    Raises:
        ConfigError: ``sparse_linear`` is unknown.
        PackedFormatError: as ``read_packed``, or the file names a network that cannot be built or
            that has other tensors.
    """
    if sparse_linear not in _SPARSE_LINEAR:
        raise ConfigError(
            f"sparse_linear must be one of {', '.join(_SPARSE_LINEAR)}, got {sparse_linear!r}."
        )
    with opened(path) as packed:
        try:
            model = build_skeleton(packed.header, factory)
        except ConfigError as error:
            raise PackedFormatError(f"it names a network that cannot be built: {error}") from error
        _fill_(model, packed, hooked=factory is not None)
    model.eval()
    if sparse_linear == "auto":
        from mixmatch.sparse_linear import sparsify_linears_  # noqa: PLC0415  few loads need it

        sparsify_linears_(model)
    return model


def _fill_(model: nn.Module, packed: OpenFile, *, hooked: bool) -> None:
    """Set every tensor of ``model``; ``hooked``: its code may watch how its state is loaded."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    buffers = dict(model.named_buffers(remove_duplicate=False))
    others: dict[str, Tensor] = {}
    for name, tensor in tensors_of(packed):
        if name in parameters:
            # Not copied, and a weight that modules share stays shared.
            parameters[name].data = tensor
        elif name in buffers:
            buffers[name].copy_(tensor)
        else:
            others[name] = tensor
    if hooked or others:
        model.load_state_dict(model.state_dict() | others)
