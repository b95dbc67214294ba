"""An open packed file of any version: its header, its digest, and its tensors one by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mixmatch.errors import PackedFormatError
from mixmatch.packed import header, version1
from mixmatch.packed.codec import Flat, decode
from mixmatch.packed.compression import decompress
from mixmatch.packed.frame import FORMAT, VERSION, Frame, check_bytes, content_digest, read_frame
from mixmatch.packed.layout import Layout, PackedGroup, PackedHeader, PackedTensor, Part
from mixmatch.packed.positions import Content


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A packed file whose header was read and checked, nothing else.

    Attributes:
        file: open for reading.
        frame: where its blocks are.
        header: what it says about itself.
    """

    file: BinaryIO
    frame: Frame
    header: PackedHeader

    def content_digest(self) -> str:
        """Return the SHA-256 of its bytes, to be compared with that which it states."""
        if self.header.version == version1.VERSION:
            return version1.content_digest(self.file, self.frame, self.header)
        return content_digest(self.file)

    def flat_tensors(self) -> Iterator[tuple[PackedTensor, Flat]]:
        """Yield each tensor with its values, unpacked one at a time, in the order of the file.

        The values are flat, of the numpy dtype that ``DTYPES`` names, and nobody else's.

        Raises:
            PackedFormatError: what is stored contradicts the header.
        """
        if self.header.version == version1.VERSION:
            yield from version1.flat_tensors(self.file, self.frame, self.header)
            return
        layout = self.header.layout
        for group in layout.groups:
            yield from self._members(layout, group)
        for tensor in layout.tensors:
            if tensor.values is not None:
                yield tensor, decode(tensor, self.contents(tensor))

    def contents(self, stored: PackedTensor | PackedGroup) -> dict[str, Content]:
        """Read and decompress the parts of a tensor or of a group, of a file of version 2."""
        if not stored.parts:
            return {}
        name = header.block_name(stored)
        self.file.seek(self.frame.blocks[name].begin)
        return {part.name: self._content(name, part) for part in stored.parts}

    def _content(self, block: str, part: Part) -> Content:
        stored = self.file.read(part.stored_bytes)
        return decompress(part.codec, stored, part.size_bytes, f"{part.name} of {block}")

    def _members(self, layout: Layout, group: PackedGroup) -> Iterator[tuple[PackedTensor, Flat]]:
        members = layout.members(group)
        whole = PackedTensor(
            name=f"group of {group.dtype}",
            shape=(sum(member.num_entries for member in members),),
            dtype=group.dtype,
            values=group.values,
        )
        flat = decode(whole, self.contents(group))
        begin = 0
        for member in members:
            end = begin + member.num_entries
            yield member, flat[begin:end].copy()
            begin = end


@contextmanager
def opened(path: Path, *, verify: bool = True) -> Iterator[OpenFile]:
    """Open a packed file and read its header; errors of the block under it name the file.

    Args:
        path: the file.
        verify: read all of it first, and compare its bytes with the digest that it states.

    Raises:
        PackedFormatError: the file is missing, is no packed file of a known version, its header
            is damaged or contradicts itself, or the digest differs.
    """
    if not path.is_file():
        raise PackedFormatError(f"a packed network must be an existing file, got {path}.")
    with path.open("rb") as file:
        try:
            frame = read_frame(file)
        except PackedFormatError as error:
            raise PackedFormatError(f"{path} is damaged, or no packed network: {error}") from error
        with _named(path):
            packed = OpenFile(file, frame, _header(file, frame))
            found = packed.content_digest() if verify else packed.header.digest
        if found != packed.header.digest:
            raise PackedFormatError(
                f"{path} is damaged: its content must have the digest {packed.header.digest}, "
                f"got {found}."
            )
        with _named(path):
            yield packed


def read_header(path: Path, *, verify: bool = False) -> PackedHeader:
    """Read what a packed file says about itself; nothing is unpacked.

    Args:
        path: the file.
        verify: as for ``opened``.

    Raises:
        PackedFormatError: as ``opened``.
    """
    with opened(path, verify=verify) as packed:
        return packed.header


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file before what is wrong with it."""
    try:
        yield
    except PackedFormatError as error:
        raise PackedFormatError(f"{path} cannot be read as a packed network: {error}") from error


def _header(file: BinaryIO, frame: Frame) -> PackedHeader:
    stated = frame.metadata.get("format")
    if stated != FORMAT:
        raise PackedFormatError(
            f"its format must be {FORMAT}, got {stated!r}; it may hold plain weights."
        )
    check_bytes(frame)
    version = frame.metadata.get("version")
    if version == version1.VERSION:
        return version1.header_of(frame)
    if version == VERSION:
        return header.header_of(file, frame)
    raise PackedFormatError(
        f"its version must be {version1.VERSION} or {VERSION}, got {version!r}; "
        "a newer mixmatch may read it."
    )
