import pytest

from mixmatch.preference import preferred
from mixmatch.records import Candidate


def one(version, num_bytes, accuracy):
    return Candidate(
        version=version,
        digest="c" * 64,
        bytes=num_bytes,
        sparsity=0.5,
        validation_accuracy=accuracy,
        accuracy=0.0,
        gates=(),
    )


#   accuracy 1.0 |                 4
#           0.9  |     3
#           0.5  |   2
#           0.0  | 1
SIZES = [one(1, 10, 0.0), one(2, 20, 0.5), one(3, 30, 0.9), one(4, 100, 1.0)]


@pytest.mark.parametrize(
    ("candidates", "prefer", "version"),
    [
        (SIZES, "smallest", 1),
        (SIZES, "most-accurate", 4),
        (SIZES, "knee", 3),
        (SIZES[:1], "knee", 1),
        ([SIZES[0], SIZES[3]], "knee", 1),  # two ends bend nowhere: the smaller
        ([one(1, 10, 0.5), one(2, 20, 0.5)], "knee", 1),  # nothing is gained by size
        ([one(1, 10, 0.5), one(2, 10, 0.6)], "smallest", 2),
        ([one(1, 20, 0.5), one(2, 10, 0.5)], "most-accurate", 2),
        ([one(2, 10, 0.5), one(1, 10, 0.5)], "smallest", 1),
        ([one(2, 10, 0.5), one(1, 10, 0.5)], "most-accurate", 1),
    ],
)
def test_one_of_those_that_pass_is_preferred(candidates, prefer, version):
    assert preferred(candidates, prefer).version == version


def test_the_test_images_choose_nothing():
    lucky = one(2, 10, 0.5).model_copy(update={"accuracy": 1.0})
    assert preferred([one(1, 10, 0.5), lucky], "most-accurate").version == 1
