"""Linear layers that compute with their kept weights only: where zeros make a network faster.

PyTorch multiplies by a zero as by any other number. A large linear layer of which most is zero is
faster in compressed sparse row format (CSR); convolutions are not, and stay as they are.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from mixmatch.errors import SparsityError, TrainingError

# Both from benchmarks/sparse_linear.py; docs/latency.md has its table and machine. At and above
# them CSR was faster at each batch size that was measured. Each is on the safe side.
BREAK_EVEN = 0.8
MIN_WEIGHTS = 2**20  # 1024 x 1024; a call costs as much as 512 x 512 dense weights at batch 1

# Rows at once: at 256 and 1024 rows, blocks of 16 or 32 were the fastest, and one product of all
# rows was slower than the dense layer at 0.8.
_BLOCK = 32


class SparseLinear(nn.Module):
    """A linear layer that holds only the weights that are not zero; for inference on a CPU.

    Computes ``x @ W.T + b`` on any leading shape, as ``nn.Linear`` does, and as exactly: only the
    order of the sums differs. A weight that is zero is not met by any input, not even infinity.
    Its state dict holds the dense weight under the name that ``nn.Linear`` gives it; none can be
    loaded into it.

    Attributes:
        in_features: length of an input.
        out_features: length of an output.
        bias: float32 of shape (out_features,); None: none.
        starts: where each row begins among the kept weights, int32 of shape (out_features + 1,).
        columns: input that each kept weight meets, int32 of shape (kept weights,).
        values: the kept weights row by row, float32 of the same shape.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        """Take over the bias, and the weights that are not zero, of a float32 layer on the CPU."""
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        # Parts, because torch cannot copy a module that holds a CSR tensor.
        for name, part in _parts(linear.weight.detach()).items():
            self.register_buffer(name, part, persistent=False)
        self.train(mode=False)

    @property
    def weight(self) -> Tensor:
        """The weight as a CSR tensor of shape (out_features, in_features), put together anew."""
        # Microseconds; the parts were checked when they were made.
        return torch.sparse_csr_tensor(
            self.starts,
            self.columns,
            self.values,
            (self.out_features, self.in_features),
            check_invariants=False,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, shape (..., out_features), of inputs (..., in_features), float32.

        Raises:
            TrainingError: the layer is in train mode.
        """
        if self.training:
            raise TrainingError(
                "A network with sparse linear layers must be in eval mode, got train mode: load it "
                "with sparse_linear='never' to train it."
            )
        rows = inputs.reshape(-1, self.in_features)
        return self._of_rows(rows).view(*inputs.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Say how large and how sparse the layer is, as ``print(model)`` shows it."""
        num_weights = self.in_features * self.out_features
        sparsity = 1 - self.values.numel() / num_weights
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, sparsity={sparsity:.3f}"
        )

    def _of_rows(self, rows: Tensor) -> Tensor:
        """Return contiguous outputs (R, out_features) of rows (R, in_features)."""
        weight, bias = self.weight, self.bias
        if len(rows) == 1:
            row = rows[0]
            return (weight @ row if bias is None else torch.addmv(bias, weight, row))[None]
        products = [weight @ block.t() for block in torch.split(rows, _BLOCK)]
        if bias is None:
            return torch.cat([x.t() for x in products])
        return torch.cat([x.t() + bias for x in products])

    def _save_to_state_dict(
        self, destination: dict[str, Tensor], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight.to_dense()

    def _load_from_state_dict(self, *arguments: Any) -> None:  # noqa: ANN401  torch's own interface
        errors: list[str] = arguments[-1]
        errors.append(
            "No state can be loaded into a sparse linear layer, which has forgotten where its "
            "zeros were: load it with sparse_linear='never' first."
        )


def sparsify_linears_(model: nn.Module, *, break_even: float = BREAK_EVEN) -> dict[str, float]:
    """Replace linear layers that are faster in CSR, in place; return their sparsities by name.

    Nothing is measured here: what is replaced follows from the weights alone, so that a file gives
    the same network on every machine of one kind. See ``sparse_candidates`` for which.

    Args:
        model: in eval mode.
        break_even: sparsity from which a layer is replaced, a fraction.

    Raises:
        SparsityError: ``break_even`` is outside [0, 1].
    """
    chosen = sparse_candidates(model, break_even=break_even)
    for name, linear in list(_large_linears(model)):
        if name in chosen:
            _replace_(model, linear, SparseLinear(linear))
    return chosen


def sparse_candidates(model: nn.Module, *, break_even: float = BREAK_EVEN) -> dict[str, float]:
    """Return the sparsities, fractions, of the layers that ``sparsify_linears_`` would replace.

    These are plain ``nn.Linear`` in float32 on the CPU with at least 2**20 weights, of which the
    share ``break_even`` is zero. Left alone are subclasses, weights that several modules share,
    layers with hooks, those of ``nn.TransformerEncoderLayer`` (it reads their weights itself), and
    everything where PyTorch comes without MKL: its other sparse kernels were not measured.

    Args:
        model: is not changed.
        break_even: sparsity from which a layer counts, a fraction.

    Raises:
        SparsityError: ``break_even`` is outside [0, 1].
    """
    if not 0.0 <= break_even <= 1.0:
        raise SparsityError("break_even", break_even)
    if not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]  # torch's own
        return {}
    found: dict[str, float] = {}
    for name, linear in _large_linears(model):
        num_weights = linear.weight.numel()
        num_zeros = num_weights - int(linear.weight.count_nonzero())
        # By the count, as masks are made: 0.8 of 1024 x 1024 weights is no whole number.
        if num_zeros >= round(break_even * num_weights):
            found[name] = num_zeros / num_weights
    return found


def _large_linears(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Yield the linear layers that could be replaced if they were sparse, with their names."""
    num_users = Counter(id(p) for m in model.modules() for p in m.parameters(recurse=False))
    for name, module in model.named_modules():
        if not name or not _is_plain(module):
            continue
        parent = model.get_submodule(name.rpartition(".")[0])
        shared = num_users[id(module.weight)] > 1
        if not shared and not isinstance(parent, nn.TransformerEncoderLayer):
            yield name, module


def _is_plain(module: nn.Module) -> TypeGuard[nn.Linear]:
    return (
        type(module) is nn.Linear
        and module.weight.numel() >= MIN_WEIGHTS
        and module.weight.dtype == torch.float32
        and module.weight.device.type == "cpu"
        and not (module._forward_hooks or module._forward_pre_hooks)
    )


def _parts(weight: Tensor) -> dict[str, Tensor]:
    """Return ``weight`` in CSR; MKL wants int32 indices, and copies others at every call."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        sparse = weight.to_sparse_csr()
    return {
        "starts": sparse.crow_indices().to(torch.int32),
        "columns": sparse.col_indices().to(torch.int32),
        "values": sparse.values(),
    }


def _replace_(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put ``new`` wherever ``old`` is registered."""
    for parent in list(model.modules()):
        for attribute, child in parent._modules.items():
            if child is old:
                setattr(parent, attribute, new)
