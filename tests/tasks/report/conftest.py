"""A family such as a ResNet-18 run gives: 20 layers, two criteria, nine distinct strategies."""

import base64
import shutil

import numpy as np
import pytest

from mixmatch.pareto import TradeOff, on_front, on_size_front
from mixmatch.records import (
    Accuracy,
    Artifact,
    BaseRecord,
    FamilyRecord,
    HostRecord,
    LatencyRecord,
    LayerRecord,
    MemberRecord,
    ModelSpec,
    PlanRecord,
    QuantizedRecord,
    Result,
    RivalResult,
    StrategyRecord,
    Timing,
)
from tasks.report import write_report

CHROMIUM_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

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


def accuracy(num_correct, num_images, *, num_exchanged=0):
    """Get the first images right; ``num_exchanged`` of them wrong, and as many later ones right."""
    right = np.zeros(num_images, dtype=bool)
    right[num_exchanged : num_correct + num_exchanged] = True
    value = num_correct / num_images
    half = 1.96 * (value * (1 - value) / num_images) ** 0.5
    return Accuracy(
        num_correct=num_correct,
        num_images=num_images,
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        loss=0.1,
        correct_bits=base64.b64encode(np.packbits(right).tobytes()).decode(),
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
    sizes = [result.member.artifact.size_bytes for result in results]
    kept = on_size_front(sizes, [result.member.validation.value for result in results])
    results = tuple(
        result.model_copy(update={"on_size_front": is_kept})
        for result, is_kept in zip(results, kept, strict=True)
    )
    return FamilyRecord(name="digits-resnet18", base=base, results=results, failed={})


@pytest.fixture(scope="session")
def versions(family):
    front = [x.key for x in family.results if x.on_front or x.on_size_front]
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


def quantized(member, number):
    """Round a member: about two sevenths of its bytes, one image less right for most."""
    num_lost = number % 3 - 1

    def again(measured):
        num_correct = measured.num_correct - num_lost
        return accuracy(num_correct, measured.num_images, num_exchanged=4 + number)

    return QuantizedRecord(
        artifact=Artifact(
            digest=f"{500 + number:064d}", size_bytes=round(0.29 * member.artifact.size_bytes)
        ),
        num_nonzero=member.num_nonzero - 12_345,
        sparsity=member.sparsity + 12_345 / member.num_weights,
        validation=again(member.validation),
        test=again(member.test),
        seconds=2.0,
    )


def timing(network, runtime, batch, median_s, *, spread=0.04, num_repeats=50):
    low_s, high_s = median_s * (1 - spread), median_s * (1 + spread)
    return Timing(
        network=network,
        runtime=runtime,
        batch=batch,
        median_s=median_s,
        low_s=low_s,
        high_s=high_s,
        num_repeats=num_repeats,
    )


@pytest.fixture(scope="session")
def host():
    return HostRecord(
        processor="Example CPU @ 2.50GHz",
        num_processors=8,
        system="Linux x86_64",
        versions={"python": "3.11.2", "torch": "2.13.0", "onnxruntime": "1.32.0"},
    )


@pytest.fixture(scope="session")
def deployed(family, host):
    """The family with int8 files of the front and latencies of base and front."""
    results = tuple(
        result.model_copy(update={"int8": quantized(result.member, number)})
        if result.on_front or result.on_size_front
        else result
        for number, result in enumerate(family.results)
    )
    networks = [x.member.artifact.digest for x in results if x.int8]
    usual = {"torch": (0.0123, 0.241), "onnx": (0.0098, 0.2215), "onnx-int8": (0.0041, 0.0876)}
    timings = tuple(
        timing(network, runtime, batch, median_s * (1 + 0.004 * (number % 5)))
        for number, network in enumerate([family.base.artifact.digest, *networks])
        for runtime, medians in usual.items()
        for batch, median_s in zip((1, 32), medians, strict=True)
    )
    latency = LatencyRecord(host=host, threads=1, timings=timings, seconds=60.0)
    return family.model_copy(update={"results": results, "latency": latency})


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_SWITCHES
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Open reports that may neither log an error nor ask for anything but themselves."""
    pages, asked, troubles = [], [], []

    def open_report(family, plan, versions, **more):
        out = tmp_path_factory.mktemp("report") / "report.html"
        write_report(family, plan, out, versions=versions, **more)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda m: m.type in {"error", "warning"} and troubles.append(m.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(out.as_uri())
        page.wait_for_selector("#layers .main-svg")
        pages.append(page)
        return page

    yield open_report
    own = [page.url for page in pages]
    for page in pages:
        page.close()
    assert troubles == []
    assert [x for x in asked if not x.startswith(("data:", "blob:"))] == own


@pytest.fixture(scope="module")
def shared(opened, family, plan, versions):
    return opened(family, plan, versions, references={"MAG": 0.95})


@pytest.fixture
def page(shared, reset):
    """The report of the usual family as it looks when it is opened; opened once, for speed."""
    return reset(shared)


@pytest.fixture(scope="module")
def shared_deployed(opened, deployed, plan, versions):
    return opened(deployed, plan, versions)


@pytest.fixture
def deployed_page(shared_deployed, reset):
    """Likewise of the family with int8 files and latencies."""
    return reset(shared_deployed)


@pytest.fixture(scope="session")
def move_slider():
    def move(page, limit):
        page.eval_on_selector(
            "#size-slider",
            "(x, limit) => { x.value = limit; x.dispatchEvent(new Event('input')); }",
            str(limit),
        )

    return move


@pytest.fixture(scope="session")
def reset(move_slider):
    """Put a page back into the state in which it opens."""

    def put_back(page):
        page.click("#axis-sparsity")
        page.click("#split-test")
        if page.locator("#with-int8").count():
            page.check("#with-int8")
        move_slider(page, 10**9)
        return page

    return put_back
