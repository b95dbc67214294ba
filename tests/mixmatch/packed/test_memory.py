"""How much memory a file may cost, measured on one process (Linux: VmHWM, reset before each)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mixmatch.models import build_model
from mixmatch.packed import save_packed, save_packed_state

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc"
)

MIB = 2**20
# Modules of torch that are loaded late, buffers of files and of Zstandard.
SLACK = 12 * MIB

MEASURE = """
import gc, pathlib, sys
from mixmatch.errors import PackedFormatError
from mixmatch.packed import load_packed, read_packed

def status(field):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))

def peak(read, path):
    gc.collect()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    try:
        kept = read(path)
    except PackedFormatError as error:
        kept = error
    return status("VmHWM") - before, type(kept).__name__

warm, *paths = map(pathlib.Path, sys.argv[1:])
load_packed(warm)
for path in paths:
    print(*peak(load_packed, path), *peak(read_packed, path))
"""


def peaks(warm, paths):
    """Return, for each file, what ``load_packed`` and ``read_packed`` took and what they gave."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, warm, *paths],
        # What is freed goes back to the system at once, so that each measurement starts anew.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [((int(a), b), (int(c), d)) for a, b, c, d in rows]


def prune_evenly_(model, sparsity):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[torch.rand_like(parameter) < sparsity] = 0


def test_a_network_peaks_at_itself_and_one_tensor(spec_of, tmp_path, packed_path):
    torch.manual_seed(0)
    model = build_model(spec_of("resnet18"))
    paths = []
    for sparsity, values in ((0.0, "float32"), (0.5, "float32"), (0.9, "float32"), (0.0, "int8")):
        prune_evenly_(model, sparsity)  # more of it each time
        paths.append(tmp_path / f"{sparsity}-{values}")
        save_packed(paths[-1], model, spec_of("resnet18"), values=values)
    sizes = [x.numel() * x.element_size() for x in model.state_dict().values()]
    measured = peaks(packed_path, paths)
    assert {kind for pair in measured for _, kind in pair} == {"ResNet", "PackedFile"}
    found = [size for pair in measured for size, _ in pair]
    assert len(found) == 8
    assert all(sum(sizes) - SLACK < size < sum(sizes) + max(sizes) + SLACK for size in found)


# An empty dimension takes none of the others away: of channels there may be a scale each.
_IMPOSSIBLE = (
    *((2**28,), (2**31,), (2**31, 2**31), (10**9,) * 9),
    *((2**28, 0), (2**31, 2**31, 2**31, 0)),
)


def test_claims_of_gigabytes_cost_nothing(spec_of, packed_path, tmp_path, forge, claim):
    """A file of less than 1 KB claims more and more entries, of which nothing is left."""
    zeros, paths = tmp_path / "zeros", []
    save_packed_state(zeros, {"fc.weight": torch.zeros(10, 10)}, spec_of(), {"fc.weight"})
    for number, shape in enumerate(_IMPOSSIBLE):
        layout = claim("fc.weight", shape=shape)
        paths.append(forge(zeros, tmp_path / f"evil{number}", layout=layout))
    for (load_bytes, loaded), (read_bytes, read) in peaks(packed_path, paths):
        assert (loaded, read) == ("PackedFormatError", "PackedFormatError")
        assert max(load_bytes, read_bytes) < SLACK


def test_an_architecture_of_gigabytes_costs_nothing(packed_path, tmp_path, forge, spec_of):
    spec = spec_of("vit_giant_patch14_dinov2", img_size=518).model_dump_json()
    evil = forge(packed_path, tmp_path / "evil", spec=spec)
    (((load_bytes, loaded), _),) = peaks(packed_path, [evil])
    assert loaded == "PackedFormatError"
    assert load_bytes < 100 * MIB  # its modules, of 4.5 GB of weights


def test_a_table_of_gigabytes_that_a_constructor_fills_costs_nothing(
    packed_path, tmp_path, forge, spec_of
):
    asked = spec_of("efficientvit_m0", img_size=2048, window_size=[128] * 3)
    spec = asked.model_copy(update={"image_shape": (2048, 2048, 3)}).model_dump_json()
    evil = forge(packed_path, tmp_path / "evil", spec=spec)
    (((load_bytes, loaded), _),) = peaks(packed_path, [evil])
    assert loaded == "PackedFormatError"
    assert load_bytes < 100 * MIB
