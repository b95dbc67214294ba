"""How arithmetic is done: device, precision, threads. Resolved once, recorded in every digest."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version

import torch
from torch import nn

from mixmatch.convolution import small_products
from mixmatch.errors import ConfigError
from mixmatch.records import Execution

Autocast = Callable[[], AbstractContextManager[object]]


def resolve_execution(
    *,
    device: str,
    precision: str,
    threads: int,
    compiled: bool = False,
    elsewhere: bool = False,
) -> Execution:
    """Turn settings into what this machine will do, by capability and never by a timing.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto``, ``float32`` or ``bfloat16``; auto takes bfloat16 where the processor
            multiplies in it.
        threads: threads of one process on CPU, at least 1.
        compiled: whether trainings run through ``torch.compile``.
        elsewhere: other machines compute; then ``cuda`` needs none here, and ``auto`` is bfloat16
            there. All else is as this machine would do it.

    Raises:
        ConfigError: CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda and not elsewhere:
        raise ConfigError(
            f"engine.device must be auto or cpu on a machine without CUDA, got {device}."
        )
    on_cuda = device == "cuda" or (has_cuda and device != "cpu")
    chosen = precision
    if precision == "auto":
        unseen = on_cuda and not has_cuda
        chosen = "bfloat16" if unseen else _native_precision(on_cuda=on_cuda)
    return Execution(
        device="cuda" if on_cuda else "cpu",
        precision=chosen,
        threads=0 if on_cuda else threads,
        small_convolutions="native" if on_cuda else "products",
        versions=network_versions(),
        compiled=compiled,
    )


def network_versions() -> dict[str, str]:
    """Return the versions of torch and timm without the suffix of their build."""
    return {name: version(name).partition("+")[0] for name in ("torch", "timm")}


@contextmanager
def computing(execution: Execution) -> Iterator[torch.device]:
    """Run the body with ``execution``'s threads, exact float32 and repeatable kernels.

    What was set before is restored afterwards.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    threads, tf32 = torch.get_num_threads(), (matmul.allow_tf32, cudnn.allow_tf32)
    repeatable = (cudnn.deterministic, cudnn.benchmark)
    if execution.threads:
        torch.set_num_threads(execution.threads)
    matmul.allow_tf32, cudnn.allow_tf32 = False, False
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield torch.device(execution.device)
    finally:
        torch.set_num_threads(threads)
        matmul.allow_tf32, cudnn.allow_tf32 = tf32
        cudnn.deterministic, cudnn.benchmark = repeatable


def autocast_of(execution: Execution) -> Autocast:
    """Return a factory of the autocast context in which forward passes run."""
    if execution.precision == "float32":
        return nullcontext
    return lambda: torch.autocast(execution.device, dtype=torch.bfloat16)


def fast_convolutions(model: nn.Module, execution: Execution) -> AbstractContextManager[object]:
    """Return the context in which ``model`` is trained and evaluated under ``execution``.

    Contexts of one model may be nested.
    """
    by_products = execution.small_convolutions == "products"
    return small_products(model) if by_products else nullcontext()


@contextmanager
def training_context(model: nn.Module, execution: Execution) -> Iterator[None]:
    """Give the context in which ``model`` is trained under ``execution``.

    That of ``fast_convolutions``; where ``execution`` is compiled, the network's forward pass runs
    through ``torch.compile`` within.
    """
    with fast_convolutions(model, execution):
        if not execution.compiled:
            yield
            return
        model.compile()
        try:
            yield
        finally:
            model._compiled_call_impl = None


@contextmanager
def uncompiled(model: nn.Module) -> Iterator[None]:
    """Run the body with the forward pass as it is written, within a ``training_context`` too.

    Fused kernels round elsewhere, so an accuracy measured through them is not the one that the
    stored network has when it is evaluated again.
    """
    compiled, model._compiled_call_impl = model._compiled_call_impl, None
    try:
        yield
    finally:
        model._compiled_call_impl = compiled


def _native_precision(*, on_cuda: bool) -> str:
    if on_cuda:
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if _capability("avx512_bf16") or _capability("amx_bf16") else "float32"


def _capability(name: str) -> bool:
    """Say whether the CPU has an instruction set; processors of other makes have none of them."""
    return bool(torch.cpu.get_capabilities().get(name, False))
