"""Everything that has a stated goal, side by side in one process tree: ``make bench``.

Writes docs/performance.md. With ``--quick`` (``make bench-quick``, under a minute) it only compares
ratios with those in benchmarks/recorded.json, on small layers, and fails when one fell by more than
a third; ``--record`` writes that file anew.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import authors_way, fine_tuning, masks, training_step
from benchmarks.ratios import HEADING, Comparison, Measured, fallen, measure
from tasks.study.machine import Machine

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(__file__).with_name("recorded.json")
PAGE = ROOT / "docs" / "performance.md"
NETWORKS = ("resnet18", "vgg11_cifar", "levit_384", "swin_tiny_patch4_window7_224")
QUICK_REPEATS, REPEATS = 3, 5


def main() -> int:
    """Measure what is asked for; 1 if a recorded ratio fell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="compare with the recorded ratios")
    parser.add_argument("--record", action="store_true", help="write the recorded ratios anew")
    arguments = parser.parse_args()
    if not (arguments.quick or arguments.record):
        torch.set_num_threads(2)
        write_page()
        return 0
    torch.set_num_threads(1)  # several wait for each other, and other work on the machine shows
    measured = measure(quick_comparisons(), QUICK_REPEATS)
    print(f"{HEADING}\n" + "\n".join(x.row for x in measured))
    now = {x.of.key: x.ratio for x in measured}
    if arguments.record:
        machine = Machine.here().model_dump(mode="json")
        RECORDED.write_text(json.dumps({"machine": machine, "ratios": now}, indent=1) + "\n")
        return 0
    sentences = fallen(json.loads(RECORDED.read_text())["ratios"], now)
    print("\n".join(sentences) or "\nNo ratio fell by more than a third.")
    return 1 if sentences else 0


def quick_comparisons() -> Sequence[Comparison]:
    """Return what a minute is enough for: a sixteenth of every layer, one network."""
    case = masks.make_case(masks.QUICK_SHARE)
    steps = training_step.comparisons("resnet18")
    compared = (*masks.comparisons(case), authors_way.comparison(), *steps)
    return [replace(x, goal=None) for x in compared]  # goals are for the whole network, in quiet


def write_page() -> None:
    """Measure all and write the page."""
    case = masks.make_case(1)
    selected = measure([*masks.comparisons(case), authors_way.comparison()], REPEATS)
    del case
    steps: list[Measured] = []
    for name in NETWORKS:
        steps += measure(training_step.comparisons(name), REPEATS)
    trained: list[Measured] = []
    for name in NETWORKS:
        with fine_tuning.comparison(name) as compared:
            trained += measure([compared], 3)
    machine = Machine.here()
    versions = ", ".join(f"{name} {x}" for name, x in machine.versions.items())
    parts = (
        "# Performance",
        "Written by `make bench`; by hand nothing is changed here. All works run in turn in one "
        "process tree; a ratio is taken within a repeat, and the table has its median and range.",
        f"{machine.hardware}; {versions}.",
        "## Masks, rankings, plans (2 threads)",
        table(selected),
        "## Training steps (1 thread, batch 128, sparsity 0.8)",
        table(steps),
        "## Fine-tuning (2 cores): two one-thread processes beside one 2-thread float32 loop",
        table(trained),
    )
    PAGE.write_text("\n\n".join(parts) + "\n")


def table(rows: Sequence[Measured]) -> str:
    """Return a Markdown table."""
    return f"{HEADING}\n" + "\n".join(x.row for x in rows)


if __name__ == "__main__":
    sys.exit(main())
