import numpy as np
import pytest
import torch
import zstandard

from mixmatch.errors import PackedFormatError
from mixmatch.packed_codec import decode, encode
from mixmatch.packed_layout import Chunk, PackedTensor, check_layout


def stored_by_part(entry, chunks):
    return dict(zip(entry.chunk_keys(), chunks, strict=True))


def there_and_back(tensor, *, prunable):
    entry, chunks = encode("t", tensor, prunable=prunable)
    check_layout((entry,))
    return entry, decode(entry, stored_by_part(entry, chunks))


def bits(tensor):
    return tensor.contiguous().view(torch.int32).tolist()


EXTREMES = torch.tensor(
    [1.0, -1.0, -0.0, 0.0, 1e-45, -3.4028235e38, 2**-126, -0.1, 123456.789, 7.0, -8.0, 1 / 3]
)


@pytest.mark.parametrize("tensor", [EXTREMES, EXTREMES.reshape(3, 4), EXTREMES[:1].squeeze()])
def test_what_is_not_prunable_keeps_every_bit(tensor):
    entry, back = there_and_back(tensor, prunable=False)
    assert (entry.num_nonzero, back.shape, bits(back)) == (None, tensor.shape, bits(tensor))


def test_a_prunable_weight_without_zeros_is_dense_and_keeps_every_bit():
    weight = torch.randn(8, 9, generator=torch.Generator().manual_seed(0))
    entry, back = there_and_back(weight, prunable=True)
    assert (entry.encoding, entry.num_nonzero, bits(back)) == ("dense", 72, bits(weight))


def test_a_pruned_weight_is_masked_and_keeps_the_bits_of_what_is_kept():
    weight = torch.cat([EXTREMES[3:], torch.zeros(30)]).reshape(13, 3)
    entry, back = there_and_back(weight, prunable=True)
    assert (entry.encoding, entry.num_nonzero, bits(back)) == ("masked", 8, bits(weight))


def test_the_mask_is_row_major_with_the_first_entry_in_the_highest_bit():
    weight = torch.zeros(2, 5)
    weight[0, 0] = weight[0, 4] = weight[1, 4] = 1.0
    entry, chunks = encode("t", weight, prunable=True)
    assert entry.chunks["mask"] == Chunk(codec="none", size_bytes=2)
    assert chunks[0] == bytes([0b10001000, 0b01000000])


def test_floats_are_split_into_exponents_and_the_rest():
    entry, chunks = encode("t", torch.tensor([1.0, -1.5]), prunable=True)
    assert entry.encoding == "dense"
    assert chunks == [bytes([127, 127]), bytes([0, 1, 0, 0, 0, 128])]


def test_a_negative_zero_of_a_pruned_weight_comes_back_as_zero():
    weight = torch.tensor([0.0, -0.0, 2.0])
    entry, back = there_and_back(weight, prunable=True)
    assert (entry.num_nonzero, bits(back)) == (1, bits(torch.tensor([0.0, 0.0, 2.0])))


@pytest.mark.parametrize("weight", [torch.zeros(4, 4), torch.zeros(0, 3), torch.zeros(1)])
def test_weights_without_any_value_come_back(weight):
    entry, back = there_and_back(weight, prunable=True)
    assert entry.num_nonzero == 0
    assert torch.equal(back, weight)


def test_memory_format_does_not_show():
    weight = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    plain, last = (
        encode("t", x, prunable=True)
        for x in (weight, weight.to(memory_format=torch.channels_last))
    )
    assert plain == last


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8])
def test_integers_come_back(dtype):
    tensor = torch.tensor([[0, 1], [127, 5]], dtype=dtype)
    entry, back = there_and_back(tensor, prunable=False)
    assert (entry.encoding, back.dtype) == ("raw", dtype)
    assert torch.equal(back, tensor)


def test_chunks_are_compressed_only_where_that_is_smaller():
    assert encode("t", torch.tensor(3), prunable=False)[0].chunks["data"].codec == "none"
    assert encode("t", torch.ones(999), prunable=False)[0].chunks["data"].codec == "zstd"


def test_refuses_what_version_1_does_not_hold():
    with pytest.raises(PackedFormatError, match=r"tensor t must be one of float32.*got bfloat16"):
        encode("t", torch.ones(2, dtype=torch.bfloat16), prunable=True)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_refuses_values_that_are_not_finite(value):
    with pytest.raises(PackedFormatError, match=r"tensor t must be finite to be packed"):
        encode("t", torch.tensor([1.0, value]), prunable=False)


def masked(**changes):
    weight = torch.zeros(12)
    weight[:5] = torch.arange(1.0, 6.0)
    entry, chunks = encode("t", weight, prunable=True)
    return entry, {**stored_by_part(entry, chunks), **changes}


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("mask", bytes([0b11111100, 0]), r"mask of tensor 't' must keep 5 entries, got 6"),
        ("mask", bytes([0b11110000, 0]), r"must keep 5 entries, got 4"),
        ("mask", bytes([0b11111000, 1]), r"must keep 5 entries, got 5"),
        ("mask", bytes([0b11111000]), r"mask of tensor 't' must hold 2 bytes, got 1"),
        ("exponents", bytes(5), r"must have 5 values that are not zero, got [0-4]\."),
        ("mantissas", bytes(16), r"mantissas of tensor 't' must hold 15 bytes, got 16"),
    ],
)
def test_refuses_chunks_that_contradict_the_layout(part, content, message):
    entry, stored = masked(mantissas=bytes(15))
    plain = {x: Chunk(codec="none", size_bytes=y.size_bytes) for x, y in entry.chunks.items()}
    entry = entry.model_copy(update={"chunks": plain})
    with pytest.raises(PackedFormatError, match=message):
        decode(entry, {**stored, part: content})


def zeros_entry(size):
    return PackedTensor(
        name="t",
        shape=(size,),
        dtype="uint8",
        encoding="raw",
        num_nonzero=None,
        chunks={"data": Chunk(codec="zstd", size_bytes=size)},
    )


def streamed(content):
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    return compressor.compress(content)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (zstandard.compress(bytes(2**24)), r"data of tensor 't' must state 100 bytes in its frame"),
        (streamed(bytes(100)), r"must state 100 bytes in its frame"),
        (zstandard.compress(bytes(100)) + b"x", r"data of tensor 't' cannot be decompressed: "),
        (zstandard.compress(bytes(100))[:-1], r"cannot be decompressed: "),
        (b"", r"cannot be decompressed: "),
        (b"not a frame at all", r"cannot be decompressed: "),
    ],
)
def test_refuses_frames_that_lie_or_are_broken(stored, message):
    with pytest.raises(PackedFormatError, match=message):
        decode(zeros_entry(100), {"data": stored})


def test_reads_a_sound_frame():
    back = decode(zeros_entry(100), {"data": zstandard.compress(bytes(100))})
    assert torch.equal(back, torch.from_numpy(np.zeros(100, np.uint8)))
