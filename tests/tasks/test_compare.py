import pytest

from mixmatch.records import Artifact, MemberRecord, RivalResult
from tasks.compare import RivalRow, better_unpruned, claim_sentence
from tasks.summary import BaseSummary


@pytest.fixture
def make_rival(half_right):
    def make(rival="SNIP", *, sparsity=0.75, validation=0.5, test=0.45, seed=0):
        member = MemberRecord(
            artifact=Artifact(digest="c" * 64, size_bytes=1234),
            mask_digest="e" * 64,
            num_weights=2000,
            num_nonzero=500,
            num_parameters=2050,
            sparsity=0.7505,
            sparsity_of_all=1501 / 2050,
            layer_sparsity={"conv": 0.75, "fc": 0.751},
            validation_after_mask=half_right,
            validation_after_batch_norm=half_right,
            validation=half_right.model_copy(update={"value": validation}),
            test=half_right.model_copy(update={"value": test}),
            epochs=(),
            best_epoch=-1,
            seconds=1.0,
        )
        return RivalResult(
            rival=rival,
            sparsity=sparsity,
            seed=seed,
            member=member,
            accuracy_drop=0.05,
            cached=True,
            key=f"{rival}{seed}",
        )

    return make


@pytest.fixture
def base(tiny_base):
    return BaseSummary.of(tiny_base)


def test_a_row_holds_what_was_asked_and_what_was_reached(make_rival):
    assert RivalRow.of(make_rival()) == RivalRow(
        rival="SNIP",
        sparsity_asked=0.75,
        seed=0,
        sparsity=0.7505,
        validation_accuracy=0.5,
        accuracy=0.45,
        accuracy_interval=(0.4, 0.6),
        accuracy_drop=0.05,
        num_nonzero=500,
        bytes=1234,
        digest="c" * 64,
        cached=True,
    )


def test_without_a_control_there_is_nothing_to_choose(base, make_rival):
    assert better_unpruned(base, ()) is None
    assert better_unpruned(base, [RivalRow.of(make_rival())]) is None


def test_the_control_counts_at_its_mean_over_seeds(base, make_rival):
    rows = [
        RivalRow.of(make_rival("dense", sparsity=0.0, validation=v, test=t, seed=n))
        for n, (v, t) in enumerate([(0.75, 0.25), (0.5, 0.75)])
    ]
    better = better_unpruned(base, [RivalRow.of(make_rival(validation=0.9)), *rows])
    assert (better.name, better.validation_accuracy, better.accuracy) == ("dense", 0.625, 0.5)


@pytest.mark.parametrize("validation", [0.25, 0.5])
def test_the_base_stands_where_the_control_is_no_better_on_validation(base, make_rival, validation):
    control = RivalRow.of(make_rival("dense", sparsity=0.0, validation=validation, test=0.9))
    better = better_unpruned(base, [control])
    assert (better.name, better.validation_accuracy, better.accuracy) == ("base", 0.5, 0.5)


def test_the_base_stands_where_three_seeds_of_the_control_come_to_the_same(base, make_rival):
    tenths = (0.1, 0.2, 0.3)  # as floats their mean is above 0.2
    control = [
        RivalRow.of(make_rival("dense", sparsity=0.0, validation=value, seed=seed))
        for seed, value in enumerate(tenths)
    ]
    equal = base.model_copy(update={"validation_accuracy": 0.2})
    assert better_unpruned(equal, control).name == "base"
    worse = base.model_copy(update={"validation_accuracy": 0.1999})
    assert better_unpruned(worse, control).name == "dense"


@pytest.mark.parametrize(
    ("validation", "which"),
    [(0.75, "the dense control, mean over seeds, with 45.00 %"), (0.25, "the base, with 50.00 %")],
)
def test_the_sentence_says_what_drops_count_against(base, make_rival, validation, which):
    control = RivalRow.of(make_rival("dense", sparsity=0.0, validation=validation))
    assert claim_sentence(better_unpruned(base, [control])) == (
        "A drop in a claim counts against the better of base and dense control by validation "
        f"accuracy; here that is {which} on test."
    )
