import numpy as np
import pytest

from mixmatch.config import DataSettings
from mixmatch.errors import DataError
from tasks.data.splits import renumber, split_rows


def split(found, calibration_fraction=0.05, seed=0, **settings):
    rows = {name: np.array(values) for name, values in found.items()}
    return split_rows(rows, DataSettings(name="digits", **settings), calibration_fraction, seed)


def sizes(splits):
    return {name: len(rows) for name, rows in splits.items()}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"train": range(1000)}, (684, 36, 80, 200)),
        ({"train": range(1000), "test": range(1000, 1100)}, (855, 45, 100, 100)),
        ({"train": range(1000), "validation": range(1000, 1050)}, (760, 40, 50, 200)),
        ({"train": range(10), "validation": [10], "test": [11]}, (9, 1, 1, 1)),
    ],
)
def test_the_counts_follow_the_fractions(found, expected):
    names = ("train", "calibration", "validation", "test")
    assert sizes(split(found)) == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("own", [{}, {"test": range(100, 130)}, {"validation": range(100, 130)}])
def test_splits_are_disjoint_and_lose_nothing(own, seed):
    splits = split({"train": range(100), **own}, seed=seed)
    together = np.concatenate(list(splits.values()))
    assert sorted(together) == list(range(130 if own else 100))


def test_the_order_is_fixed_by_the_seed():
    # numpy.random.Generator(PCG64(0)).permutation(10) is 4 6 2 7 3 5 9 0 8 1.
    splits = split({"train": range(10)})
    assert {name: rows.tolist() for name, rows in splits.items()} == {
        "train": [3, 5, 9, 0, 8, 1],
        "calibration": [7],
        "validation": [2],
        "test": [4, 6],
    }


def test_another_seed_gives_another_shuffle():
    first, second = (split({"train": range(100)}, seed=seed)["test"] for seed in (0, 1))
    assert first.tolist() != second.tolist()


def test_a_split_of_the_source_keeps_its_order():
    splits = split({"train": range(50), "test": [52, 50, 51]})
    assert splits["test"].tolist() == [52, 50, 51]


def test_train_limit_moves_neither_validation_nor_test():
    full = split({"train": range(200)})
    limited = split({"train": range(200)}, train_limit=50)
    assert len(limited["train"]) + len(limited["calibration"]) == 50
    assert limited["test"].tolist() == full["test"].tolist()
    assert limited["validation"].tolist() == full["validation"].tolist()


def test_a_limit_beyond_the_training_images_takes_them_all():
    assert sizes(split({"train": range(100)}, train_limit=10_000)) == sizes(
        split({"train": range(100)})
    )


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"train": range(2)}, r"The test split .* with 2 images .*; raise data\.test_fraction\."),
        (
            {"train": range(3), "test": [3]},
            r"The validation split .* with 3 images .*; raise data\.validation_fraction\.",
        ),
        (
            {"train": range(1), "test": [1], "validation": [2]},
            r"The train split .* with 1 images .*; raise data\.train_limit",
        ),
    ],
)
def test_an_empty_split_says_which_setting_to_change(found, message):
    with pytest.raises(DataError, match=message):
        split(found)


def test_training_images_that_all_validate_are_an_error():
    with pytest.raises(DataError, match=r"lower data\.validation_fraction"):
        split({"train": range(10), "test": [10]}, validation_fraction=0.99)


def test_only_used_rows_are_kept_in_their_order():
    rows, splits = renumber({"train": np.array([9, 2]), "test": np.array([4])})
    assert rows.tolist() == [2, 4, 9]
    assert {name: places.tolist() for name, places in splits.items()} == {
        "train": [2, 0],
        "test": [1],
    }


def test_pictures_of_one_thing_are_never_divided_between_splits():
    groups = np.arange(90) // 9
    rows = {"train": np.arange(90)}
    settings = DataSettings(name="digits", validation_fraction=0.2, test_fraction=0.1)
    splits = split_rows(rows, settings, 0.05, 0, groups=groups)
    of = {name: set(groups[found].tolist()) for name, found in splits.items()}
    assert of["test"].isdisjoint(of["validation"])
    assert (of["test"] | of["validation"]).isdisjoint(of["train"] | of["calibration"])
    assert sizes(splits) == {"train": 60, "calibration": 3, "validation": 18, "test": 9}


def test_a_part_of_a_group_is_rounded_up_to_the_whole():
    rows, groups = {"train": np.arange(40), "test": np.arange(40, 50)}, np.arange(50) // 4
    settings = DataSettings(name="digits", validation_fraction=0.25)
    assert len(split_rows(rows, settings, 0.05, 0, groups=groups)["validation"]) == 12
