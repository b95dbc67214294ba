import base64

import numpy as np
import pytest

from mixmatch.records import Accuracy, FamilyRecord
from tasks.deployment_summary import Int8Row, LatencySummary


def accuracy_of(*correct):
    bits = base64.b64encode(np.packbits(correct).tobytes()).decode()
    right, value = sum(correct), sum(correct) / len(correct)
    return Accuracy(
        num_correct=right,
        num_images=len(correct),
        value=value,
        low=0.0,
        high=1.0,
        loss=1.0,
        correct_bits=bits,
    )


def test_the_loss_is_paired_over_the_test_images(tiny_result, make_int8):
    before, after = accuracy_of(1, 1, 1, 0), accuracy_of(1, 1, 0, 0)
    member = tiny_result.member.model_copy(update={"test": before})
    result = tiny_result.model_copy(update={"member": member, "int8": make_int8(test=after)})
    row = Int8Row.of(result)
    assert (row.bytes, row.accuracy, row.validation_accuracy) == (400, 0.5, 0.5)
    assert (row.sparsity, row.digest) == (0.755, "8" * 64)
    # One image of four is lost: in a resample it is drawn 0 to 3 times in 95 % of all cases.
    assert row.accuracy_loss == 0.25
    assert row.accuracy_loss_interval == (0.0, 0.75)


def test_equal_answers_lose_nothing_for_certain(tiny_result, make_int8):
    same = accuracy_of(1, 0, 1, 1)
    member = tiny_result.member.model_copy(update={"test": same})
    result = tiny_result.model_copy(update={"member": member, "int8": make_int8(test=same)})
    row = Int8Row.of(result)
    assert (row.accuracy_loss, row.accuracy_loss_interval) == (0.0, (0.0, 0.0))


def test_a_result_without_an_int8_file_has_no_row(tiny_result):
    assert Int8Row.of(tiny_result) is None


@pytest.fixture
def family(tiny_base, tiny_result):
    twin = tiny_result.model_copy(update={"criterion": "product", "key": "k2"})  # of an equal file
    return FamilyRecord(name="tiny", base=tiny_base, results=(tiny_result, twin), failed={})


@pytest.fixture
def timed(family, make_latency):
    networks = (family.base.artifact.digest, family.results[0].member.artifact.digest)
    return family.model_copy(update={"latency": make_latency(*networks)})


def test_latencies_stand_under_the_names_of_their_networks(timed):
    summary = LatencySummary.of(timed)
    assert (summary.host.processor, summary.threads) == ("Example CPU", 2)
    assert [(x.network, x.runtime, x.batch, x.median_s) for x in summary.rows] == [
        ("base", "torch", 1, 1e-3),
        ("base", "onnx", 1, 1e-3),
        ("balanced/magnitude/0", "torch", 1, 2e-3),
        ("balanced/magnitude/0", "onnx", 1, 2e-3),
    ]


def test_a_row_holds_digest_and_quartiles(timed):
    row = LatencySummary.of(timed).rows[-1]
    assert row.digest == timed.results[0].member.artifact.digest
    assert (row.low_s, row.high_s, row.num_repeats) == (2e-3 - 1e-4, 2e-3 + 1e-4, 50)


def test_what_was_not_timed_has_no_summary(family):
    assert LatencySummary.of(family) is None
