import base64
from dataclasses import replace

import numpy as np
import pytest

from mixmatch.config import FineTuneSettings
from mixmatch.records import Accuracy, Artifact, Execution, MemberRecord
from tasks.family import assemble, count_correct, registered
from tasks.jobs import MemberJob
from tasks.members import Member

NUM_IMAGES, NUM_WEIGHTS = 40, 1000
EXECUTION = Execution(
    device="cpu", precision="float32", threads=1, small_convolutions="native", versions={}
)


def accuracy_of(num_correct):
    bits = np.packbits(np.arange(NUM_IMAGES) < num_correct)
    value = num_correct / NUM_IMAGES
    return Accuracy(
        num_correct=num_correct,
        num_images=NUM_IMAGES,
        value=value,
        low=0.0,
        high=1.0,
        loss=1.0,
        correct_bits=base64.b64encode(bits.tobytes()).decode(),
    )


@pytest.fixture
def member(tiny_base, tiny_data):
    """Make one member: its strategy prunes ``num_pruned`` weights of a thousand."""

    def make(strategy, num_pruned, *, seed=0, criterion="magnitude", also=()):
        job = MemberJob(
            base=tiny_base.artifact,
            data=tiny_data.artifact,
            spec=tiny_base.spec,
            criterion=criterion,
            scores=None,
            num_pruned={"fc": num_pruned},
            fine_tune=FineTuneSettings(),
            augmentation="none",
            seed=seed,
            execution=EXECUTION,
        )
        return Member(strategy, also, criterion, seed, job)

    return make


def record_of(member, num_correct, *, test=0.25, size_bytes=None):
    (num_pruned,) = member.job.num_pruned.values()
    validation = accuracy_of(num_correct)
    return MemberRecord(
        artifact=Artifact(digest=member.job.key, size_bytes=size_bytes or NUM_WEIGHTS - num_pruned),
        mask_digest="m" * 64,
        num_weights=NUM_WEIGHTS,
        num_nonzero=NUM_WEIGHTS - num_pruned,
        num_parameters=NUM_WEIGHTS,
        sparsity=num_pruned / NUM_WEIGHTS,
        sparsity_of_all=num_pruned / NUM_WEIGHTS,
        layer_sparsity={"fc": num_pruned / NUM_WEIGHTS},
        validation_after_mask=validation,
        validation_after_batch_norm=validation,
        validation=validation,
        test=validation.model_copy(update={"value": test}),
        epochs=(),
        best_epoch=-1,
        seconds=1.0,
    )


@pytest.fixture
def assembled(tiny_base):
    """Assemble a family of pairs (member, number of correct validation images)."""

    def of(*pairs, asked=None, **changes):
        records = {member.job.key: record_of(member, correct) for member, correct in pairs}
        wanted = asked or [member for member, _ in pairs]
        settings = {"cached": frozenset(), "failed": {}} | changes
        return assemble("tiny", tiny_base, wanted, records, **settings)

    return of


def test_a_result_carries_the_facts_of_its_member(assembled, member):
    one, other = member("balanced", 500, also=("percentile_50",)), member("aggressive", 900)
    family = assembled((one, 30), (other, 20), cached=frozenset({other.job.key}))
    first, second = family.results
    assert (first.strategy, first.also, first.criterion, first.seed, first.key) == (
        "balanced",
        ("percentile_50",),
        "magnitude",
        0,
        one.job.key,
    )
    assert (first.cached, second.cached) == (False, True)
    assert first.accuracy_drop == 0.25  # the base has 0.5 on test


