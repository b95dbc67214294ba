"""Install a lock file with hashes; PyTorch, if asked, from an index of its own.

``install_locked.py LOCK INDEX``; an empty INDEX takes PyTorch from the lock too, for NVIDIA
accelerators. Otherwise its version is still the lock's, but its file's hash is the index's affair.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What PyTorch for NVIDIA consists of; wheels for processors need none of it.
_ACCELERATED = re.compile(r"(torch|torchvision|triton|cuda-[\w-]+|nvidia-[\w-]+)==")
_UV = ("uv", "pip", "install", "--quiet", "--compile-bytecode", "--no-deps")


def main(lock: Path, index: str) -> None:
    """Install what ``lock`` names."""
    pins = list(pins_of(lock.read_text()))
    if index:
        wheels = [x.split()[0] for x in pins if x.startswith(("torch==", "torchvision=="))]
        pins = [x for x in pins if not _ACCELERATED.match(x)]
        subprocess.run([*_UV, *wheels], check=True, env={**os.environ, "UV_DEFAULT_INDEX": index})
    chosen = lock.with_suffix(".chosen")
    chosen.write_text("".join(pins))
    subprocess.run([*_UV, "--require-hashes", "-r", str(chosen)], check=True)


def pins_of(text: str) -> Iterator[str]:
    """Yield the pins of a lock file, each with its hashes."""
    for block in re.split(r"\n(?! )", text.strip()):
        yield f"{block}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
