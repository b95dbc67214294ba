"""What a study says of its fine-tuning: whether family and rivals get the same, and how much."""

from collections.abc import Sequence

from mixmatch.config import FineTuneSettings
from tasks.study.row import StudyRow


def is_equal(settings: FineTuneSettings) -> bool:
    """Say whether family and rivals are fine-tuned alike, from the same start."""
    return settings.budget is None and not _is_chain(settings)


def epochs_text(settings: FineTuneSettings) -> str:
    """Say how many epochs of fine-tuning a result gets, as the end of a sentence."""
    most = settings.max_epochs
    if settings.budget is not None:
        return (
            f"at most {settings.budget.epochs} epochs of fine-tuning for the whole family of each "
            f"seed and at most {most} epochs for each rival"
        )
    if _is_chain(settings):
        return f"at most {most} epochs of fine-tuning each on top of those of its start"
    return f"at most {most} epochs of fine-tuning each"


def inequality(settings: FineTuneSettings) -> str | None:
    """Say how the fine-tuning of family and rivals differs; None: it does not."""
    if settings.budget is not None:
        return (
            f"Fine-tuning is not equal (fine_tune.budget): all of the family shares "
            f"{settings.budget.epochs} epochs per seed, and each rival gets up to "
            f"{settings.max_epochs}."
        )
    if _is_chain(settings):
        return (
            "Fine-tuning is not equal (fine_tune.order: chain): a strategy of constant alpha "
            "starts from the fine-tuned one before it and inherits its epochs; the other "
            "strategies and all rivals start from the base."
        )
    return None


def family_epochs(settings: FineTuneSettings, rows: Sequence[StudyRow]) -> int:
    """Return how many epochs of fine-tuning the family of a study took, all seeds together.

    Within a budget a member starts from its own network of the round before, and rounds that made
    it worse count too; in a chain it starts from another member, whose epochs are counted there.
    """
    family = [row for row in rows if row.kind == "family"]
    elsewhere = sum(row.epochs_before for row in family) if _is_chain(settings) else 0
    return sum(row.epochs_run + row.epochs_discarded for row in family) - elsewhere


def _is_chain(settings: FineTuneSettings) -> bool:
    """Say whether members start from one another; without fine-tuning none does."""
    return settings.order == "chain" and settings.max_epochs > 0