def test_accuracy_on_test_decides_nothing(tiny_base, member):
    sound, lucky = member("sound", 500), member("lucky", 500, criterion="product")
    records = {
        sound.job.key: record_of(sound, 30, test=0.01),
        lucky.job.key: record_of(lucky, 10, test=0.99),
    }
    family = assemble("tiny", tiny_base, [sound, lucky], records, cached=frozenset(), failed={})
    assert [result.on_front for result in family.results] == [True, False]
    assert [result.strategy for result in registered(family)] == ["sound"]


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_an_independent_count_finds(assembled, member, seed):
    generator = np.random.default_rng(seed)
    drawn = generator.integers((100, 0), (110, NUM_IMAGES), size=(20, 2))
    pairs = [
        (member(f"s{i}", int(pruned), criterion=f"c{i}"), int(correct))
        for i, (pruned, correct) in enumerate(drawn)
    ]
    found = [result.on_front for result in assembled(*pairs).results]
    no_worse = (drawn[:, None] <= drawn[None]).all(axis=2)
    better = (drawn[:, None] < drawn[None]).any(axis=2)
    assert found == list(~(no_worse & better).any(axis=1))


def test_what_seeds_share_counts_for_each_of_them_and_is_one_result(assembled, member):
    # Within a budget: no seed has trained ``shared``, and one of three has trained ``other``.
    shared, untrained = member("shared", 500), member("other", 400)
    trained = member("other", 400, seed=2)
    asked = [replace(shared, seed=seed) for seed in (0, 1, 2)]
    asked += [untrained, replace(untrained, seed=1), trained]
    family = assembled((shared, 30), (untrained, 30), (trained, 39), asked=asked)
    assert [(x.strategy, x.seed, x.mean_validation) for x in family.results] == [
        ("shared", 0, 30 / 40),
        ("other", 0, 33 / 40),
        ("other", 2, 33 / 40),
    ]


def test_the_mean_of_the_seeds_decides(assembled, member):
    # Uneven has the best single seed, steady the better mean.
    steady = [(member("steady", 500, seed=s), 30) for s in (0, 1)]
    uneven = [(member("uneven", 400, seed=0), 39), (member("uneven", 400, seed=1), 10)]
    family = assembled(*steady, *uneven)
    assert [(x.strategy, x.on_front) for x in family.results] == [
        ("steady", True),
        ("steady", True),
        ("uneven", False),
        ("uneven", False),
    ]


def test_every_seed_carries_the_mean_of_its_configuration(assembled, member):
    results = assembled(*((member("a", 500, seed=s), 20 + 4 * s) for s in (0, 1))).results
    assert [result.mean_validation for result in results] == [0.55, 0.55]  # 44 of 80


def test_the_order_of_seeds_cannot_break_a_tie(assembled, member):
    numbers = (1, 2, 3)  # the mean of their accuracies, as floats, depends on the order
    pairs = [(member("a", 500, seed=s), x) for s, x in enumerate(numbers)]
    pairs += [
        (member("b", 500, seed=s, criterion="product"), x) for s, x in enumerate(numbers[::-1])
    ]
    assert all(result.on_front for result in assembled(*pairs).results)


def test_the_best_seed_on_validation_is_registered(assembled, member):
    pairs = [(member("steady", 500, seed=s), correct) for s, correct in ((0, 28), (1, 32), (2, 30))]
    (chosen,) = registered(assembled(*pairs))
    assert chosen.seed == 1


def test_among_equally_good_seeds_the_lowest_is_registered(assembled, member):
    (chosen,) = registered(assembled(*((member("steady", 500, seed=s), 30) for s in (5, 2, 9))))
    assert chosen.seed == 2


def test_only_the_front_is_registered_in_the_order_of_the_plan(assembled, member):
    pairs = [(member("a", 500), 30), (member("b", 400), 20), (member("c", 300), 35)]
    assert [result.strategy for result in registered(assembled(*pairs))] == ["a", "c"]


@pytest.fixture
def sized(tiny_base):
    """Assemble a family of triples (member, number of correct validation images, bytes)."""

    def of(*triples):
        records = {
            member.job.key: record_of(member, correct, size_bytes=size)
            for member, correct, size in triples
        }
        asked = [member for member, *_ in triples]
        return assemble("tiny", tiny_base, asked, records, cached=frozenset(), failed={})

    return of


