"""What a packed file holds, in words and tables.

A file may come from anywhere: what would move a terminal's cursor is shown, never sent.
"""

from typing import TYPE_CHECKING

from flows.cli.facts_table import print_facts
from flows.cli.output import megabytes, percent, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.inspect_packed import EntropySummary, PackedSummary, TensorSummary

_MAX_CLASSES_SHOWN = 10


def print_packed(console: "Console", packed: "PackedSummary") -> None:
    """Print what the file is, its tensors by kind, and its prunable weights one by one."""
    print_facts(console, _facts(packed))
    console.print(_kind_table(packed))
    console.print(_weight_table(packed))


def _facts(packed: "PackedSummary") -> dict[str, str]:
    spec = packed.spec
    height, width, channels = spec.image_shape
    names = ", ".join(spec.classes[:_MAX_CLASSES_SHOWN])
    more = ", ..." if len(spec.classes) > _MAX_CLASSES_SHOWN else ""
    mean, std = (", ".join(f"{x:.4g}" for x in values) for values in (spec.mean, spec.std))
    code = {"Factory": f"source with SHA-256 {spec.code_digest}"} if spec.code_digest else {}
    facts = {
        "File": f"{packed.file}, packed format version {packed.version}",
        "Architecture": f"{spec.architecture}, arguments {spec.arguments or 'none'}",
        **code,
        "Images": f"{height} x {width} x {channels}",
        "Classes": f"{len(spec.classes)}: {names}{more}",
        "Normalization": f"mean {mean}; standard deviation {std}",
        "Digest": _digest(packed),
        "Weights": f"{packed.num_weights:,} prunable, {packed.num_nonzero:,} kept: sparsity "
        f"{percent(packed.sparsity)} %",
        "Values": _values(packed),
        "On disk": _size(packed),
        "Of it": _parts(packed),
    }
    if packed.entropy:
        facts["Entropy"] = _entropy(packed.entropy)
    return {name: printable(value) for name, value in facts.items()}


def _digest(packed: "PackedSummary") -> str:
    if packed.verified:
        return f"{packed.digest} (verified: the stored bytes have it)"
    return f"{packed.digest} (as the file states; the stored bytes were not read)"


def _size(packed: "PackedSummary") -> str:
    size = f"{packed.bytes:,} bytes ({megabytes(packed.bytes)} MB)"
    dense = f"{packed.dense_bytes:,} bytes dense in float32"
    if not packed.dense_bytes:
        return f"{size}; {dense}"
    return f"{size}, {percent(packed.bytes / packed.dense_bytes)} % of {dense}"


def _values(packed: "PackedSummary") -> str:
    scaled = ", with one scale per output channel" if packed.bytes_by_part.scales else ""
    return f"{packed.values}{scaled}"


def _parts(packed: "PackedSummary") -> str:
    sizes = packed.bytes_by_part
    scales = f", scales {sizes.scales:,}" if sizes.scales else ""
    return (
        f"masks {sizes.masks:,}, values {sizes.values:,}{scales}, rest {sizes.rest:,}, "
        f"header {sizes.header:,}"
    )


def _entropy(entropy: "EntropySummary") -> str:
    least = entropy.masks_bytes + entropy.values_bytes
    side = "above" if entropy.above >= 0 else "below"
    return (
        f"masks and values are {percent(abs(entropy.above))} % {side} their order-0 bound of "
        f"{least:,.0f} bytes (masks {entropy.masks_bytes:,.0f}, values {entropy.values_bytes:,.0f})"
    )


def _kind_table(packed: "PackedSummary") -> "Table":
    table = _table(("tensors", "dtype", "encoding"), ("number", "entries", "bytes"))
    for kind in packed.kinds:
        table.add_row(
            "prunable" if kind.prunable else "other",
            kind.dtype,
            kind.encoding,
            f"{kind.num_tensors:,}",
            f"{kind.num_entries:,}",
            f"{kind.bytes:,}",
        )
    return table


def _weight_table(packed: "PackedSummary") -> "Table":
    weights = [tensor for tensor in packed.tensors if tensor.num_nonzero is not None]
    table = _table(
        ("prunable tensor", "shape", "encoding"),
        ("kept", "sparsity %", "mask, B", "values, B", "bytes"),
    )
    for tensor in weights:
        table.add_row(*_cells(tensor))
    return table


def _cells(tensor: "TensorSummary") -> tuple[str, ...]:
    return (
        printable(tensor.name),
        "x".join(map(str, tensor.shape)) or "scalar",
        tensor.encoding,
        f"{tensor.num_nonzero:,}",
        percent(tensor.sparsity or 0.0),
        f"{tensor.mask_bytes:,}",
        f"{tensor.value_bytes + tensor.scale_bytes:,}",
        f"{sum(tensor.bytes.values()):,}",
    )


def _table(names: tuple[str, ...], numbers: tuple[str, ...]) -> "Table":
    """Return an empty table; where it is too wide, the first column is folded."""
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, heading in enumerate(names):
        table.add_column(heading, no_wrap=number > 0, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
