"""Wall time of the commands that have a stated limit, on this machine: ``make times``.

Plans of the four networks of the paper at full size and 32x32, from a checkpoint (random weights:
time does not depend on them), with 1,000 calibration images, cold and with everything cached; and
an instant family of ten strategies and three criteria. Needs Fashion-MNIST's files: Debian's
package dataset-fashion-mnist, or its folder as the first argument.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from mixmatch.models import build_model
from mixmatch.records import ModelSpec
from tasks.study.machine import Machine

NETWORKS = ("resnet18", "vgg11_cifar", "levit_384", "swin_tiny_patch4_window7_224")
MIXMATCH = Path(sys.executable).with_name("mixmatch")
FILES = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
INSTANT = ("fine_tune.max_epochs=0", "criteria=[magnitude,gradient,product]")


def main() -> None:
    """Time every command once and print a table."""
    machine = Machine.here()
    print(f"{machine.hardware}; torch {machine.versions['torch']}\n")
    print("| network | plan cold, s | plan cached, s | instant family, s |\n|---|---|---|---|")
    for architecture in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            run_file = write_run_file(Path(folder), architecture)
            times = [timed(run_file, "plan"), timed(run_file, "plan")]
            if architecture == "resnet18":
                times.append(timed(run_file, "run", *INSTANT))
        print(f"| {architecture} | " + " | ".join(f"{x:.1f}" for x in times) + " |", flush=True)


def write_run_file(folder: Path, architecture: str) -> Path:
    """Write random weights and a run file that compresses them: 2,000 + 10,000 images."""
    torch.manual_seed(0)
    spec = ModelSpec(
        architecture=architecture,
        arguments={},
        num_classes=10,
        image_shape=(32, 32, 3),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=tuple("0123456789"),
    )
    state = build_model(spec).state_dict()
    save_file({name: x.contiguous() for name, x in state.items()}, folder / "net.safetensors")
    settings = {
        "data": {
            "name": "fashion_mnist",
            "root": str(FILES),
            "train_limit": 20_000,
            "validation_fraction": 2_000 / 60_000,
        },
        "model": {"architecture": architecture, "checkpoint": str(folder / "net.safetensors")},
        "calibration_fraction": 0.05,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    return folder / "run.yaml"


def timed(run_file: Path, command: str, *overrides: str) -> float:
    """Return the wall time of one command in the workspace beside the run file, seconds."""
    options = [part for override in overrides for part in ("--set", override)]
    workspace = str(run_file.with_name("workspace"))
    started = time.monotonic()
    subprocess.run(
        [MIXMATCH, command, run_file, "--workspace", workspace, *options],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started


if __name__ == "__main__":
    main()
