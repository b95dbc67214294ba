import numpy as np
import pytest
from numpy.typing import NDArray

from mixmatch.packed.compression import compress
from mixmatch.packed.entropy import (
    byte_counts,
    entropy_bits,
    estimated_bits,
    mask_bound_bits,
    values_bound_bits,
)
from mixmatch.packed.positions import encode_positions
from mixmatch.packed.values import encode_values

NUM_ENTRIES = 200_000
DENSITIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999)
# Of frames and of the tables of Huffman codes: nothing beside a tensor of 100 KB.
CONSTANT_BYTES = 128


def random_mask(density: float) -> NDArray[np.bool_]:
    return np.random.default_rng(0).random(NUM_ENTRIES) < density


def clustered_mask(density: float) -> NDArray[np.bool_]:
    """Alternate runs of geometric lengths; those of the rarer kind are 4 entries long or so."""
    rng = np.random.default_rng(1)
    shorter = min(density, 1 - density)
    means = (4 * density / shorter, 4 * (1 - density) / shorter)
    num_runs = 1 + int(NUM_ENTRIES / sum(means) * 1.5)
    lengths = np.stack([rng.geometric(1 / mean, num_runs) for mean in means], axis=1)
    kinds = np.tile([True, False], num_runs)
    return np.repeat(kinds, lengths.reshape(-1))[:NUM_ENTRIES]


MASKS = {"random": random_mask, "clustered": clustered_mask}
# Name of a distribution of weights, then how to draw them.
WEIGHTS = {
    "gaussian": lambda rng: rng.normal(0, 0.02, NUM_ENTRIES),
    "heavy_tailed": lambda rng: rng.standard_t(1.5, NUM_ENTRIES),
    "of_one_size": lambda rng: rng.uniform(0.45, 1, NUM_ENTRIES) * rng.choice([-1, 1], NUM_ENTRIES),
    "positive": lambda rng: rng.uniform(0.5, 0.6, NUM_ENTRIES),
}


def stored_and_bound_bytes(kept: NDArray[np.bool_], values, kind: str) -> tuple[int, float]:
    parts = encode_positions(kept).parts | encode_values(values, kind)
    stored = sum(len(compress(part)[1]) for part in parts.values())
    bound = mask_bound_bits(kept.size, values.size) + values_bound_bits(values, kind)
    return stored, bound / 8


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_float32_takes_at_most_three_percent_more_than_its_entropy(density, mask, weights):
    kept = MASKS[mask](density)
    values = WEIGHTS[weights](np.random.default_rng(2)).astype(np.float32)[kept]

    stored, bound = stored_and_bound_bytes(kept, values, "float32")

    assert stored <= 1.03 * bound + CONSTANT_BYTES


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_int8_takes_at_most_three_percent_more_than_its_entropy(density, mask, weights):
    drawn = WEIGHTS[weights](np.random.default_rng(2)) * MASKS[mask](density)
    rows = drawn.reshape(50, -1)
    largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-9)  # a row may be empty
    codes = np.rint(127 * rows / largest).astype(np.int8).ravel()

    stored, bound = stored_and_bound_bytes(codes != 0, codes[codes != 0], "int8")

    assert stored <= 1.03 * bound + CONSTANT_BYTES


def test_entropy_of_two_equally_frequent_symbols_is_one_bit_each():
    assert entropy_bits(np.array([4, 0, 4])) == 8.0


@pytest.mark.parametrize("counts", [[], [0], [7], [0, 7]])
def test_entropy_of_one_symbol_or_none_is_zero(counts):
    assert entropy_bits(np.array(counts, np.int64)) == 0.0


@pytest.mark.parametrize(("num_kept", "bits"), [(0, 0.0), (50, 100.0), (100, 0.0)])
def test_mask_bound_is_that_of_its_share(num_kept, bits):
    assert mask_bound_bits(100, num_kept) == bits


@pytest.mark.parametrize(
    ("kind", "dtype", "bits"),
    [("float32", "<f4", 4 * (1 + 1 + 23)), ("float16", "<f2", 4 * (1 + 1 + 10))],
)
def test_bound_of_floats_adds_signs_exponents_and_mantissas(kind, dtype, bits):
    assert values_bound_bits(np.array([1.0, -1.5, 2.0, -3.0], dtype), kind) == bits


def test_bound_of_bfloat16_reads_its_bits():
    bits_of_1_and_minus_2 = np.array([0x3F80, 0xC000], np.uint16)
    assert values_bound_bits(bits_of_1_and_minus_2, "bfloat16") == 2 * (1 + 1 + 7)


def test_bound_of_int8_is_the_entropy_of_its_codes():
    assert values_bound_bits(np.array([1, -1, 5, 127], np.int8), "int8") == 4 * 2


def test_estimate_is_a_huffman_code_and_its_table():
    # Lengths 1, 2 and 2 bits; 4 bits of table for each of three symbols.
    assert estimated_bits(b"aabc" * 100) == (2 * 1 + 1 * 2 + 1 * 2) * 100 + 3 * 4


@pytest.mark.parametrize(
    ("content", "bits"), [(b"", 0.0), (b"ab", 12.0 - 2), (bytes(range(256)), 2048)]
)
def test_estimate_is_never_more_than_the_content(content, bits):
    assert estimated_bits(content) == bits


def test_long_content_is_counted_in_runs_from_start_to_end():
    symbols = np.zeros(2**20, np.uint8)
    symbols[-1] = 7

    counts = byte_counts(symbols)

    assert counts.sum() == 2**18
    assert counts[7] == 1
