"""What identifies a family, as it is written beside its files under DVC."""

from mixmatch.records import FamilyRecord, QuantizedRecord


def family_figures(family: FamilyRecord) -> dict[str, object]:
    """Return what identifies the family; neither times nor what a cache had."""
    rows = [
        {
            "strategy": result.strategy,
            "also": list(result.also),
            "criterion": result.criterion,
            "seed": result.seed,
            "sparsity": result.member.sparsity,
            "validation_accuracy": result.member.validation.value,
            "accuracy": result.member.test.value,
            "digest": result.member.artifact.digest,
            "on_front": result.on_front,
            "on_size_front": result.on_size_front,
            "int8": _int8_figures(result.int8),
        }
        for result in family.results
    ]
    return {"name": family.name, "base": family.base.artifact.digest, "results": rows}


def _int8_figures(int8: QuantizedRecord | None) -> dict[str, object] | None:
    if int8 is None:
        return None
    return {
        "validation_accuracy": int8.validation.value,
        "accuracy": int8.test.value,
        "digest": int8.artifact.digest,
    }
