import pytest

from mixmatch.config import FineTuneSettings
from tasks.study.training import epochs_text, family_epochs, inequality, is_equal

CHAIN = FineTuneSettings(order="chain", max_epochs=5)
BUDGET = FineTuneSettings(budget={"epochs": 30}, max_epochs=5)


@pytest.mark.parametrize("order", ["fan_out", "chain"])
def test_without_fine_tuning_all_are_equal(order):
    settings = FineTuneSettings(order=order, max_epochs=0)
    assert (is_equal(settings), inequality(settings)) == (True, None)
    assert epochs_text(settings) == "at most 0 epochs of fine-tuning each"


def test_a_fan_out_gives_all_the_same():
    settings = FineTuneSettings(max_epochs=5)
    assert (is_equal(settings), inequality(settings)) == (True, None)
    assert epochs_text(settings) == "at most 5 epochs of fine-tuning each"


def test_a_link_of_a_chain_inherits_epochs():
    assert not is_equal(CHAIN)
    assert epochs_text(CHAIN) == (
        "at most 5 epochs of fine-tuning each on top of those of its start"
    )
    assert "inherits its epochs; the other strategies and all rivals start" in inequality(CHAIN)


def test_epochs_that_came_to_nothing_were_taken_too(study_rows):
    rows = [row.model_copy(update={"epochs_discarded": 3}) for row in study_rows]
    assert family_epochs(BUDGET, rows) == 4 * (2 + 3)


def test_under_a_budget_the_family_shares_epochs():
    assert not is_equal(BUDGET)
    assert epochs_text(BUDGET) == (
        "at most 30 epochs of fine-tuning for the whole family of each seed and at most 5 epochs "
        "for each rival"
    )
    assert inequality(BUDGET) == (
        "Fine-tuning is not equal (fine_tune.budget): all of the family shares 30 epochs per seed, "
        "and each rival gets up to 5."
    )
