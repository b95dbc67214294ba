"""What a packed file says about its tensors; the rules that must hold are in rules.py.

The format is described byte for byte in docs/packed-format.md. Needs no torch.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from mixmatch.records import ModelSpec, Record

# Which entries are stored, beside the encodings of mixmatch.packed.positions.
ALL, NOTHING = "all", "nothing"
# Values as they are, in the dtype of the tensor: the one way for what is not float32.
RAW = "raw"
FLOAT32 = "float32"
INT8 = "int8"
DATA, SCALES = "data", "scales"

# Little-endian numpy dtypes with the bits of each dtype; numpy lacks some of torch's.
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        FLOAT32: "<f4",
        "float64": "<f8",
        "float16": "<f2",
        "bfloat16": "<u2",
        "float8_e4m3fn": "|u1",
        "float8_e5m2": "|u1",
        "complex64": "<c8",
        "complex128": "<c16",
        "int64": "<i8",
        "int32": "<i4",
        "int16": "<i2",
        INT8: "|i1",
        "uint64": "<u8",
        "uint32": "<u4",
        "uint16": "<u2",
        "uint8": "|u1",
        "bool": "|b1",
    }
)


class Part(Record):
    """One run of bytes.

    Attributes:
        name: what it holds.
        codec: how it is stored, see ``mixmatch.packed.compression``.
        size_bytes: its length once decompressed.
        stored_bytes: its length in the file.
    """

    name: str
    codec: str
    size_bytes: int
    stored_bytes: int


class PackedTensor(Record):
    """One tensor of the network's state.

    Attributes:
        name: its key in the state dict.
        shape: sizes of its dimensions; empty for a scalar.
        dtype: a key of ``DTYPES``: of its values once unpacked.
        positions: which entries are stored: all, nothing, or as an encoding of
            ``mixmatch.packed.positions`` says.
        values: how they are stored: a value kind or raw; None for a tensor in the group of its
            dtype.
        num_nonzero: entries that are not zero, for a prunable weight; None for all others.
        num_kept: entries that are stored, where ``positions`` says which and they are not
            ``num_nonzero``: a negative zero is kept too.
        parts: in the order of the file; none for a tensor in a group.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    positions: str = ALL
    values: str | None = None
    num_nonzero: int | None = None
    num_kept: int | None = None
    parts: tuple[Part, ...] = ()

    @property
    def num_entries(self) -> int:
        """The product of ``shape``."""
        return math.prod(self.shape)

    @property
    def num_stored(self) -> int:
        """Entries whose value is in the file."""
        if self.positions == ALL:
            return self.num_entries
        stated = self.num_nonzero if self.num_kept is None else self.num_kept
        return 0 if self.positions == NOTHING or stated is None else stated

    @property
    def num_channels(self) -> int:
        """Scales of int8 values: the size of dimension 0; a scalar is one channel."""
        return self.shape[0] if self.shape else 1


class PackedGroup(Record):
    """Small tensors of one dtype, joined in the order of the layout: those without values.

    Attributes:
        dtype: of its tensors.
        values: how they are stored: float32 or raw.
        parts: in the order of the file.
    """

    dtype: str
    values: str
    parts: tuple[Part, ...]


class Layout(Record):
    """All tensors of a file.

    Attributes:
        tensors: in the order of the state dict.
        groups: of the small ones.
    """

    tensors: tuple[PackedTensor, ...]
    groups: tuple[PackedGroup, ...] = ()

    def members(self, group: PackedGroup) -> tuple[PackedTensor, ...]:
        """Return the tensors that are joined in ``group``, in order."""
        return tuple(x for x in self.tensors if x.values is None and x.dtype == group.dtype)


class PackedHeader(Record):
    """All that a packed file says about itself.

    Attributes:
        version: of the format.
        values: kind of the values of prunable weights.
        spec: how to build the network and to feed it.
        layout: its tensors.
        digest: SHA-256 that the file states for itself, 64 hexadecimal characters.
    """

    version: str
    values: str
    spec: ModelSpec
    layout: Layout
    digest: str

    @property
    def tensors(self) -> tuple[PackedTensor, ...]:
        """The tensors of the layout, in the order of the state dict."""
        return self.layout.tensors
