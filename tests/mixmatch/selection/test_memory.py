"""Memory that masks and global rankings take, in a process of their own."""

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys, torch
from mixmatch.masks import global_num_pruned, keep_masks_of

torch.set_num_threads(1)
NUM = 8_000_000
scores = {{name: torch.rand(NUM, generator=torch.Generator().manual_seed(0)) for name in "ab"}}
{change}
plans = {{str(count): dict.fromkeys("ab", count) for count in range(NUM // 2, NUM, NUM // 16)}}
peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = peak()
global_num_pruned(scores, [0.7, 0.8, 0.9])
print(peak() - start)
masks = keep_masks_of(scores, plans)
print(peak() - start - 2 * NUM * len(plans))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
@pytest.mark.parametrize(
    "change", ["", "for x in scores.values(): x[x < 0.9] = 0.25", "scores['a'][5] = -1.0"]
)
def test_needs_no_more_memory_than_another_copy_of_the_scores(change):
    command = [sys.executable, "-c", MEASURE.format(change=change)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert all(int(grown) <= 2 * 4 * 8_000_000 for grown in output.split())
