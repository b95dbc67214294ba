"""Everything that has a stated goal, side by side in one process tree: ``make bench``.

Each section is measured on its own and kept under build/bench; docs/performance.md is put together
from all of them. Names of sections measure only those anew: a shared machine need then be quiet
for minutes instead of half an hour.

With ``--quick`` (``make bench-quick``, under a minute) it only compares ratios with those in
benchmarks/recorded.json, on small layers, and fails when one fell by more than a third;
``--record`` writes that file anew.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import authors_way, commands, equal_accuracy, fine_tuning, masks, nncf_peer
from benchmarks import training_step as steps
from benchmarks.ratios import HEADING, Comparison, Measured, fallen, measure
from tasks.study.machine import Machine

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(__file__).with_name("recorded.json")
KEPT = ROOT / "build" / "bench"
PAGE = ROOT / "docs" / "performance.md"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
NETWORKS = ("resnet18", "vgg11_cifar", "levit_384", "swin_tiny_patch4_window7_224")
QUICK_REPEATS, REPEATS, TRAINING_REPEATS = 3, 5, 3
STEP_REPEATS = 21  # a step takes a moment, and a moment is easily disturbed

INTRODUCTION = """# Performance

Written by `make bench`; nothing here is changed by hand. Ways to do one work run in turn in one
process tree. A ratio is taken within a repeat, and the table has the median and the range of the
ratios; times are medians."""


def main() -> int:
    """Measure what is asked for; 1 if a recorded ratio fell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="compare with the recorded ratios")
    parser.add_argument("--record", action="store_true", help="write the recorded ratios anew")
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; none: all")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.sections) - set(SECTIONS)):
        parser.error(f"sections must be among {', '.join(SECTIONS)}, got {', '.join(unknown)}")
    if arguments.quick or arguments.record:
        return gate(record=arguments.record)
    torch.set_num_threads(2)
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in arguments.sections or SECTIONS:
        table = SECTIONS[name]()
        machine = Machine.here()
        versions = ", ".join(f"{key} {x}" for key, x in machine.versions.items())
        measured_on = f"{machine.hardware}; {versions}."
        (KEPT / f"{name}.json").write_text(json.dumps({"table": table, "on": measured_on}))
        print(f"{table}\n", flush=True)
    write_page()
    return 0


def write_page() -> None:
    """Put the page together from what was measured so far."""
    parts = [INTRODUCTION]
    for name in SECTIONS:
        file = KEPT / f"{name}.json"
        kept = json.loads(file.read_text()) if file.exists() else None
        said = [kept["on"], kept["table"]] if kept else ["Not measured yet."]
        parts += [f"## {TITLES[name]}", *said]
    PAGE.write_text("\n\n".join(parts) + "\n")


def gate(*, record: bool) -> int:
    """Compare ratios with the recorded ones, or record them; 1 if one fell."""
    torch.set_num_threads(1)  # several wait for each other, and other work on the machine shows
    measured = measure(quick_comparisons(), QUICK_REPEATS)
    print(table_of(measured))
    now = {x.of.key: x.ratio for x in measured}
    if record:
        machine = Machine.here().model_dump(mode="json")
        RECORDED.write_text(json.dumps({"machine": machine, "ratios": now}, indent=1) + "\n")
        return 0
    sentences = fallen(json.loads(RECORDED.read_text())["ratios"], now)
    print("\n".join(sentences) or "\nNo ratio fell by more than a third.")
    return 1 if sentences else 0


def quick_comparisons() -> Sequence[Comparison]:
    """Return what a minute is enough for: a sixteenth of every layer, one network."""
    case = masks.make_case(masks.QUICK_SHARE)
    compared = (
        *masks.comparisons(case),
        authors_way.comparison(),
        *steps.comparisons("resnet18"),
    )
    return [replace(x, goal=None) for x in compared]  # goals are for the whole network, in quiet


def measure_masks() -> str:
    """Masks, rankings and plans on whole networks."""
    compared = [*masks.comparisons(masks.make_case(1)), authors_way.comparison()]
    return table_of(measure(compared, REPEATS))


def measure_nncf() -> str:
    """Masks of whole networks beside NNCF's."""
    with nncf_peer.comparisons(NETWORKS) as compared:
        return table_of(measure(compared, REPEATS))


def measure_steps() -> str:
    """Masked training steps."""
    return table_of(
        [x for name in NETWORKS for x in measure(steps.comparisons(name), STEP_REPEATS)]
    )


def measure_fine_tuning() -> str:
    """Images in a second over the fan-out."""
    measured: list[Measured] = []
    for name in NETWORKS:
        with fine_tuning.comparisons(name) as compared:
            measured += measure(compared, TRAINING_REPEATS)
    return table_of(measured)


def measure_accuracy() -> str:
    """Accuracy of both ways of fine-tuning."""
    pictures = equal_accuracy.read_pictures(FASHION_MNIST)
    rows = [equal_accuracy.row(name, pictures) for name in NETWORKS]
    return "\n".join([equal_accuracy.HEADING, *rows])


def measure_commands() -> str:
    """Wall times of commands."""
    return "\n".join([commands.HEADING, *commands.rows()])


def table_of(measured: Sequence[Measured]) -> str:
    """Return a Markdown table."""
    return "\n".join([HEADING, *(x.row for x in measured)])


SECTIONS: dict[str, Callable[[], str]] = {
    "masks": measure_masks,
    "nncf": measure_nncf,
    "steps": measure_steps,
    "fine-tuning": measure_fine_tuning,
    "accuracy": measure_accuracy,
    "commands": measure_commands,
}
TITLES = {
    "masks": "Masks, rankings, plans (2 threads)",
    "nncf": "Masks of whole networks beside NNCF (2 threads)",
    "steps": "Training steps (1 thread, batch 128, sparsity 0.8)",
    "fine-tuning": "Fine-tuning: two one-thread processes beside one plain loop with 2 threads",
    "accuracy": "Accuracy after fine-tuning: means and deviations of three seeds",
    "commands": "Commands (ResNet-18, scikit-learn's digits at 32x32)",
}

if __name__ == "__main__":
    sys.exit(main())
