import pytest
import yaml

from mixmatch.records import Accuracy, Artifact, BaseRecord, MemberRecord, ModelSpec, Result
from tasks.lineage.card import model_card


def accuracy(value):
    return Accuracy(
        num_correct=round(value * 1000),
        num_images=1000,
        value=value,
        low=value - 0.02,
        high=value + 0.02,
        loss=0.5,
        correct_bits="",
    )


@pytest.fixture
def base():
    spec = ModelSpec(
        architecture="test_resnet",
        arguments={},
        num_classes=3,
        image_shape=(16, 24, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=("a", "b", "c"),
    )
    return BaseRecord(
        spec=spec,
        source="best.pt",
        artifact=Artifact(digest="b" * 64, size_bytes=44_000),
        num_parameters=11_000,
        num_weights=10_000,
        validation=accuracy(0.95),
        test=accuracy(0.9),
        warnings=(),
        seconds=1.0,
    )


@pytest.fixture
def result():
    member = MemberRecord(
        artifact=Artifact(digest="3" * 64, size_bytes=12_345),
        mask_digest="4" * 64,
        num_weights=10_000,
        num_nonzero=2_500,
        num_parameters=11_000,
        sparsity=0.75,
        sparsity_of_all=0.68,
        layer_sparsity={},
        validation_after_mask=accuracy(0.5),
        validation_after_batch_norm=accuracy(0.5),
        validation=accuracy(0.925),
        test=accuracy(0.875),
        epochs=(),
        best_epoch=-1,
        seconds=1.0,
    )
    return Result(
        strategy="balanced",
        also=(),
        criterion="magnitude",
        seed=0,
        member=member,
        accuracy_drop=0.025,
        cached=False,
        on_front=True,
        mean_validation=0.925,
        front_share=1.0,
        key="m" * 64,
    )


@pytest.fixture
def card(lineage, base, result):
    return model_card(lineage, base, result)


def test_the_front_matter_is_yaml_for_model_hubs(card):
    _, front, _ = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "mixmatch",
        "pipeline_tag": "image-classification",
        "tags": ["pruning", "sparsity"],
    }


@pytest.mark.parametrize(
    "line",
    [
        "# shapes: balanced/magnitude/0",
        "A test_resnet with 75.00 % of its 10,000 prunable",
        "seed 0). Images of 16x24 pixels, 3 classes.",
        "| validation accuracy | 92.50 % (95 %: 90.50 to 94.50) | 95.00 % (95 %: 93.00 to 97.00) |",
        "| test accuracy | 87.50 % (95 %: 85.50 to 89.50) | 90.00 % (95 %: 88.00 to 92.00) |",
        "| weights that are not zero | 2,500 | 10,000 |",
        "| bytes on disk | 12,345 | 44,000 |",
        f"* Data set digits, source `{'1' * 64}`; images per split: train 1,500, test 300.",
        f"* Base network best.pt, `{'b' * 64}`.",
        f"* Packed file `{'3' * 64}`, mask `{'4' * 64}`.",
        f"* mixmatch 0.1.0, commit {'c' * 40}, Python 3.11.7, torch 2.13.0,",
    ],
)
def test_the_card_says(card, line):
    assert any(found.startswith(line) for found in card.splitlines())


def test_without_an_int8_file_none_is_mentioned(card):
    assert "int8" not in card


def test_a_build_outside_of_the_repository_names_no_commit(lineage, base, result):
    builder = lineage.builder.model_copy(update={"commit": None})
    card = model_card(lineage.model_copy(update={"builder": builder}), base, result)
    assert "* mixmatch 0.1.0, Python 3.11.7, torch 2.13.0," in card
