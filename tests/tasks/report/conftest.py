"""A family such as a ResNet-18 run gives: 20 layers, two criteria, nine distinct strategies."""

import pytest

from mixmatch.pareto import TradeOff, on_front
from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    FamilyRecord,
    LayerRecord,
    MemberRecord,
    ModelSpec,
    PlanRecord,
    Result,
    RivalResult,
    StrategyRecord,
)

ALPHAS = {
    "conservative": 0.0,
    "percentile_30": 0.3,
    "balanced": 0.5,
    "percentile_50": 0.5,
    "percentile_70": 0.7,
    "percentile_90": 0.9,
    "aggressive": 1.0,
    "parameter_proportional": 0.22,
    "classifier_heavy": 0.62,
    "feature_heavy": 0.41,
}


def accuracy(num_correct, num_images):
    value = num_correct / num_images
    half = 1.96 * (value * (1 - value) / num_images) ** 0.5
    return Accuracy(
        num_correct=num_correct,
        num_images=num_images,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        loss=0.1,
        correct_bits="",
    )


def layers():
    names = ["conv1"]
    for stage in range(1, 5):
        for block in range(2):
            names += [f"layer{stage}.{block}.conv{number}" for number in (1, 2)]
        if stage > 1:
            names.append(f"layer{stage}.0.downsample.0")
    names = [*names[:19], "fc"]
    for index, name in enumerate(names):
        stage = int(name[5]) if name.startswith("layer") else 0
        role = "downsample" if "downsample" in name else "convolution"
        role = {"conv1": "stem", "fc": "classifier"}.get(name, role)
        low, high = (
            (0.0, 0.1) if role in {"stem", "classifier"} else (0.1 * stage, 0.55 + 0.1 * stage)
        )
        yield LayerRecord(
            name=name,
            role=role,
            num_weights=5_000 * (1 + index * index),
            observed=(low, high),
            range=(low, high),
        )


@pytest.fixture(scope="session")
def plan():
    rows = tuple(layers())
    total = sum(layer.num_weights for layer in rows)
    strategies = []
    for name, alpha in ALPHAS.items():
        rho = {x.name: x.range[0] + alpha * (x.range[1] - x.range[0]) for x in rows}
        pruned = {x.name: round(rho[x.name] * x.num_weights) for x in rows}
        strategies.append(
            StrategyRecord(
                name=name,
                digest=f"{alpha}",
                sparsity=sum(pruned.values()) / total,
                layers=rho,
                num_pruned=pruned,
            )
        )
    norms = tuple(f"layer{s}.{b}.bn{n}" for s in (1, 2, 3, 4) for b in (0, 1) for n in (1, 2))
    return PlanRecord(layers=rows, strategies=tuple(strategies), normalization_layers=norms)


@pytest.fixture(scope="session")
def base():
    return BaseRecord(
        spec=ModelSpec(
            architecture="resnet18",
            arguments={},
            num_classes=10,
            image_shape=(32, 32, 3),
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            classes=tuple(f"digit {x}" for x in range(10)),
        ),
        source="trained",
        artifact=Artifact(digest="b" * 64, size_bytes=44_745_218),
        num_parameters=11_173_962,
        num_weights=11_164_352,
        validation=accuracy(986, 1000),
        test=accuracy(1963, 2000),
        warnings=(),
        seconds=30.0,
    )


def member(strategy, criterion_index, number, *, num_layers=20):
    alpha = ALPHAS[strategy.name]
    # A knee: flat up to about 0.7 sparsity, then falling; some scatter that is no accident.
    loss = 0.9 * max(0.0, strategy.sparsity - 0.55) ** 3 * 3 + 0.004 * ((number * 7) % 4) * alpha
    validation = accuracy(round(1000 * (0.988 - loss * (1 + 0.5 * criterion_index))), 1000)
    test = accuracy(round(2000 * (0.982 - loss * (1 + 0.4 * criterion_index))), 2000)
    return MemberRecord(
        artifact=Artifact(
            digest=f"{number:064d}",
            size_bytes=round(1_400_000 + 41_000_000 * (1 - strategy.sparsity)) + 1237 * number,
        ),
        mask_digest=f"{number:064d}",
        num_weights=11_164_352,
        num_nonzero=round(11_164_352 * (1 - strategy.sparsity)),
        num_parameters=11_173_962,
        sparsity=strategy.sparsity,
        sparsity_of_all=strategy.sparsity * 0.999,
        layer_sparsity={},
        validation_after_mask=validation,
        validation_after_batch_norm=validation,
        validation=validation,
        test=test,
        epochs=(),
        best_epoch=-1,
        seconds=9.0,
    )


@pytest.fixture(scope="session")
def family(plan, base):
    members = []
    for index, criterion in enumerate(("magnitude", "product")):
        for strategy in plan.strategies:
            if strategy.name != "percentile_50":
                members.append((strategy.name, criterion, member(strategy, index, len(members))))
    points = [TradeOff(str(n), m.sparsity, m.validation.value) for n, (*_, m) in enumerate(members)]
    results = tuple(
        Result(
            strategy=name,
            also=("percentile_50",) if name == "balanced" else (),
            criterion=criterion,
            seed=0,
            member=record,
            accuracy_drop=base.test.value - record.test.value,
            cached=False,
            on_front=front,
            mean_validation=0.9,
            front_share=0.93 if front else 0.04,
            key=f"key-{criterion}-{name}",
        )
        for (name, criterion, record), front in zip(members, on_front(points), strict=True)
    )
    return FamilyRecord(name="digits-resnet18", base=base, results=results, failed={})


@pytest.fixture(scope="session")
def versions(family):
    front = [result.key for result in family.results if result.on_front]
    return {key: number for number, key in enumerate(front, start=1)}


# Rival, sparsity asked for, validation and test images right; below, random has collapsed.
RIVALS = (
    ("dense", 0.0, 991, 1972),
    ("MAG", 0.5, 978, 1950),
    ("MAG", 0.7, 968, 1921),
    ("SNIP", 0.5, 975, 1938),
    ("SNIP", 0.7, 960, 1908),
    ("GraSP", 0.5, 970, 1930),
    ("PROD", 0.5, 977, 1947),
    ("LAMP", 0.7, 971, 1929),
    ("uniform", 0.6, 966, 1922),
    ("random", 0.6, 120, 231),
)


@pytest.fixture(scope="session")
def rivals(family):
    pattern = family.results[0].member
    found = []
    for number, (name, sparsity, validation, test) in enumerate(RIVALS):
        member = pattern.model_copy(
            update={
                "artifact": Artifact(digest=f"{900 + number:064d}", size_bytes=9_000_000 + number),
                "sparsity": sparsity,
                "validation": accuracy(validation, 1000),
                "test": accuracy(test, 2000),
            }
        )
        found.append(
            RivalResult(
                rival=name,
                sparsity=sparsity,
                seed=0,
                member=member,
                accuracy_drop=family.base.test.value - member.test.value,
                cached=False,
                key=f"rival-{number}",
            )
        )
    return tuple(found)