def test_the_smallest_file_is_on_its_own_front_though_another_is_sparser(sized, member):
    # As where a criterion prunes other layers: as sparse as it is, its file compresses worse.
    family = sized((member("sparse", 900), 30, 500), (member("small", 800), 30, 400))
    assert [(x.on_front, x.on_size_front) for x in family.results] == [(True, False), (False, True)]


def test_both_fronts_are_registered_once_each(sized, member):
    family = sized(
        (member("sparse", 900), 30, 500),
        (member("small", 800), 30, 400),
        (member("both", 700), 35, 450),
        (member("neither", 600), 20, 600),
    )
    assert [x.strategy for x in registered(family)] == ["sparse", "small", "both"]


def test_the_front_of_sizes_is_decided_at_the_mean_of_the_seeds(sized, member):
    steady = [(member("steady", 500, seed=s), 30, 500) for s in (0, 1)]
    # One seed alone would be the smallest, the mean is not; three seeds against two.
    uneven = [(member("uneven", 500, seed=s), 30, size) for s, size in enumerate((300, 600, 660))]
    family = sized(*steady, *uneven)
    assert {x.strategy: x.on_size_front for x in family.results} == {
        "steady": True,
        "uneven": False,
    }


def test_equal_mean_sizes_are_equal_whatever_the_number_of_seeds(sized, member):
    two = [(member("two", 500, seed=s), 30, size) for s, size in enumerate((300, 402))]
    three = [(member("three", 400, seed=s), 30, size) for s, size in enumerate((350, 351, 352))]
    assert all(x.on_size_front for x in sized(*two, *three).results)


def test_equal_points_are_all_on_the_front(assembled, member):
    pairs = [(member(criterion, 500, criterion=criterion), 30) for criterion in ("a", "b")]
    assert [result.on_front for result in assembled(*pairs).results] == [True, True]


def test_a_point_that_nothing_can_beat_is_on_the_front_of_every_resample(assembled, member):
    best, worst = assembled((member("best", 900), 40), (member("worst", 100), 0)).results
    assert (best.front_share, worst.front_share) == (1.0, 0.0)


def test_seeds_of_one_configuration_share_one_verdict(assembled, member):
    pairs = [(member("a", 500, seed=s), 20 + s) for s in (0, 1)] + [(member("b", 400), 22)]
    results = assembled(*pairs).results
    assert results[0].front_share == results[1].front_share
    assert 0.0 < results[2].front_share < 1.0


def test_ties_of_three_seeds_are_ties_in_every_resample(assembled, member):
    sparse = [(member("sparse", 900, seed=s), x) for s, x in enumerate((5, 15, 40))]
    dense = [(member("dense", 600, seed=s), x) for s, x in enumerate((10, 20, 30))]
    results = assembled(*sparse, *dense).results
    # By sums of thirds, in which some ties are won by a last bit, it is 0.493.
    assert {x.strategy: x.front_share for x in results} == {"sparse": 1.0, "dense": 0.48}
    assert {x.strategy: x.on_front for x in results} == {"sparse": True, "dense": False}


def test_counts_are_out_of_equally_many_seeds():
    points = [[accuracy_of(x) for x in numbers] for numbers in ((1, 2), (1, 1, 3))]
    assert count_correct(points)[:, :4].tolist() == [[6, 3, 0, 0], [6, 2, 2, 0]]


def test_what_failed_is_named_and_missing(assembled, member):
    done, lost = member("done", 500), member("lost", 900)
    family = assembled((done, 30), asked=[done, lost], failed={"lost/magnitude/0": "It broke."})
    assert [result.strategy for result in family.results] == ["done"]
    assert family.failed == {"lost/magnitude/0": "It broke."}


def test_a_family_in_which_all_failed_has_no_result(assembled, member):
    lost = member("lost", 900)
    family = assembled(asked=[lost], failed={"lost/magnitude/0": "It broke."})
    assert family.results == registered(family) == ()
