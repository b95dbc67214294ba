"""One tensor to the chunks of a packed file (version 1) and back, without loss.

A float32 is rotated left by one bit, so that its eight exponent bits fill one byte: these bytes
compress well, the 24 others (mantissa and sign) hardly.
"""

from collections.abc import Mapping

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from torch import Tensor

from mixmatch.errors import PackedFormatError
from mixmatch.packed_layout import (
    DENSE,
    DTYPES,
    MASKED,
    NONE,
    PARTS,
    RAW,
    ZSTD,
    Chunk,
    PackedTensor,
)

# Measured on a ResNet-18 at 0.9: level 19 saves 1 % more bytes and takes twenty times as long.
_LEVEL = 9

Floats = NDArray[np.float32]


def encode(name: str, tensor: Tensor, *, prunable: bool) -> tuple[PackedTensor, list[bytes]]:
    """Write one tensor as its entry of the layout and its chunks, in the order of ``PARTS``.

    A prunable float32 weight is stored masked (kept are the values that are not zero) where that
    needs fewer bytes before compression, and then a negative zero comes back as zero. Every other
    tensor keeps its bits.

    Raises:
        PackedFormatError: the dtype is not one of ``DTYPES``, or a value is NaN or infinite.
    """
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise PackedFormatError(
            f"tensor {name} must be one of {', '.join(DTYPES)} to be packed, got {dtype}."
        )
    if not torch.isfinite(tensor).all():
        raise PackedFormatError(f"tensor {name} must be finite to be packed: it holds NaN or inf.")
    values = tensor.detach().cpu().contiguous().flatten().numpy().astype(DTYPES[dtype], copy=False)
    num_nonzero = int(np.count_nonzero(values)) if prunable else None
    options = (
        _compressed(x, _split(x, values)) for x in _encodings(dtype, values.size, num_nonzero)
    )
    encoding, chunks, stored = min(options, key=lambda option: sum(map(len, option[2])))
    entry = PackedTensor(
        name=name,
        shape=tuple(tensor.shape),
        dtype=dtype,
        encoding=encoding,
        num_nonzero=num_nonzero,
        chunks=chunks,
    )
    return entry, stored


def decode(entry: PackedTensor, stored: Mapping[str, bytes]) -> Tensor:
    """Read one tensor from its chunks, given by part; ``entry`` has passed ``check_layout``.

    Raises:
        PackedFormatError: a chunk is damaged, or contradicts ``entry``.
    """
    parts = {
        part: _decompress(stored[part], chunk, f"{part} of tensor {entry.name!r}")
        for part, chunk in entry.chunks.items()
    }
    values: NDArray[np.generic]
    if entry.encoding == RAW:
        values = np.frombuffer(parts["data"], DTYPES[entry.dtype]).copy()
    else:
        values = _join_floats(parts["exponents"], parts["mantissas"])
    if entry.encoding == MASKED:
        values = _scatter(entry, parts["mask"], values)
    if entry.num_nonzero is not None and np.count_nonzero(values) != entry.num_nonzero:
        raise PackedFormatError(
            f"tensor {entry.name!r} must have {entry.num_nonzero} values that are not zero, "
            f"got {np.count_nonzero(values)}."
        )
    return torch.from_numpy(values).reshape(entry.shape)


def _encodings(dtype: str, num_entries: int, num_nonzero: int | None) -> tuple[str, ...]:
    """List what to try, in order of preference among equal sizes."""
    if dtype != "float32":
        return (RAW,)
    if num_nonzero is None:
        return (RAW, DENSE)
    # By uncompressed size: compressing a large weight twice would double the time of a save.
    num_zeros = num_entries - num_nonzero
    return (MASKED,) if num_entries < 8 * 4 * num_zeros else (DENSE,)


def _split(encoding: str, values: NDArray[np.generic]) -> tuple[bytes, ...]:
    if encoding == RAW:
        return (values.tobytes(),)
    if encoding == DENSE:
        return _split_floats(values)
    kept = values != 0
    return np.packbits(kept).tobytes(), *_split_floats(values[kept])


def _split_floats(values: NDArray[np.generic]) -> tuple[bytes, bytes]:
    bits = values.view("<u4")
    planes = ((bits << np.uint32(1)) | (bits >> np.uint32(31))).view(np.uint8).reshape(-1, 4).T
    return planes[3].tobytes(), planes[:3].tobytes()


def _join_floats(exponents: bytes, mantissas: bytes) -> Floats:
    planes = np.empty((4, len(exponents)), np.uint8)
    planes[3] = np.frombuffer(exponents, np.uint8)
    planes[:3] = np.frombuffer(mantissas, np.uint8).reshape(3, -1)
    bits = np.ascontiguousarray(planes.T).reshape(-1).view("<u4")
    joined: Floats = ((bits >> np.uint32(1)) | (bits << np.uint32(31))).view("<f4")
    return joined


def _scatter(entry: PackedTensor, mask: bytes, kept_values: NDArray[np.generic]) -> Floats:
    packed = np.frombuffer(mask, np.uint8)
    kept = np.unpackbits(packed, count=entry.num_entries).view(np.bool_)
    num_kept = int(np.count_nonzero(kept))
    # All bits of the bytes are counted too: those after the last entry must be zero.
    if not num_kept == int(np.bitwise_count(packed).sum()) == kept_values.size:
        raise PackedFormatError(
            f"mask of tensor {entry.name!r} must keep {kept_values.size} entries, got {num_kept}."
        )
    values = np.zeros(entry.num_entries, np.float32)
    values[kept] = kept_values
    return values


def _compressed(
    encoding: str, parts: tuple[bytes, ...]
) -> tuple[str, dict[str, Chunk], list[bytes]]:
    chunks, stored = {}, []
    for name, part in zip(PARTS[encoding], parts, strict=True):
        smaller = zstandard.ZstdCompressor(level=_LEVEL).compress(part)
        codec = ZSTD if len(smaller) < len(part) else NONE
        chunks[name] = Chunk(codec=codec, size_bytes=len(part))
        stored.append(smaller if codec == ZSTD else part)
    return encoding, chunks, stored


def _decompress(stored: bytes, chunk: Chunk, what: str) -> bytes:
    if chunk.codec == NONE:
        content = stored
    else:
        try:
            # A frame's own claim would be believed before max_output_size, so it is checked first.
            if zstandard.get_frame_parameters(stored).content_size != chunk.size_bytes:
                raise PackedFormatError(f"{what} must state {chunk.size_bytes} bytes in its frame.")
            content = zstandard.ZstdDecompressor().decompress(
                stored, max_output_size=chunk.size_bytes, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise PackedFormatError(f"{what} cannot be decompressed: {error}.") from error
    if len(content) != chunk.size_bytes:
        raise PackedFormatError(f"{what} must hold {chunk.size_bytes} bytes, got {len(content)}.")
    return content
